/**
 * The operations of fslmaths. Each yields finite values: what mathematics leaves undefined (x / 0, logarithms of
 * nothing, roots of negatives) is 0.
 */
import type { Image } from '../../../imaging/image.ts';
import { volumeOf, voxelCount } from '../../../imaging/image.ts';
import { smooth } from '../../../imaging/smooth.ts';
import { dilateMean, erode, fillHoles } from './morphology.ts';
import { robustRange } from './statistics.ts';

const finite = (x: number) => (Number.isFinite(Math.fround(x)) ? x : 0);

/** Operations with an operand, image or number: (current, operand) to result. */
export const BINARY: Readonly<Record<string, (x: number, y: number) => number>> = {
  '-add': (x, y) => x + y,
  '-sub': (x, y) => x - y,
  '-mul': (x, y) => x * y,
  '-div': (x, y) => x / y,
  '-max': Math.max,
  '-min': Math.min,
};

/** Operations on each voxel by itself. */
export const UNARY: Readonly<Record<string, (x: number) => number>> = {
  '-abs': Math.abs,
  '-sqr': (x) => x * x,
  '-sqrt': Math.sqrt,
  '-log': Math.log,
  '-exp': Math.exp,
  '-recip': (x) => 1 / x,
  '-bin': (x) => (x > 0 ? 1 : 0),
  '-binv': (x) => (x > 0 ? 0 : 1),
  '-nan': (x) => x,
};

/** Operations with a number: what to do with a voxel, made from the number and the image as it stands. */
export const THRESHOLD: Readonly<Record<string, (image: Image, number: number) => (x: number) => number>> = {
  '-thr': (_, t) => (x) => (x < t ? 0 : x),
  '-uthr': (_, t) => (x) => (x > t ? 0 : x),
  '-thrp': (image, percent) => {
    const { low, high } = robustRange(image.data);
    const t = low + ((high - low) * percent) / 100;
    return (x) => (x < t ? 0 : x);
  },
};

/** Operations that turn a series of volumes into one: from the values of one voxel over time. */
export const OVER_TIME: Readonly<Record<string, (values: Float64Array) => number>> = {
  '-Tmean': mean,
  '-Tstd': (values) => {
    const m = mean(values);
    return Math.sqrt(values.reduce((sum, x) => sum + (x - m) ** 2, 0) / (values.length - 1));
  },
  '-Tmax': (values) => values.reduce((a, b) => Math.max(a, b)),
  '-Tmedian': (values) => {
    values.sort();
    const half = values.length >> 1;
    return values.length % 2 === 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  },
};

/** Operations on the neighbourhood of a voxel, volume by volume. */
export const SPATIAL: Readonly<Record<string, typeof erode>> = {
  '-ero': erode,
  '-dilM': dilateMean,
  '-fillh': fillHoles,
};

function mean(values: Float64Array): number {
  return values.reduce((a, b) => a + b) / values.length;
}

/** Applies `f` to each voxel of a copy. */
export function mapVoxels(image: Image, f: (x: number) => number): Image {
  return { ...image, data: image.data.map((x) => finite(f(x))) };
}

/** Combines voxel by voxel with an image on the same grid; one volume serves all volumes of the other. */
export function combine(image: Image, other: Image, f: (x: number, y: number) => number): Image {
  const volumes = Math.max(image.volumes, other.volumes);
  const [a, b] = [image.data, other.data];
  const data = new Float32Array(voxelCount(image.grid) * volumes);
  for (let i = 0; i < data.length; i++) data[i] = finite(f(a[i % a.length], b[i % b.length]));
  return { grid: image.grid, volumes, data };
}

/** Reduces the volumes to one. */
export function overTime(image: Image, f: (values: Float64Array) => number): Image {
  const n = voxelCount(image.grid);
  const data = new Float32Array(n);
  const values = new Float64Array(image.volumes);
  for (let i = 0; i < n; i++) {
    for (let t = 0; t < image.volumes; t++) values[t] = image.data[i + t * n];
    data[i] = finite(f(values));
  }
  return { grid: image.grid, volumes: 1, data };
}

/** Applies an operation on one volume to each. */
export function perVolume(image: Image, f: (volume: Float32Array) => Float32Array): Image {
  const data = new Float32Array(image.data.length);
  const n = voxelCount(image.grid);
  for (let t = 0; t < image.volumes; t++) data.set(f(volumeOf(image, t)), t * n);
  return { ...image, data };
}

/** Gaussian smoothing by `sigma` mm. */
export function smoothMm(image: Image, sigma: number): Image {
  const [x, y, z] = image.grid.voxelSizes;
  return perVolume(image, (volume) => smooth(volume, image.grid.dims, [sigma / x, sigma / y, sigma / z]));
}
