/**
 * Sampling between voxels: trilinear, nearest and cubic B-spline (spline.ts). Coordinates are voxel indices; centres are whole
 * numbers. No allocation in the samplers, so they can stand in inner loops.
 */
import type { Matrix4 } from './affine.ts';
import type { Dims, Grid } from './image.ts';
import { sampleSpline, splineCoefficients } from './spline.ts';

export { sampleSpline, splineCoefficients };

/** Trilinear sample; `outside` where any corner of the cell lies beyond the grid by more than half a voxel. */
export function sampleLinear(
  data: Float32Array,
  dims: Dims,
  x: number,
  y: number,
  z: number,
  outside = 0,
): number {
  const [nx, ny, nz] = dims;
  if (!(x > -0.5 && y > -0.5 && z > -0.5 && x < nx - 0.5 && y < ny - 0.5 && z < nz - 0.5)) return outside;
  const xc = x < 0 ? 0 : x > nx - 1 ? nx - 1 : x;
  const yc = y < 0 ? 0 : y > ny - 1 ? ny - 1 : y;
  const zc = z < 0 ? 0 : z > nz - 1 ? nz - 1 : z;
  const i = Math.floor(xc);
  const j = Math.floor(yc);
  const k = Math.floor(zc);
  const fx = xc - i;
  const fy = yc - j;
  const fz = zc - k;
  const dx = i + 1 < nx ? 1 : 0;
  const dy = j + 1 < ny ? nx : 0;
  const dz = k + 1 < nz ? nx * ny : 0;
  const o = i + nx * (j + ny * k);
  const a = data[o] + fx * (data[o + dx] - data[o]);
  const b = data[o + dy] + fx * (data[o + dy + dx] - data[o + dy]);
  const c = data[o + dz] + fx * (data[o + dz + dx] - data[o + dz]);
  const d = data[o + dz + dy] + fx * (data[o + dz + dy + dx] - data[o + dz + dy]);
  const e = a + fy * (b - a);
  return e + fz * (c + fy * (d - c) - e);
}

/** Nearest-voxel sample. */
export function sampleNearest(
  data: Float32Array,
  dims: Dims,
  x: number,
  y: number,
  z: number,
  outside = 0,
): number {
  const i = Math.round(x);
  const j = Math.round(y);
  const k = Math.round(z);
  if (i < 0 || j < 0 || k < 0 || i >= dims[0] || j >= dims[1] || k >= dims[2]) return outside;
  return data[i + dims[0] * (j + dims[1] * k)];
}

/** Ways of sampling between voxels. */
export type Interpolation = 'nearest' | 'linear' | 'spline';

/**
 * Resamples one volume onto `target` through a matrix that maps TARGET voxel indices to SOURCE voxel indices.
 * @returns voxels of the target grid, `outside` (0) where the source has no data
 */
export function resample(
  data: Float32Array,
  source: Dims,
  target: Pick<Grid, 'dims'>,
  targetVoxelToSourceVoxel: Matrix4,
  interpolation: Interpolation = 'linear',
): Float32Array {
  const m = targetVoxelToSourceVoxel;
  const [nx, ny, nz] = target.dims;
  const out = new Float32Array(nx * ny * nz);
  const values = interpolation === 'spline' ? splineCoefficients(data, source) : data;
  const sample =
    interpolation === 'spline' ? sampleSpline : interpolation === 'linear' ? sampleLinear : sampleNearest;
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++)
        out[o] = sample(
          values,
          source,
          m[0] * i + m[1] * j + m[2] * k + m[3],
          m[4] * i + m[5] * j + m[6] * k + m[7],
          m[8] * i + m[9] * j + m[10] * k + m[11],
        );
  return out;
}
