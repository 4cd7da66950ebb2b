/**
 * Head motion in a series (MCFLIRT): Jenkinson et al. 2002, NeuroImage 17:825. Each volume is registered to one
 * reference, from coarse to fine, beginning where its neighbour in time came to rest.
 */
import { identity, type Matrix4 } from '../../../imaging/affine.ts';
import { type Grid, type Image, volumeOf, voxelCount } from '../../../imaging/image.ts';
import { applyTransform, type Sampling } from '../flirt/apply.ts';
import type { CostName } from '../flirt/cost.ts';
import { type Candidate, evaluate, optimise, type Registration } from '../flirt/optimise.ts';
import { type Level, pyramid, voxelSize } from '../flirt/pyramid.ts';
import { binsAt } from '../flirt/register.ts';
import { createSimilarity } from '../flirt/similarity.ts';
import { centreOfMass, type Dof, type Point, rmsDeviation } from '../flirt/transform.ts';

import { defineJob, pieces, shared, type Threads } from '../threads.ts';
import { even } from './even.ts';

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

/** A volume at every stage's resolution; shades matter to the costs that allow for other contrasts. */
function levelsOf(volume: Float32Array, grid: Grid, { cost, stages }: MotionOptions): Level[] {
  const sizes = stagesOf(grid, stages).map(({ mm }) => mm);
  const levels = pyramid(volume, grid, sizes);
  return cost === 'normcorr' || cost === 'leastsq' ? levels : even(levels);
}

/** Volumes that follow one another in a job: enough for neighbours to help, few enough for all threads to be busy. */
const RUN = 5;

/** Volumes of a series to be registered one after the other; a message that threads can take. */
interface Run {
  readonly grid: Grid;
  readonly volumes: readonly Float32Array[];
  /** Which of them is the reference itself, if any. */
  readonly itself: number | undefined;
  /** The reference at every stage's resolution. */
  readonly references: readonly Level[];
  readonly centre: Point;
  readonly options: MotionOptions;
}

const runJob = defineJob(
  'mcflirt run',
  ({ grid, volumes, itself, references, centre, options }: Run): (Matrix4 | undefined)[] => {
    const stages = stagesOf(grid, options.stages);
    const similarities = references.map((level) => {
      const ramp = Math.max(1, options.smooth / level.mm);
      const thinning = level.data.length > MANY ? 2 : 1;
      return createSimilarity(level, options.cost, binsAt(level, options.bins), ramp, thinning);
    });
    let start = identity();
    return volumes.map((volume, t) => {
      if (t === itself) return identity();
      const sources = levelsOf(volume, grid, options);
      let best: Candidate = { matrix: start, cost: Number.POSITIVE_INFINITY };
      for (const [s, { mm, tolerance }] of stages.entries()) {
        const pair: Registration = {
          reference: references[s],
          source: sources[s],
          centre,
          similarity: similarities[s](sources[s]),
        };
        // After a jump the neighbour may lie farther off than the reference.
        if (s === 0 && evaluate(pair, identity()) < evaluate(pair, start))
          best = { ...best, matrix: identity() };
        // What the stage before has left is a fraction of its voxel.
        const firstStep = s === 0 ? mm / 4 : mm / 16;
        best = optimise(pair, best.matrix, options.dof, tolerance, { firstStep });
      }
      if (!Number.isFinite(best.cost)) return undefined;
      start = best.matrix;
      return best.matrix;
    });
  },
);

/** Of more voxels than this, every second row is enough: six parameters are overdetermined by far. */
const MANY = 300_000;

/**
 * Transforms of every volume onto `reference` (FLIRT's convention, one space: source and reference share the grid).
 * @param reference voxels of the reference volume, on the grid of `series`
 * @param itself which volume of the series the reference is, where it is one: it does not move
 * @returns a matrix per volume, undefined where a volume has no contrast or does not overlap
 */
export async function estimateMotion(
  series: Image,
  reference: Float32Array,
  itself: number | undefined,
  options: MotionOptions,
  threads: Threads,
  progress: (fraction: number) => void = () => {},
): Promise<(Matrix4 | undefined)[]> {
  const { grid } = series;
  const references = levelsOf(reference, grid, options).map((level) => ({
    ...level,
    data: shared(level.data),
  }));
  const centre = centreOfMass(reference, grid);
  const shares = pieces(series.volumes, RUN);
  let done = 0;
  const runs = await Promise.all(
    shares.map(async ([first, end]) => {
      const volumes = Array.from({ length: end - first }, (_, i) => volumeOf(series, first + i));
      const here = itself === undefined ? undefined : itself - first;
      const run: Run = { grid, volumes, itself: here, references, centre, options };
      const [found] = await threads.map(runJob, [run]);
      done += end - first;
      progress(done / series.volumes);
      return found;
    }),
  );
  return runs.flat();
}

/** A volume to be moved into its place in `out`, shared memory. */
interface Move {
  readonly grid: Grid;
  readonly volume: Float32Array;
  readonly transform: Matrix4;
  readonly interpolation: Sampling;
  readonly out: Float32Array;
}

const moveJob = defineJob('mcflirt move', ({ grid, volume, transform, interpolation, out }: Move): void => {
  out.set(applyTransform(volume, grid, grid, transform, interpolation));
});

/** All volumes of a series in shared memory moved onto the reference's position. */
export async function correctMotion(
  series: Image,
  transforms: readonly Matrix4[],
  interpolation: Sampling,
  threads: Threads,
): Promise<Image> {
  const n = voxelCount(series.grid);
  const data = new Float32Array(new SharedArrayBuffer(4 * n * series.volumes));
  const moves = transforms.map((transform, t) => ({
    grid: series.grid,
    volume: volumeOf(series, t),
    transform,
    interpolation,
    out: data.subarray(t * n, (t + 1) * n),
  }));
  await threads.map(moveJob, moves);
  return { ...series, data };
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
