/**
 * Defects of simulated scans found, and good scans let pass, by the default limits: what the images tell without
 * correction. `npm run qc:detection` has the whole chain and more subjects.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { fitMaps } from '../../containers/toolkit/dtifit/maps.ts';
import { Threads } from '../../containers/toolkit/threads.ts';
import { voxelCount } from '../../imaging/image.ts';
import { buildPhantom, type SimulatedSession, simulateSession } from '../../imaging/phantom/index.ts';
import { randomStream } from '../../imaging/phantom/random.ts';
import { TISSUES } from '../../imaging/phantom/template.ts';
import { checkGradients } from '../../imaging/qc/gradient-check.ts';
import { voxelsOf } from '../../imaging/qc/numbers.ts';
import { brainMetrics } from '../../imaging/qc/tissue.ts';
import { crossings } from '../../pipeline/qc/thresholds.ts';
import {
  addSpike,
  copySession,
  cutBrain,
  drawAxisChange,
  drift,
  dropSlices,
  turned,
} from '../detection/defects.ts';
import { DEFECTS, type Defect, goodScan, type Metrics, rawMetrics } from '../detection/subject.ts';

const SUBJECTS = [101, 102, 103];
let sessions: SimulatedSession[];

beforeAll(() => {
  const phantom = buildPhantom();
  sessions = SUBJECTS.map((seed) => simulateSession(goodScan(phantom, seed, randomStream(seed, 'unit'))));
}, 60_000);

const found = (defect: Defect, metrics: Metrics) =>
  crossings(metrics).some(({ metric }) => (DEFECTS[defect] as readonly string[]).includes(metric));

describe('the raw series', () => {
  it.each([
    [
      'dropped slices',
      (copy: SimulatedSession, seed: number) => dropSlices(copy, randomStream(seed, 'drop')),
    ],
    [
      'spike',
      (copy: SimulatedSession, seed: number) => addSpike(copy, randomStream(seed, 'spike'), TISSUES.white.s0),
    ],
    ['signal drift', (copy: SimulatedSession, seed: number) => drift(copy, seed % 2 ? 0.06 : -0.06)],
  ] as const)('%s: found in each, and in no good scan', (defect, spoil) => {
    for (const [i, session] of sessions.entries()) {
      const brain = session.truth.brain.data;
      expect(found(defect, rawMetrics(session, brain)), `good ${SUBJECTS[i]}`).toBe(false);
      const copy = copySession(session);
      spoil(copy, SUBJECTS[i]);
      expect(found(defect, rawMetrics(copy, brain)), `spoilt ${SUBJECTS[i]}`).toBe(true);
    }
  });
});

it('half a brain: the field of view ends in it', () => {
  for (const [i, session] of sessions.entries()) {
    const { brain } = session.truth;
    expect(found('half a brain', brainMetrics(brain.data, brain.grid))).toBe(false);
    const cut = cutBrain(brain, brain, randomStream(SUBJECTS[i], 'cut'));
    expect(found('half a brain', brainMetrics(cut.data, cut.grid))).toBe(true);
  }
});

it('turned bvecs: found by the fibres of uncorrected images, whichever way the image is stored', async () => {
  for (const [i, session] of sessions.entries()) {
    const { image, gradients } = session.ap;
    const n = voxelCount(session.grid);
    const voxels = voxelsOf(session.truth.brain.data);
    const signals = new Float32Array(n * image.volumes);
    for (let t = 0; t < image.volumes; t++)
      for (let o = 0; o < n; o++) signals[o * image.volumes + t] = image.data[t * n + o];
    const marginWith = async (bvecs: Float64Array) => {
      const { bvals } = gradients;
      const { maps } = await fitMaps(
        { signals, gradients: { bvals, bvecs }, estimator: 'ols' },
        new Threads(1),
      );
      return checkGradients(maps.FA, maps.V1, voxels, session.grid)?.margin ?? null;
    };
    expect(found('turned bvecs', { bvec_margin: await marginWith(gradients.bvecs) })).toBe(false);
    const wrong = turned(gradients.bvecs, drawAxisChange(randomStream(SUBJECTS[i], 'turn')));
    expect(found('turned bvecs', { bvec_margin: await marginWith(wrong) })).toBe(true);
  }
});
