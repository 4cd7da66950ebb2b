/**
 * topup's `--iout`: the volumes undistorted and moved together, as FSL 5.0.9 gives them. Measured on its results: they are
 * 0 in all volumes where any of them has no data, and slightly smoother than spline interpolation leaves them.
 */
import type { Matrix4 } from '../../../imaging/affine.ts';
import { type Grid, isNeurological, voxelCount } from '../../../imaging/image.ts';
import { sampleSpline, splineCoefficients } from '../../../imaging/spline.ts';
import type { Acquisition } from '../files.ts';
import { defineJob, shared, type Threads } from '../threads.ts';
import { phaseAxis, shiftDensity, shiftOf } from './distortion.ts';
import { evaluateField, movementMatrix, type TopupResult } from './field.ts';

/**
 * Weights of a voxel and its neighbours along each axis, -2 to 2: fitted to FSL's `--iout` of two scans. A wave of 8 voxels
 * keeps all of its height, one of 4 voxels 94 %, one of 2 voxels 64 %; noise falls to 70 %.
 */
const KERNEL = [-0.03, 0.09, 0.88, 0.09, -0.03] as const;

/** Convolves a volume with {@link KERNEL} along each axis, mirrored at the edges. @returns a copy */
function smoothLightly(volume: Float32Array, dims: readonly [number, number, number]): Float32Array {
  let from = volume;
  let stride = 1;
  const mirror = (i: number, n: number) =>
    Math.min(n - 1, Math.max(0, i < 0 ? -i : i < n ? i : 2 * n - 2 - i));
  for (const n of dims) {
    const to = new Float32Array(volume.length);
    for (let i = 0; i < n; i++) {
      const [a, b, c, d, e] = [-2, -1, 0, 1, 2].map((q) => mirror(i + q, n) * stride);
      for (let start = 0; start < to.length; start += n * stride)
        for (let s = start; s < start + stride; s++)
          to[s + i * stride] =
            KERNEL[0] * (from[s + a] + from[s + e]) +
            KERNEL[1] * (from[s + b] + from[s + d]) +
            KERNEL[2] * from[s + c];
    }
    from = to;
    stride *= n;
  }
  return from;
}

/** How near in voxels to a plane counts as on it. */
const ON_PLANE = 0.02;

/**
 * True where FSL takes a volume to have data along an axis of `n` voxels: beyond the first plane, and not beyond the last
 * but one. (Axes too short for that are taken whole.)
 */
function hasData(x: number, n: number): boolean {
  return n < 4 || (x > ON_PLANE && x < n - 2 + ON_PLANE);
}

const undistortVolume = defineJob(
  'topup: undistort a volume',
  (input: {
    volume: Float32Array;
    dims: readonly [number, number, number];
    shift: Float32Array;
    axis: 0 | 1;
    movement: Matrix4;
    /** x is stored the other way round than FSL counts it. */
    neurological: boolean;
    out: Float32Array;
    /** Set to 0 where the volume has no data. Volumes write to it at once, all of them zeros. */
    seen: Uint8Array;
  }): void => {
    const { volume, dims, shift, axis, movement: m, neurological, out, seen } = input;
    const coefficients = splineCoefficients(smoothLightly(volume, dims), dims);
    const density = shiftDensity(shift, dims, axis);
    const [nx, ny, nz] = dims;
    const clamp = (x: number, n: number) => Math.min(n - 1, Math.max(0, x));
    let o = 0;
    for (let k = 0; k < nz; k++)
      for (let j = 0; j < ny; j++)
        for (let i = 0; i < nx; i++, o++) {
          const x = m[0] * i + m[1] * j + m[2] * k + m[3] + (axis === 0 ? shift[o] : 0);
          const y = m[4] * i + m[5] * j + m[6] * k + m[7] + (axis === 1 ? shift[o] : 0);
          const z = m[8] * i + m[9] * j + m[10] * k + m[11];
          // Along the phase-encode axis FSL leaves nothing out: signal shifted off one edge is not missed there.
          const across = axis === 0 ? hasData(y, ny) : hasData(neurological ? nx - 1 - x : x, nx);
          if (!(across && hasData(z, nz))) seen[o] = 0;
          out[o] = density[o] * sampleSpline(coefficients, dims, clamp(x, nx), clamp(y, ny), clamp(z, nz));
        }
  },
);

/**
 * The volumes undistorted, where the head lay in the first.
 * @param volumes and `grid` in the image's own order
 * @returns one volume after the other; 0 in all where any has no data
 */
export async function undistort(
  volumes: readonly Float32Array[],
  grid: Grid,
  acquisitions: readonly Acquisition[],
  result: TopupResult,
  threads: Threads,
): Promise<Float32Array> {
  const size = voxelCount(grid);
  const field = evaluateField(result, grid);
  const data = shared(new Float32Array(size * volumes.length));
  const seen = shared(new Uint8Array(size).fill(1));
  await threads.map(
    undistortVolume,
    volumes.map((volume, t) => ({
      volume,
      dims: grid.dims,
      shift: shiftOf(field, acquisitions[t]),
      axis: phaseAxis(acquisitions[t]),
      movement: movementMatrix(result.movement[t], grid),
      neurological: isNeurological(grid),
      out: data.subarray(t * size, (t + 1) * size),
      seen,
    })),
  );
  for (let o = 0; o < data.length; o++) if (seen[o % size] === 0) data[o] = 0;
  return data;
}
