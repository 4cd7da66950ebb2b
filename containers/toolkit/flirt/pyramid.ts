/** Coarser views of a volume: blurred to a voxel size and sampled on an isotropic grid of that size. */
import { invert, type Matrix4, multiply } from '../../../imaging/affine.ts';
import { type Dims, type Grid, regrid, voxelToFsl } from '../../../imaging/image.ts';
import { resample } from '../../../imaging/interpolate.ts';
import { SIGMA_TO_FWHM, smooth } from '../../../imaging/smooth.ts';

/** A volume at one resolution. */
export interface Level {
  /** Nominal voxel size in mm. */
  readonly mm: number;
  readonly dims: Dims;
  readonly data: Float32Array;
  /** How much each voxel counts, 0 or more; absent: all alike. */
  readonly weight?: Float32Array;
  /** Voxel indices of this level to the scaled-voxel mm of the ORIGINAL image, the space of FLIRT's matrices. */
  readonly toFsl: Matrix4;
}

/** Geometric mean of the voxel's sides in mm. */
export function voxelSize(grid: Grid): number {
  return Math.cbrt(grid.voxelSizes[0] * grid.voxelSizes[1] * grid.voxelSizes[2]);
}

/** A voxel size counts as reached when the grid's own is within this factor: resampling 3 mm to 3.2 mm gains nothing. */
const NATIVE = 1.25;

/**
 * A volume at several voxel sizes. A level of `mm` is blurred by a FWHM of `mm` in all; each is made from the next finer
 * one, so that wide blurs stay cheap. Where the grid's own voxels are as large as `mm`, its own grid is kept.
 * @param sizes voxel sizes in mm, coarse to fine
 * @param weight how much each voxel counts, on `grid`: what counts for nothing does not blur into its neighbours
 * (normalized convolution; Knutsson & Westin 1993, CVPR)
 * @returns levels in the order of `sizes`
 */
export function pyramid(
  data: Float32Array,
  grid: Grid,
  sizes: readonly number[],
  weight?: Float32Array,
): Level[] {
  const levels: Level[] = [];
  // With weights, both the weighted intensities and the weights go down the ladder; their ratio is the intensity.
  const weighted = weight && data.map((v, o) => v * weight[o]);
  let [from, volumes, blurred] = [grid, weight && weighted ? [weighted, weight] : [data], 0];
  for (const mm of sizes.toReversed()) {
    const sigma = Math.sqrt(Math.max(0, mm ** 2 - blurred ** 2)) / SIGMA_TO_FWHM;
    const [sx, sy, sz] = from.voxelSizes.map((size) => sigma / size);
    volumes = volumes.map((values) => smooth(values, from.dims, [sx, sy, sz]));
    blurred = mm;
    if (voxelSize(from) * NATIVE < mm) {
      const to = regrid(from, mm);
      const m = multiply(invert(from.affine), to.affine);
      const { dims } = from;
      volumes = volumes.map((values) => resample(values, dims, to, m));
      from = to;
    }
    // Through the original image's voxels: a level's own flip of x would refer to its own, shifted, last voxel.
    const toFsl = multiply(voxelToFsl(grid), multiply(invert(grid.affine), from.affine));
    const [values, weights] = volumes;
    const intensity = weights ? values.map((v, o) => (weights[o] > 0 ? v / weights[o] : 0)) : values;
    levels.push({ mm, dims: from.dims, data: intensity, weight: weights, toFsl });
  }
  return levels.reverse();
}
