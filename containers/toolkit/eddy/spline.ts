/** Smoothed volumes as cubic B-splines, for registration. */
import { SIGMA_TO_FWHM } from '../../../imaging/smooth.ts';
import type { Frame } from './warp.ts';

/** Variance of the cubic B-spline, in voxels squared. */
const SPLINE_VARIANCE = 1 / 3;

/**
 * Coefficients of a spline that is `volume` smoothed by about `fwhm` mm. The samples themselves, taken for coefficients,
 * give the volume smoothed by the B-spline (1.36 voxels); a Gaussian before it makes up what is wanted beyond that.
 * Registration never works on less: noise that is interpolated sharply is strongest on the grid, which draws volumes
 * off it, by tenths of a degree.
 */
export function smoothedSpline(volume: Float32Array, frame: Frame, fwhm: number): Float32Array {
  const { dims, voxelSizes } = frame;
  const strides = [1, dims[0], dims[0] * dims[1]];
  let from = volume;
  for (let axis = 0; axis < 3; axis++) {
    const variance = (fwhm / SIGMA_TO_FWHM / voxelSizes[axis]) ** 2 - SPLINE_VARIANCE;
    if (variance > 0.01 && dims[axis] > 1)
      from = smoothAxis(from, dims[axis], strides[axis], Math.sqrt(variance));
  }
  return from;
}

/** Gaussian along one axis, a row of neighbours at a time; edges take the nearest voxel for what lies beyond. */
function smoothAxis(from: Float32Array, n: number, stride: number, sigma: number): Float32Array {
  const radius = Math.ceil(3 * sigma);
  const kernel = Float64Array.from({ length: radius + 1 }, (_, r) => Math.exp(-0.5 * (r / sigma) ** 2));
  const total = kernel.reduce((a, b) => a + 2 * b, -kernel[0]);
  for (let r = 0; r <= radius; r++) kernel[r] /= total;
  const out = new Float32Array(from.length);
  for (let start = 0; start < from.length; start += n * stride)
    for (let i = 0; i < n; i++) {
      const o = start + i * stride;
      for (let q = 0; q < stride; q++) out[o + q] = kernel[0] * from[o + q];
      for (let r = 1; r <= radius; r++) {
        const w = kernel[r];
        const lower = start + Math.max(0, i - r) * stride;
        const upper = start + Math.min(n - 1, i + r) * stride;
        for (let q = 0; q < stride; q++) out[o + q] += w * (from[lower + q] + from[upper + q]);
      }
    }
  return out;
}
