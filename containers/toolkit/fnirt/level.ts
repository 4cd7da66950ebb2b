/** The images of one resolution level: the reference subsampled, the input as a smooth function of space. */
import { invert, type Matrix4, multiply, scaling, translation } from '../../../imaging/affine.ts';
import { type Dims, type Grid, type Image, voxelToFsl } from '../../../imaging/image.ts';
import { SIGMA_TO_FWHM, smooth } from '../../../imaging/smooth.ts';
import { shared } from '../threads.ts';

/** All arrays are shared between threads. */
export interface Level {
  /** Voxels of the level: every so manieth of the reference's in a box around those that count. */
  readonly dims: Dims;
  readonly voxelMm: readonly [number, number, number];
  /** The smoothed reference. */
  readonly target: Float32Array;
  /** 1 where a voxel counts, else 0. */
  readonly weight: Float32Array;
  /** Voxels of the level to the reference's FSL mm; diagonal but for the offsets. */
  readonly toReferenceMm: Matrix4;
  readonly source: Source;
}

/** The smoothed input. */
export interface Source {
  /** A number per voxel. */
  readonly values: Float32Array;
  /** 1 where the input has data, else 0; absent: it has everywhere. */
  readonly inside?: Float32Array;
  readonly dims: Dims;
  /** The input's FSL mm to its voxels; diagonal but for the offsets. */
  readonly toVoxel: Matrix4;
}

/** An image and where it counts. */
export interface Masked {
  readonly image: Image;
  /** Above 0 where a voxel counts; absent: all do. */
  readonly mask?: Float32Array;
}

/** Gaussian kernels end at this many standard deviations. */
const KERNEL_SIGMAS = 4;

/**
 * Smooths by a Gaussian and keeps every so manieth voxel from the first on; weights are renormalized at the edges. The
 * voxels that are left out are never computed.
 * @param sigma in voxels per axis  @param steps voxels from one kept voxel to the next
 */
export function smoothSubsample(
  data: Float32Array,
  dims: Dims,
  sigma: readonly number[],
  steps: readonly number[],
): { data: Float32Array; dims: Dims } {
  let values = data;
  const size = [...dims];
  for (let axis = 0; axis < 3; axis++) {
    const n = size[axis];
    const kept = Math.ceil(n / steps[axis]);
    const radius = sigma[axis] > 1e-3 ? Math.min(n - 1, Math.ceil(KERNEL_SIGMAS * sigma[axis])) : 0;
    const kernel = Float64Array.from({ length: radius + 1 }, (_, r) =>
      r === 0 ? 1 : Math.exp(-0.5 * (r / sigma[axis]) ** 2),
    );
    const inner = size.slice(0, axis).reduce((a, b) => a * b, 1);
    const outer = size.slice(axis + 1).reduce((a, b) => a * b, 1);
    const out = new Float32Array(inner * kept * outer);
    const line = new Float64Array(inner);
    for (let b = 0; b < outer; b++)
      for (let i = 0; i < kept; i++) {
        const at = i * steps[axis];
        const lo = Math.max(0, at - radius);
        const hi = Math.min(n - 1, at + radius);
        let total = 0;
        line.fill(0);
        for (let q = lo; q <= hi; q++) {
          const w = kernel[Math.abs(q - at)];
          total += w;
          const from = inner * (q + n * b);
          for (let a = 0; a < inner; a++) line[a] += w * values[from + a];
        }
        const to = inner * (i + kept * b);
        for (let a = 0; a < inner; a++) out[to + a] = line[a] / total;
      }
    values = out;
    size[axis] = kept;
  }
  return { data: values, dims: [size[0], size[1], size[2]] };
}

function sigmas(grid: Grid, fwhm: number): [number, number, number] {
  const s = (size: number) => fwhm / SIGMA_TO_FWHM / size;
  return [s(grid.voxelSizes[0]), s(grid.voxelSizes[1]), s(grid.voxelSizes[2])];
}

/**
 * @param subsample voxels of the reference from one of the level's to the next
 * @param inputFwhm smoothing of the input in mm  @param referenceFwhm smoothing of the reference in mm
 */
export function makeLevel(
  input: Masked,
  reference: Masked,
  subsample: number,
  inputFwhm: number,
  referenceFwhm: number,
): Level {
  const { grid, data } = reference.image;
  const steps = [subsample, subsample, subsample];
  const smoothed = smoothSubsample(data, grid.dims, sigmas(grid, referenceFwhm), steps);
  const mask = reference.mask
    ? smoothSubsample(reference.mask, grid.dims, [0, 0, 0], steps).data
    : new Float32Array(smoothed.data.length).fill(1);
  const { dims, origin } = boundingBox(smoothed.dims, mask);
  const toReferenceMm = multiply(
    voxelToFsl(grid),
    multiply(scaling(subsample, subsample, subsample), translation(...origin)),
  );
  const { image } = input;
  const blurred = smooth(image.data, image.grid.dims, sigmas(image.grid, inputFwhm));
  return {
    dims,
    voxelMm: [subsample * grid.voxelSizes[0], subsample * grid.voxelSizes[1], subsample * grid.voxelSizes[2]],
    target: shared(crop(smoothed.data, smoothed.dims, origin, dims)),
    weight: shared(crop(mask, smoothed.dims, origin, dims)),
    toReferenceMm,
    source: {
      values: shared(blurred),
      inside: input.mask && shared(input.mask),
      dims: image.grid.dims,
      toVoxel: invert(voxelToFsl(image.grid)),
    },
  };
}

/** The box around the voxels that count. */
function boundingBox(dims: Dims, weight: Float32Array): { dims: Dims; origin: [number, number, number] } {
  const [nx, ny, nz] = dims;
  const lo: [number, number, number] = [nx, ny, nz];
  const hi = [-1, -1, -1];
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (weight[o] === 0) continue;
        if (i < lo[0]) lo[0] = i;
        if (i > hi[0]) hi[0] = i;
        if (j < lo[1]) lo[1] = j;
        if (j > hi[1]) hi[1] = j;
        if (k < lo[2]) lo[2] = k;
        hi[2] = k;
      }
  // Nothing counts: one voxel, which does not count either.
  if (hi[2] < 0) return { dims: [1, 1, 1], origin: [0, 0, 0] };
  return { dims: [hi[0] - lo[0] + 1, hi[1] - lo[1] + 1, hi[2] - lo[2] + 1], origin: lo };
}

function crop(values: Float32Array, from: Dims, origin: readonly number[], dims: Dims): Float32Array {
  const out = new Float32Array(dims[0] * dims[1] * dims[2]);
  for (let k = 0, o = 0; k < dims[2]; k++)
    for (let j = 0; j < dims[1]; j++, o += dims[0]) {
      const start = origin[0] + from[0] * (origin[1] + j + from[1] * (origin[2] + k));
      out.set(values.subarray(start, start + dims[0]), o);
    }
  return out;
}
