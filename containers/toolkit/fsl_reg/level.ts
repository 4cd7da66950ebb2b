/** The images of one resolution level: the reference on a coarse grid, the input as a smooth function of space. */
import { chain, invert, type Matrix4, multiply, translation } from '../../../imaging/affine.ts';
import {
  type Dims,
  type Grid,
  gridFromAffine,
  type Image,
  regrid,
  voxelCount,
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

/** A reference made ready for {@link makeLevel}: reduced to the finest voxels any level asks for. */
export interface Reference {
  /** The grid FSL mm of the reference are counted on. */
  readonly original: Grid;
  readonly image: Image;
  /** What counts, 0 to 1 per voxel of `image`. */
  readonly weight: Float32Array;
  /** Smoothing of `image` so far: FWHM in mm. */
  readonly fwhm: number;
}

/**
 * Reduces a reference once, so that the wide smoothing of the coarse levels runs on fewer voxels.
 * @param weight per voxel of `reference`, 0 to 1
 * @param mm voxel size and smoothing of the finest level
 */
export function reduceReference(reference: Image, weight: Float32Array, mm: number): Reference {
  const { grid } = reference;
  if (Math.max(...grid.voxelSizes) > mm / 1.5) return { original: grid, image: reference, weight, fwhm: 0 };
  const coarse = regrid(grid, mm);
  const map = multiply(invert(grid.affine), coarse.affine);
  const reduce = (data: Float32Array) => resample(data, grid.dims, coarse, map);
  const data = reduce(smooth(reference.data, grid.dims, sigma(grid, mm)));
  return { original: grid, image: { grid: coarse, volumes: 1, data }, weight: reduce(weight), fwhm: mm };
}

/**
 * @param mm voxel size of the level; the reference's own where that is coarser
 * @param fwhm smoothing of both images in mm
 * @param everywhere all voxels count, not only those the reference's weight names
 */
export function makeLevel(
  input: Image,
  reference: Reference,
  mm: number,
  fwhm: number,
  everywhere = false,
): Level {
  const { grid, data } = reference.image;
  const size = Math.max(mm, ...grid.voxelSizes);
  const full = size > 1.01 * Math.max(...grid.voxelSizes) ? regrid(grid, size) : grid;
  const map = multiply(invert(grid.affine), full.affine);
  const onLevel = (values: Float32Array, width: number) =>
    resample(smooth(values, grid.dims, sigma(grid, width)), grid.dims, full, map);
  const weight = everywhere
    ? new Float32Array(voxelCount(full)).fill(1)
    : onLevel(reference.weight, full === grid ? 0 : size / 2);
  const { crop, dims, origin } = boundingBox(full, weight);
  const counted = crop(weight);
  const target = crop(onLevel(data, Math.sqrt(Math.max(0, fwhm ** 2 - reference.fwhm ** 2))));
  standardize(target, counted);
  const level = gridFromAffine(dims, multiply(full.affine, translation(...origin)));
  const smoothed = smooth(input.data, input.grid.dims, sigma(input.grid, fwhm));
  return {
    grid: level,
    target,
    weight: counted,
    toReferenceMm: levelToMm(reference, level),
    toSourceVoxel: invert(voxelToFsl(input.grid)),
    source: gradientSampler(splineCoefficients(smoothed, input.grid.dims), input.grid.dims),
  };
}

/** Voxels of a grid over the reference to the reference's FSL mm. */
export function levelToMm(reference: Reference, level: Grid): Matrix4 {
  return chain(voxelToFsl(reference.original), invert(reference.original.affine), level.affine);
}

function sigma(grid: Grid, fwhm: number): [number, number, number] {
  const s = (size: number) => fwhm / SIGMA_TO_FWHM / size;
  return [s(grid.voxelSizes[0]), s(grid.voxelSizes[1]), s(grid.voxelSizes[2])];
}

/** Weights below this are smoothing's tails. */
const COUNTS = 0.01;

/** The box around the voxels that count, and a function that cuts it out. */
function boundingBox(grid: Grid, weight: Float32Array) {
  const [nx, ny, nz] = grid.dims;
  const lo: [number, number, number] = [nx, ny, nz];
  const hi = [0, 0, 0];
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (weight[o] < COUNTS) continue;
        if (i < lo[0]) lo[0] = i;
        if (i > hi[0]) hi[0] = i;
        if (j < lo[1]) lo[1] = j;
        if (j > hi[1]) hi[1] = j;
        if (k < lo[2]) lo[2] = k;
        hi[2] = k;
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
  return { dims, origin: lo, crop };
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
