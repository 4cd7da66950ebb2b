/**
 * The spatial model of one volume: where in the acquired image a point of the undistorted space was recorded, and how
 * much it was stretched there (Andersson & Sotiropoulos 2016, NeuroImage 125:1063).
 *
 * A point x (mm from the centre of the field of view, voxel axes) of the undistorted space lies at y = R x + t in the
 * scanner while this volume is acquired, and is recorded shifted along the phase-encode axis by
 * direction * readout * (susceptibility(x) + eddy(y)) voxels. The susceptibility field moves with the head; the eddy
 * currents' field stays with the scanner.
 */
import { type Matrix4, rotation } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import type { Acquisition } from '../files.ts';
import { phaseAxis, voxelsPerHz } from '../topup/distortion.ts';

/** Size of the acquired grid. */
export interface Frame {
  readonly dims: Dims;
  /** mm */
  readonly voxelSizes: readonly [number, number, number];
}

/** Number of terms of the eddy currents' field: `linear` x y z 1; `quadratic` x y z x2 y2 z2 xy xz yz 1. */
export const TERMS = { linear: 4, quadratic: 10 } as const;
export type FieldModel = keyof typeof TERMS;

/** First of the field's terms in a volume's parameters: 3 translations (mm), 3 rotations (radians), then the terms (Hz). */
export const FIELD_START = 6;

/** Terms of the field at a scanner position (mm), the constant last. */
export function fieldTerms(x: number, y: number, z: number, out: Float64Array): void {
  out[0] = x;
  out[1] = y;
  out[2] = z;
  if (out.length === TERMS.quadratic) {
    out[3] = x * x;
    out[4] = y * y;
    out[5] = z * z;
    out[6] = x * y;
    out[7] = x * z;
    out[8] = y * z;
  }
  out[out.length - 1] = 1;
}

/** Derivatives of {@link fieldTerms} along axis 0 (x) or 1 (y), per mm. */
export function fieldTermSlopes(x: number, y: number, z: number, axis: number, out: Float64Array): void {
  out.fill(0);
  out[axis] = 1;
  if (out.length !== TERMS.quadratic) return;
  out[3 + axis] = 2 * (axis === 0 ? x : y);
  out[6] = axis === 0 ? y : x;
  out[7 + axis] = z;
}

/** Rigid transform of a volume's parameters as a matrix in mm about the centre of the field of view. */
export function rigidMatrix(p: Float64Array): Matrix4 {
  const m = rotation(p[3], p[4], p[5]);
  m[3] = p[0];
  m[7] = p[1];
  m[11] = p[2];
  return m;
}

/** Stores a rigid matrix in a volume's parameters. Inverse of {@link rigidMatrix} for rotations below 90 degrees. */
export function setRigid(p: Float64Array, m: Matrix4): void {
  p[0] = m[3];
  p[1] = m[7];
  p[2] = m[11];
  p[3] = Math.atan2(-m[6], m[10]);
  p[4] = Math.asin(Math.max(-1, Math.min(1, m[2])));
  p[5] = Math.atan2(-m[1], m[0]);
}

/** Maps points of the undistorted space into one acquired volume. `map` leaves its results in the fields: no allocation. */
export class Warp {
  /** Acquired position, voxel indices. */
  vx = 0;
  vy = 0;
  vz = 0;
  /** Position in the scanner, mm from the centre. */
  yx = 0;
  yy = 0;
  yz = 0;
  /** Shift along the phase encoding by susceptibility and eddy currents, voxels. */
  displacement = 0;
  /** Recorded length per true length along the phase encoding; the corrected intensity is this times the recorded. */
  jacobian = 1;
  readonly axis: 0 | 1;
  readonly shift: number;
  private readonly m: Matrix4;
  private readonly c: Float64Array;
  private readonly quadratic: boolean;
  private readonly frame: Frame;

  /** @param p 3 translations (mm), 3 rotations (radians), 4 or 10 field terms (Hz) */
  constructor(frame: Frame, acquisition: Acquisition, p: Float64Array) {
    this.frame = frame;
    this.axis = phaseAxis(acquisition);
    this.shift = voxelsPerHz(acquisition);
    this.m = rigidMatrix(p);
    this.c = new Float64Array(TERMS.quadratic);
    this.quadratic = p.length - FIELD_START === TERMS.quadratic;
    const terms = p.subarray(FIELD_START);
    this.c.set(this.quadratic ? terms : terms.subarray(0, 3));
    this.c[9] = terms[terms.length - 1];
  }

  /** @param field susceptibility in Hz at the point  @param slope its derivative along the phase encoding, Hz per voxel */
  map(x: number, y: number, z: number, field: number, slope: number): void {
    const { m, c, frame } = this;
    const yx = m[0] * x + m[1] * y + m[2] * z + m[3];
    const yy = m[4] * x + m[5] * y + m[6] * z + m[7];
    const yz = m[8] * x + m[9] * y + m[10] * z + m[11];
    let hz = field + c[9] + c[0] * yx + c[1] * yy + c[2] * yz;
    let hzSlope = this.axis === 0 ? c[0] : c[1];
    if (this.quadratic) {
      hz += (c[3] * yx + c[6] * yy + c[7] * yz) * yx + (c[4] * yy + c[8] * yz) * yy + c[5] * yz * yz;
      hzSlope +=
        this.axis === 0 ? 2 * c[3] * yx + c[6] * yy + c[7] * yz : 2 * c[4] * yy + c[6] * yx + c[8] * yz;
    }
    this.yx = yx;
    this.yy = yy;
    this.yz = yz;
    this.vx = yx / frame.voxelSizes[0] + 0.5 * (frame.dims[0] - 1);
    this.vy = yy / frame.voxelSizes[1] + 0.5 * (frame.dims[1] - 1);
    this.vz = yz / frame.voxelSizes[2] + 0.5 * (frame.dims[2] - 1);
    this.displacement = this.shift * hz;
    if (this.axis === 0) this.vx += this.displacement;
    else this.vy += this.displacement;
    const jacobian = 1 + this.shift * (slope + hzSlope * frame.voxelSizes[this.axis]);
    // Below zero the image is folded and intensity cannot be told apart; above five the field is not credible.
    this.jacobian = jacobian < 0 ? 0 : Math.min(jacobian, 5);
  }
}
