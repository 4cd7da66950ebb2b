/**
 * The work of one level of topup on a slab of slices, which is what threads share out: undistorting the volumes, the
 * slab's part of the normal equations, and of the Hessian times a vector. The mathematics are in model.ts. Images of the
 * level are shared between threads; each slab writes its own slices of them.
 */
import type { Matrix4 } from '../../../imaging/affine.ts';
import { prefilterAxis } from '../../../imaging/spline.ts';
import { defineJob, shared } from '../threads.ts';
import { type Bases, curvature } from './curvature.ts';
import {
  accumulate,
  compare,
  dot,
  dotDifference,
  mixedProduct,
  movementImage,
  subtractProduct,
} from './products.ts';
import { levelImage, type Sampled, type Slab, sampleSlab } from './sample.ts';
import { type AxisBasis, evaluateSpline, partOfBasis, projectSpline } from './spline.ts';

/** A volume of a level; images are those of the whole level. */
export interface LevelVolume {
  /** Spline coefficients of the smoothed and thinned volume. */
  readonly coefficients: Float32Array;
  readonly sampled: Sampled;
  readonly axis: 0 | 1;
  /** Voxels of shift along `axis` per Hz. */
  readonly perHz: number;
  /** Which of the bases evaluates the field's derivative along `axis`. */
  readonly part: number;
}

/** What every slab of a level knows. */
export interface LevelData {
  readonly volumes: readonly LevelVolume[];
  /** Part 0: the field; the others: its derivative along each phase-encode axis in use. */
  readonly bases: readonly Bases[];
  /** Where there is signal. */
  readonly mask: Uint8Array;
  /** Where there is signal and all volumes have data. */
  readonly inside: Uint8Array;
  readonly mean: Float32Array;
  /** Upper triangle of the parts' products: `weights[k][l - k]`. */
  readonly weights: readonly (readonly Float32Array[])[];
}

interface Piece {
  readonly level: LevelData;
  readonly slab: Slab;
}

/** A vector over the knots that a slab touches: the first of them is number `offset` of all knots. */
interface Part<T> {
  readonly offset: number;
  readonly values: T;
}

/** A whole image's slices within a slab. */
function within<T extends Float32Array | Uint8Array>(image: T, { dims, from, end }: Slab): T {
  const plane = dims[0] * dims[1];
  return image.subarray(from * plane, end * plane) as T;
}

function sampledWithin(s: Sampled, slab: Slab): Sampled {
  return {
    value: within(s.value, slab),
    modulated: within(s.modulated, slab),
    along: within(s.along, slab),
    gradient: s.gradient.map((g) => within(g, slab)),
  };
}

/** The bases of a slab's samples, and where the knots that they touch lie among all. */
function basesWithin(bases: readonly Bases[], { from, end }: Slab) {
  const [x, y, z] = bases[0];
  const { basis, firstKnot } = partOfBasis(z, from, end);
  const plane = x.knots * y.knots;
  return {
    bases: bases.map((b): Bases => [b[0], b[1], basis]),
    offset: firstKnot * plane,
    count: basis.knots * plane,
  };
}

/** Smooths, thins out and prefilters one volume. */
export const prepareVolume = defineJob(
  'topup: prepare a volume',
  (input: {
    volume: Float32Array;
    dims: readonly [number, number, number];
    voxelSizes: readonly [number, number, number];
    fwhm: readonly [number, number, number];
    step: number;
  }): { image: Float32Array; coefficients: Float32Array } => {
    const { data, dims } = levelImage(input.volume, input.dims, input.voxelSizes, input.fwhm, input.step);
    const image = shared(data);
    const coefficients = shared(data.slice());
    for (const axis of [0, 1, 2] as const) prefilterAxis(coefficients, dims, axis);
    return { image, coefficients };
  },
);

/** Undistorts all volumes on a slab and compares them; see {@link compare}. */
export const sampleVolumes = defineJob(
  'topup: sample',
  ({
    level,
    slab,
    coefficients,
    movement,
  }: Piece & { coefficients: Float32Array; movement: readonly Matrix4[] }): {
    sum: number;
    count: number;
  } => {
    const { bases, offset, count } = basesWithin(level.bases, slab);
    const own = coefficients.subarray(offset, offset + count);
    const fields = bases.map((b) => evaluateSpline(own, b));
    const inside = within(level.inside, slab);
    inside.set(within(level.mask, slab));
    const sampled = level.volumes.map((v, i) => {
      const out = sampledWithin(v.sampled, slab);
      sampleSlab(v.coefficients, slab, movement[i], fields[0], fields[v.part], v.perHz, v.axis, out, inside);
      return out;
    });
    return compare(sampled, inside, within(level.mean, slab));
  },
);

