/**
 * The diffusion tensor by linear least squares of log signals (Basser 1994, J Magn Reson B 103:247), ordinary or
 * weighted (Salvador 2005, HBM 24:144).
 *
 * Signals that are zero, negative or no number have no logarithm: that volume is left out of that voxel's fit, which
 * is where the weighted fit goes by itself as the signal falls (its weight is the signal squared). Where what is left
 * does not determine a tensor, the voxel is zero in every map.
 */
import type { GradientTable } from '../../../imaging/gradients.ts';

/** Unknowns: log S0, Dxx, Dxy, Dxz, Dyy, Dyz, Dzz. */
const UNKNOWNS = 7;
/** Entries of the lower triangle of the normal matrix. */
const TRIANGLE = (UNKNOWNS * (UNKNOWNS + 1)) / 2;
/** b is fitted in 1000 s/mm2 and D in 1e-3 mm2/s, so that all unknowns are of order 1. */
const B_UNIT = 1000;
/** A pivot smaller than this share of its diagonal means that the unknown is not determined. */
const PIVOT = 1e-9;

/** What a fit yields; each array holds its maps one after the other, n voxels each. */
export interface TensorFit {
  /** Signal without diffusion weighting, n. */
  readonly s0: Float32Array;
  /** Dxx, Dxy, Dxz, Dyy, Dyz, Dzz in mm2/s, in the axes of the b vectors, 6 x n. */
  readonly tensor: Float32Array;
  /** Sum over volumes of (measured - predicted signal)^2, n; volumes left out of the fit do not count. */
  readonly sse: Float32Array;
  /** Voxels of the mask. */
  readonly voxels: number;
  /** Voxels of the mask in which some volume was left out. */
  readonly incomplete: number;
  /** Voxels of the mask without a tensor. */
  readonly failed: number;
}

/** Rows of the linear model log S = X u, volumes x 7. */
export function designMatrix({ bvals, bvecs }: GradientTable): Float64Array {
  const x = new Float64Array(bvals.length * UNKNOWNS);
  for (let t = 0; t < bvals.length; t++) {
    const norm = Math.hypot(bvecs[3 * t], bvecs[3 * t + 1], bvecs[3 * t + 2]) || 1;
    const [gx, gy, gz] = [bvecs[3 * t] / norm, bvecs[3 * t + 1] / norm, bvecs[3 * t + 2] / norm];
    const b = bvals[t] / B_UNIT;
    x.set(
      [1, -b * gx * gx, -2 * b * gx * gy, -2 * b * gx * gz, -b * gy * gy, -2 * b * gy * gz, -b * gz * gz],
      t * UNKNOWNS,
    );
  }
  return x;
}

/** Products of the entries of each row of the design: what weights turn into a normal matrix, volumes x 28. */
function rowProducts(x: Float64Array, volumes: number): Float64Array {
  const out = new Float64Array(volumes * TRIANGLE);
  for (let t = 0, o = 0; t < volumes; t++)
    for (let r = 0; r < UNKNOWNS; r++)
      for (let c = 0; c <= r; c++) out[o++] = x[t * UNKNOWNS + r] * x[t * UNKNOWNS + c];
  return out;
}

/**
 * Solves the normal equations in place by Cholesky's decomposition.
 * @param a lower triangle, row after row; destroyed  @param u right side in, solution out
 * @returns false where the matrix is not positive definite to working precision
 */
function solve(a: Float64Array, u: Float64Array): boolean {
  for (let r = 0, row = 0; r < UNKNOWNS; row += ++r) {
    for (let c = 0, col = 0; c < r; col += ++c) {
      let sum = a[row + c];
      for (let k = 0; k < c; k++) sum -= a[row + k] * a[col + k];
      a[row + c] = sum / a[col + c];
    }
    let pivot = a[row + r];
    for (let k = 0; k < r; k++) pivot -= a[row + k] * a[row + k];
    if (!(pivot > PIVOT * a[row + r])) return false;
    a[row + r] = Math.sqrt(pivot);
    let sum = u[r];
    for (let k = 0; k < r; k++) sum -= a[row + k] * u[k];
    u[r] = sum / a[row + r];
  }
  for (let r = UNKNOWNS - 1; r >= 0; r--) {
    let sum = u[r];
    for (let k = r + 1; k < UNKNOWNS; k++) sum -= a[(k * (k + 1)) / 2 + r] * u[k];
    u[r] = sum / a[(r * (r + 1)) / 2 + r];
  }
  return true;
}

