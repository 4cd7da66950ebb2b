/**
 * Head motion in a series (MCFLIRT): Jenkinson et al. 2002, NeuroImage 17:825. Each volume is registered to one
 * reference, from coarse to fine, beginning where its neighbour in time came to rest.
 */
import { identity, type Matrix4 } from '../../../imaging/affine.ts';
import { type Grid, type Image, volumeOf, voxelCount } from '../../../imaging/image.ts';
import type { Interpolation } from '../../../imaging/interpolate.ts';
import { applyTransform } from '../flirt/apply.ts';
import type { CostName } from '../flirt/cost.ts';
import { curvature, optimise } from '../flirt/optimise.ts';
import { pyramid, voxelSize } from '../flirt/pyramid.ts';
import { binsAt } from '../flirt/register.ts';
import { createSimilarity } from '../flirt/similarity.ts';
import { centreOfMass, type Dof, rmsDeviation } from '../flirt/transform.ts';

export interface MotionOptions {
  readonly cost: CostName;
  readonly dof: Dof;
  /** Histogram bins at 1 mm, for the costs that use them. */
  readonly bins: number;
  /** Stages of the optimization, 1 to 3: at 8 mm, 4 mm and the image's own voxels. */
  readonly stages: number;
  /** Width in mm over which voxels at the edge of the field of view lose their weight. */
  readonly smooth: number;
}

/** Resolution and tolerance of each stage, in mm. */
function stagesOf(grid: Grid, count: number): { mm: number; tolerance: number }[] {
  const native = voxelSize(grid);
  return [
    { mm: Math.max(8, native), tolerance: 0.2 },
    { mm: Math.max(4, native), tolerance: 0.05 },
    { mm: native, tolerance: 0.02 },
  ].slice(0, count);
}

/**
 * Transforms of every volume onto `reference` (FLIRT's convention, one space: source and reference share the grid).
 * @param reference voxels of the reference volume, on the grid of `series`
 * @param first the volume that is nearest to the reference in time: others start from their neighbour's result
 * @returns a matrix per volume, undefined where a volume has no contrast or does not overlap
 */
export function estimateMotion(
  series: Image,
  reference: Float32Array,
  first: number,
  options: MotionOptions,
  progress: (fraction: number) => void = () => {},
): (Matrix4 | undefined)[] {
  const stages = stagesOf(series.grid, options.stages);
  const sizes = stages.map((s) => s.mm);
  const centre = centreOfMass(reference, series.grid);
  const prepared = pyramid(reference, series.grid, sizes).map((level) => ({
    level,
    similarityTo: createSimilarity(
      level,
      options.cost,
      binsAt(level, options.bins),
      Math.max(1, options.smooth / level.mm),
    ),
  }));
  const out: (Matrix4 | undefined)[] = Array.from({ length: series.volumes });
  const inverses: (Float64Array | undefined)[] = [];
  let done = 0;
  const registerVolume = (t: number, start: Matrix4): Matrix4 => {
    const sources = pyramid(volumeOf(series, t), series.grid, sizes);
    let best = { matrix: start, cost: Number.POSITIVE_INFINITY };
    for (const [s, { level, similarityTo }] of prepared.entries()) {
      const pair = { reference: level, source: sources[s], centre, similarity: similarityTo(sources[s]) };
      best = optimise(pair, best.matrix, options.dof, stages[s].tolerance, { inverse: inverses[s] });
      // The cost curves about its optimum nearly alike for all volumes, but for the reference against itself.
      if (t !== first) inverses[s] ??= curvature(pair, best.matrix, options.dof);
    }
    out[t] = Number.isFinite(best.cost) ? best.matrix : undefined;
    progress(++done / series.volumes);
    return out[t] ?? start;
  };
  const middle = registerVolume(first, identity());
  for (let t = first + 1, start = middle; t < series.volumes; t++) start = registerVolume(t, start);
  for (let t = first - 1, start = middle; t >= 0; t--) start = registerVolume(t, start);
  return out;
}

/** All volumes moved onto the reference's position. */
export function correctMotion(
  series: Image,
  transforms: readonly Matrix4[],
  interpolation: Interpolation,
): Image {
  const n = voxelCount(series.grid);
  const data = new Float32Array(n * series.volumes);
  for (let t = 0; t < series.volumes; t++)
    data.set(
      applyTransform(volumeOf(series, t), series.grid, series.grid, transforms[t], interpolation),
      t * n,
    );
  return { grid: series.grid, volumes: series.volumes, data };
}

/** Voxel-wise mean over the volumes. */
export function meanVolume(series: Image): Float32Array {
  const n = voxelCount(series.grid);
  const sum = new Float64Array(n);
  for (let t = 0; t < series.volumes; t++) {
    const v = volumeOf(series, t);
    for (let i = 0; i < n; i++) sum[i] += v[i];
  }
  return Float32Array.from(sum, (s) => s / series.volumes);
}

/** RMS displacement in mm of each volume: against the reference, and of each but the first against the one before. */
export function displacements(
  transforms: readonly Matrix4[],
  centre: readonly [number, number, number],
): { absolute: number[]; relative: number[] } {
  return {
    absolute: transforms.map((m) => rmsDeviation(identity(), m, centre)),
    relative: transforms.slice(1).map((m, i) => rmsDeviation(transforms[i], m, centre)),
  };
}
