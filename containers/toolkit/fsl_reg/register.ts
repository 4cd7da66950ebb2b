/** Registration of one image to another: affine, then non-linear, coarse to fine. */
import { invert, type Matrix4 } from '../../../imaging/affine.ts';
import type { Dims, Image } from '../../../imaging/image.ts';
import { type Progress, ToolError } from '../tool.ts';
import { leastJacobian } from './jacobian.ts';
import { knotsFor, refine } from './lattice.ts';
import { makeLevel, type Reference } from './level.ts';
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

/**
 * Coarse to fine. Weights of the bending energy were chosen on FA maps against FMRIB58_FA: as stiff as leaves the
 * correlation with the template where FSL's FNIRT has it.
 * @param voxelMm voxel size of the reference: by default knots lie no closer than two of its voxels
 * @param spacing knot spacing of the finest stage in mm
 * @param iterations most Gauss-Newton steps of a stage
 */
export function schedule(
  voxelMm: number,
  { spacing = Math.max(5, 2 * voxelMm), iterations = 6 }: { spacing?: number; iterations?: number } = {},
): readonly Stage[] {
  return [
    { mm: 8, fwhm: 12, spacing: 4 * spacing, lambda: 150, iterations },
    { mm: 4, fwhm: 6, spacing: 2 * spacing, lambda: 60, iterations },
    { mm: 2, fwhm: 2, spacing, lambda: 30, iterations },
  ];
}

/**
 * @param reference reduced, with the weights the finest level shall use; the coarse ones use the whole field of view,
 * where the outline of the head guides them
 * @returns FLIRT matrix of input to reference
 */
export function affineRegistration(input: Image, reference: Reference, dof: Dof, start?: Matrix4): Matrix4 {
  const levels = [
    makeLevel(input, reference, 8, 12, true),
    makeLevel(input, reference, 4, 6, true),
    makeLevel(input, reference, 4, 4),
  ];
  return registerLinear(input, reference, levels, dof, start);
}

/** Volumes shrink to no less than this: a stage that goes further is done again with stiffer splines. */
const LEAST_JACOBIAN = 0.05;
/** How much stiffer at most. */
const STIFFEST = 1024;

/**
 * @param affine FLIRT matrix of input to reference
 */
export function nonlinearRegistration(
  input: Image,
  reference: Reference,
  affine: Matrix4,
  stages: readonly Stage[],
  progress: Progress,
): Spline {
  const linear = invert(affine);
  const { dims, voxelSizes } = reference.original;
  const knotsAt = (spacing: number): Dims => [
    knotsFor((dims[0] - 1) * voxelSizes[0], spacing),
    knotsFor((dims[1] - 1) * voxelSizes[1], spacing),
    knotsFor((dims[2] - 1) * voxelSizes[2], spacing),
  ];
  let spline: Spline | undefined;
  for (const [s, stage] of stages.entries()) {
    const knots = knotsAt(stage.spacing);
    const flat = () => new Float64Array(knots[0] * knots[1] * knots[2]);
    let start: Spline = { spacingMm: stage.spacing, knots, coefficients: [flat(), flat(), flat()] };
    if (spline && spline.spacingMm === stage.spacing) start = spline;
    else if (spline) {
      const from = spline.knots;
      const [x, y, z] = spline.coefficients.map((c) => refine(c, from, knots));
      start = { ...start, coefficients: [x, y, z] };
    }
    const level = makeLevel(input, reference, stage.mm, stage.fwhm);
    for (let lambda = stage.lambda; ; lambda *= 2) {
      if (lambda > STIFFEST * stage.lambda)
        throw new ToolError(
          'fsl_reg: the images are too unlike: every warp between them folds. Check that both show the same organ.',
        );
      spline = refineWarp(level, linear, start, { ...stage, lambda }, (iteration, residual) =>
        progress(
          (s + iteration / stage.iterations) / stages.length,
          `non-linear, ${stage.mm} mm: residual ${residual.toFixed(4)}`,
        ),
      );
      if (leastJacobian(spline, linear) > LEAST_JACOBIAN) break;
    }
  }
  return spline!;
}