/** True when the gradient table determines a tensor: six independent directions and a second b value. */
export function determinesTensor(gradients: GradientTable): boolean {
  const products = rowProducts(designMatrix(gradients), gradients.bvals.length);
  const normal = new Float64Array(TRIANGLE);
  for (let i = 0; i < products.length; i++) normal[i % TRIANGLE] += products[i];
  return solve(normal, new Float64Array(UNKNOWNS));
}

/**
 * Fits a tensor in every voxel of the mask.
 * @param data signals, volume after volume, n x volumes
 * @param mask n; voxels above zero are fitted
 * @param weighted weights are the squared measured signals, as FSL 5.0's `dtifit --wls` has them; else all are 1
 */
export function fitTensor(
  data: Float32Array,
  mask: Float32Array,
  gradients: GradientTable,
  weighted: boolean,
  onProgress: (fraction: number) => void = () => {},
): TensorFit {
  const n = mask.length;
  const volumes = gradients.bvals.length;
  const x = designMatrix(gradients);
  const products = rowProducts(x, volumes);
  const [s0, tensor, sse] = [new Float32Array(n), new Float32Array(6 * n), new Float32Array(n)];
  const signal = new Float64Array(volumes);
  const normal = new Float64Array(TRIANGLE);
  const u = new Float64Array(UNKNOWNS);
  let [voxels, incomplete, failed] = [0, 0, 0];
  for (let v = 0; v < n; v++) {
    if (v % 65536 === 0) onProgress(v / n);
    if (!(mask[v] > 0)) continue;
    voxels++;
    let [max, used] = [0, 0];
    for (let t = 0, o = v; t < volumes; t++, o += n) {
      const s = data[o];
      const usable = s > 0 && s < Number.POSITIVE_INFINITY;
      signal[t] = usable ? s : 0;
      if (usable) used++;
      if (usable && s > max) max = s;
    }
    if (used < volumes) incomplete++;
    normal.fill(0);
    u.fill(0);
    for (let t = 0; t < volumes; t++) {
      if (signal[t] === 0) continue;
      const ratio = signal[t] / max;
      const w = weighted ? ratio * ratio : 1;
      const wy = w * Math.log(ratio);
      for (let p = 0, o = t * TRIANGLE; p < TRIANGLE; p++) normal[p] += w * products[o + p];
      for (let p = 0, o = t * UNKNOWNS; p < UNKNOWNS; p++) u[p] += wy * x[o + p];
    }
    if (used < UNKNOWNS || !solve(normal, u)) {
      failed++;
      continue;
    }
    let squares = 0;
    for (let t = 0; t < volumes; t++) {
      if (signal[t] === 0) continue;
      let y = 0;
      for (let p = 0, o = t * UNKNOWNS; p < UNKNOWNS; p++) y += u[p] * x[o + p];
      squares += (signal[t] - max * Math.exp(y)) ** 2;
    }
    s0[v] = max * Math.exp(u[0]);
    for (let c = 0; c < 6; c++) tensor[c * n + v] = u[c + 1] / B_UNIT;
    sse[v] = squares;
    // A fit of near-noise may run away in S0 or the residuals; float32 must hold what is written.
    if (!Number.isFinite(s0[v]) || !Number.isFinite(sse[v])) {
      failed++;
      s0[v] = sse[v] = 0;
      for (let c = 0; c < 6; c++) tensor[c * n + v] = 0;
    }
  }
  return { s0, tensor, sse, voxels, incomplete, failed };
}
