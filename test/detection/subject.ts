/** One simulated subject: a good scan, and the same scan with each defect, measured as the pipeline measures. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { acquisitionMetrics, seriesQc } from '../../activities/qc/series.ts';
import { measureSession, susceptibility } from '../../activities/qc/session.ts';
import { formatBvecs, readBvecs } from '../../imaging/gradients.ts';
import { volumeOf } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import type { Phantom, SimulatedSession } from '../../imaging/phantom/index.ts';
import { simulateSession } from '../../imaging/phantom/index.ts';
import { type RandomStream, randomStream } from '../../imaging/phantom/random.ts';
import { drawMotion } from '../../imaging/phantom/scanner.ts';
import { TISSUES } from '../../imaging/phantom/template.ts';
import { checkGradients } from '../../imaging/qc/gradient-check.ts';
import { voxelsOf } from '../../imaging/qc/numbers.ts';
import { brainMetrics } from '../../imaging/qc/tissue.ts';
import { writeScan } from '../accuracy/scan.ts';
import { brainOf, processScan, retellB0s, tensor, topup } from './chain.ts';
import {
  addSpike,
  copySession,
  cutBrain,
  drawAxisChange,
  drift,
  dropSlices,
  jump,
  turned,
} from './defects.ts';

/** A defect and the metrics meant for it: any of them beyond its limit finds it. */
export const DEFECTS = {
  'dropped slices': ['raw_bad_slices'],
  spike: ['raw_num_spikes'],
  'signal drift': ['signal_drift_abs'],
  'turned bvecs': ['bvec_margin'],
  '6 mm motion': ['mot_abs_max'],
  'wrong phase encoding': ['ap_pa_gain'],
  'half a brain': ['brain_cut_superior', 'brain_cut_inferior'],
} as const;

export type Defect = keyof typeof DEFECTS;
export type Metrics = Record<string, number | null>;

/** Metrics of the good scan, and of each defect. */
export type Measured = Record<'good' | Defect, Metrics>;

const PROTOCOL = { voxelMm: 5, directions: 15, b0s: 3, bvalue: 1000 } as const;
const VOLUMES = 2 * (PROTOCOL.directions + PROTOCOL.b0s);

/** As it comes: motion, eddy currents, distortion, noise and anatomy differ from scan to scan. */
export function goodScan(phantom: Phantom, seed: number, random: RandomStream) {
  const vary = (low: number, high: number) => low + (high - low) * random.uniform();
  return {
    phantom,
    seed,
    subject: `sub-${seed}`,
    session: '1',
    protocol: { ...PROTOCOL, orientation: seed % 2 ? ('RAS' as const) : ('LAS' as const) },
    artefacts: {
      snr: vary(15, 40),
      eddyCurrents: vary(0.5, 1.5),
      susceptibility: vary(0.8, 2),
      shading: vary(0.5, 1.5),
    },
    motion: drawMotion(random, VOLUMES, vary(0.2, 1)),
  };
}

/** What the raw series alone tells. @param mask of the brain */
export function rawMetrics(session: SimulatedSession, mask: Float32Array): Metrics {
  const { ap, pa, grid } = session;
  const voxels = voxelsOf(mask);
  const data = new Float32Array(2 * ap.image.data.length);
  data.set(ap.image.data);
  data.set(pa.image.data, ap.image.data.length);
  const volumes = {
    bvals: Float64Array.of(...ap.gradients.bvals, ...pa.gradients.bvals),
    bvecs: Float64Array.of(...ap.gradients.bvecs, ...pa.gradients.bvecs),
    index: [...ap.gradients.bvals].map(() => 1).concat([...pa.gradients.bvals].map(() => 2)),
    schemes: [ap, pa].map(({ acquisition: { direction, readoutSeconds } }) => ({
      axis: 1,
      sign: direction[1],
      readoutSeconds,
    })),
  };
  const series = { grid, volumes: ap.image.volumes + pa.image.volumes, data };
  return {
    ...seriesQc('raw', series, volumes, voxels).metrics,
    ...acquisitionMetrics(series, volumes, mask, voxels),
  };
}

