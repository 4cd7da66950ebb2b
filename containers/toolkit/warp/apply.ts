/** Resampling of images through affine and non-linear transforms in one interpolation. */
import { chain, identity, invert, type Matrix4, multiply, scaling } from '../../../imaging/affine.ts';
import {
  type Dims,
  type Grid,
  gridFromAffine,
  type Image,
  volumeOf,
  voxelCount,
  voxelToFsl,
} from '../../../imaging/image.ts';
import {
  type Interpolation,
  sampleLinear,
  sampleNearest,
  sampleSpline,
  splineCoefficients,
} from '../../../imaging/interpolate.ts';
import { defineJob, pieces, shared, Threads } from '../threads.ts';
import { pointMap, type Warp } from './warp.ts';

/** What lies between an image and the reference, in the order a point of the image travels. */
export interface Path {
  /** FLIRT matrix of the image to the warp's source space. Default: they are one space. */
  readonly premat?: Matrix4;
  /** Default: the warp's source and reference are one space. */
  readonly warp?: Warp;
  /** FLIRT matrix of the warp's reference space to the final reference. */
  readonly postmat?: Matrix4;
}

const SAMPLERS = { nearest: sampleNearest, linear: sampleLinear, spline: sampleSpline } as const;

interface SlabInput {
  /** Voxel values, or spline coefficients: a volume after the other. */
  readonly values: Float32Array;
  readonly source: Dims;
  readonly volumes: number;
  readonly interpolation: Interpolation;
  readonly warp?: Warp;
  /** Output voxels to the warp's reference; its source to the image's voxels. */
  readonly before: Matrix4;
  readonly after: Matrix4;
  readonly dims: Dims;
  /** Slices first to end - 1 of the output. */
  readonly slices: readonly [number, number];
  readonly mask?: Float32Array;
  readonly out: Float32Array;
}

const resampleJob = defineJob('resample through warp', (input: SlabInput): void => {
  const { values, source, volumes, before, after, dims, slices, mask, out } = input;
  const [nx, ny, nz] = dims;
  const n = nx * ny * nz;
  const size = source[0] * source[1] * source[2];
  const parts = Array.from({ length: volumes }, (_, t) => values.subarray(t * size, (t + 1) * size));
  const sample = SAMPLERS[input.interpolation];
  const map = input.warp && pointMap(input.warp);
  const p = new Float64Array(3);
  let o = nx * ny * slices[0];
  for (let k = slices[0]; k < slices[1]; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (mask && mask[o] === 0) continue;
        const x = before[0] * i + before[1] * j + before[2] * k + before[3];
        const y = before[4] * i + before[5] * j + before[6] * k + before[7];
        const z = before[8] * i + before[9] * j + before[10] * k + before[11];
        if (map) map.sourceAt(x, y, z, p);
        else {
          p[0] = x;
          p[1] = y;
          p[2] = z;
        }
        const sx = after[0] * p[0] + after[1] * p[1] + after[2] * p[2] + after[3];
        const sy = after[4] * p[0] + after[5] * p[1] + after[6] * p[2] + after[7];
        const sz = after[8] * p[0] + after[9] * p[1] + after[10] * p[2] + after[11];
        for (let t = 0; t < volumes; t++) out[o + t * n] = sample(parts[t], source, sx, sy, sz);
      }
});

/** Slices a thread is given at a time. */
const SLICES = 8;

export interface ResampleOptions {
  /** Voxels of the reference to fill (non-zero); all when absent. */
  readonly mask?: Float32Array;
  /** Each output voxel is the mean of so many samples along each axis. Default 1. */
  readonly supersample?: number;
  /** Default: everything runs here. */
  readonly threads?: Threads;
}

/**
 * Resamples every volume of `image` on `reference` through `path`, interpolating once.
 * @returns the image on the reference grid, 0 where the input has no data
 */
export async function resampleThrough(
  image: Image,
  reference: Grid,
  path: Path,
  interpolation: Interpolation,
  { mask, supersample = 1, threads = new Threads(1) }: ResampleOptions = {},
): Promise<Image> {
  if (supersample > 1) {
    const fine = finer(reference, supersample);
    const resampled = await resampleThrough(image, fine, path, interpolation, { threads });
    return reduce(resampled, reference, supersample, mask);
  }
  const source = image.grid.dims;
  const { dims } = reference;
  const values = shared(new Float32Array(image.data.length));
  for (let t = 0; t < image.volumes; t++) {
    const volume = volumeOf(image, t);
    values.set(interpolation === 'spline' ? splineCoefficients(volume, source) : volume, t * volume.length);
  }
  const task = {
    values,
    source,
    volumes: image.volumes,
    interpolation,
    warp: path.warp,
    before: multiply(path.postmat ? invert(path.postmat) : identity(), voxelToFsl(reference)),
    after: multiply(invert(voxelToFsl(image.grid)), path.premat ? invert(path.premat) : identity()),
    dims,
    mask: mask && shared(mask),
    out: shared(new Float32Array(voxelCount(reference) * image.volumes)),
  };
  await threads.map(
    resampleJob,
    pieces(dims[2], SLICES).map((slices) => ({ ...task, slices })),
  );
  return { grid: reference, volumes: image.volumes, data: task.out };
}

/** A grid of `factor` voxels along each axis in place of one. */
function finer(grid: Grid, factor: number): Grid {
  const dims: Dims = [factor * grid.dims[0], factor * grid.dims[1], factor * grid.dims[2]];
  const toCoarse = scaling(1 / factor, 1 / factor, 1 / factor);
  for (const row of [0, 1, 2]) toCoarse[4 * row + 3] = (1 / factor - 1) / 2;
  return gridFromAffine(dims, chain(grid.affine, toCoarse));
}

/** Means over the fine voxels of each coarse one. */
function reduce(fine: Image, grid: Grid, factor: number, mask?: Float32Array): Image {
  const [nx, ny, nz] = grid.dims;
  const n = nx * ny * nz;
  const data = new Float32Array(n * fine.volumes);
  const [fx, fy] = fine.grid.dims;
  for (let t = 0; t < fine.volumes; t++) {
    const values = volumeOf(fine, t);
    for (let o = 0; o < n; o++) {
      if (mask && mask[o] === 0) continue;
      const i = factor * (o % nx);
      const j = factor * (Math.floor(o / nx) % ny);
      const k = factor * Math.floor(o / (nx * ny));
      let sum = 0;
      for (let c = 0; c < factor; c++)
        for (let b = 0; b < factor; b++)
          for (let a = 0; a < factor; a++) sum += values[i + a + fx * (j + b + fy * (k + c))];
      data[o + t * n] = sum / factor ** 3;
    }
  }
  return { grid, volumes: fine.volumes, data };
}
