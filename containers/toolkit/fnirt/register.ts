/** Non-linear registration of one image to another, coarse to fine. */
import { invert, type Matrix4 } from '../../../imaging/affine.ts';
import type { Dims, Grid, Image } from '../../../imaging/image.ts';
import type { Threads } from '../threads.ts';
import { type Progress, ToolError } from '../tool.ts';
import { jacobianRange } from './displacement.ts';
import { knotsFor, refine } from './lattice.ts';
import { type Masked, makeLevel } from './level.ts';
import { refineWarp, type Spline } from './nonlinear.ts';

/** One level of the coarse-to-fine schedule. */
export interface Stage {
  /** Every so manieth voxel of the reference; equal to, or half of (or a quarter ...), that of the stage before. */
  readonly subsample: number;
  /** Most Gauss-Newton steps. */
  readonly iterations: number;
  /** Smoothing of the images in mm. */
  readonly inputFwhm: number;
  readonly referenceFwhm: number;
  /** FNIRT's weight of the bending energy. */
  readonly lambda: number;
  /** Whether the masks of {@link Subject} count. */
  readonly useInputMask: boolean;
  readonly useReferenceMask: boolean;
  /** Fit the global scale of intensities; else keep that of the stage before. */
  readonly fitScale: boolean;
}

/** An image to register and what of it counts. */
export interface Subject {
  readonly image: Image;
  /** Voxels of this value are nothing; absent: all voxels are something. FNIRT's implicit mask. */
  readonly nothing?: number;
  /** On the image's grid; above 0 where a voxel counts. Stages may leave it out. */
  readonly mask?: Float32Array;
}

/** A subject as one stage sees it. */
function maskedFor({ image, nothing, mask }: Subject, useMask: boolean): Masked {
  if (nothing === undefined && !(mask && useMask)) return { image };
  const counts = new Float32Array(image.data.length);
  for (let o = 0; o < counts.length; o++)
    counts[o] = image.data[o] !== nothing && !(mask && useMask && !(mask[o] > 0)) ? 1 : 0;
  return { image, mask: counts };
}

export interface Schedule {
  readonly stages: readonly Stage[];
  /** Knot spacing in mm of the last stage; those of the stages before are wider as their voxels are. */
  readonly warpMm: readonly [number, number, number];
  /** Bounds of the Jacobian determinant, relative to the affine's. */
  readonly jacobian: readonly [number, number];
}

/**
 * FNIRT's lambda is the weight of the mean squared second derivative (mm^-2) against the residual in units of its
 * variance, at voxels of 2 mm; at coarser ones it weighs this power of their size more. Found from FSL 5.0.9's warp of a
 * subject to FMRIB58_FA: so ours lies closest to it and is as smooth.
 */
const STIFFER_WITH_VOXELS = 1.25;

function weightOf(stage: Stage, voxelMm: number): number {
  return stage.lambda * (voxelMm / 2) ** STIFFER_WITH_VOXELS;
}

/** How much stiffer a stage may be made to keep its Jacobian within bounds. */
const STIFFEST = 1024;

/** Knot spacing in voxels of the reference at the last stage, and the number of knots for a multiple of it. */
function latticeOf(grid: Grid, warpMm: readonly [number, number, number], factor: number) {
  const voxels = warpMm.map((mm, a) => factor * Math.max(1, Math.round(mm / grid.voxelSizes[a])));
  const knots = grid.dims.map((n, a) => knotsFor(n, voxels[a]));
  return {
    knots: [knots[0], knots[1], knots[2]] as Dims,
    spacingMm: [
      voxels[0] * grid.voxelSizes[0],
      voxels[1] * grid.voxelSizes[1],
      voxels[2] * grid.voxelSizes[2],
    ] as const,
  };
}

/**
 * @param affine FLIRT matrix of input to reference
 * @returns displacement of the input's FSL mm that is added to the inverse of `affine`
 */
export async function registerNonlinear(
  threads: Threads,
  input: Subject,
  reference: Subject,
  affine: Matrix4,
  schedule: Schedule,
  progress: Progress,
): Promise<Spline> {
  const linear = invert(affine);
  const { stages, warpMm, jacobian } = schedule;
  const last = stages[stages.length - 1].subsample;
  let spline: Spline | undefined;
  let scale: number | undefined;
  for (const [s, stage] of stages.entries()) {
    const { knots, spacingMm } = latticeOf(reference.image.grid, warpMm, stage.subsample / last);
    const start = spline ? refineTo(spline, knots, spacingMm) : flat(knots, spacingMm);
    const level = makeLevel(
      maskedFor(input, stage.useInputMask),
      maskedFor(reference, stage.useReferenceMask),
      stage.subsample,
      stage.inputFwhm,
      stage.referenceFwhm,
    );
    for (let stiffer = 1; ; stiffer *= 2) {
      if (stiffer > STIFFEST)
        throw new ToolError(
          'the images are too unlike: every warp between them folds. Check that both show the same organ, and the affine.',
        );
      const result = await refineWarp(
        threads,
        level,
        linear,
        start,
        {
          lambda: stiffer * weightOf(stage, Math.max(...level.voxelMm)),
          iterations: stage.iterations,
          scale: stage.fitScale ? undefined : scale,
        },
        (iteration, residual) =>
          progress(
            (s + iteration / stage.iterations) / stages.length,
            `non-linear, level ${s + 1} of ${stages.length}: residual ${residual.toFixed(4)}`,
          ),
      );
      spline = result.spline;
      const [least, most] = jacobianRange(spline, linear);
      if (least >= jacobian[0] && most <= jacobian[1]) {
        scale = result.scale;
        break;
      }
    }
  }
  return spline!;
}

function flat(knots: Dims, spacingMm: Spline['spacingMm']): Spline {
  const zeros = () => new Float64Array(knots[0] * knots[1] * knots[2]);
  return { spacingMm, knots, coefficients: [zeros(), zeros(), zeros()] };
}

/** The same function on a finer lattice. */
function refineTo(spline: Spline, knots: Dims, spacingMm: Spline['spacingMm']): Spline {
  let { coefficients, knots: from, spacingMm: spacing } = spline;
  while (spacing[0] > 1.01 * spacingMm[0]) {
    const half = [spacing[0] / 2, spacing[1] / 2, spacing[2] / 2] as const;
    const final = half[0] < 1.01 * spacingMm[0];
    const to: Dims = final ? knots : [2 * from[0] - 3, 2 * from[1] - 3, 2 * from[2] - 3];
    const [x, y, z] = coefficients.map((c) => refine(c, from, to));
    coefficients = [x, y, z];
    from = to;
    spacing = half;
  }
  return { spacingMm, knots, coefficients };
}
