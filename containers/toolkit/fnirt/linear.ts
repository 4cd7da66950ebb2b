import type { Dims } from '../../../imaging/image.ts';

/**
 * Trilinear sample with its gradient, for registration.
 * @param out value, then the gradient per voxel along x, y, z
 * @returns false, and `out` untouched, outside the box of the voxels' centres
 */
export function sampleLinearGradient(
  data: Float32Array,
  dims: Dims,
  x: number,
  y: number,
  z: number,
  out: Float64Array,
): boolean {
  const nx = dims[0];
  const ny = dims[1];
  const nz = dims[2];
  if (!(x >= 0 && y >= 0 && z >= 0 && x <= nx - 1 && y <= ny - 1 && z <= nz - 1)) return false;
  const i = Math.min(nx - 2, Math.floor(x));
  const j = Math.min(ny - 2, Math.floor(y));
  const k = Math.min(nz - 2, Math.floor(z));
  const fx = x - i;
  const fy = y - j;
  const fz = z - k;
  const o = i + nx * (j + ny * k);
  const p = o + nx * ny;
  const x00 = data[o + 1] - data[o];
  const x10 = data[o + nx + 1] - data[o + nx];
  const x01 = data[p + 1] - data[p];
  const x11 = data[p + nx + 1] - data[p + nx];
  const v00 = data[o] + fx * x00;
  const v10 = data[o + nx] + fx * x10;
  const v01 = data[p] + fx * x01;
  const v11 = data[p + nx] + fx * x11;
  const v0 = v00 + fy * (v10 - v00);
  const v1 = v01 + fy * (v11 - v01);
  const x0 = x00 + fy * (x10 - x00);
  const x1 = x01 + fy * (x11 - x01);
  out[0] = v0 + fz * (v1 - v0);
  out[1] = x0 + fz * (x1 - x0);
  out[2] = v10 - v00 + fz * (v11 - v01 - (v10 - v00));
  out[3] = v1 - v0;
  return true;
}
