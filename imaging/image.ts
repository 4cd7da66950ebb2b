/**
 * Images in memory: a grid in space and x-fastest voxel values, one volume after the other.
 */
import { determinant3, type Matrix4, multiply, scaling } from './affine.ts';

/** Numbers of voxels along i, j, k. */
export type Dims = readonly [number, number, number];

/** A regular grid of voxels in world space. */
export interface Grid {
  readonly dims: Dims;
  /** Voxel sizes in mm, positive. */
  readonly voxelSizes: readonly [number, number, number];
  /** Voxel indices (voxel centres are whole numbers) to RAS+ world mm. */
  readonly affine: Matrix4;
}

/** A 3-D or 4-D image; voxel (i, j, k) of volume t is `data[i + nx * (j + ny * (k + nz * t))]`. */
export interface Image {
  readonly grid: Grid;
  /** Number of volumes; 1 for a 3-D image. */
  readonly volumes: number;
  readonly data: Float32Array;
  /** Time between volumes in seconds, where it is known. */
  readonly volumeSeconds?: number;
}

export function voxelCount(grid: Grid): number {
  return grid.dims[0] * grid.dims[1] * grid.dims[2];
}

/** View (no copy) of volume `t` of an image. */
export function volumeOf(image: Image, t: number): Float32Array {
  const n = voxelCount(image.grid);
  return image.data.subarray(t * n, (t + 1) * n);
}

/** A grid from an affine; voxel sizes are the column norms. */
export function gridFromAffine(dims: Dims, affine: Matrix4): Grid {
  const size = (c: number) => Math.hypot(affine[c], affine[4 + c], affine[8 + c]);
  return { dims, voxelSizes: [size(0), size(1), size(2)], affine };
}

/** True when both grids have equal dims and affines that agree within `toleranceMm` at every corner element. */
export function sameGrid(a: Grid, b: Grid, toleranceMm = 1e-2): boolean {
  return (
    a.dims.every((n, i) => n === b.dims[i]) &&
    a.affine.every((v, i) => Math.abs(v - b.affine[i]) <= toleranceMm)
  );
}

/**
 * Voxel indices to FSL's scaled-voxel millimetres: index x voxel size, with the x axis flipped where the affine's
 * determinant is positive. FLIRT matrices map between these spaces (FSL FLIRT manual; FAQ on qform/sform). This is
 * the only place of the house that knows the convention.
 */
export function voxelToFsl(grid: Grid): Matrix4 {
  const m = scaling(...grid.voxelSizes);
  if (determinant3(grid.affine) > 0) {
    m[0] = -m[0];
    m[3] = (grid.dims[0] - 1) * grid.voxelSizes[0];
  }
  return m;
}

/** True where FSL flips the x axis of voxel coordinates (and of gradient tables): neurological storage. */
export function isNeurological(grid: Grid): boolean {
  return determinant3(grid.affine) > 0;
}

/** A coarser or finer grid over the same field of view, with voxels of `mm` (isotropic). */
export function regrid(grid: Grid, mm: number): Grid {
  const dims = grid.dims.map((n, i) => Math.max(1, Math.ceil((n * grid.voxelSizes[i]) / mm - 1e-6))) as [
    number,
    number,
    number,
  ];
  const s = scaling(mm / grid.voxelSizes[0], mm / grid.voxelSizes[1], mm / grid.voxelSizes[2]);
  // Keep the outer edge of the field of view: the first new centre lies half a new voxel inside the old edge.
  for (let i = 0; i < 3; i++) s[4 * i + 3] = (mm / grid.voxelSizes[i] - 1) / 2;
  return gridFromAffine(dims, multiply(grid.affine, s));
}
