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
import { prefilterAxis, splineCoefficients } from '../../../imaging/spline.ts';
import type { Acquisition } from '../files.ts';
import { type Bases, curvature } from './curvature.ts';
import { phaseAxis, voxelsPerHz } from './distortion.ts';
import { movementMatrix } from './field.ts';
import {
  accumulate,
  addTo,
  dot,
  mixedProduct,
  modulate,
  movementImage,
  squaredDistance,
  subtractProduct,
} from './products.ts';
import { type Carried, levelImage, type Sampled, sampleLevel, sampleLines, signalMask } from './sample.ts';
import type { Level } from './schedule.ts';
import { type AxisBasis, axisBasis, evaluateSpline, gridBases, projectSpline } from './spline.ts';

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
  apply(v: Float64Array, out: Float64Array): void;
  readonly movementGradient: Float64Array;
  /** Row per movement parameter: mixed derivatives with the coefficients. */
  readonly mixed: readonly Float64Array[];
  /** Square, row-major. */
  readonly movementHessian: Float64Array;
}

export interface Model {
  /** Mean square over volumes and voxels inside all of them; Infinity where they hardly overlap. */
  evaluate(coefficients: Float64Array, movement: readonly Float64Array[]): number;
  normal(): Normal;
}

/** How far in mm from any signal the volumes are compared. */
const SIGNAL_MARGIN = 10;
/** Share of the samples with signal that must be inside all volumes. */
const LEAST_OVERLAP = 0.2;

/** Derivative of a movement's matrix with respect to one parameter. */
function movementDerivative(movement: Float64Array, index: number, grid: Grid): Matrix4 {
  const h = 1e-4;
  const [ahead, behind] = [movement.slice(), movement.slice()];
  ahead[index] += h;
  behind[index] -= h;
  const b = movementMatrix(behind, grid);
  return movementMatrix(ahead, grid).map((v, i) => (v - b[i]) / (2 * h));
}

/**
 * @param volumes all of `grid`'s size, scaled alike; where nothing is `moving`, already carried to the reference's place
 * @param spacing knots every how many voxels
 * @param moving which parameters of movement are estimated
 */
