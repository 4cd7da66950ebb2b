/**
 * Signal, contrast and noise of a corrected series, by the diffusion tensor: an ordinary least-squares fit of log
 * signals (Basser 1994) says what is signal, its residuals are noise.
 */
import { type Image, volumeOf } from '../image.ts';
import { meanOf, medianOf, robustDeviation, standardDeviation } from './numbers.ts';

/** Unknowns: log S0 and six of the tensor. */
const UNKNOWNS = 7;
/** b is taken in 1000 s/mm2, so that all unknowns are of order 1. */
const B_UNIT = 1000;

/** Rows of the linear model log S = X u, one per volume. */
function design(bvals: ArrayLike<number>, bvecs: ArrayLike<number>): Float64Array[] {
  return Array.from({ length: bvals.length }, (_, t) => {
    const b = bvals[t] / B_UNIT;
    const [x, y, z] = [bvecs[3 * t], bvecs[3 * t + 1], bvecs[3 * t + 2]];
    return Float64Array.of(
      1,
      -b * x * x,
      -2 * b * x * y,
      -2 * b * x * z,
      -b * y * y,
      -2 * b * y * z,
      -b * z * z,
    );
  });
}

/** (X'X)^-1 X' by Gauss-Jordan elimination, row after row; undefined where the volumes do not determine a tensor. */
function pseudoInverse(rows: readonly Float64Array[]): Float64Array[] | undefined {
  const n = rows.length;
  const m = Array.from({ length: UNKNOWNS }, (_, i) => {
    const normal = Array.from({ length: UNKNOWNS }, (_, j) =>
      rows.reduce((sum, row) => sum + row[i] * row[j], 0),
    );
    return Float64Array.of(...normal, ...rows.map((row) => row[i]));
  });
  for (let c = 0; c < UNKNOWNS; c++) {
    let pivot = c;
    for (let r = c + 1; r < UNKNOWNS; r++) if (Math.abs(m[r][c]) > Math.abs(m[pivot][c])) pivot = r;
    if (Math.abs(m[pivot][c]) < 1e-9 * n) return undefined;
    [m[c], m[pivot]] = [m[pivot], m[c]];
    const scale = 1 / m[c][c];
    for (let j = c; j < m[c].length; j++) m[c][j] *= scale;
    for (let r = 0; r < UNKNOWNS; r++) {
      const factor = r === c ? 0 : m[r][c];
      if (factor !== 0) for (let j = c; j < m[r].length; j++) m[r][j] -= factor * m[c][j];
    }
  }
  return m.map((row) => row.subarray(UNKNOWNS));
}

/** Mean, median and standard deviation over the brain. */
export interface Spread {
  readonly mean: number | null;
  readonly median: number | null;
  readonly deviation: number | null;
}

function spreadOf(values: ArrayLike<number>): Spread {
  return { mean: meanOf(values), median: medianOf(values), deviation: standardDeviation(values) };
}

export interface TensorNoise {
  /** Per voxel RMS residual over the fitted signal at b = 0, in percent; its median over the brain. */
  readonly residualPercent: number | null;
  /** Contrast to noise per shell (its b): standard deviation over directions of the fit, over that of the residuals. */
  readonly cnr: ReadonlyMap<number, Spread>;
}

/**
 * Residuals and contrast of a tensor fit. Voxels with a signal of zero or less are left out.
 * @param shells shell of each volume, 0 for b0s  @param voxels of the brain
 * @returns undefined where there are too few volumes or directions to tell noise from signal
 */
export function tensorNoise(
  series: Image,
  bvals: ArrayLike<number>,
  bvecs: ArrayLike<number>,
  shells: readonly number[],
  voxels: Int32Array,
): TensorNoise | undefined {
  const n = series.volumes;
  const rows = design(bvals, bvecs);
  const inverse = n > UNKNOWNS ? pseudoInverse(rows) : undefined;
  if (!inverse) return undefined;
  const volumes = Array.from({ length: n }, (_, t) => volumeOf(series, t));
  const members = [...new Set(shells)]
    .filter((b) => b > 0)
    .sort((a, b) => a - b)
    .map((b) => ({ b, who: [...shells.keys()].filter((t) => shells[t] === b), cnr: [] as number[] }));
  // The fit takes its share of the noise: what is left is smaller by the root of the degrees of freedom.
  const freedom = Math.sqrt(n / (n - UNKNOWNS));
  const y = new Float64Array(n);
  const u = new Float64Array(UNKNOWNS);
  const fit = new Float64Array(n);
  const off = new Float64Array(n);
  const residuals: number[] = [];
  voxel: for (const o of voxels) {
    for (let t = 0; t < n; t++) {
      const value = volumes[t][o];
      if (!(value > 0)) continue voxel;
      y[t] = Math.log(value);
    }
    for (let i = 0; i < UNKNOWNS; i++) {
      const row = inverse[i];
      let sum = 0;
      for (let t = 0; t < n; t++) sum += row[t] * y[t];
      u[i] = sum;
    }
    let squares = 0;
    for (let t = 0; t < n; t++) {
      const row = rows[t];
      let sum = 0;
      for (let i = 0; i < UNKNOWNS; i++) sum += row[i] * u[i];
      fit[t] = Math.exp(sum);
      off[t] = volumes[t][o] - fit[t];
      squares += off[t] * off[t];
    }
    residuals.push((100 * freedom * Math.sqrt(squares / n)) / Math.exp(u[0]));
    for (const { who, cnr } of members) {
      let mean = 0;
      for (const t of who) mean += fit[t] / who.length;
      let [signal, noise] = [0, 0];
      for (const t of who) {
        signal += (fit[t] - mean) ** 2;
        noise += off[t] * off[t];
      }
      if (noise > 0) cnr.push(Math.sqrt(signal / noise) / freedom);
    }
  }
  return {
    residualPercent: medianOf(residuals),
    cnr: new Map(members.map(({ b, cnr }) => [b, spreadOf(cnr)])),
  };
}

/**
 * SNR of the b0s over the brain: with three or more the mean over the standard deviation in time; with two the mean over
 * the noise of their difference (NEMA MS 1, method 1), one figure for all voxels.
 */
export function b0Snr(series: Image, b0s: readonly number[], voxels: Int32Array): Spread | undefined {
  const volumes = b0s.map((t) => volumeOf(series, t));
  if (volumes.length < 2 || voxels.length === 0) return undefined;
  if (volumes.length === 2) {
    const [a, b] = volumes;
    const mean = meanOf(Float64Array.from(voxels, (o) => (a[o] + b[o]) / 2)) ?? 0;
    const noise = (robustDeviation(Float64Array.from(voxels, (o) => a[o] - b[o])) ?? 0) / Math.SQRT2;
    if (!(noise > 0)) return undefined;
    return { mean: mean / noise, median: mean / noise, deviation: null };
  }
  const snr: number[] = [];
  const values = new Float64Array(volumes.length);
  for (const o of voxels) {
    for (let i = 0; i < volumes.length; i++) values[i] = volumes[i][o];
    const noise = standardDeviation(values) ?? 0;
    if (noise > 0) snr.push((meanOf(values) ?? 0) / noise);
  }
  return snr.length > 0 ? spreadOf(snr) : undefined;
}
