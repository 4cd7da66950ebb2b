/**
 * One Gauss-Newton step of one volume: movement and eddy-current field that bring the corrected volume nearer to its
 * prediction (Andersson & Sotiropoulos 2016). Predictions and corrected volumes are compared at points of the
 * undistorted space.
 */
import { rotation } from '../../../imaging/affine.ts';
import { sampleSplineGradient } from '../../../imaging/spline.ts';
import type { Acquisition } from '../files.ts';
import { defineJob, pieces, type Threads } from '../threads.ts';
import { OUTSIDE, type Weights } from './compare.ts';
import { cholesky, choleskySolve } from './linear.ts';
import { type Points, slopeFor } from './series.ts';

import { FIELD_START, type Frame, fieldTermSlopes, fieldTerms, Warp } from './warp.ts';

/** A volume to be registered. */
export interface Moving {
  readonly frame: Frame;
  readonly acquisition: Acquisition;
  /** Spline coefficients of the acquired volume. */
  readonly coefficients: Float32Array;
}

const sample = new Float64Array(4);

/**
 * Corrected intensities of one volume at points of the undistorted space.
 * @param out intensity per point; 0 outside the acquired grid
 * @param slices acquired slice nearest to each point, or {@link OUTSIDE}
 */
export function correctedAt(
  v: Moving,
  p: Float64Array,
  points: Points,
  out: Float32Array,
  slices: Int16Array,
): void {
  const warp = new Warp(v.frame, v.acquisition, p);
  const slope = slopeFor(points, v.acquisition);
  for (let s = 0; s < out.length; s++) {
    warp.map(points.x[s], points.y[s], points.z[s], points.field[s], slope[s]);
    const inside = sampleSplineGradient(v.coefficients, v.frame.dims, warp.vx, warp.vy, warp.vz, sample);
    out[s] = inside ? warp.jacobian * sample[0] : 0;
    slices[s] = inside ? Math.round(warp.vz) : OUTSIDE;
  }
}

/** Acquired slice nearest to each point, or {@link OUTSIDE}, into `slices`. */
export function acquiredSlices(
  frame: Frame,
  acquisition: Acquisition,
  p: Float64Array,
  points: Points,
  slices: Int16Array,
): void {
  const warp = new Warp(frame, acquisition, p);
  const [nx, ny, nz] = frame.dims;
  for (let s = 0; s < slices.length; s++) {
    warp.map(points.x[s], points.y[s], points.z[s], points.field[s], 0);
    const { vx, vy, vz } = warp;
    const inside = vx > -0.5 && vy > -0.5 && vz > -0.5 && vx < nx - 0.5 && vy < ny - 0.5 && vz < nz - 0.5;
    slices[s] = inside ? Math.round(vz) : OUTSIDE;
  }
}

/** What a step compares. */
interface Target {
  readonly v: Moving;
  readonly p: Float64Array;
  readonly points: Points;
  /** Prediction at the points. */
  readonly predicted: Float32Array;
  /** 1 where a point does not count. */
  readonly missing: Uint8Array;
  readonly weights: Weights;
  /** Estimate the field's terms too, not only the movement. */
  readonly withField: boolean;
}

/** Points whose equations are summed in one piece. */
const PIECE = 8192;

