import type { Dims } from '../../../imaging/image.ts';
import { cubicBspline } from '../warp/coefficients.ts';

/**
 * Samples cubic B-spline coefficients (imaging/interpolate.ts, `splineCoefficients`) and their gradient.
 * @param out value, then its derivatives along the three voxel axes (per voxel)
 * @returns false, and zeros, outside the grid
 */
export type GradientSampler = (x: number, y: number, z: number, out: Float64Array) => boolean;

export function gradientSampler(coefficients: Float32Array, dims: Dims): GradientSampler {
  const [nx, ny, nz] = dims;
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
    locate(0, x);
    locate(1, y);
    locate(2, z);
    const [wx, wy, wz] = w;
    const [gx, gy, gz] = g;
    const [i0, i1, i2, i3] = index[0];
    let [value, dx, dy, dz] = [0, 0, 0, 0];
    for (let c = 0; c < 4; c++)
      for (let b = 0; b < 4; b++) {
        const o = index[2][c] + index[1][b];
        const [c0, c1, c2, c3] = [
          coefficients[o + i0],
          coefficients[o + i1],
          coefficients[o + i2],
          coefficients[o + i3],
        ];
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

/** Derivatives of the four cubic B-spline weights. */
function cubicSlope(t: number, g: Float64Array): void {
  const s = 1 - t;
  g[0] = -0.5 * s * s;
  g[1] = t * (1.5 * t - 2);
  g[2] = s * (2 - 1.5 * s);
  g[3] = 0.5 * t * t;
}
