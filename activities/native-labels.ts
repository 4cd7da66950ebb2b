/** The template's regions in a session's own space. */
import { readMatrix } from '../containers/toolkit/files.ts';
import { pointMap, readWarp } from '../containers/toolkit/warp/warp.ts';
import { identity, invert, type Matrix4, multiply, transformPoint } from '../imaging/affine.ts';
import { type Grid, type Image, voxelCount, voxelToFsl } from '../imaging/image.ts';

/** Voxels around a region that are carried along as background, to settle whose a border voxel is. */
const AROUND = 2;

/**
 * Carries labels forward through a registration's warp: points of the template, near and in the regions, vote for the native
 * voxel that they fall into. No inverse of the warp is needed, since FSL's warp takes the reference's points to the source.
 * @param warp path of fsl_reg's warp: template to baseline  @param premat path of the matrix of the session to the baseline
 * @param native grid of the session  @returns a label per native voxel, 0 outside
 */
export async function labelsInNative(
  labels: Image,
  warp: string,
  premat: string | undefined,
  native: Grid,
): Promise<Float32Array> {
  const map = pointMap(await readWarp(warp, 'relative'));
  const toSession = premat === undefined ? identity() : invert(await readMatrix(premat));
  const toVoxel: Matrix4 = multiply(invert(voxelToFsl(native)), toSession);
  const toFsl = voxelToFsl(labels.grid);
  const [nx, ny, nz] = labels.grid.dims;
  // Samples along each axis of a template's voxel: no native voxel is to be missed, or decided by one sample.
  const samples = Math.max(...labels.grid.voxelSizes) < 0.75 * Math.min(...native.voxelSizes) ? 1 : 2;
  const near = surroundings(labels);
  const [mx, my, mz] = native.dims;
  /** Votes of each native voxel: label -> count. */
  const votes = new Map<number, Map<number, number>>();
  const point = new Float64Array(3);
  for (let k = 0, v = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, v++) {
        if (near[v] === 0) continue;
        for (let s = 0; s < samples ** 3; s++) {
          const offset = (axis: number) =>
            ((Math.floor(s / samples ** axis) % samples) + 0.5) / samples - 0.5;
          map.sourceAt(...transformPoint(toFsl, i + offset(0), j + offset(1), k + offset(2)), point);
          const [x, y, z] = transformPoint(toVoxel, point[0], point[1], point[2]).map(Math.round);
          if (x < 0 || y < 0 || z < 0 || x >= mx || y >= my || z >= mz) continue;
          const at = x + mx * (y + my * z);
          const of = votes.get(at) ?? new Map<number, number>();
          votes.set(at, of.set(labels.data[v], (of.get(labels.data[v]) ?? 0) + 1));
        }
      }
  const out = new Float32Array(voxelCount(native));
  for (const [at, of] of votes) out[at] = [...of].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
  return out;
}

/** Marks labelled voxels and those around them. */
function surroundings({ grid, data }: Image): Uint8Array {
  const [nx, ny, nz] = grid.dims;
  const near = new Uint8Array(data.length);
  for (let k = 0, v = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, v++) {
        if (data[v] === 0) continue;
        for (let c = Math.max(0, k - AROUND); c <= Math.min(nz - 1, k + AROUND); c++)
          for (let b = Math.max(0, j - AROUND); b <= Math.min(ny - 1, j + AROUND); b++)
            near.fill(
              1,
              Math.max(0, i - AROUND) + nx * (b + ny * c),
              Math.min(nx - 1, i + AROUND) + 1 + nx * (b + ny * c),
            );
      }
  return near;
}
