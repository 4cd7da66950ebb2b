/**
 * The diffusion tensor by linear least squares of log signals (Basser 1994, J Magn Reson B 103:247): ordinary,
 * weighted (Salvador 2005, HBM 24:144) or robust.
 *
 * Signals of zero or less have no logarithm, and signals that are no number none either: those volumes are left out of
 * their voxel's fit. Only `wls` takes zero and less as 1 with the weight of 1, since FSL's maps of voxels at the rim of
 * the head, where some volumes hold air, come about so. Where what is left does not determine a tensor, or determines
 * one that no tissue has, the voxel is zero in every map.
 */
import type { GradientTable } from '../../../imaging/gradients.ts';
import { select } from '../fslmaths/statistics.ts';

/**
 * How log signals are weighted: `ols` all alike; `wls` by the square of the measured signal, as FSL's `dtifit --wls`
 * has it; `predicted` by the square of the signal that a first, ordinary fit predicts, as the textbooks have it (their
 * noise does not pull the fit, so MD is less biased); `robust` as `predicted`, but without outliers.
 */
export type Estimator = 'ols' | 'wls' | 'predicted' | 'robust';
export const ESTIMATORS: readonly Estimator[] = ['ols', 'wls', 'predicted', 'robust'];

/** Unknowns: log S0, Dxx, Dxy, Dxz, Dyy, Dyz, Dzz. */
export const UNKNOWNS = 7;
/** Entries of the lower triangle of the normal matrix. */
const TRIANGLE = (UNKNOWNS * (UNKNOWNS + 1)) / 2;
/** b is fitted in 1000 s/mm2 and D in 1e-3 mm2/s, so that all unknowns are of order 1. */
const B_UNIT = 1000;
/** A pivot smaller than this share of its diagonal means that the unknown is not determined. */
const PIVOT = 1e-9;

/** The robust fit ends when no unknown moves by more than this, or after so many rounds. */
const SETTLED = 1e-3;
const MAX_ROUNDS = 10;
/** Standard deviation of normal noise over the median of its absolute values. */
const MEDIAN_TO_SD = 1.4826;
/**
 * Residuals beyond so many standard deviations are outliers. More than the 3 of RESTORE (Chang 2005, MRM 53:1088): the
 * iterated fit follows most signals so closely that their noise looks small. Of 34 sound signals 3 would leave out 8 %,
 * 5 leaves out 2 %.
 */
const OUTLIER_SD = 5;
/** Residuals below this share of the largest signal are rounding, not noise. */
const ROUNDING = 1e-6;

/** What `wls` takes a signal of zero or less as, in the image's units. */
const DARKEST = 1;

/** Three times the diffusivity of water at body temperature, mm2/s. */
const LARGEST_MD = 0.01;

const LARGEST_FLOAT32 = 3.4e38;

/** Vectors to unit length, volumes x 3; zero vectors stay. */
function unitVectors({ bvals, bvecs }: GradientTable): Float64Array {
  const out = new Float64Array(3 * bvals.length);
  for (let o = 0; o < out.length; o += 3) {
    const norm = Math.hypot(bvecs[o], bvecs[o + 1], bvecs[o + 2]) || 1;
    for (let c = o; c < o + 3; c++) out[c] = bvecs[c] / norm;
  }
  return out;
}

/** Columns of the design in memory: one of zeros is added, since {@link addUp} takes four at a time. */
const COLUMNS = 8;

/**
 * The linear model log S = X u, column after column (8 x volumes, the last one zeros), into `out`.
 * @param deviations nine numbers at `9 * voxel`: what the gradient coils of this place add to the identity, row after
 *   row (Sotiropoulos 2013, NeuroImage 80:125): the gradient g is there L g, so that b becomes b |L g|^2
 */
