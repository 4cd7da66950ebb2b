/** Registration of one image to another: affine, then non-linear, coarse to fine. */
import { invert, type Matrix4 } from '../../../imaging/affine.ts';
import type { Dims, Image } from '../../../imaging/image.ts';
import type { Progress } from '../tool.ts';
import { splineWarp } from '../warp/coefficients.ts';
import type { Warp } from '../warp/warp.ts';
import { knotsFor, refine } from './lattice.ts';
import { makeLevel } from './level.ts';
import { type Dof, registerLinear } from './linear.ts';
import { refineWarp, type Spline } from './nonlinear.ts';

/** One level of the coarse-to-fine schedule. */
export interface Stage {
  /** Voxel size in mm. */
  readonly mm: number;
  /** Smoothing of both images in mm. */
  readonly fwhm: number;
  /** Knot spacing in mm; equal to, or half of, that of the stage before. */
  readonly spacing: number;
  readonly lambda: number;
  readonly iterations: number;
}

export const FA_SCHEDULE: readonly Stage[] = [
  { mm: 8, fwhm: 12, spacing: 20, lambda: 50, iterations: 8 },
  { mm: 4, fwhm: 6, spacing: 10, lambda: 20, iterations: 8 },
  { mm: 2, fwhm: 2, spacing: 5, lambda: 10, iterations: 10 },
];

/** Stages of the affine registration: voxel size and smoothing in mm. */
const LINEAR_STAGES = [
  { mm: 8, fwhm: 12 },
  { mm: 4, fwhm: 6 },
  { mm: 2, fwhm: 4 },
];

/** @returns FLIRT matrix of input to reference */
export function affineRegistration(input: Image, reference: Image, dof: Dof, start?: Matrix4): Matrix4 {
  const everywhere = new Float32Array(reference.data.length).fill(1);
  const levels = LINEAR_STAGES.map(({ mm, fwhm }) => makeLevel(input, reference, everywhere, mm, fwhm));
  return registerLinear(input, reference, levels, dof, start);
}

/**
 * @param affine FLIRT matrix of input to reference
 * @param weight what counts of the reference, 0 to 1 per voxel
 */
export function nonlinearRegistration(
  input: Image,
  reference: Image,
  affine: Matrix4,
  weight: Float32Array,
  schedule: readonly Stage[],
  progress: Progress,
): Warp {
  const linear = invert(affine);
  const { dims, voxelSizes } = reference.grid;
  const knotsAt = (spacing: number): Dims => [
    knotsFor((dims[0] - 1) * voxelSizes[0], spacing),
    knotsFor((dims[1] - 1) * voxelSizes[1], spacing),
    knotsFor((dims[2] - 1) * voxelSizes[2], spacing),
  ];
  let spline: Spline | undefined;
  for (const [s, stage] of schedule.entries()) {
    const knots = knotsAt(stage.spacing);
    const flat = () => new Float64Array(knots[0] * knots[1] * knots[2]);
    let start: Spline = { spacingMm: stage.spacing, knots, coefficients: [flat(), flat(), flat()] };
    if (spline && spline.spacingMm === stage.spacing) start = spline;
    else if (spline) {
      const from = spline.knots;
      const [x, y, z] = spline.coefficients.map((c) => refine(c, from, knots));
      start = { ...start, coefficients: [x, y, z] };
    }
    const level = makeLevel(input, reference, weight, stage.mm, stage.fwhm);
    spline = refineWarp(level, linear, start, stage, (iteration, residual) =>
      progress(
        (s + iteration / stage.iterations) / schedule.length,
        `non-linear, ${stage.mm} mm: residual ${residual.toFixed(4)}`,
      ),
    );
  }
  const { coefficients, knots, spacingMm } = spline!;
  const flat = new Float32Array(3 * coefficients[0].length);
  coefficients.forEach((c, i) => {
    flat.set(c, i * c.length);
  });
  return splineWarp(flat, knots, [spacingMm, spacingMm, spacingMm], linear);
}
