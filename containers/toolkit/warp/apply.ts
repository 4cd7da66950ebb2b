/** Resampling of images through affine and non-linear transforms in one interpolation. */
import { chain, identity, invert, type Matrix4, multiply, scaling } from '../../../imaging/affine.ts';
import { type Dims, type Grid, type Image, volumeOf, voxelToFsl } from '../../../imaging/image.ts';
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
  const source = image.grid.dims;
  const values = shared(new Float32Array(image.data.length));
  for (let t = 0; t < image.volumes; t++) {
    const volume = volumeOf(image, t);
    values.set(interpolation === 'spline' ? splineCoefficients(volume, source) : volume, t * volume.length);
  }
  const fine = supersample > 1;
  const [nx, ny, nz] = reference.dims;
  const dims: Dims = [supersample * nx, supersample * ny, supersample * nz];
  const task = {
    values,
    source,
    volumes: image.volumes,
    interpolation,
    warp: path.warp,
    before: chain(
      path.postmat ? invert(path.postmat) : identity(),
      voxelToFsl(reference),
      withinVoxels(supersample),
    ),
    after: multiply(invert(voxelToFsl(image.grid)), path.premat ? invert(path.premat) : identity()),
    dims,
    mask: mask && !fine ? shared(mask) : undefined,
    out: shared(new Float32Array(dims[0] * dims[1] * dims[2] * image.volumes)),
  };
  await threads.map(
    resampleJob,
    pieces(dims[2], SLICES).map((slices) => ({ ...task, slices })),
  );
  const data = fine ? means(task.out, image.volumes, reference.dims, supersample, mask) : task.out;
  return { grid: reference, volumes: image.volumes, data };
}

/** Samples, `factor` along each axis of a voxel, to voxels. */
function withinVoxels(factor: number): Matrix4 {
  const m = scaling(1 / factor, 1 / factor, 1 / factor);
  for (const row of [0, 1, 2]) m[4 * row + 3] = (1 / factor - 1) / 2;
  return m;
}

/** Means over the samples of each voxel. */
function means(
  samples: Float32Array,
  volumes: number,
  [nx, ny, nz]: Dims,
  factor: number,
  mask?: Float32Array,
): Float32Array {
  const n = nx * ny * nz;
  const out = new Float32Array(n * volumes);
  const [fx, fy] = [factor * nx, factor * ny];
  for (let t = 0; t < volumes; t++) {
    const first = t * n * factor ** 3;
    for (let o = 0; o < n; o++) {
      if (mask && mask[o] === 0) continue;
      const i = factor * (o % nx);
      const j = factor * (Math.floor(o / nx) % ny);
      const k = factor * Math.floor(o / (nx * ny));
      let sum = 0;
      for (let c = 0; c < factor; c++)
        for (let b = 0; b < factor; b++)
          for (let a = 0; a < factor; a++) sum += samples[first + i + a + fx * (j + b + fy * (k + c))];
      out[o + t * n] = sum / factor ** 3;
    }
  }
  return out;
}
