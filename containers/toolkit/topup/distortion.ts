/**
 * Geometry of EPI distortion, shared by topup, applytopup and eddy (Andersson, Skare & Ashburner 2003, NeuroImage
 * 20:870). Everything is in voxels: field (Hz) x readout (s) = shift (voxels) along the phase-encode axis.
 */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { Dims } from '../../../imaging/image.ts';
import { sampleLinear } from '../../../imaging/interpolate.ts';
import { sampleSpline, splineCoefficients } from '../../../imaging/spline.ts';
import type { Acquisition } from '../files.ts';

/** Phase-encode axis (0 = x, 1 = y) of an acquisition. */
export function phaseAxis(acquisition: Acquisition): 0 | 1 {
  return acquisition.direction[0] !== 0 ? 0 : 1;
}

/** Voxels of shift along the phase-encode AXIS (sign included) per Hz of off-resonance. */
export function voxelsPerHz(acquisition: Acquisition): number {
  return acquisition.direction[phaseAxis(acquisition)] * acquisition.readoutSeconds;
}

/** Copy of a field (Hz) as shifts in voxels along the acquisition's phase-encode axis. */
export function shiftOf(fieldHz: Float32Array, acquisition: Acquisition): Float32Array {
  const scale = voxelsPerHz(acquisition);
  return fieldHz.map((v) => v * scale);
}

/**
 * Density of a shift map: 1 + d(shift)/d(axis) by central differences (one-sided at the edges), never below 0.
 * Undistorted intensity = acquired intensity at x + shift(x), times this.
 */
export function shiftDensity(shift: Float32Array, dims: Dims, axis: 0 | 1): Float32Array {
  const stride = axis === 0 ? 1 : dims[0];
  const n = dims[axis];
  const out = new Float32Array(shift.length);
  for (let o = 0; o < shift.length; o++) {
    const i = axis === 0 ? o % n : Math.floor(o / stride) % n;
    const lo = i > 0 ? stride : 0;
    const hi = i < n - 1 ? stride : 0;
    const span = (lo + hi) / stride;
    out[o] = span === 0 ? 1 : Math.max(0, 1 + (shift[o + hi] - shift[o - lo]) / span);
  }
  return out;
}

/** How {@link unwarp} samples an acquired volume. */
export interface Unwarping {
  /** Shift in voxels along `axis` at each voxel of the undistorted space. */
  readonly shift: Float32Array;
  readonly axis: 0 | 1;
  /** Undistorted voxel to voxel of the volume as the head lay; identity when absent. */
  readonly movement?: Matrix4;
  /** Multiplied into the result; see {@link shiftDensity}. Left out: intensities as sampled. */
  readonly density?: Float32Array;
  readonly interpolation: 'linear' | 'spline';
}

/**
 * The undistorted volume: out(x) = density(x) x volume(movement(x) + shift(x) along the axis).
 * @returns same size as `volume`; 0 where the acquired volume has no data
 */
export function unwarp(volume: Float32Array, dims: Dims, how: Unwarping): Float32Array {
  const { shift, axis, movement: m, density, interpolation } = how;
  const [nx, ny, nz] = dims;
  const values = interpolation === 'spline' ? splineCoefficients(volume, dims) : volume;
  const sample = interpolation === 'spline' ? sampleSpline : sampleLinear;
  const out = new Float32Array(volume.length);
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const x = m ? m[0] * i + m[1] * j + m[2] * k + m[3] : i;
        const y = m ? m[4] * i + m[5] * j + m[6] * k + m[7] : j;
        const z = m ? m[8] * i + m[9] * j + m[10] * k + m[11] : k;
        const value =
          axis === 0 ? sample(values, dims, x + shift[o], y, z) : sample(values, dims, x, y + shift[o], z);
        out[o] = density ? value * density[o] : value;
      }
  return out;
}
