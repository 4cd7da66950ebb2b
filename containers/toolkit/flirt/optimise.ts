/** Local optimization of a transform at one level. */
import { invert, type Matrix4, multiply } from '../../../imaging/affine.ts';
import { minimise } from './minimise.ts';
import type { Level } from './pyramid.ts';
import type { Similarity } from './similarity.ts';
import { type Dof, FREE, PARAMETERS, type Point, perturb } from './transform.ts';

/** A transform (source to reference, scaled-voxel mm) and its cost. */
export interface Candidate {
  readonly matrix: Matrix4;
  readonly cost: number;
}

/** Two levels to be laid on one another; a message that threads can take. */
export interface Pair {
  readonly reference: Level;
  readonly source: Level;
  /** Centre of mass of the source in its scaled-voxel mm: rotations are about its image. */
  readonly centre: Point;
}

/** How alike they are, by transforms in FLIRT's convention. */
export interface Registration extends Pair {
  readonly similarity: Similarity;
}

/** Matrix from reference-level voxels to source-level voxels under a transform. */
function between(r: Registration, sourceVoxel: Matrix4, transform: Matrix4): Matrix4 {
  return multiply(sourceVoxel, multiply(invert(transform), r.reference.toFsl));
}

/** Cost of one transform. */
export function evaluate(r: Registration, transform: Matrix4): number {
  return r.similarity(between(r, invert(r.source.toFsl), transform));
}

/** Change of the parameters, in mm, that differentiates the matrix by them: smooth, so central differences are exact to rounding. */
const DELTA = 1e-4;

/** The cost about `start` as a function of the free parameters, with its gradient. */
function costAbout(r: Registration, start: Matrix4, dof: Dof) {
  const free: readonly number[] = FREE[dof];
  const full = new Float64Array(PARAMETERS);
  const sourceVoxel = invert(r.source.toFsl);
  const byMatrix = new Float64Array(12);
  const transformAt = (p: Float64Array) => {
    for (let i = 0; i < free.length; i++) full[free[i]] = p[i];
    return perturb(start, full, r.centre);
  };
  const cost = (p: Float64Array, gradient: Float64Array) => {
    const value = r.similarity(between(r, sourceVoxel, transformAt(p)), byMatrix);
    const q = Float64Array.from(p);
    for (let i = 0; i < p.length; i++) {
      q[i] = p[i] + DELTA;
      const plus = between(r, sourceVoxel, transformAt(q));
      q[i] = p[i] - DELTA;
      const minus = between(r, sourceVoxel, transformAt(q));
      q[i] = p[i];
      let sum = 0;
      for (let e = 0; e < 12; e++) sum += byMatrix[e] * (plus[e] - minus[e]);
      gradient[i] = sum / (2 * DELTA);
    }
    return value;
  };
  return { cost, transformAt, count: free.length };
}

/**
 * The best transform near `start`.
 * @param tolerance in mm at the head's surface
 * @param firstStep in mm at the head's surface; default: a quarter of the level's voxel
 */
export function optimise(
  r: Registration,
  start: Matrix4,
  dof: Dof,
  tolerance: number,
  { evaluations = 60, firstStep = r.reference.mm / 4 }: { evaluations?: number; firstStep?: number } = {},
): Candidate {
  const { cost, transformAt, count } = costAbout(r, start, dof);
  const { p, value } = minimise(cost, new Float64Array(count), {
    firstStep: Math.max(tolerance, firstStep),
    longestStep: 2 * r.reference.mm,
    tolerance,
    evaluations,
  });
  return { matrix: transformAt(p), cost: value };
}
