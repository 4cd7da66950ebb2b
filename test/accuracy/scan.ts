/**
 * The simulated scan of the accuracy figures, at the size of the published trial: 2 mm, AP and PA sets of 4 b0 and
 * 30 b = 1000 volumes, SNR 20 in white matter at b = 0, spoilt as badly as scans come.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '../../imaging/image.ts';
import { writeImage } from '../../imaging/nifti.ts';
import { buildPhantom, type SimulatedSession, simulateSession } from '../../imaging/phantom/index.ts';

/** Paths of a scan's files, as the tools take them. */
export interface Scan {
  readonly session: SimulatedSession;
  /** AP volumes, then PA volumes. */
  readonly dwi: string;
  readonly bvals: string;
  readonly bvecs: string;
  /** AP in row 1, PA in row 2. */
  readonly acqparams: string;
  /** A row per volume. */
  readonly index: string;
  /** The b0s of both sets, and a row per b0. */
  readonly b0s: string;
  readonly b0Acqparams: string;
  /** True brain mask, undistorted. */
  readonly mask: string;
}

/** Scales of the artefacts: fields to +-6 voxels of shift, motion to 3 mm and 3 degrees, eddy currents to 2 voxels. */
export const FULL_ARTEFACTS = { snr: 20, motion: 1.6, eddyCurrents: 1.6, susceptibility: 3 } as const;

export const FULL_PROTOCOL = { voxelMm: 2, directions: 30, b0s: 4, bvalue: 1000 } as const;

const row = (values: Iterable<number>) => [...values].join(' ');

/** Writes a session's files into a folder as the pipeline would stage them. */
export async function writeScan(folder: string, session: SimulatedSession): Promise<Scan> {
  await mkdir(folder, { recursive: true });
  const { grid, ap, pa, truth } = session;
  const both = [ap, pa];
  const volumes = both.flatMap(({ image, gradients }, set) =>
    [...gradients.bvals].map((bval, t) => ({
      set,
      bval,
      bvec: gradients.bvecs.subarray(3 * t, 3 * t + 3),
      data: image.data.subarray(
        (t * image.data.length) / image.volumes,
        ((t + 1) * image.data.length) / image.volumes,
      ),
    })),
  );
  const stack = (chosen: typeof volumes): Image => {
    const size = chosen[0].data.length;
    const data = new Float32Array(size * chosen.length);
    for (const [t, volume] of chosen.entries()) data.set(volume.data, t * size);
    return { grid, volumes: chosen.length, data };
  };
  const b0s = volumes.filter(({ bval }) => bval === 0);
  const at = (name: string) => join(folder, name);
  const acqp = both.map(({ acquisition: { direction, readoutSeconds } }) =>
    row([...direction, readoutSeconds]),
  );
  const write = (name: string, lines: readonly string[]) => writeFile(at(name), `${lines.join('\n')}\n`);
  await writeImage(at('dwi.nii.gz'), stack(volumes));
  await writeImage(at('b0s.nii.gz'), stack(b0s));
  await writeImage(at('mask.nii.gz'), truth.brain, { type: 'uint8' });
  await write('bvals', [row(volumes.map(({ bval }) => bval))]);
  await write(
    'bvecs',
    [0, 1, 2].map((axis) => row(volumes.map(({ bvec }) => bvec[axis]))),
  );
  await write('acqparams.txt', acqp);
  await write('index.txt', [row(volumes.map(({ set }) => set + 1))]);
  await write(
    'b0_acqparams.txt',
    b0s.map(({ set }) => acqp[set]),
  );
  return {
    session,
    dwi: at('dwi.nii.gz'),
    bvals: at('bvals'),
    bvecs: at('bvecs'),
    acqparams: at('acqparams.txt'),
    index: at('index.txt'),
    b0s: at('b0s.nii.gz'),
    b0Acqparams: at('b0_acqparams.txt'),
    mask: at('mask.nii.gz'),
  };
}

/** Simulates the full-size scan and writes it. About 30 s. */
export function fullScan(folder: string, artefacts: object = {}, seed = 3): Promise<Scan> {
  const session = simulateSession({
    phantom: buildPhantom(),
    seed,
    subject: 'accuracy',
    session: '1',
    protocol: FULL_PROTOCOL,
    artefacts: { ...FULL_ARTEFACTS, ...artefacts },
  });
  return writeScan(folder, session);
}
