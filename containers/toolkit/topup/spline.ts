/**
 * Cubic B-spline fields: a coarse grid of coefficients evaluated, or fitted through the transposed operation, on a finer
 * grid of samples. Separable: each axis has its own banded basis. Arrays are x-fastest.
 */
import type { Dims } from '../../../imaging/image.ts';

/** Basis of one axis: sample i is the sum over q < 4 of `weights[4 i + q]` times coefficient `first[i] + q`. */
export interface AxisBasis {
  readonly samples: number;
  readonly knots: number;
  readonly first: Int32Array;
  readonly weights: Float64Array;
}

/** Number of coefficients that FSL keeps for `size` voxels at a knot every `spacing` voxels. */
export function knotCount(size: number, spacing: number): number {
  return Math.ceil((size + 1) / spacing) + 2;
}

/** The cubic B-spline's 4 weights (or those of its derivative) at `t` in [0, 1) past the second of four knots. */
function cubicWeights(t: number, derivative: 0 | 1 | 2): [number, number, number, number] {
  const s = 1 - t;
  if (derivative === 0)
    return [s ** 3 / 6, 2 / 3 - 0.5 * t * t * (2 - t), 2 / 3 - 0.5 * s * s * (2 - s), t ** 3 / 6];
  if (derivative === 1) return [-0.5 * s * s, 1.5 * t * t - 2 * t, -(1.5 * s * s - 2 * s), 0.5 * t * t];
  return [s, 3 * t - 2, 3 * s - 2, t];
}

/**
 * Basis of one axis in FSL's layout: knot k lies at voxel (k - 1) x spacing.
 * @param size voxels of the image along the axis
 * @param spacing distance of knots in voxels
 * @param derivative order of the derivative, with respect to the voxel index
 * @param step samples are taken at voxels 0, step, 2 step ...
 */
export function axisBasis(size: number, spacing: number, derivative: 0 | 1 | 2 = 0, step = 1): AxisBasis {
  const samples = Math.ceil(size / step);
  const knots = knotCount(size, spacing);
  const first = new Int32Array(samples);
  const weights = new Float64Array(4 * samples);
  for (let i = 0; i < samples; i++) {
    const position = (i * step) / spacing;
    const knot = Math.floor(position);
    const w = cubicWeights(position - knot, derivative);
    // FSL keeps one knot less than the last voxels touch; its (small) part of the sum is left out.
    first[i] = Math.min(knot, knots - 4);
    for (let q = knot - first[i]; q < 4; q++)
      weights[4 * i + q] = w[q - knot + first[i]] / spacing ** derivative;
  }
  return { samples, knots, first, weights };
}

/** A basis of the samples [from, end) alone, on the knots that they touch: knot 0 is knot `firstKnot` of the whole. */
export function partOfBasis(
  basis: AxisBasis,
  from: number,
  end: number,
): { basis: AxisBasis; firstKnot: number } {
  const firstKnot = basis.first[from];
  const first = basis.first.slice(from, end).map((knot) => knot - firstKnot);
  const knots = first[first.length - 1] + 4;
  const weights = basis.weights.slice(4 * from, 4 * end);
  return { basis: { samples: end - from, knots, first, weights }, firstKnot };
}

/** Evaluates along one axis: `input` is [outer][knots][inner], `output` [outer][samples][inner]. */
export function expand(
  input: Float32Array,
  output: Float32Array,
  basis: AxisBasis,
  inner: number,
  outer: number,
): void {
  const { samples, knots, first, weights } = basis;
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < samples; i++) {
      const from = (o * knots + first[i]) * inner;
      const to = (o * samples + i) * inner;
      const a = weights[4 * i];
      const b = weights[4 * i + 1];
      const c = weights[4 * i + 2];
      const d = weights[4 * i + 3];
      for (let q = 0; q < inner; q++)
        output[to + q] =
          a * input[from + q] +
          b * input[from + inner + q] +
          c * input[from + 2 * inner + q] +
          d * input[from + 3 * inner + q];
    }
}

/** Transpose of {@link expand}; adds to `output`. */
export function contract(
  input: Float32Array,
  output: Float32Array,
  basis: AxisBasis,
  inner: number,
  outer: number,
): void {
  const { samples, knots, first, weights } = basis;
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < samples; i++) {
      const to = (o * knots + first[i]) * inner;
      const from = (o * samples + i) * inner;
      const a = weights[4 * i];
      const b = weights[4 * i + 1];
      const c = weights[4 * i + 2];
      const d = weights[4 * i + 3];
      for (let q = 0; q < inner; q++) {
        const v = input[from + q];
        output[to + q] += a * v;
        output[to + inner + q] += b * v;
        output[to + 2 * inner + q] += c * v;
        output[to + 3 * inner + q] += d * v;
      }
    }
}