export function createModel(
  volumes: readonly Carried[],
  grid: Grid,
  acquisitions: readonly Acquisition[],
  level: Level,
  spacing: readonly [number, number, number],
  moving: readonly MovementParameter[],
): Model {
  const step = level.subsamp;
  const n = volumes.length;
  const axes = acquisitions.map(phaseAxis);
  const images = volumes.map((v) => levelImage(v.volume, grid.dims, grid.voxelSizes, level.fwhm, step));
  const { dims } = images[0];
  const margin = grid.voxelSizes.map((mm) => Math.ceil(SIGNAL_MARGIN / (mm * step))) as [
    number,
    number,
    number,
  ];
  /** Where there is signal, and every volume has data before shifting. */
  const seen = signalMask(
    images.map((v) => v.data),
    dims,
    margin,
  );
  const coefficients = images.map(({ data }, i) => {
    if (moving.length > 0) return splineCoefficients(data, dims);
    prefilterAxis(data, dims, axes[i]);
    return data;
  });
  const size = dims[0] * dims[1] * dims[2];
  const perHz = acquisitions.map(voxelsPerHz);
  // What the field does through its value (part 0) and its derivative along each phase-encode axis in use.
  const usedAxes = ([0, 1] as const).filter((a) => axes.includes(a));
  const partOf = axes.map((a) => 1 + usedAxes.indexOf(a));
  const plain = gridBases(grid.dims, spacing, [0, 0, 0], step);
  const bases: Bases[] = [
    plain,
    ...usedAxes.map((a): Bases => {
      const slope = axisBasis(grid.dims[a], spacing[a], 1, step);
      return a === 0 ? [slope, plain[1], plain[2]] : [plain[0], slope, plain[2]];
    }),
  ];
  const parts = bases.length;

  const image = () => new Float32Array(size);
  const samples = volumes.map((_, i): Sampled => {
    const gradient = moving.length > 0 ? [image(), image(), image()] : [image()];
    return { value: image(), gradient, along: gradient[moving.length > 0 ? axes[i] : 0] };
  });
  const modulated = volumes.map(image);
  const mean = image();
  const inside = new Uint8Array(size);
  for (const v of volumes) {
    let o = 0;
    for (let z = 0; z < grid.dims[2]; z += step)
      for (let y = 0; y < grid.dims[1]; y += step)
        for (let x = 0; x < grid.dims[0]; x += step)
          seen[o++] &= v.inside[x + grid.dims[0] * (y + grid.dims[1] * z)];
  }
  const seenCount = seen.reduce((sum, v) => sum + v, 0);
  // Of the normal equations: sums of the volumes' derivatives and of these times residuals, per part.
  const sums = bases.map(image);
  const slopes = bases.map(image);
  /** Upper triangle of the parts' products: `weights[k][l - k]`. */
  const weights = bases.map((_, k) => bases.slice(k).map(image));
  const product = image();
  /** What each parameter of movement does to its volume. */
  const columns = moving.map(image);
  let count = 0;
  let movement: readonly Float64Array[] = [];

  function evaluate(parameters: Float64Array, at: readonly Float64Array[]): number {
    movement = at;
    const c = new Float32Array(parameters);
    const fields = bases.map((b) => evaluateSpline(c, b));
    inside.set(seen);
    mean.fill(0);
    for (let i = 0; i < n; i++) {
      const image = coefficients[i];
      if (moving.length > 0) {
        const m = movementMatrix(at[i], grid);
        sampleLevel(image, dims, step, m, fields[0], perHz[i], axes[i], samples[i], inside);
      } else sampleLines(image, dims, step, fields[0], perHz[i], axes[i], samples[i], inside);
      modulate(samples[i], fields[partOf[i]], perHz[i], modulated[i]);
      addTo(mean, modulated[i], 1 / n);
    }
    let sum = 0;
    count = 0;
    for (let o = 0; o < size; o++) count += inside[o];
    for (const g of modulated) sum += squaredDistance(g, mean, inside);
    return count > LEAST_OVERLAP * seenCount ? sum / (count * n) : Number.POSITIVE_INFINITY;
  }

  function normal(): Normal {
    const scale = 1 / (count * n);
    for (const buffer of [...sums, ...slopes, ...weights.flat()]) buffer.fill(0);
    for (let i = 0; i < n; i++) {
      const k = partOf[i];
      const own = [sums[0], sums[k], slopes[0], slopes[k], weights[0][0], weights[0][k], weights[k][0]];
      accumulate(samples[i], modulated[i], mean, inside, perHz[i], scale, own);
    }
    for (let k = 0; k < parts; k++)
      for (let l = k; l < parts; l++) subtractProduct(weights[k][l - k], sums[k], sums[l], scale / n);

    const project = (images: readonly Float32Array[]): Float64Array => {
      const total = new Float64Array(projectSpline(images[0], bases[0]));
      for (let k = 1; k < parts; k++) {
        const part = projectSpline(images[k], bases[k]);
        for (let o = 0; o < total.length; o++) total[o] += part[o];
      }
      return total;
    };

    for (const [s, p] of moving.entries()) {
      const derivative = movementDerivative(movement[p.volume], p.index, grid);
      movementImage(samples[p.volume].gradient, derivative, dims, step, inside, columns[s]);
    }
    const movementGradient = new Float64Array(moving.length);
    const movementHessian = new Float64Array(moving.length ** 2);
    for (const [s, { volume: i }] of moving.entries()) {
      movementGradient[s] = scale * (dot(columns[s], modulated[i]) - dot(columns[s], mean));
      for (let t = 0; t <= s; t++) {
        const share = scale * ((moving[t].volume === i ? 1 : 0) - 1 / n);
        movementHessian[s * moving.length + t] = movementHessian[t * moving.length + s] =
          share * dot(columns[s], columns[t]);
      }
    }
    const mixed = moving.map(({ volume: i }, s) => {
      const total = new Float64Array(coefficientCount(bases[0]));
      for (let k = 0; k < parts; k++) {
        const own = k === 0 ? samples[i].along : k === partOf[i] ? samples[i].value : undefined;
        mixedProduct(columns[s], own, perHz[i], sums[k], n, product);
        const part = projectSpline(product, bases[k]);
        for (let o = 0; o < total.length; o++) total[o] += scale * part[o];
      }
      return total;
    });

    const diagonal = new Float64Array(coefficientCount(bases[0]));
    for (let k = 0; k < parts; k++)
      for (let l = k; l < parts; l++) {
        const square = bases[k].map((b, a) => productBasis(b, bases[l][a])) as [
          AxisBasis,
          AxisBasis,
          AxisBasis,
        ];
        const part = projectSpline(weights[k][l - k], square);
        for (let o = 0; o < diagonal.length; o++) diagonal[o] += (k === l ? 1 : 2) * part[o];
      }

    return {
      gradient: project(slopes),
      diagonal,
      apply: curvature(bases, weights),
      movementGradient,
      mixed,
      movementHessian,
    };
  }
  return { evaluate, normal };
}

function coefficientCount(bases: Bases): number {
  return bases[0].knots * bases[1].knots * bases[2].knots;
}

/** Basis whose weights are products of two bases' weights: the diagonal of a projected product. */
function productBasis(a: AxisBasis, b: AxisBasis): AxisBasis {
  return { ...a, weights: a.weights.map((w, i) => w * b.weights[i]) };
}
