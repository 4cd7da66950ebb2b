import type { Dims } from '../../../imaging/image.ts';
import { cubicBspline, cubicSlope } from '../warp/coefficients.ts';

/**
 * Samples cubic B-spline coefficients (imaging/interpolate.ts, `splineCoefficients`) and their gradient.
 * @param out value, then its derivatives along the three voxel axes (per voxel)
 * @returns false, and zeros, outside the grid
 */
export type GradientSampler = (x: number, y: number, z: number, out: Float64Array) => boolean;

export function gradientSampler(coefficients: Float32Array, dims: Dims): GradientSampler {
  const [nx, ny, nz] = dims;
  const empty = emptyCells(coefficients, dims);
  const w = [new Float64Array(4), new Float64Array(4), new Float64Array(4)];
  const g = [new Float64Array(4), new Float64Array(4), new Float64Array(4)];
  const index = [new Int32Array(4), new Int32Array(4), new Int32Array(4)];
  const strides = [1, nx, nx * ny];
  const locate = (axis: number, v: number) => {
    const n = dims[axis];
    const f = Math.floor(v);
    cubicBspline(v - f, w[axis]);
    cubicSlope(v - f, g[axis]);
    for (let a = 0; a < 4; a++) {
      let i = f - 1 + a;
      // Mirror boundaries, as the coefficients were made with.
      if (i < 0) i = Math.min(n - 1, -i);
      if (i > n - 1) i = Math.max(0, 2 * (n - 1) - i);
      index[axis][a] = strides[axis] * i;
    }
  };
  return (x, y, z, out) => {
    out.fill(0);
    if (!(x >= 0 && y >= 0 && z >= 0 && x <= nx - 1 && y <= ny - 1 && z <= nz - 1)) return false;
    if (empty[Math.floor(x) + nx * (Math.floor(y) + ny * Math.floor(z))]) return true;
    locate(0, x);
    locate(1, y);
    locate(2, z);
    const [wx, wy, wz] = w;
    const [gx, gy, gz] = g;
    const [i0, i1, i2, i3] = index[0];
    let value = 0;
    let dx = 0;
    let dy = 0;
    let dz = 0;
    for (let c = 0; c < 4; c++)
      for (let b = 0; b < 4; b++) {
        const o = index[2][c] + index[1][b];
        const c0 = coefficients[o + i0];
        const c1 = coefficients[o + i1];
        const c2 = coefficients[o + i2];
        const c3 = coefficients[o + i3];
        const row = wx[0] * c0 + wx[1] * c1 + wx[2] * c2 + wx[3] * c3;
        const slope = gx[0] * c0 + gx[1] * c1 + gx[2] * c2 + gx[3] * c3;
        value += wz[c] * wy[b] * row;
        dx += wz[c] * wy[b] * slope;
        dy += wz[c] * gy[b] * row;
        dz += gz[c] * wy[b] * row;
      }
    out[0] = value;
    out[1] = dx;
    out[2] = dy;
    out[3] = dz;
    return true;
  };
}

/** Coefficients below this part of the largest are the tails that smoothing and prefilter leave around a masked head. */
const NOTHING = 1e-5;

/** Cells between voxels (by their lowest corner) whose 4 x 4 x 4 coefficients are all as good as 0. */
function emptyCells(coefficients: Float32Array, dims: Dims): Uint8Array {
  let largest = 0;
  for (const c of coefficients) largest = Math.max(largest, Math.abs(c));
  let busy = Uint8Array.from(coefficients, (c) => (Math.abs(c) > NOTHING * largest ? 1 : 0));
  // A cell's coefficients reach from one before it to two after it, along each axis in turn.
  for (const [axis, stride] of [1, dims[0], dims[0] * dims[1]].entries()) {
    const spread = new Uint8Array(busy.length);
    for (let o = 0; o < busy.length; o++) {
      const i = Math.floor(o / stride) % dims[axis];
      for (let d = Math.max(-1, -i); d <= 2 && i + d < dims[axis]; d++) spread[o] |= busy[o + d * stride];
    }
    busy = spread;
  }
  return busy.map((b) => 1 - b);
}
