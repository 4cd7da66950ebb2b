/**
 * Alignment of a shell with the b0s by mutual information, which spans their contrasts (post-eddy alignment of shells,
 * Andersson & Sotiropoulos 2016). What movement's continuity tells is weighed against it, see continuity.ts.
 */
import { sampleSplineGradient } from '../../../imaging/spline.ts';
import type { Points } from './series.ts';
import { minimize } from './simplex.ts';

import { type Frame, rigidMatrix } from './warp.ts';

const BINS = 40;

/** Scale to bins; intensities beyond the 99.5th percentile share the last one. */
function binScale(values: Float32Array): number {
  const sorted = Float32Array.from(values).sort();
  const top = sorted[Math.floor(0.995 * (sorted.length - 1))];
  return top > 0 ? (BINS - 1.001) / top : 0;
}

/**
 * Rigid movement of a shell relative to the b0s: `b0(Q x)` agrees best with the shell's mean at `x`.
 * @param b0 spline coefficients of the mean of the corrected b0s
 * @param shellMean mean of the shell's corrected volumes at the points
 * @returns 3 translations (mm), 3 rotations (radians)
 */
export function alignToB0(
  b0: Float32Array,
  frame: Frame,
  shellMean: Float32Array,
  points: Points,
): Float64Array {
  const n = shellMean.length;
  const own = binScale(shellMean);
  const at = new Float32Array(n);
  for (let s = 0; s < n; s++) at[s] = b0[points.voxel[s]];
  const other = binScale(at);
  const bin = Uint8Array.from(shellMean, (v) => Math.max(0, Math.min(BINS - 1, Math.round(v * own))));
  const joint = new Float64Array(BINS * BINS);
  const rows = new Float64Array(BINS);
  const columns = new Float64Array(BINS);
  const sample = new Float64Array(4);
  const [dx, dy, dz] = frame.voxelSizes;
  const [cx, cy, cz] = frame.dims.map((d) => 0.5 * (d - 1));

  /** Minus the mutual information, normalized (Studholme 1999) so that the overlap's size does not matter. */
  const cost = (q: Float64Array): number => {
    // Rotations are searched in units of 1/50 radian, so that one unit moves the cortex about as far as 1 mm.
    const m = rigidMatrix(Float64Array.of(q[0], q[1], q[2], q[3] / 50, q[4] / 50, q[5] / 50));
    joint.fill(0);
    for (let s = 0; s < n; s++) {
      const x = points.x[s];
      const y = points.y[s];
      const z = points.z[s];
      const inside = sampleSplineGradient(
        b0,
        frame.dims,
        (m[0] * x + m[1] * y + m[2] * z + m[3]) / dx + cx,
        (m[4] * x + m[5] * y + m[6] * z + m[7]) / dy + cy,
        (m[8] * x + m[9] * y + m[10] * z + m[11]) / dz + cz,
        sample,
      );
      if (!inside) continue;
      let v = sample[0] * other;
      v = v < 0 ? 0 : Math.min(v, BINS - 1.001);
      const lower = Math.floor(v);
      const o = bin[s] * BINS + lower;
      joint[o] += 1 - (v - lower);
      joint[o + 1] += v - lower;
    }
    rows.fill(0);
    columns.fill(0);
    let total = 0;
    for (let a = 0; a < BINS; a++)
      for (let b = 0; b < BINS; b++) {
        const c = joint[a * BINS + b];
        rows[a] += c;
        columns[b] += c;
        total += c;
      }
    const entropy = (counts: Float64Array) => {
      let sum = 0;
      for (const c of counts) if (c > 0) sum -= (c / total) * Math.log(c / total);
      return sum;
    };
    const both = entropy(joint);
    return both > 0 ? -(entropy(rows) + entropy(columns)) / both : 0;
  };
  const { at: best } = minimize(cost, new Float64Array(6), [0.7, 0.7, 0.7, 0.5, 0.5, 0.5], 1e-6, 250);
  return best.map((v, i) => (i < 3 ? v : v / 50));
}