function designColumns(
  bvals: Float64Array,
  unit: Float64Array,
  out: Float64Array,
  deviations?: Float32Array,
  voxel = 0,
): void {
  const n = bvals.length;
  for (let t = 0; t < n; t++) {
    let [x, y, z] = [unit[3 * t], unit[3 * t + 1], unit[3 * t + 2]];
    if (deviations) {
      const d = 9 * voxel;
      const [gx, gy, gz] = [x, y, z];
      x += deviations[d] * gx + deviations[d + 1] * gy + deviations[d + 2] * gz;
      y += deviations[d + 3] * gx + deviations[d + 4] * gy + deviations[d + 5] * gz;
      z += deviations[d + 6] * gx + deviations[d + 7] * gy + deviations[d + 8] * gz;
    }
    const b = bvals[t] / B_UNIT;
    out[t] = 1;
    out[t + n] = -b * x * x;
    out[t + 2 * n] = -2 * b * x * y;
    out[t + 3 * n] = -2 * b * x * z;
    out[t + 4 * n] = -b * y * y;
    out[t + 5 * n] = -2 * b * y * z;
    out[t + 6 * n] = -b * z * z;
  }
}

/** Products of the columns of the design, two by two: what weights turn into a normal matrix, 28 x volumes. */
function columnProducts(x: Float64Array, n: number, out: Float64Array): void {
  for (let r = 0, o = 0; r < UNKNOWNS; r++)
    for (let c = 0; c <= r; c++) for (let t = 0; t < n; t++) out[o++] = x[r * n + t] * x[c * n + t];
}

/** Weighted sums of rows of a table, four at a time so that additions need not wait for each other. */
function addUp(table: Float64Array, weight: Float64Array, out: Float64Array): void {
  const n = weight.length;
  for (let row = 0, o = 0; row < out.length; row += 4, o += 4 * n) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let t = 0; t < n; t++) {
      const w = weight[t];
      a += w * table[o + t];
      b += w * table[o + n + t];
      c += w * table[o + 2 * n + t];
      d += w * table[o + 3 * n + t];
    }
    out[row] = a;
    out[row + 1] = b;
    out[row + 2] = c;
    out[row + 3] = d;
  }
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
  const volumes = gradients.bvals.length;
  const x = new Float64Array(COLUMNS * volumes);
  designColumns(gradients.bvals, unitVectors(gradients), x);
  const products = new Float64Array(TRIANGLE * volumes);
  columnProducts(x, volumes, products);
  const normal = new Float64Array(TRIANGLE);
  addUp(products, new Float64Array(volumes).fill(1), normal);
  return solve(normal, new Float64Array(UNKNOWNS));
}

/** Fits one voxel after the other; what the last one came to stays in its fields. */
export class TensorFitter {
  /** Signal without diffusion weighting. */
  s0 = 0;
  /** Dxx, Dxy, Dxz, Dyy, Dyz, Dzz in mm2/s, in the axes of the b vectors. */
  readonly tensor = new Float64Array(6);
  /** Volumes whose signal has a logarithm. */
  usable = 0;
  /** Volumes that the robust fit left out. */
  outliers = 0;

  readonly #bvals: Float64Array;
  readonly #unit: Float64Array;
  readonly #estimator: Estimator;
  readonly #volumes: number;
  readonly #x: Float64Array;
  readonly #products: Float64Array;
  /** Signals and their predictions over the largest signal, and the logarithms; signal 0: no logarithm. */
  readonly #ratio: Float64Array;
  readonly #log: Float64Array;
  readonly #predicted: Float64Array;
  /** Weight of each volume; 0: left out. */
  readonly #weight: Float64Array;
  readonly #residual: Float64Array;
  readonly #sorted: Float64Array;
  readonly #normal = new Float64Array(TRIANGLE);
  readonly #u = new Float64Array(COLUMNS);
  readonly #before = new Float64Array(COLUMNS);
  readonly #weightedLog: Float64Array;
  #max = 0;
  /** Volumes that enter the fit. */
  #fitted = 0;