/** How the place where a volume is sampled changes with one of its parameters of movement. */
export interface MovementDerivative {
  readonly volume: number;
  readonly matrix: Matrix4;
}

/** A slab's part of the normal equations; what it says of the level's weights is left in them. */
export const normalEquations = defineJob(
  'topup: normal equations',
  ({
    level,
    slab,
    scale,
    moving,
  }: Piece & { scale: number; moving: readonly MovementDerivative[] }): Part<{
    gradient: Float32Array;
    diagonal: Float32Array;
    movementGradient: Float64Array;
    movementHessian: Float64Array;
    mixed: Float32Array[];
  }> => {
    const { bases, offset, count } = basesWithin(level.bases, slab);
    const mean = within(level.mean, slab);
    const inside = within(level.inside, slab);
    const n = level.volumes.length;
    const weights = level.weights.map((row) => row.map((w) => within(w, slab).fill(0)));
    const image = () => new Float32Array(mean.length);
    const sums = bases.map(image);
    const slopes = bases.map(image);
    const volumes = level.volumes.map((v) => ({ ...v, sampled: sampledWithin(v.sampled, slab) }));
    for (const { sampled, perHz, part: k } of volumes)
      accumulate(sampled, mean, inside, perHz, scale, [
        ...[sums[0], sums[k], slopes[0], slopes[k]],
        ...[weights[0][0], weights[0][k], weights[k][0]],
      ]);
    for (let k = 0; k < bases.length; k++)
      for (let l = k; l < bases.length; l++) subtractProduct(weights[k][l - k], sums[k], sums[l], scale / n);

    const gradient = new Float32Array(count);
    for (let k = 0; k < bases.length; k++) addTo(gradient, projectSpline(slopes[k], bases[k]), 1);
    const diagonal = new Float32Array(count);
    for (let k = 0; k < bases.length; k++)
      for (let l = k; l < bases.length; l++) {
        const [x, y, z] = bases[k];
        const square: Bases = [
          productBasis(x, bases[l][0]),
          productBasis(y, bases[l][1]),
          productBasis(z, bases[l][2]),
        ];
        addTo(diagonal, projectSpline(weights[k][l - k], square), k === l ? 1 : 2);
      }

    const m = moving.length;
    const columns = moving.map(image);
    const movementGradient = new Float64Array(m);
    const movementHessian = new Float64Array(m * m);
    const work = image();
    const mixed = moving.map(({ volume: i, matrix }, s) => {
      const { sampled, perHz, part } = volumes[i];
      const column = columns[s];
      movementImage(sampled, matrix, slab, inside, column);
      movementGradient[s] = scale * dotDifference(column, sampled.modulated, mean);
      for (let t = 0; t <= s; t++) {
        const share = (moving[t].volume === i ? 1 : 0) - 1 / n;
        movementHessian[s * m + t] = scale * share * dot(column, columns[t]);
        movementHessian[t * m + s] = movementHessian[s * m + t];
      }
      const total = new Float32Array(count);
      for (let k = 0; k < bases.length; k++) {
        const own = k === 0 ? sampled.along : k === part ? sampled.value : undefined;
        mixedProduct(column, own, perHz, sums[k], n, work);
        addTo(total, projectSpline(work, bases[k]), scale);
      }
      return total;
    });
    return { offset, values: { gradient, diagonal, movementGradient, movementHessian, mixed } };
  },
);

/** A slab's part of the Hessian times the vector `v` (of the knots that the slab touches). */
export const hessianTimes = defineJob(
  'topup: Hessian',
  ({ level, slab, vector }: Piece & { vector: Float64Array }): Part<Float64Array> => {
    const { bases, offset, count } = basesWithin(level.bases, slab);
    const out = new Float64Array(count);
    const weights = level.weights.map((row) => row.map((w) => within(w, slab)));
    curvature(bases, weights)(vector.subarray(offset, offset + count), out);
    return { offset, values: out };
  },
);

/** sum += factor x a */
function addTo(sum: Float32Array, a: Float32Array, factor: number): void {
  for (let o = 0; o < sum.length; o++) sum[o] += factor * a[o];
}

/** Basis whose weights are products of two bases' weights: the diagonal of a projected product. */
function productBasis(a: AxisBasis, b: AxisBasis): AxisBasis {
  return { ...a, weights: a.weights.map((w, i) => w * b.weights[i]) };
}
