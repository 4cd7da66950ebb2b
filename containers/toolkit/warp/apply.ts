/** Resampling of images through affine and non-linear transforms in one interpolation. */
import { identity, invert, type Matrix4, multiply } from '../../../imaging/affine.ts';
import { type Grid, type Image, volumeOf, voxelCount, voxelToFsl } from '../../../imaging/image.ts';
import {
  type Interpolation,
  sampleLinear,
  sampleNearest,
  sampleSpline,
  splineCoefficients,
} from '../../../imaging/interpolate.ts';
import type { Warp } from './warp.ts';

/** What lies between an image and the reference, in the order a point of the image travels. */
export interface Path {
  /** FLIRT matrix of the image to the warp's source space. Default: they are one space. */
  readonly premat?: Matrix4;
  /** Default: the warp's source and reference are one space. */
  readonly warp?: Warp;
  /** FLIRT matrix of the warp's reference space to the final reference. */
  readonly postmat?: Matrix4;
}

/**
 * Resamples every volume of `image` on `reference` through `path`, interpolating once.
 * @param mask voxels of the reference to fill (non-zero); all when absent
 * @returns the image on the reference grid, 0 where the input has no data
 */
export function resampleThrough(
  image: Image,
  reference: Grid,
  path: Path,
  interpolation: Interpolation,
  options: { mask?: Float32Array; onSlice?: (k: number) => void } = {},
): Image {
  const { mask, onSlice } = options;
  const before = multiply(path.postmat ? invert(path.postmat) : identity(), voxelToFsl(reference));
  const after = multiply(invert(voxelToFsl(image.grid)), path.premat ? invert(path.premat) : identity());
  const [nx, ny, nz] = reference.dims;
  const n = nx * ny * nz;
  const source = image.grid.dims;
  const volumes = Array.from({ length: image.volumes }, (_, t) =>
    interpolation === 'spline' ? splineCoefficients(volumeOf(image, t), source) : volumeOf(image, t),
  );
  const sample =
    interpolation === 'spline' ? sampleSpline : interpolation === 'linear' ? sampleLinear : sampleNearest;
  const data = new Float32Array(voxelCount(reference) * image.volumes);
  const p = new Float64Array(3);
  let o = 0;
  for (let k = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (mask && mask[o] === 0) continue;
        const x = before[0] * i + before[1] * j + before[2] * k + before[3];
        const y = before[4] * i + before[5] * j + before[6] * k + before[7];
        const z = before[8] * i + before[9] * j + before[10] * k + before[11];
        if (path.warp) path.warp.sourceAt(x, y, z, p);
        else {
          p[0] = x;
          p[1] = y;
          p[2] = z;
        }
        const sx = after[0] * p[0] + after[1] * p[1] + after[2] * p[2] + after[3];
        const sy = after[4] * p[0] + after[5] * p[1] + after[6] * p[2] + after[7];
        const sz = after[8] * p[0] + after[9] * p[1] + after[10] * p[2] + after[11];
        for (let t = 0; t < volumes.length; t++) data[o + t * n] = sample(volumes[t], source, sx, sy, sz);
      }
    onSlice?.(k);
  }
  return { grid: reference, volumes: image.volumes, data };
}
