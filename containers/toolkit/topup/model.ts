/**
 * The least-squares problem of one level of topup: the mean square of each undistorted volume minus their mean, as a
 * function of the field's coefficients and of every volume's movement, with its Gauss-Newton normal equations.
 * (Andersson, Skare & Ashburner 2003, NeuroImage 20:870.)
 *
 * Undistorted volume i at x: g_i = (1 + s_i db/dy) f_i(M_i x + s_i b y), with b the field in Hz, s_i voxels per Hz, y the
 * phase-encode axis, M_i the movement, f_i the acquired volume. Hence dg_i/db = s_i f_i' (1 + s_i db/dy) and
 * dg_i/d(db/dy) = s_i f_i: both enter through images, so the Hessian is never formed, only applied.
 */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Grid } from '../../../imaging/image.ts';
import type { Acquisition } from '../files.ts';
import { pieces, shared, type Threads } from '../threads.ts';
import type { Bases } from './curvature.ts';
import { phaseAxis, voxelsPerHz } from './distortion.ts';
import { movementMatrix } from './field.ts';
import { signalMask } from './sample.ts';
import type { Level } from './schedule.ts';
import {
  hessianTimes,
  type LevelData,
  type LevelVolume,
  normalEquations,
  prepareVolume,
  sampleVolumes,
} from './slab.ts';
import { axisBasis, gridBases } from './spline.ts';

/** One parameter of one volume's movement. */
export interface MovementParameter {
  readonly volume: number;
  /** 0-2 translation, 3-5 rotation. */
  readonly index: number;
}

/** Normal equations at the last evaluated state; of half the mean square, so that the gradient has no factor 2. */
export interface Normal {
  readonly gradient: Float64Array;
  readonly diagonal: Float64Array;
  /** Hessian of the coefficients times `v` goes to `out`; until the next normal equations are asked for. */
  apply(v: Float64Array, out: Float64Array): Promise<void>;
  readonly movementGradient: Float64Array;
  /** Row per movement parameter: mixed derivatives with the coefficients. */
  readonly mixed: readonly Float64Array[];
  /** Square, row-major. */
  readonly movementHessian: Float64Array;
}

export interface Model {
  /** Mean square over volumes and voxels inside all of them; Infinity where they hardly overlap. */
  evaluate(coefficients: Float64Array, movement: readonly Float64Array[]): Promise<number>;
  normal(): Promise<Normal>;
}

/** How far in mm from any signal the volumes are compared. */
const SIGNAL_MARGIN = 10;
/** Share of the samples with signal that must be inside all volumes. */
const LEAST_OVERLAP = 0.5;
/**
 * Least smoothing, FWHM in voxels. Interpolating at half a voxel averages noise away, interpolating at a whole one does
 * not, so the least squares of unsmoothed images draw field and movement to half voxels: on the simulated scan by 0.04
 * voxel and 0.2 mm. Noise this smooth is interpolated alike everywhere.
 */
const LEAST_FWHM = 1.2;

/** A level's smoothing along each axis: FWHM in mm. */
export function levelFwhm(level: Level, grid: Grid): [number, number, number] {
  return grid.voxelSizes.map((mm) => Math.max(level.fwhm, LEAST_FWHM * mm)) as [number, number, number];
}

/** Derivative of a movement's matrix with respect to one parameter. */
function movementDerivative(movement: Float64Array, index: number, grid: Grid): Matrix4 {
  const h = 1e-4;
  const [ahead, behind] = [movement.slice(), movement.slice()];
  ahead[index] += h;
  behind[index] -= h;
  const b = movementMatrix(behind, grid);
  return movementMatrix(ahead, grid).map((v, i) => (v - b[i]) / (2 * h));
}

/** Slices that a thread takes at a time. */
const SLAB = 12;

/**
 * @param volumes all of `grid`'s size, scaled alike; shared between threads
 * @param spacing knots every how many voxels
 * @param moving which parameters of movement are estimated
 */
