/** The images of one resolution level: the reference on a coarse grid, the input as a smooth function of space. */
import { invert, type Matrix4, multiply, translation } from '../../../imaging/affine.ts';
import {
  type Dims,
  type Grid,
  gridFromAffine,
  type Image,
  regrid,
  voxelToFsl,
} from '../../../imaging/image.ts';
import { resample, splineCoefficients } from '../../../imaging/interpolate.ts';
import { SIGMA_TO_FWHM, smooth } from '../../../imaging/smooth.ts';
import { type GradientSampler, gradientSampler } from './sampler.ts';

export interface Level {
  /** Grid of `target` and `weight`: a part of the reference's field of view. */
  readonly grid: Grid;
  /** The smoothed reference: mean 0 and variance 1 under `weight`. */
  readonly target: Float32Array;
  /** How much a voxel counts, 0 to 1. */
  readonly weight: Float32Array;
  /** Voxels of `grid` to the reference's FSL mm; diagonal but for the offsets. */
  readonly toReferenceMm: Matrix4;
  /** The input's FSL mm to its voxels; diagonal but for the offsets. */
  readonly toSourceVoxel: Matrix4;
  /** The smoothed input. */
  readonly source: GradientSampler;
}

/**
 * @param weight on the reference's grid, 0 to 1: what counts
 * @param mm voxel size of the level; not finer than the reference
 * @param fwhm smoothing of both images in mm
 */
export function makeLevel(
  input: Image,
  reference: Image,
  weight: Float32Array,
  mm: number,
  fwhm: number,
): Level {
  const full = regrid(reference.grid, Math.max(mm, ...reference.grid.voxelSizes));
  const onLevel = (data: Float32Array, width: number) =>
    resample(
      smooth(data, reference.grid.dims, sigma(reference.grid, width)),
      reference.grid.dims,
      full,
      multiply(invert(reference.grid.affine), full.affine),
    );
  // Weights are averaged over a voxel of the level, no wider.
  const wide = cropTo(
    full,
    onLevel(weight, full.voxelSizes[0] > 1.5 * reference.grid.voxelSizes[0] ? mm / 2 : 0),
  );
  const target = wide.crop(onLevel(reference.data, fwhm));
  standardize(target, wide.data);
  const smoothed = smooth(input.data, input.grid.dims, sigma(input.grid, fwhm));
  return {
    grid: wide.grid,
    target,
    weight: wide.data,
    toReferenceMm: multiply(
      voxelToFsl(reference.grid),
      multiply(invert(reference.grid.affine), wide.grid.affine),
    ),
    toSourceVoxel: invert(voxelToFsl(input.grid)),
    source: gradientSampler(splineCoefficients(smoothed, input.grid.dims), input.grid.dims),
  };
}

function sigma(grid: Grid, fwhm: number): [number, number, number] {
  const s = (size: number) => fwhm / SIGMA_TO_FWHM / size;
  return [s(grid.voxelSizes[0]), s(grid.voxelSizes[1]), s(grid.voxelSizes[2])];
}

/** The bounding box of the non-zero voxels of `data` on `grid`. */
function cropTo(grid: Grid, data: Float32Array) {
  const [nx, ny, nz] = grid.dims;
  const lo = [nx, ny, nz];
  const hi = [-1, -1, -1];
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++)
        if (data[o] > 0)
          for (const [a, v] of [i, j, k].entries()) {
            lo[a] = Math.min(lo[a], v);
            hi[a] = Math.max(hi[a], v);
          }
  const dims: Dims = [hi[0] - lo[0] + 1, hi[1] - lo[1] + 1, hi[2] - lo[2] + 1];
  const crop = (values: Float32Array) => {
    const out = new Float32Array(dims[0] * dims[1] * dims[2]);
    for (let k = 0, o = 0; k < dims[2]; k++)
      for (let j = 0; j < dims[1]; j++, o += dims[0]) {
        const from = lo[0] + nx * (lo[1] + j + ny * (lo[2] + k));
        out.set(values.subarray(from, from + dims[0]), o);
      }
    return out;
  };
  const affine = multiply(grid.affine, translation(lo[0], lo[1], lo[2]));
  return { grid: gridFromAffine(dims, affine), data: crop(data), crop };
}

function standardize(data: Float32Array, weight: Float32Array): void {
  let [sum, squares, total] = [0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    total += weight[i];
    sum += weight[i] * data[i];
    squares += weight[i] * data[i] * data[i];
  }
  const mean = sum / total;
  const scale = 1 / Math.sqrt(Math.max(squares / total - mean * mean, 1e-30));
  for (let i = 0; i < data.length; i++) data[i] = (data[i] - mean) * scale;
}