  constructor(gradients: GradientTable, estimator: Estimator) {
    const volumes = gradients.bvals.length;
    const perVolume = () => new Float64Array(volumes);
    this.#bvals = gradients.bvals;
    this.#unit = unitVectors(gradients);
    this.#estimator = estimator;
    this.#volumes = volumes;
    this.#x = new Float64Array(COLUMNS * volumes);
    this.#products = new Float64Array(TRIANGLE * volumes);
    [this.#ratio, this.#log, this.#predicted] = [perVolume(), perVolume(), perVolume()];
    [this.#weight, this.#residual, this.#sorted] = [perVolume(), perVolume(), perVolume()];
    this.#weightedLog = perVolume();
    designColumns(this.#bvals, this.#unit, this.#x);
    columnProducts(this.#x, this.#volumes, this.#products);
  }

  /**
   * Fits one voxel.
   * @param signals voxel after voxel, voxels x volumes
   * @param deviations of the gradients, voxels x 9 (see {@link designColumns})
   * @returns false where the usable signals do not determine a tensor; the fields are then 0
   */
  fit(signals: Float32Array, voxel: number, deviations?: Float32Array): boolean {
    this.#takeSignals(signals, voxel);
    if (deviations) {
      designColumns(this.#bvals, this.#unit, this.#x, deviations, voxel);
      columnProducts(this.#x, this.#volumes, this.#products);
    }
    this.outliers = 0;
    if (this.#fitted >= UNKNOWNS && this.#estimate() && this.#take()) return true;
    this.s0 = 0;
    this.tensor.fill(0);
    return false;
  }

  /**
   * Sum over volumes of (measured - predicted signal)^2 of the voxel fitted last; volumes left out of the fit do not
   * count. At most what float32 holds.
   */
  squaredErrors(): number {
    this.#predict();
    let squares = 0;
    for (let t = 0; t < this.#volumes; t++)
      if (this.#ratio[t] > 0) squares += (this.#ratio[t] - this.#predicted[t]) ** 2;
    return Math.min(this.#max * this.#max * squares, LARGEST_FLOAT32);
  }

  #takeSignals(signals: Float32Array, voxel: number): void {
    const volumes = this.#volumes;
    const first = voxel * volumes;
    let max = 0;
    this.usable = 0;
    for (let t = 0; t < volumes; t++) {
      const s = signals[first + t];
      const usable = s > 0 && s < Number.POSITIVE_INFINITY;
      this.#ratio[t] = usable ? s : 0;
      if (usable) this.usable++;
      if (usable && s > max) max = s;
    }
    const darkest = this.#estimator === 'wls' && max > DARKEST ? DARKEST : 0;
    this.#fitted = this.usable;
    for (let t = 0; t < volumes; t++) {
      this.#log[t] = 0;
      if (darkest > 0 && signals[first + t] <= 0) {
        this.#ratio[t] = darkest;
        this.#fitted++;
      }
      if (this.#ratio[t] === 0) continue;
      this.#ratio[t] /= max;
      this.#log[t] = Math.log(this.#ratio[t]);
    }
    this.#max = max;
  }

  #estimate(): boolean {
    const [ratio, weight] = [this.#ratio, this.#weight];
    if (this.#estimator === 'wls') {
      for (let t = 0; t < weight.length; t++) weight[t] = ratio[t] * ratio[t];
      return this.#solve();
    }
    for (let t = 0; t < weight.length; t++) weight[t] = ratio[t] > 0 ? 1 : 0;
    if (!this.#solve()) return false;
    if (this.#estimator === 'ols') return true;
    // With one volume to spare, which of them is wrong cannot be told.
    if (this.#estimator === 'robust' && this.usable > UNKNOWNS + 1) return this.#robust();
    this.#predict();
    this.#weightByPrediction();
    return this.#solve();
  }

  /** Solves with the weights as they are. */
  #solve(): boolean {
    const [weight, weightedLog, normal, u] = [this.#weight, this.#weightedLog, this.#normal, this.#u];
    for (let t = 0; t < weight.length; t++) weightedLog[t] = weight[t] * this.#log[t];
    addUp(this.#products, weight, normal);
    addUp(this.#x, weightedLog, u);
    return solve(normal, u);
  }

  /** Predicted signals and, in units of the signal, residuals of the logarithms. */
  #predict(): void {
    const [x, u, n] = [this.#x, this.#u, this.#volumes];
    for (let t = 0; t < n; t++) {
      let y = 0;
      for (let p = 0, o = t; p < UNKNOWNS; p++, o += n) y += u[p] * x[o];
      const signal = Math.exp(y);
      this.#predicted[t] = signal;
      this.#residual[t] = signal * (this.#log[t] - y);
    }
  }

  #weightByPrediction(): void {
    for (let t = 0; t < this.#weight.length; t++)
      this.#weight[t] = this.#ratio[t] > 0 ? this.#predicted[t] * this.#predicted[t] : 0;
  }

  /**
   * From an ordinary fit: iterated weights that fall with the residual (Geman & McClure) until the fit stands still;
   * then a weighted fit without the volumes that lie far off it. The scheme of RESTORE (Chang 2005, 2012, MRM 68:1654)
   * in its linear form, REKINDLE (Collier 2015, MRM 73:2174): residuals of logarithms times the predicted signal have
   * the noise of the signal, alike in all volumes.
   */
  #robust(): boolean {
    const [ratio, weight, residual, u, before] = [
      this.#ratio,
      this.#weight,
      this.#residual,
      this.#u,
      this.#before,
    ];
    this.#predict();
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const noise = this.#noise();
      if (!(noise > ROUNDING)) break;
      this.#weightByPrediction();
      for (let t = 0; t < weight.length; t++) weight[t] /= (1 + (residual[t] / noise) ** 2) ** 2;
      before.set(u);
      if (!this.#solve()) {
        u.set(before);
        break;
      }
      this.#predict();
      let moved = 0;
      for (let p = 0; p < UNKNOWNS; p++) moved = Math.max(moved, Math.abs(u[p] - before[p]));
      if (moved < SETTLED) break;
    }
    const limit = OUTLIER_SD * Math.max(this.#noise(), ROUNDING);
    this.#weightByPrediction();
    for (let t = 0; t < weight.length; t++)
      if (ratio[t] > 0 && Math.abs(residual[t]) > limit) {
        weight[t] = 0;
        this.outliers++;
      }
    if (this.#solve()) return true;
    // Too few are left: what all of them agree on.
    this.outliers = 0;
    this.#weightByPrediction();
    return this.#solve();
  }

  /** Standard deviation of the signal's noise over the largest signal, from the median of the residuals' sizes. */
  #noise(): number {
    const sorted = this.#sorted;
    let count = 0;
    for (let t = 0; t < sorted.length; t++)
      if (this.#ratio[t] > 0) sorted[count++] = Math.abs(this.#residual[t]);
    // A fit of 7 unknowns takes their share out of the residuals.
    return MEDIAN_TO_SD * select(sorted, count, count >> 1) * Math.sqrt(count / (count - UNKNOWNS));
  }

  /** Puts the solution into the fields. @returns false where it is no tissue's: a fit of near-noise ran away */
  #take(): boolean {
    const u = this.#u;
    this.s0 = this.#max * Math.exp(u[0]);
    let largest = this.s0;
    for (let c = 0; c < 6; c++) {
      this.tensor[c] = u[c + 1] / B_UNIT;
      largest = Math.max(largest, Math.abs(this.tensor[c]));
    }
    const md = (this.tensor[0] + this.tensor[3] + this.tensor[5]) / 3;
    return largest <= LARGEST_FLOAT32 && Math.abs(md) <= LARGEST_MD;
  }
}