/** Normal equations of the points [first, end): the lower triangle, row-major n x n, then the right side. */
const normalEquations = defineJob(
  'eddy normal equations',
  ({
    v,
    p,
    points,
    predicted,
    missing,
    weights,
    withField,
    first,
    end,
  }: Target & { first: number; end: number }) => {
    const warp = new Warp(v.frame, v.acquisition, p);
    const slope = slopeFor(points, v.acquisition);
    const terms = p.length - FIELD_START;
    const fieldCount = withField ? terms - 1 : 0;
    const n = 6 + fieldCount + 1;
    const sums = new Float64Array(n * n + n);
    const row = new Float64Array(n);
    const phi = new Float64Array(terms);
    const phiSlope = new Float64Array(terms);
    const turn = rotationDerivatives(p);
    const [dx, dy, dz] = v.frame.voxelSizes;
    const voxelMm = v.frame.voxelSizes[warp.axis];
    const { of, classOf } = weights;
    for (let s = first; s < end; s++) {
      if (missing[s] !== 0) continue;
      const x = points.x[s];
      const y = points.y[s];
      const z = points.z[s];
      warp.map(x, y, z, points.field[s], slope[s]);
      if (!sampleSplineGradient(v.coefficients, v.frame.dims, warp.vx, warp.vy, warp.vz, sample)) continue;
      const f = sample[0];
      const j = warp.jacobian;
      row[0] = (j * sample[1]) / dx;
      row[1] = (j * sample[2]) / dy;
      row[2] = (j * sample[3]) / dz;
      for (let r = 0; r < 3; r++) {
        const o = 9 * r;
        row[3 + r] =
          row[0] * (turn[o] * x + turn[o + 1] * y + turn[o + 2] * z) +
          row[1] * (turn[o + 3] * x + turn[o + 4] * y + turn[o + 5] * z) +
          row[2] * (turn[o + 6] * x + turn[o + 7] * y + turn[o + 8] * z);
      }
      if (withField) {
        fieldTerms(warp.yx, warp.yy, warp.yz, phi);
        fieldTermSlopes(warp.yx, warp.yy, warp.yz, warp.axis, phiSlope);
        const along = warp.shift * j * sample[1 + warp.axis];
        const stretch = warp.shift * voxelMm * f;
        for (let k = 0; k < fieldCount; k++) row[6 + k] = along * phi[k] + stretch * phiSlope[k];
      }
      row[n - 1] = j * f;
      const residual = predicted[s] - j * f;
      const weight = of[classOf[s]];
      for (let a = 0; a < n; a++) {
        const ra = weight * row[a];
        sums[n * n + a] += ra * residual;
        const o = a * n;
        for (let b = 0; b <= a; b++) sums[o + b] += ra * row[b];
      }
    }
    return sums;
  },
);

/**
 * Gauss-Newton update of a volume's parameters towards its prediction.
 * The field's constant is left alone: it cannot be told from movement along the phase encoding here (see separate.ts).
 * A gain between volume and prediction is fitted along and dropped, so that a difference in receiver gain does not bend
 * the geometry.
 * @returns new parameters; the old ones where the system is singular
 */
export async function step(threads: Threads, target: Target): Promise<Float64Array> {
  const { p, predicted, withField } = target;
  const n = 6 + (withField ? p.length - FIELD_START - 1 : 0) + 1;
  const parts = await threads.map(
    normalEquations,
    pieces(predicted.length, PIECE).map(([first, end]) => ({ ...target, first, end })),
  );
  const normal = new Float64Array(n * n);
  const rhs = new Float64Array(n);
  for (const sums of parts) {
    for (let a = 0; a < n * n; a++) normal[a] += sums[a];
    for (let a = 0; a < n; a++) rhs[a] += sums[n * n + a];
  }
  // Damping of one in a million: keeps a term that the data do not show from wandering.
  for (let a = 0; a < n; a++) normal[a * n + a] = normal[a * n + a] * (1 + 1e-6) || 1;
  const l = cholesky(normal, n);
  const next = Float64Array.from(p);
  if (!l) return next;
  choleskySolve(l, n, rhs);
  for (let a = 0; a < n - 1; a++) next[a] += rhs[a];
  return next;
}

/** Derivatives of the rotation matrix by the three angles, 3 x 9 row-major, by central differences. */
function rotationDerivatives(p: Float64Array): Float64Array {
  const out = new Float64Array(27);
  const h = 1e-5;
  for (let r = 0; r < 3; r++) {
    const [up, down] = [h, -h].map((d) =>
      rotation(p[3] + (r === 0 ? d : 0), p[4] + (r === 1 ? d : 0), p[5] + (r === 2 ? d : 0)),
    );
    for (let i = 0; i < 3; i++)
      for (let c = 0; c < 3; c++) out[9 * r + 3 * i + c] = (up[4 * i + c] - down[4 * i + c]) / (2 * h);
  }
  return out;
}
