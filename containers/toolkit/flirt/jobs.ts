/** What threads do of a registration: pure functions of two levels and some transforms. */
import type { Matrix4 } from '../../../imaging/affine.ts';
import { defineJob } from '../threads.ts';
import type { CostName } from './cost.ts';
import { type Candidate, evaluate, optimise, type Pair, type Registration } from './optimise.ts';
import { createSimilarity } from './similarity.ts';
import { type Dof, rotateAbout } from './transform.ts';

/** Two levels and how they are compared. */
export interface Comparison extends Pair {
  readonly cost: CostName;
  readonly bins: number;
  /** Every so many rows of voxels are sampled. */
  readonly thinning: number;
}

export function prepare(comparison: Comparison): Registration {
  const { reference, source, cost, bins, thinning } = comparison;
  return { ...comparison, similarity: createSimilarity(reference, cost, bins, 1, thinning)(source) };
}

/** Costs of transforms. */
export const costsJob = defineJob(
  'flirt costs',
  ({ comparison, transforms }: { comparison: Comparison; transforms: readonly Matrix4[] }): number[] => {
    const r = prepare(comparison);
    return transforms.map((m) => evaluate(r, m));
  },
);

/** How transforms are optimized, each by itself. */
export interface Optimisation {
  readonly comparison: Comparison;
  readonly starts: readonly Matrix4[];
  /** Degrees of freedom, in the order in which they are given. */
  readonly freedoms: readonly Dof[];
  /** In mm at the head's surface. */
  readonly tolerance: number;
  readonly evaluations?: number;
  /** Rotations that are tried about each start before. */
  readonly turns?: readonly (readonly [number, number, number])[];
}

export const optimiseJob = defineJob('flirt optimise', (task: Optimisation): Candidate[] => {
  const { freedoms, tolerance, evaluations, turns = [] } = task;
  const r = prepare(task.comparison);
  return task.starts.map((start) => {
    let best: Candidate = { matrix: start, cost: evaluate(r, start) };
    for (const turn of turns) {
      const matrix = rotateAbout(start, turn, r.centre);
      const cost = evaluate(r, matrix);
      if (cost < best.cost) best = { matrix, cost };
    }
    return freedoms.reduce((c, dof) => optimise(r, c.matrix, dof, tolerance, { evaluations }), best);
  });
});
