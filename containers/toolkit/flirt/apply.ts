/** Resampling of images through a FLIRT matrix. */
import { chain, invert, type Matrix4, multiply } from '../../../imaging/affine.ts';
import {
  type Dims,
  type Grid,
  gridFromAffine,
  type Image,
  volumeOf,
  voxelCount,
  voxelToFsl,
} from '../../../imaging/image.ts';
import { type Interpolation, resample } from '../../../imaging/interpolate.ts';
import type { StoredType } from '../../../imaging/nifti.ts';
import { SIGMA_TO_FWHM, smooth } from '../../../imaging/smooth.ts';
import { resampleSinc } from './sinc.ts';

/** Ways of sampling an output. */
export type Sampling = Interpolation | 'sinc';

/** FSL's words for them. */
export const INTERPOLATIONS: ReadonlyMap<string, Sampling> = new Map<string, Sampling>([
  ['trilinear', 'linear'],
  ['nearestneighbour', 'nearest'],
  ['spline', 'spline'],
  ['sinc', 'sinc'],
]);

/** FSL's words for the types of an output's voxels. */
export const DATATYPES: ReadonlyMap<string, StoredType> = new Map<string, StoredType>([
  ['char', 'uint8'],
  ['short', 'int16'],
  ['int', 'int32'],
  ['float', 'float32'],
  ['double', 'float64'],
]);

/** Matrix from target voxel indices to source voxel indices, of a transform in FLIRT's convention. */
export function samplingMatrix(source: Grid, target: Grid, transform: Matrix4): Matrix4 {
  return multiply(invert(voxelToFsl(source)), multiply(invert(transform), voxelToFsl(target)));
}

/**
 * A reference's grid with isotropic voxels of `mm` in the same scaled-voxel space, so that a matrix to the one is a
 * matrix to the other.
 */
export function isotropic(reference: Grid, mm: number): Grid {
  const dims = reference.dims.map((n, a) =>
    Math.max(1, Math.ceil((n * reference.voxelSizes[a]) / mm - 1e-6)),
  ) as [number, number, number];
  // The sign of the affine's determinant tells of the flip of x: it is the reference's.
  const scaled = voxelToFsl({ dims, voxelSizes: [mm, mm, mm], affine: reference.affine });
  return gridFromAffine(dims, chain(reference.affine, invert(voxelToFsl(reference)), scaled));
}

/**
 * One volume on another grid. Overshoots of spline and sinc are clamped to the volume's own range, as FSL does.
 * @param transform source to target, scaled-voxel mm
 */
export function applyTransform(
  data: Float32Array,
  source: Grid,
  target: Grid,
  transform: Matrix4,
  interpolation: Sampling,
): Float32Array {
  const m = samplingMatrix(source, target, transform);
  const out =
    interpolation === 'sinc'
      ? resampleSinc(data, source.dims, target, m)
      : resample(data, source.dims, target, m, interpolation);
  if (interpolation === 'spline' || interpolation === 'sinc') clamp(out, data);
  return out;
}

function clamp(values: Float32Array, range: Float32Array): void {
  let [low, high] = [0, 0]; // 0: what lies outside the source.
  for (const v of range) {
    if (v < low) low = v;
    else if (v > high) high = v;
  }
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) values[i] = low;
    else if (values[i] > high) values[i] = high;
  }
}

/**
 * All volumes of an image on another grid. Onto larger voxels the source is blurred first (unless `interpolation` is
 * nearest): the blur's FWHM makes up the difference of the two sizes, so that detail between samples is averaged.
 */
export function applyToImage(
  image: Image,
  target: Grid,
  transform: Matrix4,
  interpolation: Sampling,
  blurOnDownsampling = true,
): Image {
  const n = voxelCount(target);
  const data = new Float32Array(n * image.volumes);
  const m = samplingMatrix(image.grid, target, transform);
  // Source voxels per target voxel along each source axis.
  const sigma = [0, 1, 2].map((axis) => {
    const ratio = Math.max(Math.abs(m[4 * axis]), Math.abs(m[4 * axis + 1]), Math.abs(m[4 * axis + 2]));
    return ratio > 1.1 ? Math.sqrt(ratio * ratio - 1) / SIGMA_TO_FWHM : 0;
  }) as [number, number, number];
  const blur = blurOnDownsampling && interpolation !== 'nearest' && sigma.some((s) => s > 0);
  for (let t = 0; t < image.volumes; t++) {
    const volume = volumeOf(image, t);
    const values = blur ? smooth(volume, image.grid.dims, sigma) : volume;
    data.set(applyTransform(values, image.grid, target, transform, interpolation), t * n);
  }
  return { ...image, grid: target, data };
}

/** Replaces values that are no numbers by 0, in place: one of them would spread through every blur and sum. */
export function withoutNaN(data: Float32Array): Float32Array {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) data[i] = 0;
  return data;
}

/** True for a grid that registration in three dimensions can work with. */
export function isVolume(dims: Dims): boolean {
  return dims.every((n) => n >= 4);
}
