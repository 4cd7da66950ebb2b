/** Bending energy of a cubic B-spline field and its Hessian, applied to vectors without forming it. */
import type { Dims } from '../../../imaging/image.ts';

/** The quadratic form of bending energy: energy = 1/2 c'Hc. */
export interface Bending {
  /** Adds factor x H v to `out`. */
  addTo(out: Float64Array, v: Float64Array, factor: number): void;
  energy(v: Float64Array): number;
  /** Diagonal of H. */
  readonly diagonal: Float64Array;
}

/** Rows of D'D for first or second differences of `n` values with free ends: `band[5 i + q]` is entry (i, i + q - 2). */
function differenceBand(n: number, order: 1 | 2): Float64Array {
  const stencil = order === 1 ? [-1, 1] : [1, -2, 1];
  const band = new Float64Array(5 * n);
  for (let start = 0; start + order < n; start++)
    for (let p = 0; p <= order; p++)
      for (let q = 0; q <= order; q++) band[5 * (start + p) + 2 + q - p] += stencil[p] * stencil[q];
  return band;
}

/** out += factor x (band of half width `reach`) x, along one axis of [outer][n][inner]. */
function addBanded(
  x: Float64Array,
  out: Float64Array,
  band: Float64Array,
  reach: 1 | 2,
  inner: number,
  factor: number,
): void {
  const n = band.length / 5;
  if (inner === 1) {
    addBandedRows(x, out, band, factor);
    return;
  }
  for (let start = 0; start < x.length; start += n * inner)
    for (let i = 0; i < n; i++) {
      const at = start + i * inner;
      const lo = Math.max(-reach, -i);
      const hi = Math.min(reach, n - 1 - i);
      for (let q = lo; q <= hi; q++) {
        const w = factor * band[5 * i + q + 2];
        const from = at + q * inner;
        for (let s = 0; s < inner; s++) out[at + s] += w * x[from + s];
      }
    }
}

/** {@link addBanded} along x, where neighbours are one apart: a row's five terms at once. */
function addBandedRows(x: Float64Array, out: Float64Array, band: Float64Array, factor: number): void {
  const n = band.length / 5;
  for (let start = 0; start < x.length; start += n)
    for (let i = 0; i < n; i++) {
      const at = start + i;
      const b = 5 * i;
      let sum = band[b + 2] * x[at];
      if (i > 1) sum += band[b] * x[at - 2];
      if (i > 0) sum += band[b + 1] * x[at - 1];
      if (i < n - 1) sum += band[b + 3] * x[at + 1];
      if (i < n - 2) sum += band[b + 4] * x[at + 2];
      out[at] += factor * sum;
    }
}

/**
 * Mean over knots of the squared second derivatives (all nine, per mm2) of a spline field. At its knots a cubic spline's
 * second derivative along an axis is the second difference of its coefficients; the mixed ones are differences of
 * neighbours along both axes. Only fields that change linearly cost nothing.
 * @param dims numbers of knots  @param mm distance of knots
 */
export function bendingEnergy(dims: Dims, mm: readonly [number, number, number]): Bending {
  const count = dims[0] * dims[1] * dims[2];
  const inner = [1, dims[0], dims[0] * dims[1]];
  const first = dims.map((n) => differenceBand(n, 1));
  const second = dims.map((n) => differenceBand(n, 2));
  const scale = 2 / count; // 2: of the derivative of a square
  const work = new Float64Array(count);

  function addTo(out: Float64Array, v: Float64Array, factor: number): void {
    for (const a of [0, 1, 2]) addBanded(v, out, second[a], 2, inner[a], (factor * scale) / mm[a] ** 4);
    // Mixed: twice each pair of axes; the slopes along y and z share the pass along x.
    const mixed = 2 * factor * scale;
    work.fill(0);
    addBanded(v, work, first[1], 1, inner[1], 1 / mm[1] ** 2);
    addBanded(v, work, first[2], 1, inner[2], 1 / mm[2] ** 2);
    addBanded(work, out, first[0], 1, inner[0], mixed / mm[0] ** 2);
    work.fill(0);
    addBanded(v, work, first[2], 1, inner[2], 1 / mm[2] ** 2);
    addBanded(work, out, first[1], 1, inner[1], mixed / mm[1] ** 2);
  }

  const diagonal = new Float64Array(count);
  for (let o = 0; o < count; o++) {
    const at = [o % dims[0], Math.floor(o / dims[0]) % dims[1], Math.floor(o / inner[2])];
    const one = at.map((i, a) => first[a][5 * i + 2] / mm[a] ** 2);
    const two = at.map((i, a) => second[a][5 * i + 2] / mm[a] ** 4);
    diagonal[o] =
      scale * (two[0] + two[1] + two[2] + 2 * (one[0] * one[1] + one[1] * one[2] + one[2] * one[0]));
  }
  return {
    addTo,
    diagonal,
    energy(v) {
      const product = new Float64Array(count);
      addTo(product, v, 0.5);
      return product.reduce((s, x, i) => s + x * v[i], 0);
    },
  };
}
