/** Cubic B-spline samples together with their gradient, for registration. Coordinates are voxel indices. */
import type { Dims } from '../../../imaging/image.ts';
import { SIGMA_TO_FWHM } from '../../../imaging/smooth.ts';
import type { Frame } from './warp.ts';

const weights = new Float64Array(24); // Per axis four weights, then four derivatives of weights.
const offsets = new Int32Array(12);

function prepare(axis: number, n: number, stride: number, at: number): void {
  const i = Math.floor(at);
  const t = at - i;
  const s = 1 - t;
  const o = 8 * axis;
  weights[o] = (s * s * s) / 6;
  weights[o + 1] = 2 / 3 - 0.5 * t * t * (2 - t);
  weights[o + 2] = 2 / 3 - 0.5 * s * s * (2 - s);
  weights[o + 3] = (t * t * t) / 6;
  weights[o + 4] = -0.5 * s * s;
  weights[o + 5] = 1.5 * t * t - 2 * t;
  weights[o + 6] = 2 * s - 1.5 * s * s;
  weights[o + 7] = 0.5 * t * t;
  for (let a = 0; a < 4; a++) {
    let q = i - 1 + a;
    if (q < 0) q = -q;
    if (q >= n) q = 2 * n - 2 - q;
    offsets[4 * axis + a] = stride * Math.max(q, 0);
  }
}

/**
 * Value and gradient of spline `coefficients` (imaging's `splineCoefficients`; mirrored at the edges).
 * @param out value, then the gradient per voxel along x, y, z
 * @returns false, and `out` untouched, more than half a voxel outside the grid
 */
export function sampleGradient(
  coefficients: Float32Array,
  dims: Dims,
  x: number,
  y: number,
  z: number,
  out: Float64Array,
): boolean {
  const [nx, ny, nz] = dims;
  if (!(x > -0.5 && y > -0.5 && z > -0.5 && x < nx - 0.5 && y < ny - 0.5 && z < nz - 0.5)) return false;
  prepare(0, nx, 1, x);
  prepare(1, ny, nx, y);
  prepare(2, nz, nx * ny, z);
  const w = weights;
  const [x0, x1, x2, x3] = [offsets[0], offsets[1], offsets[2], offsets[3]];
  let value = 0;
  let gx = 0;
  let gy = 0;
  let gz = 0;
  for (let c = 0; c < 4; c++) {
    let plane = 0;
    let planeX = 0;
    let planeY = 0;
    for (let b = 0; b < 4; b++) {
      const o = offsets[8 + c] + offsets[4 + b];
      const c0 = coefficients[o + x0];
      const c1 = coefficients[o + x1];
      const c2 = coefficients[o + x2];
      const c3 = coefficients[o + x3];
      const line = w[0] * c0 + w[1] * c1 + w[2] * c2 + w[3] * c3;
      plane += w[8 + b] * line;
      planeY += w[12 + b] * line;
      planeX += w[8 + b] * (w[4] * c0 + w[5] * c1 + w[6] * c2 + w[7] * c3);
    }
    value += w[16 + c] * plane;
    gx += w[16 + c] * planeX;
    gy += w[16 + c] * planeY;
    gz += w[20 + c] * plane;
  }
  out[0] = value;
  out[1] = gx;
  out[2] = gy;
  out[3] = gz;
  return true;
}

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
