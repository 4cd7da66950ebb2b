/** Sampling by a windowed sinc (Hajnal 1995, J Comput Assist Tomogr 19:289), the sharpest of FLIRT's interpolations. */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Dims, Grid } from '../../../imaging/image.ts';

/** Full width of the kernel in voxels, and how many voxels contribute along an axis. FSL's default. */
const WIDTH = 7;

/** Weights of the voxels about `x` along an axis of `n`, Hanning-windowed, normalized; @returns the first voxel's index. */
function weigh(x: number, n: number, out: Float64Array): number {
  const first = Math.ceil(x - WIDTH / 2);
  let sum = 0;
  for (let t = 0; t < WIDTH; t++) {
    const d = x - (first + t);
    const inside = first + t >= 0 && first + t < n && Math.abs(d) < WIDTH / 2;
    const sinc = Math.abs(d) < 1e-9 ? 1 : Math.sin(Math.PI * d) / (Math.PI * d);
    out[t] = inside ? 0.5 * (1 + Math.cos((2 * Math.PI * d) / WIDTH)) * sinc : 0;
    sum += out[t];
  }
  for (let t = 0; t < WIDTH; t++) out[t] /= sum;
  return first;
}

/**
 * Resamples one volume onto `target` through a matrix that maps target voxel indices to source voxel indices.
 * @returns voxels of the target grid, 0 beyond half a voxel of the source
 */
export function resampleSinc(data: Float32Array, source: Dims, target: Grid, m: Matrix4): Float32Array {
  const [nx, ny, nz] = target.dims;
  const [sx, sy, sz] = source;
  const out = new Float32Array(nx * ny * nz);
  const [wx, wy, wz] = [new Float64Array(WIDTH), new Float64Array(WIDTH), new Float64Array(WIDTH)];
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const x = m[0] * i + m[1] * j + m[2] * k + m[3];
        const y = m[4] * i + m[5] * j + m[6] * k + m[7];
        const z = m[8] * i + m[9] * j + m[10] * k + m[11];
        if (!(x > -0.5 && y > -0.5 && z > -0.5 && x < sx - 0.5 && y < sy - 0.5 && z < sz - 0.5)) continue;
        const x0 = weigh(x, sx, wx);
        const y0 = weigh(y, sy, wy);
        const z0 = weigh(z, sz, wz);
        let sum = 0;
        for (let c = 0; c < WIDTH; c++) {
          if (wz[c] === 0) continue;
          for (let b = 0; b < WIDTH; b++) {
            const w = wz[c] * wy[b];
            if (w === 0) continue;
            const row = x0 + sx * (y0 + b + sy * (z0 + c));
            for (let a = 0; a < WIDTH; a++) if (wx[a] !== 0) sum += w * wx[a] * data[row + a];
          }
        }
        out[o] = sum;
      }
  return out;
}
