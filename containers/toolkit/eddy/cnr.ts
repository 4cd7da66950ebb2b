/** Maps of signal and contrast against noise, as eddy's --cnr_maps defines them. */
import type { Predictor } from './gp.ts';
import type { Series } from './series.ts';

function standardDeviation(values: Float64Array): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, values.length - 1));
}

/**
 * Mean over standard deviation of the corrected b0s.
 * @returns per voxel; 0 outside the mask and with fewer than two b0s
 */
export function b0Snr(series: Series, corrected: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(series.mask.length);
  if (corrected.length < 2) return out;
  const values = new Float64Array(corrected.length);
  for (let v = 0; v < out.length; v++) {
    if (series.mask[v] === 0) continue;
    for (const [i, c] of corrected.entries()) values[i] = c[v];
    const sd = standardDeviation(values);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    out[v] = sd > 0 ? mean / sd : 0;
  }
  return out;
}

/**
 * Per shell: standard deviation over directions of the prediction, over that of the residuals.
 * @param corrected weighted volumes in undistorted space
 * @param shellOf shell of each, 0 for the lowest b
 * @returns a map per shell; 0 outside the mask
 */
export function shellCnr(
  series: Series,
  corrected: readonly Float32Array[],
  predictor: Predictor,
  shellOf: Int32Array,
): Float32Array[] {
  const n = corrected.length;
  const shells = n === 0 ? 0 : Math.max(...shellOf) + 1;
  const members = Array.from({ length: shells }, (_, s) =>
    [...shellOf.keys()].filter((i) => shellOf[i] === s),
  );
  const maps = members.map(() => new Float32Array(series.mask.length));
  const y = new Float64Array(n);
  const prediction = new Float64Array(n);
  for (let v = 0; v < series.mask.length; v++) {
    if (series.mask[v] === 0) continue;
    for (let i = 0; i < n; i++) y[i] = corrected[i][v];
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += predictor.all[i * n + j] * y[j];
      prediction[i] = sum;
    }
    for (const [s, who] of members.entries()) {
      const residual = standardDeviation(Float64Array.from(who, (i) => y[i] - prediction[i]));
      const signal = standardDeviation(Float64Array.from(who, (i) => prediction[i]));
      maps[s][v] = residual > 0 ? signal / residual : 0;
    }
  }
  return maps;
}
