/**
 * Non-linear registration by Gauss-Newton steps on a spline displacement field (Andersson, Jenkinson & Smith 2007,
 * FMRIB technical report TR07JA2): least squares between the reference and the warped input, the reference's global
 * scale fitted along, plus bending energy. The normal equations are never formed: conjugate gradients needs only their
 * product with a vector, which tensor-product splines give in a few passes over the grid.
 */
import { type Matrix4, multiply } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import { shared, type Threads } from '../threads.ts';
import { ToolError } from '../tool.ts';
import { bendingEnergy } from './bending.ts';
import type { Level } from './level.ts';
import { LevelPasses, type Sums } from './slabs.ts';
import { conjugateGradients } from './solve.ts';

/** Spline coefficients of the displacement along the input's x, y, z in mm, knot i at (i - 1) x spacing. */
export interface Spline {
  readonly spacingMm: readonly [number, number, number];
  readonly knots: Dims;
  readonly coefficients: readonly [Float64Array, Float64Array, Float64Array];
}

export interface NonlinearOptions {
  /** Weight of the mean squared second derivative (mm^-2) against the mean squared residual in units of its noise. */
  readonly lambda: number;
  readonly iterations: number;
  /** What the reference is multiplied by; absent: fitted along. */
  readonly scale?: number;
}

/** Steps that gain less than this part of the cost end the level. */
const TOLERANCE = 1e-4;
/** A step need not be solved for better than this: the next one starts from new gradients. */
const STEP_TOLERANCE = 0.1;
const STEP_ITERATIONS = 30;
/** A step that loses more of the overlap than this has run away from the images. */
const KEPT_OVERLAP = 0.5;

/**
 * Improves a spline at one level. The input at `linear(x) + displacement(x)` shall look like the reference at x.
 * @param linear reference FSL mm to input FSL mm
 * @param onIteration told the residual variance as part of the input's mean square
 * @returns the spline and what the reference was multiplied by
 */
export async function refineWarp(
  threads: Threads,
  level: Level,
  linear: Matrix4,
  start: Spline,
  options: NonlinearOptions,
  onIteration: (iteration: number, residual: number) => void = () => {},
): Promise<{ spline: Spline; scale: number }> {
  const { spacingMm, knots } = start;
  const count = knots[0] * knots[1] * knots[2];
  const toVoxel = multiply(level.source.toVoxel, multiply(linear, level.toReferenceMm));
  const passes = new LevelPasses(threads, level, toVoxel, spacingMm, knots);
  const bending = bendingEnergy(knots, spacingMm);
  let voxels = 0;
  for (const w of level.weight) voxels += w;
  // Integral over space of squared second derivatives, per volume that counts.
  const stiffness = options.lambda / (voxels * level.voxelMm[0] * level.voxelMm[1] * level.voxelMm[2]);
  const part = (all: Float64Array, c: number) => all.subarray(c * count, (c + 1) * count);
  const bend = (v: Float64Array, factor: number, out: Float64Array) => {
    for (let c = 0; c < 3; c++) bending.addTo(part(out, c), part(v, c), factor * stiffness);
  };
  const bendingOf = (v: Float64Array) =>
    stiffness * (bending.energy(part(v, 0)) + bending.energy(part(v, 1)) + bending.energy(part(v, 2)));

  const all = shared(new Float64Array(3 * count));
  const candidate = shared(new Float64Array(3 * count));
  const direction = shared(new Float64Array(3 * count));
  const right = new Float64Array(3 * count);
  const diagonal = new Float64Array(3 * count);
  start.coefficients.forEach((c, i) => {
    part(all, i).set(c);
  });
  let current = passes.view();
  let trial = passes.view();
  let fit = fitOf(await passes.sample(all, current), options.scale);
  if (!(fit.power > 0))
    throw new ToolError('the images do not overlap where both have data. Check the affine and the masks.');
  for (let iteration = 0; iteration < options.iterations; iteration++) {
    onIteration(iteration, fit.meanSquare / fit.power);
    // Residual variance: what the data say of their own noise (--ssqlambda). Held through one step.
    const data = 1 / Math.max(fit.meanSquare, 1e-6 * fit.power) / fit.count;
    right.fill(0);
    diagonal.fill(0);
    await passes.gradient(current, fit.scale, data, right, diagonal);
    bend(all, -1, right);
    for (let i = 0; i < diagonal.length; i++)
      diagonal[i] = Math.max(diagonal[i] + stiffness * bending.diagonal[i % count], 1e-12);
    const step = await conjugateGradients(
      async (v, out) => {
        direction.set(v);
        out.fill(0);
        await passes.product(current, data, direction, out);
        bend(v, 1, out);
      },
      diagonal,
      right,
      STEP_TOLERANCE,
      STEP_ITERATIONS,
    );
    const before = 0.5 * data * fit.meanSquare * fit.count + bendingOf(all);
    let accepted: { fit: Fit; cost: number } | undefined;
    for (let length = 1; length > 0.1 && !accepted; length /= 2) {
      for (let i = 0; i < candidate.length; i++) candidate[i] = all[i] + length * step[i];
      const next = fitOf(await passes.sample(candidate, trial), options.scale);
      const cost = 0.5 * data * next.meanSquare * fit.count + bendingOf(candidate);
      if (cost < before && next.count > KEPT_OVERLAP * fit.count) accepted = { fit: next, cost };
    }
    if (!accepted) break;
    all.set(candidate);
    [current, trial] = [trial, current];
    fit = accepted.fit;
    if (before - accepted.cost < TOLERANCE * before) break;
  }
  onIteration(options.iterations, fit.meanSquare / fit.power);
  const coefficients = [part(all, 0).slice(), part(all, 1).slice(), part(all, 2).slice()] as const;
  return { spline: { spacingMm, knots, coefficients }, scale: fit.scale };
}

/** How well the images agree. */
interface Fit {
  /** What the reference is multiplied by. */
  readonly scale: number;
  /** Voxels where both images have data. */
  readonly count: number;
  /** Mean squared residual. */
  readonly meanSquare: number;
  /** Mean squared input. */
  readonly power: number;
}

/** The scale that takes the reference's intensities to the input's by least squares, and what it leaves. */
function fitOf({ count, valueValue, valueTarget, targetTarget }: Sums, given?: number): Fit {
  const scale = given ?? Math.max(0, valueTarget) / Math.max(targetTarget, Number.MIN_VALUE);
  const square = valueValue - 2 * scale * valueTarget + scale * scale * targetTarget;
  const voxels = Math.max(1, count);
  return { scale, count: voxels, meanSquare: Math.max(0, square) / voxels, power: valueValue / voxels };
}
