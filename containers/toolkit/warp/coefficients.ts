/**
 * FNIRT's coefficient files: a lattice of cubic B-spline coefficients of the displacement, with the affine beside it
 * in the header. Facts of the format, found from and checked against FSL 5's own files: pixdim = knot spacing in
 * reference voxels, intent_p1..3 = reference voxel size in mm, sform = the affine of source to reference (FSL mm), offsets
 * of the qform = numbers of the reference's voxels; knot i lies at voxel (i - 1) x spacing; source = affine^-1 (reference) + displacement.
 */
import { invert, type Matrix4 } from '../../../imaging/affine.ts';
import type { Dims, Grid, Image } from '../../../imaging/image.ts';
import type { WriteOptions } from '../../../imaging/nifti.ts';
import { shared } from '../threads.ts';
import { ToolError } from '../tool.ts';
import type { PointMap } from './warp.ts';

/** NIfTI intent code FSL has registered (nifti1.h) for coefficients of cubic splines. */
export const CUBIC_COEFFICIENTS = 2007;

/** A warp of cubic B-splines: source = `linear` (reference) + displacement. */
export interface SplineWarp {
  readonly kind: 'spline';
  /** Numbers of knots; knot i lies at (i - 1) x spacing. */
  readonly knots: Dims;
  /** Knot spacing along the reference's FSL axes. */
  readonly spacingMm: readonly [number, number, number];
  /** Reference FSL mm to source FSL mm. */
  readonly linear: Matrix4;
  /** Three volumes (x, y, z in mm) on the lattice, shared between threads. */
  readonly coefficients: Float32Array;
}

/** The warp of a coefficient file. @param header NIfTI-1 header bytes of the file */
export function coefficientWarp(path: string, lattice: Image, header: DataView, little: boolean): SplineWarp {
  const float = (offset: number) => header.getFloat32(offset, little);
  const spacing = (a: number) => float(80 + 4 * a) * float(56 + 4 * a);
  const spacingMm = [spacing(0), spacing(1), spacing(2)] as const;
  const affine: Matrix4 = Float64Array.of(
    ...Array.from({ length: 12 }, (_, i) => float(280 + 4 * i)),
    0,
    0,
    0,
    1,
  );
  if (!spacingMm.every((mm) => Number.isFinite(mm) && mm > 0) || !affine.every(Number.isFinite))
    throw new ToolError(`${path}: its header lacks the spacing of the spline knots. Run fnirt again.`);
  const { dims } = lattice.grid;
  return {
    kind: 'spline',
    knots: dims,
    spacingMm,
    linear: invert(affine),
    coefficients: shared(lattice.data),
  };
}

/** A coefficient file's image and what its header must say, so that FSL and {@link coefficientWarp} read it. */
export function coefficientImage(
  { knots, spacingMm, linear, coefficients }: Omit<SplineWarp, 'kind'>,
  reference: Grid,
): { image: Image; options: WriteOptions } {
  const { voxelSizes, dims } = reference;
  const spacing = [
    spacingMm[0] / voxelSizes[0],
    spacingMm[1] / voxelSizes[1],
    spacingMm[2] / voxelSizes[2],
  ] as const;
  const [sx, sy, sz] = spacing;
  const qform = Float64Array.of(sx, 0, 0, dims[0], 0, sy, 0, dims[1], 0, 0, sz, dims[2], 0, 0, 0, 1);
  return {
    image: {
      grid: { dims: knots, voxelSizes: spacing, affine: invert(linear) },
      volumes: 3,
      data: coefficients,
    },
    options: { intent: { code: CUBIC_COEFFICIENTS, parameters: voxelSizes }, qform },
  };
}

/** What a spline warp does to points. Beyond the lattice the displacement of its edge holds. */
export function splineMap({ knots, spacingMm, linear, coefficients }: SplineWarp): PointMap {
  const [kx, ky, kz] = knots;
  const n = kx * ky * kz;
  const weights = [new Float64Array(4), new Float64Array(4), new Float64Array(4)];
  const first = new Int32Array(3);
  const locate = (axis: number, mm: number) => {
    const u = Math.max(0, Math.min(knots[axis] - 3, mm / spacingMm[axis]));
    const f = Math.min(knots[axis] - 4, Math.floor(u));
    cubicBspline(u - f, weights[axis]);
    first[axis] = f;
  };
  const [wx, wy, wz] = weights;
  return {
    sourceAt(x, y, z, out) {
      locate(0, x);
      locate(1, y);
      locate(2, z);
      let sx = 0;
      let sy = 0;
      let sz = 0;
      for (let c = 0; c < 4; c++)
        for (let b = 0; b < 4; b++) {
          const w = wz[c] * wy[b];
          let o = first[0] + kx * (first[1] + b + ky * (first[2] + c));
          for (let a = 0; a < 4; a++, o++) {
            const v = w * wx[a];
            sx += v * coefficients[o];
            sy += v * coefficients[o + n];
            sz += v * coefficients[o + 2 * n];
          }
        }
      out[0] = linear[0] * x + linear[1] * y + linear[2] * z + linear[3] + sx;
      out[1] = linear[4] * x + linear[5] * y + linear[6] * z + linear[7] + sy;
      out[2] = linear[8] * x + linear[9] * y + linear[10] * z + linear[11] + sz;
    },
  };
}

/** The four cubic B-spline weights at fraction `t` (0 to 1) between the second and third knot. */
export function cubicBspline(t: number, w: Float64Array): void {
  const s = 1 - t;
  w[0] = (s * s * s) / 6;
  w[1] = 2 / 3 - 0.5 * t * t * (2 - t);
  w[2] = 2 / 3 - 0.5 * s * s * (2 - s);
  w[3] = (t * t * t) / 6;
}

/** Derivatives with `t` of the weights of {@link cubicBspline}. */
export function cubicSlope(t: number, g: Float64Array): void {
  const s = 1 - t;
  g[0] = -0.5 * s * s;
  g[1] = t * (1.5 * t - 2);
  g[2] = s * (2 - 1.5 * s);
  g[3] = 0.5 * t * t;
}
