/** Bending energy of a cubic B-spline field and its (quadratic) Hessian, without forming a matrix. */
import type { Dims } from '../../../imaging/image.ts';
import { axisBasis, gramBand } from './spline.ts';

/** The quadratic form of bending energy: energy = 1/2 c'Hc, H applied by {@link Bending.apply}. */
export interface Bending {
  /** H v, in double precision. */
  apply(v: Float64Array): Float64Array;
  /** Diagonal of H. */
  readonly diagonal: Float64Array;
}

/** y += factor x (symmetric band of half width 3) along one axis of [outer][n][inner]. */
function addBanded(
  x: Float64Array,
  y: Float64Array,
  band: Float64Array,
  inner: number,
  factor: number,
): void {
  const n = band.length / 4;
  const outer = x.length / (n * inner);
  for (let o = 0; o < outer; o++)
    for (let k = 0; k < n; k++) {
      const at = (o * n + k) * inner;
      for (let q = 0; q <= 3 && k + q < n; q++) {
        const w = factor * band[4 * k + q];
        const other = at + q * inner;
        for (let s = 0; s < inner; s++) {
          y[at + s] += w * x[other + s];
          if (q > 0) y[other + s] += w * x[at + s];
        }
      }
    }
}

/**
 * Mean over voxels of the squared second derivatives (all nine, per mm2) of a field on an image of `dims` voxels: the
 * discrete counterpart of Andersson 2003's bending energy.
 * Each second derivative is a product of one-dimensional terms whose orders a + b + c are 2, weighted 2 / (a! b! c!).
 */
export function bendingEnergy(
  dims: Dims,
  spacing: readonly [number, number, number],
  voxelSizes: readonly [number, number, number],
): Bending {
  const voxels = dims[0] * dims[1] * dims[2];
  // grams[axis][order], with 1 / order! and the change to mm folded in.
  const grams = ([0, 1, 2] as const).map((a) =>
    ([0, 1, 2] as const).map((order) => {
      const scale = 1 / (voxelSizes[a] ** (2 * order) * (order === 2 ? 2 : 1));
      return gramBand(axisBasis(dims[a], spacing[a], order)).map((v) => v * scale);
    }),
  );
  const knots = grams.map((g) => g[0].length / 4);
  const inner = [1, knots[0], knots[0] * knots[1]];
  const factor = 4 / voxels; // 2 of the multinomial, 2 of the derivative of a square
  const apply = (v: Float64Array): Float64Array => {
    // After axis a, parts[s] holds the sum of terms of total order s.
    let parts: Float64Array[] = [v];
    for (const a of [0, 1, 2]) {
      const orders = a === 2 ? [2] : [0, 1, 2];
      const next: Float64Array[] = [];
      for (const s of orders) {
        next[s] = new Float64Array(v.length);
        for (let o = 0; o <= s; o++)
          if (parts[s - o]) addBanded(parts[s - o], next[s], grams[a][o], inner[a], a === 2 ? factor : 1);
      }
      parts = next;
    }
    return parts[2];
  };
  const diagonal = new Float64Array(knots[0] * knots[1] * knots[2]);
  for (let o = 0; o < diagonal.length; o++) {
    const at = [o % knots[0], Math.floor(o / knots[0]) % knots[1], Math.floor(o / inner[2])];
    for (let a = 0; a <= 2; a++)
      for (let b = 0; a + b <= 2; b++)
        diagonal[o] +=
          factor * grams[0][a][4 * at[0]] * grams[1][b][4 * at[1]] * grams[2][2 - a - b][4 * at[2]];
  }
  return { apply, diagonal };
}
