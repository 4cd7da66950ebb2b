/** Correction of whole volumes in a single interpolation, and replacement of outlier slices by predictions. */
import { sampleSpline, splineCoefficients } from '../../../imaging/interpolate.ts';
import type { Acquisition } from '../files.ts';
import { defineJob, type Threads } from '../threads.ts';
import { fieldSlope, type Series } from './series.ts';
import { rigidMatrix, Warp } from './warp.ts';

/** Positions along an axis of the grid in mm from the centre. */
export function positions(series: Pick<Series, 'frame'>, axis: number): Float64Array {
  const n = series.frame.dims[axis];
  return Float64Array.from({ length: n }, (_, i) => (i - 0.5 * (n - 1)) * series.frame.voxelSizes[axis]);
}

/**
 * Volume `t` in undistorted space: one cubic-spline interpolation and the Jacobian's modulation (--resamp=jac).
 * @param acquired voxels of the volume as acquired (outlier slices may have been replaced)
 * @returns voxels on the series' grid, never negative; 0 where nothing was acquired
 */
export function correctVolume(
  series: Pick<Series, 'frame' | 'field' | 'acquisitions'>,
  t: number,
  p: Float64Array,
  acquired: Float32Array,
): Float32Array {
  const { frame, field } = series;
  const { dims } = frame;
  const coefficients = splineCoefficients(acquired, dims);
  const warp = new Warp(frame, series.acquisitions[t], p);
  const [xs, ys, zs] = [0, 1, 2].map((axis) => positions(series, axis));
  const out = new Float32Array(acquired.length);
  let o = 0;
  for (let k = 0; k < dims[2]; k++)
    for (let j = 0; j < dims[1]; j++)
      for (let i = 0; i < dims[0]; i++, o++) {
        const hz = field ? field[o] : 0;
        const slope = field ? fieldSlope(field, frame, o, warp.axis) : 0;
        warp.map(xs[i], ys[j], zs[k], hz, slope);
        const value = warp.jacobian * sampleSpline(coefficients, dims, warp.vx, warp.vy, warp.vz);
        // Spline overshoot below zero is no signal.
        out[o] = Math.max(value, 0);
      }
  return out;
}

/** {@link correctVolume} as a job. */
const correct = defineJob(
  'eddy correct',
  ({
    frame,
    field,
    acquisition,
    p,
    acquired,
  }: Pick<Series, 'frame' | 'field'> & {
    acquisition: Acquisition;
    p: Float64Array;
    acquired: Float32Array;
  }) => correctVolume({ frame, field, acquisitions: [acquisition] }, 0, p, acquired),
);

/** Volumes `which` of a series as acquired, each in undistorted space; see {@link correctVolume}. */
export function correctVolumes(
  threads: Threads,
  { frame, field, acquisitions, volumes }: Series,
  which: readonly number[],
  parameters: readonly Float64Array[],
): Promise<Float32Array[]> {
  return threads.map(
    correct,
    which.map((t) => ({
      frame,
      field,
      acquisition: acquisitions[t],
      p: parameters[t],
      acquired: volumes[t],
    })),
  );
}

/** Trilinear sample of a volume with clamped edges; the nearest voxel inside stands for all beyond. */
function sampleClamped(
  data: Float32Array,
  dims: readonly [number, number, number],
  x: number,
  y: number,
  z: number,
): number {
  const [nx, ny, nz] = dims;
  const cx = Math.max(0, Math.min(nx - 1, x));
  const cy = Math.max(0, Math.min(ny - 1, y));
  const cz = Math.max(0, Math.min(nz - 1, z));
  const i = Math.min(Math.floor(cx), Math.max(0, nx - 2));
  const j = Math.min(Math.floor(cy), Math.max(0, ny - 2));
  const k = Math.min(Math.floor(cz), Math.max(0, nz - 2));
  let sum = 0;
  for (let c = 0; c < 8; c++) {
    const [a, b, d] = [c & 1, (c >> 1) & 1, c >> 2];
    const w = (a ? cx - i : 1 - cx + i) * (b ? cy - j : 1 - cy + j) * (d ? cz - k : 1 - cz + k);
    if (w !== 0)
      sum +=
        w * data[Math.min(i + a, nx - 1) + nx * (Math.min(j + b, ny - 1) + ny * Math.min(k + d, nz - 1))];
  }
  return sum;
}

/**
 * A copy of an acquired volume whose outlier slices hold the prediction, brought from undistorted space to where and
 * how the volume was acquired.
 * @param predicted prediction of volume `t` on the undistorted grid
 * @param slices acquired slices to be replaced
 */
export function replaceSlices(
  series: Series,
  t: number,
  p: Float64Array,
  predicted: Float32Array,
  slices: readonly number[],
): Float32Array {
  const { frame, field } = series;
  const { dims, voxelSizes } = frame;
  const [nx, ny] = dims;
  const warp = new Warp(frame, series.acquisitions[t], p);
  const m = rigidMatrix(p);
  const out = Float32Array.from(series.volumes[t]);
  const centre = dims.map((n) => 0.5 * (n - 1));
  const along = voxelSizes[warp.axis];
  for (const k of slices)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++) {
        // The point that is recorded at (i, j, k): fixed-point iteration on the shift, which varies slowly.
        const y = [
          (i - centre[0]) * voxelSizes[0],
          (j - centre[1]) * voxelSizes[1],
          (k - centre[2]) * voxelSizes[2],
        ];
        const recorded = warp.axis === 0 ? i : j;
        let [x0, x1, x2] = [0, 0, 0];
        let [v0, v1, v2] = [0, 0, 0];
        for (let round = 0; round < 6; round++) {
          const [a, b, c] = [y[0] - m[3], y[1] - m[7], y[2] - m[11]];
          x0 = m[0] * a + m[4] * b + m[8] * c;
          x1 = m[1] * a + m[5] * b + m[9] * c;
          x2 = m[2] * a + m[6] * b + m[10] * c;
          v0 = x0 / voxelSizes[0] + centre[0];
          v1 = x1 / voxelSizes[1] + centre[1];
          v2 = x2 / voxelSizes[2] + centre[2];
          const hz = field ? sampleClamped(field, dims, v0, v1, v2) : 0;
          warp.map(x0, x1, x2, hz, 0);
          y[warp.axis] += (recorded - (warp.axis === 0 ? warp.vx : warp.vy)) * along;
        }
        let slope = 0;
        if (field) {
          const [ox, oy] = warp.axis === 0 ? [0.5, 0] : [0, 0.5];
          slope =
            sampleClamped(field, dims, v0 + ox, v1 + oy, v2) -
            sampleClamped(field, dims, v0 - ox, v1 - oy, v2);
        }
        warp.map(x0, x1, x2, field ? sampleClamped(field, dims, v0, v1, v2) : 0, slope);
        const inside =
          v0 > -0.5 && v1 > -0.5 && v2 > -0.5 && v0 < nx - 0.5 && v1 < ny - 0.5 && v2 < dims[2] - 0.5;
        // Where signal was squeezed the recorded intensity is higher by the same factor.
        if (inside && warp.jacobian > 0.1)
          out[i + nx * (j + ny * k)] = sampleClamped(predicted, dims, v0, v1, v2) / warp.jacobian;
      }
  return out;
}