/** What topup makes of b0s that it is told wrong things of. */
async function misledMetrics(folder: string, session: SimulatedSession, seed: number): Promise<Metrics> {
  const scan = await writeScan(folder, session);
  if (seed % 2) {
    // Both sets were acquired the same way, though the second is said to be reversed.
    const { image, gradients } = session.ap;
    const first = [...gradients.bvals.keys()].filter((t) => gradients.bvals[t] === 0);
    const b0s = [...first, ...first.toReversed()].map((t) => volumeOf(image, t));
    const data = Float32Array.from(b0s.flatMap((volume) => [...volume]));
    await writeImage(scan.b0s, { grid: session.grid, volumes: b0s.length, data });
  }
  // The direction along the wrong axis.
  else
    await retellB0s(folder, (row) => {
      const [x, y, ...rest] = row.split(' ');
      return [y, x, ...rest].join(' ');
    });
  await topup(folder);
  const at = (name: string) => ({ path: join(folder, name), sha256: '' });
  const maps = { fieldHz: at('field_hz.nii.gz'), unwarped: at('unwarped.nii.gz'), b0s: at('b0s.nii.gz') };
  const voxels = voxelsOf(session.truth.brain.data);
  return (await susceptibility({ ...maps, acqparamsB0: at('b0_acqparams.txt') }, [], voxels)).metrics;
}

/** Simulates, spoils, corrects and measures one subject. About half a minute; needs the built toolkit. */
export async function measureSubject(phantom: Phantom, seed: number, folder: string): Promise<Measured> {
  const random = randomStream(seed, 'detection');
  const options = goodScan(phantom, seed, random);
  const session = simulateSession(options);
  drift(session, 0.01 * random.normal());
  const good = join(folder, 'good');
  await writeScan(good, session);
  const maps = await processScan(good);
  const { metrics } = await measureSession(maps, () => {});
  const mask = await readImage(maps.mask.path);

  const spoilt = (spoil: (session: SimulatedSession) => void) => {
    const copy = copySession(session);
    spoil(copy);
    return rawMetrics(copy, mask.data);
  };

  const moved = join(folder, 'moved');
  await writeScan(moved, simulateSession({ ...options, motion: jump(options.motion, random) }));
  const movedMaps = await processScan(moved);

  const bvecs = turned(await readBvecs(maps.bvecs.path), drawAxisChange(random));
  await writeFile(join(good, 'turned'), formatBvecs(bvecs));
  await tensor(good, 'turned');
  const [fa, v1] = [await readImage(maps.fa.path), await readImage(maps.v1.path)];
  const check = checkGradients(fa.data, v1.data, voxelsOf(mask.data), fa.grid);

  const cut = join(folder, 'cut');
  await mkdir(cut, { recursive: true });
  await writeImage(join(cut, 'series.nii.gz'), cutBrain(session.ap.image, session.truth.brain, random));
  await brainOf(cut, 'series');
  const cutMask = await readImage(join(cut, 'b0_brain_mask.nii.gz'));

  const result: Measured = {
    good: metrics,
    'dropped slices': spoilt((copy) => dropSlices(copy, random)),
    spike: spoilt((copy) => addSpike(copy, random, TISSUES.white.s0)),
    'signal drift': spoilt((copy) =>
      drift(copy, (random.uniform() < 0.5 ? -1 : 1) * (0.05 + 0.05 * random.uniform())),
    ),
    'turned bvecs': { bvec_margin: check?.margin ?? null, bvec_coherence: check?.coherence ?? null },
    '6 mm motion': (await measureSession(movedMaps, () => {})).metrics,
    'wrong phase encoding': await misledMetrics(join(folder, 'misled'), session, seed),
    'half a brain': brainMetrics(cutMask.data, cutMask.grid),
  };
  await rm(folder, { recursive: true, force: true });
  return result;
}