export async function createModel(
  volumes: readonly Float32Array[],
  grid: Grid,
  acquisitions: readonly Acquisition[],
  level: Level,
  spacing: readonly [number, number, number],
  moving: readonly MovementParameter[],
  threads: Threads,
): Promise<Model> {
  const n = volumes.length;
  const step = level.subsamp;
  const { voxelSizes } = grid;
  const fwhm = levelFwhm(level, grid);
  const prepared = await threads.map(
    prepareVolume,
    volumes.map((volume) => ({ volume, dims: grid.dims, voxelSizes, fwhm, step })),
  );
  const dims = grid.dims.map((d) => Math.ceil(d / step)) as [number, number, number];
  const size = dims[0] * dims[1] * dims[2];
  const axes = acquisitions.map(phaseAxis);
  // What the field does through its value (part 0) and its derivative along each phase-encode axis in use.
  const usedAxes = ([0, 1] as const).filter((a) => axes.includes(a));
  const plain = gridBases(grid.dims, spacing, [0, 0, 0], step);
  const bases: Bases[] = [
    plain,
    ...usedAxes.map((a): Bases => {
      const slope = axisBasis(grid.dims[a], spacing[a], 1, step);
      return a === 0 ? [slope, plain[1], plain[2]] : [plain[0], slope, plain[2]];
    }),
  ];
  const image = () => shared(new Float32Array(size));
  const data: LevelData = {
    volumes: prepared.map(
      ({ coefficients }, i): LevelVolume => ({
        coefficients,
        sampled: {
          value: image(),
          modulated: image(),
          along: image(),
          gradient: moving.length > 0 ? [image(), image(), image()] : [],
        },
        axis: axes[i],
        perHz: voxelsPerHz(acquisitions[i]),
        part: 1 + usedAxes.indexOf(axes[i]),
      }),
    ),
    bases,
    mask: shared(
      signalMask(
        prepared.map((p) => p.image),
        dims,
        voxelSizes.map((mm) => Math.ceil(SIGNAL_MARGIN / (mm * step))) as [number, number, number],
      ),
    ),
    inside: shared(new Uint8Array(size)),
    mean: image(),
    weights: bases.map((_, k) => bases.slice(k).map(image)),
  };
  const withSignal = data.mask.reduce((sum, v) => sum + v, 0);
  const knots = plain.reduce((count, b) => count * b.knots, 1);
  const slabs = pieces(dims[2], SLAB).map(([from, end]) => ({
    level: data,
    slab: { dims, step, from, end },
  }));
  const vector = shared(new Float64Array(knots));
  let count = 0;
  let movement: readonly Float64Array[] = [];

  async function evaluate(parameters: Float64Array, at: readonly Float64Array[]): Promise<number> {
    movement = at;
    const coefficients = shared(new Float32Array(parameters));
    const matrices = at.map((m) => movementMatrix(m, grid));
    const parts = await threads.map(
      sampleVolumes,
      slabs.map((slab) => ({ ...slab, coefficients, movement: matrices })),
    );
    count = parts.reduce((total, p) => total + p.count, 0);
    const sum = parts.reduce((total, p) => total + p.sum, 0);
    return count > LEAST_OVERLAP * withSignal ? sum / (count * n) : Number.POSITIVE_INFINITY;
  }

  async function normal(): Promise<Normal> {
    const derivatives = moving.map(({ volume, index }) => ({
      volume,
      matrix: movementDerivative(movement[volume], index, grid),
    }));
    const parts = await threads.map(
      normalEquations,
      slabs.map((slab) => ({ ...slab, scale: 1 / (count * n), moving: derivatives })),
    );
    const m = moving.length;
    const gradient = new Float64Array(knots);
    const diagonal = new Float64Array(knots);
    const movementGradient = new Float64Array(m);
    const movementHessian = new Float64Array(m * m);
    const mixed = moving.map(() => new Float64Array(knots));
    for (const { offset, values } of parts) {
      addAt(gradient, values.gradient, offset);
      addAt(diagonal, values.diagonal, offset);
      addAt(movementGradient, values.movementGradient, 0);
      addAt(movementHessian, values.movementHessian, 0);
      for (let s = 0; s < m; s++) addAt(mixed[s], values.mixed[s], offset);
    }
    return { gradient, diagonal, apply, movementGradient, mixed, movementHessian };
  }

  async function apply(v: Float64Array, out: Float64Array): Promise<void> {
    vector.set(v);
    out.fill(0);
    const parts = await threads.map(
      hessianTimes,
      slabs.map((slab) => ({ ...slab, vector })),
    );
    for (const { offset, values } of parts) addAt(out, values, offset);
  }
  return { evaluate, normal };
}

/** sum[offset + i] += part[i] */
function addAt(sum: Float64Array, part: ArrayLike<number>, offset: number): void {
  for (let i = 0; i < part.length; i++) sum[offset + i] += part[i];
}
