/** Nyquist ghost of echo-planar images: half a field of view along the phase encoding from the head. */
import { type Grid, voxelCount } from '../image.ts';

/** What of the head may surround the brain mask: skull and scalp, mm. */
const AROUND_MM = 15;
/** Fewer voxels than this give no mean. */
const FEWEST = 200;

/** Voxels within a box of `mm` around a mask. */
function dilated(mask: Uint8Array, grid: Grid, mm: number): Uint8Array {
  const [nx, ny, nz] = grid.dims;
  let out = mask;
  for (const [axis, stride, size] of [
    [0, 1, nx],
    [1, nx, ny],
    [2, nx * ny, nz],
  ]) {
    const radius = Math.ceil(mm / grid.voxelSizes[axis]);
    const grown = new Uint8Array(out.length);
    for (let o = 0; o < out.length; o++) {
      if (out[o] === 0) continue;
      const at = Math.floor(o / stride) % size;
      for (let d = Math.max(-radius, -at); d <= Math.min(radius, size - 1 - at); d++)
        grown[o + d * stride] = 1;
    }
    out = grown;
  }
  return out;
}

/**
 * Ghost-to-signal ratio in percent (Giannelli 2010, J Appl Clin Med Phys 11:3237): mean signal where the ghost of the
 * brain falls, outside the head, less that of the air, over that of the brain.
 * @param volume a b0 as acquired  @param mask of the brain  @param axis of the phase encoding: 0, 1 or 2
 * @returns null where the head leaves no room for ghost or air
 */
export function ghostRatio(
  volume: ArrayLike<number>,
  mask: ArrayLike<number>,
  grid: Grid,
  axis: number,
): number | null {
  const n = voxelCount(grid);
  const brain = Uint8Array.from({ length: n }, (_, o) => (mask[o] > 0 ? 1 : 0));
  const head = dilated(brain, grid, AROUND_MM);
  const stride = [1, grid.dims[0], grid.dims[0] * grid.dims[1]][axis];
  const size = grid.dims[axis];
  const half = Math.floor(size / 2);
  const sums = { ghost: [0, 0], air: [0, 0], brain: [0, 0] };
  const add = (to: number[], value: number) => {
    to[0] += value;
    to[1]++;
  };
  for (let o = 0; o < n; o++) {
    if (brain[o]) add(sums.brain, volume[o]);
    if (head[o]) continue;
    const at = Math.floor(o / stride) % size;
    const from = o + (((at + half) % size) - at) * stride;
    if (brain[from]) add(sums.ghost, volume[o]);
    else if (!head[from]) add(sums.air, volume[o]);
  }
  if (Object.values(sums).some(([, count]) => count < FEWEST)) return null;
  const [ghost, air, signal] = [sums.ghost, sums.air, sums.brain].map(([sum, count]) => sum / count);
  return signal > 0 ? (100 * (ghost - air)) / signal : null;
}
