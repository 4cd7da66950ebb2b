/** How far two transforms lie apart where it matters: in the brain. */
import { invert, type Matrix4, multiply } from '../../imaging/affine.ts';
import { type Image, voxelToFsl } from '../../imaging/image.ts';

/**
 * RMS distance in mm between where two transforms (source to reference, scaled-voxel mm) put the same point, over the
 * voxels of a mask on the reference's grid.
 */
export function rmsDisplacement(truth: Matrix4, found: Matrix4, mask: Image): number {
  const [nx, ny] = mask.grid.dims;
  const toFsl = voxelToFsl(mask.grid);
  const m = multiply(multiply(found, invert(truth)), toFsl);
  for (let i = 0; i < 12; i++) m[i] -= toFsl[i];
  let [sum, n] = [0, 0];
  for (let o = 0; o < mask.data.length; o++) {
    if (!(mask.data[o] > 0.5)) continue;
    const [i, j, k] = [o % nx, Math.floor(o / nx) % ny, Math.floor(o / (nx * ny))];
    for (let r = 0; r < 3; r++)
      sum += (m[4 * r] * i + m[4 * r + 1] * j + m[4 * r + 2] * k + m[4 * r + 3]) ** 2;
    n++;
  }
  return Math.sqrt(sum / n);
}
