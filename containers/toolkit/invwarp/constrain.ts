import type { Image } from '../../../imaging/image.ts';
import { fieldJacobian } from '../warp/field.ts';

/** Voxels around one that is out of bounds that are smoothed with it. */
const AROUND = 2;

/**
 * Smooths a field where its Jacobian determinant leaves the bounds, and only around there, until it does so nowhere: what
 * folds in a warp has no inverse, and this is the nearest smooth thing to one.
 * @returns the number of voxels still out of bounds after `rounds`
 */
export function constrainField(field: Image, least: number, most: number, rounds = 200): number {
  const [nx, ny, nz] = field.grid.dims;
  const n = nx * ny * nz;
  const around = new Uint8Array(n);
  let left = 0;
  for (let round = 0; ; round++) {
    const jacobian = fieldJacobian(field);
    left = 0;
    around.fill(0);
    for (let k = 0, o = 0; k < nz; k++)
      for (let j = 0; j < ny; j++)
        for (let i = 0; i < nx; i++, o++) {
          if (jacobian[o] >= least && jacobian[o] <= most) continue;
          left++;
          for (let c = Math.max(0, k - AROUND); c <= Math.min(nz - 1, k + AROUND); c++)
            for (let b = Math.max(0, j - AROUND); b <= Math.min(ny - 1, j + AROUND); b++)
              for (let a = Math.max(0, i - AROUND); a <= Math.min(nx - 1, i + AROUND); a++)
                around[a + nx * (b + ny * c)] = 1;
        }
    if (left === 0 || round === rounds) return left;
    for (let c = 0; c < 3; c++) smoothWhere(field.data.subarray(c * n, (c + 1) * n), around, nx, ny, nz);
  }
}

/** Replaces each chosen voxel by the mean of itself and its six neighbours. */
function smoothWhere(values: Float32Array, chosen: Uint8Array, nx: number, ny: number, nz: number): void {
  const before = Float32Array.from(values);
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (chosen[o] === 0) continue;
        let sum = before[o];
        let count = 1;
        const add = (inside: boolean, at: number) => {
          if (!inside) return;
          sum += before[at];
          count++;
        };
        add(i > 0, o - 1);
        add(i < nx - 1, o + 1);
        add(j > 0, o - nx);
        add(j < ny - 1, o + nx);
        add(k > 0, o - nx * ny);
        add(k < nz - 1, o + nx * ny);
        values[o] = sum / count;
      }
}
