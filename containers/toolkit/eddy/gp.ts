/**
 * Gaussian process over diffusion weightings: what a volume should look like, told by the other volumes, without a
 * model of the tissue (Andersson & Sotiropoulos 2015, NeuroImage 122:166).
 *
 * The signal of one voxel over the n weighted volumes is y ~ N(0, K): K = mean + signal + noise, where
 * - mean: a constant of wide prior per shell, so the shell's mean need not be known beforehand;
 * - signal: lambda * C(theta) * exp(-(ln b - ln b')^2 / (2 l^2)), C the spherical covariance of the angle between axes,
 *   1 - 3 theta / (2 a) + theta^3 / (2 a^3) up to theta = a, else 0;
 * - noise: a variance per shell.
 * All voxels share K, so its likelihood needs the n x n second moments of the data only.
 */
import { cholesky, choleskyInverse } from './linear.ts';
import { minimize } from './simplex.ts';

/** What the covariance must know of the n volumes. */
export interface Directions {
  /** Unit vectors, 3 per volume. */
  readonly vectors: Float64Array;
  /** Mean b of each shell in s/mm2, ascending. */
  readonly shellB: readonly number[];
  /** Shell of each volume. */
  readonly shellOf: Int32Array;
}

/** Hyperparameters of the process. */
export interface Hyperparameters {
  /** Variance of the signal that varies smoothly with direction. */
  readonly signal: number;
  /** Angle in radians at which two directions know nothing of each other. */
  readonly angle: number;
  /** Length scale in ln b. */
  readonly logB: number;
  /** Noise variance per shell. */
  readonly noise: readonly number[];
}

function angleBetweenAxes(v: Float64Array, i: number, j: number): number {
  const dot = v[3 * i] * v[3 * j] + v[3 * i + 1] * v[3 * j + 1] + v[3 * i + 2] * v[3 * j + 2];
  return Math.acos(Math.min(1, Math.abs(dot)));
}

/** Covariance of the signal alone, without the shells' means and the noise; n x n. */
function signalCovariance(d: Directions, h: Hyperparameters): Float64Array {
  const n = d.shellOf.length;
  const k = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const t = angleBetweenAxes(d.vectors, i, j) / h.angle;
      const step = Math.log(d.shellB[d.shellOf[i]] / d.shellB[d.shellOf[j]]) / h.logB;
      const c = t >= 1 ? 0 : 1 - 1.5 * t + 0.5 * t * t * t;
      k[i * n + j] = k[j * n + i] = h.signal * c * Math.exp(-0.5 * step * step);
    }
  return k;
}

/** Full covariance K; `meanVariance` is the prior variance of a shell's mean. */
export function covariance(d: Directions, h: Hyperparameters, meanVariance: number): Float64Array {
  const n = d.shellOf.length;
  const k = signalCovariance(d, h);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      if (d.shellOf[i] === d.shellOf[j]) k[i * n + j] += meanVariance;
      if (i === j) k[i * n + j] += h.noise[d.shellOf[i]];
    }
  return k;
}

/** Wide against any signal, yet small enough for double precision. */
function priorOfMean(moments: Float64Array, n: number): number {
  let trace = 0;
  for (let i = 0; i < n; i++) trace += moments[i * n + i];
  return (10 * trace) / n;
}

/**
 * Maximum-likelihood hyperparameters for data with second moments `moments` (n x n, mean over voxels of y y').
 * The likelihood of N voxels is -N/2 (log|K| + trace(K^-1 M)).
 */
export function estimateHyperparameters(d: Directions, moments: Float64Array): Hyperparameters {
  const n = d.shellOf.length;
  const shells = d.shellB.length;
  const meanVariance = priorOfMean(moments, n);
  let spread = 0; // Variance over directions about the shell's mean: splits into signal and noise.
  for (let s = 0; s < shells; s++) {
    const members = Array.from({ length: n }, (_, i) => i).filter((i) => d.shellOf[i] === s);
    let own = 0;
    let all = 0;
    for (const i of members) {
      own += moments[i * n + i];
      for (const j of members) all += moments[i * n + j];
    }
    spread += own - all / members.length;
  }
  spread = Math.max(spread / n, 1e-9 * meanVariance);
  const unpack = (x: Float64Array): Hyperparameters => ({
    signal: Math.exp(x[0]),
    angle: 0.3 + (Math.PI - 0.3) / (1 + Math.exp(-x[1])),
    logB: Math.exp(x[2]),
    noise: Array.from(x.subarray(3), Math.exp),
  });
  const cost = (x: Float64Array) => {
    // A priori the length scale is about one in ln b; with one shell nothing else would hold it.
    const prior = 0.5 * x[2] * x[2] * 1e-3;
    const l = cholesky(covariance(d, unpack(x), meanVariance), n);
    if (!l) return Number.POSITIVE_INFINITY;
    const inverse = choleskyInverse(l, n);
    let value = prior;
    for (let i = 0; i < n; i++) value += 2 * Math.log(l[i * n + i]);
    for (let i = 0; i < n * n; i++) value += inverse[i] * moments[i];
    return value;
  };
  const start = [Math.log(0.5 * spread), -0.3, 0, ...d.shellB.map(() => Math.log(0.5 * spread))];
  const { at } = minimize(
    cost,
    start,
    [0.7, 0.7, shells > 1 ? 0.5 : 0, ...d.shellB.map(() => -0.7)],
    1e-6,
    200,
  );
  return unpack(at);
}

/** Linear predictors from data to prediction, both n x n: row i holds the weights of all volumes for volume i. */
export interface Predictor {
  /** Prediction of volume i by the others alone; the diagonal is zero. */
  readonly others: Float64Array;
  /** One over the variance with which the others predict volume i. */
  readonly precision: Float64Array;
  /** Prediction of volume i from all, itself included: the posterior mean. */
  readonly all: Float64Array;
}

/**
 * Predictors of the process. Leaving one out needs no n inversions: y_i - [K^-1 y]_i / [K^-1]_ii
 * (Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, eq. 5.12).
 */
export function predictor(d: Directions, h: Hyperparameters, moments: Float64Array): Predictor {
  const n = d.shellOf.length;
  const k = covariance(d, h, priorOfMean(moments, n));
  const l = cholesky(k, n);
  if (!l) throw new Error('covariance of the directions is not positive definite');
  const inverse = choleskyInverse(l, n);
  const others = new Float64Array(n * n);
  const all = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      others[i * n + j] = i === j ? 0 : -inverse[i * n + j] / inverse[i * n + i];
      all[i * n + j] = (i === j ? 1 : 0) - h.noise[d.shellOf[i]] * inverse[i * n + j];
    }
  const precision = Float64Array.from({ length: n }, (_, i) => inverse[i * n + i]);
  return { others, all, precision };
}

/** Predictor of n volumes of equal weighting (b0s): the mean. */
export function meanPredictor(n: number): Predictor {
  const others = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) others[i * n + j] = i === j || n === 1 ? 0 : 1 / (n - 1);
  return { others, precision: new Float64Array(n).fill(1), all: new Float64Array(n * n).fill(1 / n) };
}