/** Values of the spline field on the samples of three axis bases. */
export function evaluateSpline(
  coefficients: Float32Array,
  bases: readonly [AxisBasis, AxisBasis, AxisBasis],
): Float32Array {
  const [bx, by, bz] = bases;
  const x = new Float32Array(bx.samples * by.knots * bz.knots);
  expand(coefficients, x, bx, 1, by.knots * bz.knots);
  const xy = new Float32Array(bx.samples * by.samples * bz.knots);
  expand(x, xy, by, bx.samples, bz.knots);
  const out = new Float32Array(bx.samples * by.samples * bz.samples);
  expand(xy, out, bz, bx.samples * by.samples, 1);
  return out;
}

/** Transpose of {@link evaluateSpline}: sums of `values` weighted by each coefficient's basis function. */
export function projectSpline(
  values: Float32Array,
  bases: readonly [AxisBasis, AxisBasis, AxisBasis],
): Float32Array {
  const [bx, by, bz] = bases;
  const xy = new Float32Array(bx.samples * by.samples * bz.knots);
  contract(values, xy, bz, bx.samples * by.samples, 1);
  const x = new Float32Array(bx.samples * by.knots * bz.knots);
  contract(xy, x, by, bx.samples, bz.knots);
  const out = new Float32Array(bx.knots * by.knots * bz.knots);
  contract(x, out, bx, 1, by.knots * bz.knots);
  return out;
}

/** Bases of the three axes of an image; `derivatives` per axis. */
export function gridBases(
  size: Dims,
  spacing: readonly [number, number, number],
  derivatives: readonly [0 | 1 | 2, 0 | 1 | 2, 0 | 1 | 2] = [0, 0, 0],
  step = 1,
): [AxisBasis, AxisBasis, AxisBasis] {
  const axis = (a: 0 | 1 | 2) => axisBasis(size[a], spacing[a], derivatives[a], step);
  return [axis(0), axis(1), axis(2)];
}

/**
 * Symmetric banded matrix of an axis: sum over samples of products of two bases, `band[4 k + q]` for entry (k, k + q).
 * Both bases must share samples and knots.
 */
export function gramBand(basis: AxisBasis): Float64Array {
  const band = new Float64Array(4 * basis.knots);
  for (let i = 0; i < basis.samples; i++)
    for (let p = 0; p < 4; p++)
      for (let q = p; q < 4; q++)
        band[4 * (basis.first[i] + p) + q - p] += basis.weights[4 * i + p] * basis.weights[4 * i + q];
  return band;
}

/** Solves (gram + ridge) x = b in place along one axis of [outer][knots][inner]: banded Cholesky. */
function solveAxis(values: Float32Array, gram: Float64Array, inner: number): void {
  const n = gram.length / 4;
  const l = new Float64Array(4 * n); // l[4 k + q] = L(k + q, k)
  // A knot beyond the last voxel may have almost no sample: the ridge lets it be 0 rather than anything.
  const ridge = 1e-6 * Math.max(...gram);
  for (let k = 0; k < n; k++) {
    let pivot = gram[4 * k] + ridge;
    for (let r = 1; r <= 3 && r <= k; r++) pivot -= l[4 * (k - r) + r] ** 2;
    l[4 * k] = Math.sqrt(pivot);
    for (let q = 1; q <= 3 && k + q < n; q++) {
      let v = gram[4 * k + q];
      for (let r = 1; r + q <= 3 && r <= k; r++) v -= l[4 * (k - r) + r] * l[4 * (k - r) + r + q];
      l[4 * k + q] = v / l[4 * k];
    }
  }
  const line = new Float64Array(n);
  const lines = values.length / n;
  for (let s = 0; s < lines; s++) {
    const start = Math.floor(s / inner) * n * inner + (s % inner);
    for (let k = 0; k < n; k++) {
      let v = values[start + k * inner];
      for (let r = 1; r <= 3 && r <= k; r++) v -= l[4 * (k - r) + r] * line[k - r];
      line[k] = v / l[4 * k];
    }
    for (let k = n - 1; k >= 0; k--) {
      let v = line[k];
      for (let q = 1; q <= 3 && k + q < n; q++) v -= l[4 * k + q] * line[k + q];
      line[k] = v / l[4 * k];
      values[start + k * inner] = line[k];
    }
  }
}

/** Coefficients whose spline comes nearest to `values` on the samples (least squares; separable, so exact). */
export function fitSpline(
  values: Float32Array,
  bases: readonly [AxisBasis, AxisBasis, AxisBasis],
): Float32Array {
  const out = projectSpline(values, bases);
  let inner = 1;
  for (const basis of bases) {
    solveAxis(out, gramBand(basis), inner);
    inner *= basis.knots;
  }
  return out;
}
