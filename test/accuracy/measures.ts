/** What figures are made of. Maps are flat arrays on one grid; a mask's voxels are those above zero. */
import { identity, invert, type Matrix4, multiply, transformPoint } from '../../imaging/affine.ts';
import { type Grid, type Image, voxelToFsl } from '../../imaging/image.ts';

type Values = ArrayLike<number>;

/** Pearson's correlation of two maps inside a mask. */
export function correlation(a: Values, b: Values, mask: Values): number {
  let [n, sa, sb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++)
    if (mask[i] > 0) {
      n++;
      sa += a[i];
      sb += b[i];
    }
  const [ma, mb] = [sa / n, sb / n];
  let [aa, bb, ab] = [0, 0, 0];
  for (let i = 0; i < a.length; i++)
    if (mask[i] > 0) {
      aa += (a[i] - ma) ** 2;
      bb += (b[i] - mb) ** 2;
      ab += (a[i] - ma) * (b[i] - mb);
    }
  return ab / Math.sqrt(aa * bb);
}

export function median(values: Iterable<number>): number {
  const sorted = Float64Array.from(values).sort();
  const n = sorted.length;
  return n === 0 ? Number.NaN : (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard error of the mean. */
export function standardError(values: readonly number[]): number {
  const m = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - m) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1) / values.length);
}

/** Root mean square distance in mm between where two FLIRT matrices take the voxels of a mask on the input's grid. */
export function rmsDisplacement(a: Matrix4, b: Matrix4, mask: Values, grid: Grid): number {
  const toFsl = voxelToFsl(grid);
  const [nx, ny] = grid.dims;
  let [n, sum] = [0, 0];
  for (let o = 0; o < mask.length; o++) {
    if (!(mask[o] > 0)) continue;
    const p = transformPoint(toFsl, o % nx, Math.floor(o / nx) % ny, Math.floor(o / (nx * ny)));
    const [u, v] = [transformPoint(a, ...p), transformPoint(b, ...p)];
    sum += (u[0] - v[0]) ** 2 + (u[1] - v[1]) ** 2 + (u[2] - v[2]) ** 2;
    n++;
  }
  return Math.sqrt(sum / n);
}

/**
 * RMS distance in mm between where two FLIRT matrices put the same point of the input, over the voxels of a mask on the
 * reference's grid.
 */
export function rmsOnReference(truth: Matrix4, found: Matrix4, { data, grid }: Image): number {
  return rmsDisplacement(identity(), multiply(found, invert(truth)), data, grid);
}
