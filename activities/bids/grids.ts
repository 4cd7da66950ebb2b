/** How far apart two grids are, in words. */
import { transformPoint } from '../../imaging/affine.ts';
import type { Grid } from '../../imaging/image.ts';

/** Headers of one prescription agree to this many mm; more is told. */
const ROUNDING_MM = 0.1;

/**
 * How the second grid differs from the first; undefined where it does not. `fatal`: other voxels, or voxels that lie
 * more than one voxel elsewhere, so that volumes of both cannot be one series.
 */
export function gridDifference(a: Grid, b: Grid): { text: string; fatal: boolean } | undefined {
  if (a.dims.some((n, i) => n !== b.dims[i]))
    return { text: `${b.dims.join(' x ')} voxels rather than ${a.dims.join(' x ')}`, fatal: true };
  if (a.voxelSizes.some((mm, i) => Math.abs(mm - b.voxelSizes[i]) > 0.01 * mm))
    return { text: `voxels of ${sizes(b)} rather than ${sizes(a)} mm`, fatal: true };
  let shift = 0;
  for (const i of [0, a.dims[0] - 1])
    for (const j of [0, a.dims[1] - 1])
      for (const k of [0, a.dims[2] - 1]) {
        const p = transformPoint(a.affine, i, j, k);
        const q = transformPoint(b.affine, i, j, k);
        shift = Math.max(shift, Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
      }
  if (shift <= ROUNDING_MM) return undefined;
  return {
    text: `its voxels lie up to ${shift.toFixed(1)} mm elsewhere`,
    fatal: shift > Math.max(...a.voxelSizes),
  };
}

function sizes(grid: Grid): string {
  return grid.voxelSizes.map((mm) => mm.toFixed(2)).join(' x ');
}
