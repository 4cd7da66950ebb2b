/**
 * One echo-planar volume.
 *
 * Model (Andersson & Sotiropoulos 2016, NeuroImage 125:1063). The head and its susceptibility field move together;
 * eddy currents stay with the scanner. Signal that belongs at scanner position s (voxels) is recorded at
 *   s + (field(s) + eddy(s)) [Hz] x readout [s] x direction,
 * topup's convention, and is diluted by the Jacobian of that map.
 */
import { chain, invert, type Matrix4 } from '../affine.ts';
import { type Dims, type Grid, voxelCount } from '../image.ts';
import { sampleLinear } from '../interpolate.ts';
import { sampleSpline, splineCoefficients } from '../spline.ts';
import type { RandomStream } from './random.ts';
import type { EddyField } from './scanner.ts';

/** Phase encoding of a set of volumes. */
export interface Acquisition {
  /** Unit vector along the j axis of the voxel grid: [0, -1, 0] is AP (`j-`) where j runs to anterior. */
  readonly direction: readonly [number, number, number];
  readonly readoutSeconds: number;
}

/** What one volume is recorded from. */
export interface VolumeConditions {
  readonly grid: Grid;
  readonly acquisition: Acquisition;
  /** Field of the head at rest in Hz, on the grid. */
  readonly fieldHz: Float32Array;
  readonly motion: Matrix4;
  readonly eddy: EddyField;
  /** Receive sensitivity per voxel of the scanner. */
  readonly sensitivity: Float32Array;
  /** Where the head may send signal to, see {@link reachOf}. */
  readonly reach: Reach;
}

/** Voxels of a grid that lie within a few voxels of the head. */
export interface Reach {
  /** 1 near the head. */
  readonly near: Uint8Array;
  /** First and last j that signal can reach on the line (i, k), at `2 * (i + nx * k)`; first > last: none. */
  readonly range: Int16Array;
}

/** Voxels that motion of up to `motion` voxels, and distortion along j by up to `distortion`, can bring signal to. */
export function reachOf(signal: Float32Array, dims: Dims, motion: number, distortion: number): Reach {
  const [nx, ny, nz] = dims;
  let near = Uint8Array.from(signal, (value) => (value > 0 ? 1 : 0));
  for (const [stride, size] of [
    [1, nx],
    [nx, ny],
    [nx * ny, nz],
  ]) {
    const grown = Uint8Array.from(near);
    for (let o = 0; o < near.length; o++)
      if (near[o]) {
        const at = Math.floor(o / stride) % size;
        for (let d = Math.max(-motion, -at); d <= Math.min(motion, size - 1 - at); d++)
          grown[o + d * stride] = 1;
      }
    near = grown;
  }
  const range = new Int16Array(2 * nx * nz);
  for (let k = 0; k < nz; k++)
    for (let i = 0; i < nx; i++) {
      let [first, last] = [ny, -1];
      for (let j = 0; j < ny; j++)
        if (near[i + nx * (j + ny * k)]) {
          first = Math.min(first, j);
          last = j;
        }
      range[2 * (i + nx * k)] = Math.max(0, first - distortion);
      range[2 * (i + nx * k) + 1] = last < 0 ? -1 : Math.min(ny - 1, last + distortion);
    }
  return { near, range };
}

/** Records one volume of a head whose signal at rest is `signal`. No noise. */
export function recordVolume(signal: Float32Array, conditions: VolumeConditions): Float32Array {
  const { grid, acquisition, fieldHz, motion, eddy, sensitivity, reach } = conditions;
  const { dims, voxelSizes } = grid;
  const [nx, ny, nz] = dims;
  const out = new Float32Array(voxelCount(grid));
  const m = chain(invert(grid.affine), invert(motion), grid.affine);
  const still = m.every((value, i) => Math.abs(value - (i % 5 === 0 ? 1 : 0)) < 1e-9);
  const hzToVoxels = acquisition.readoutSeconds * acquisition.direction[1];
  const coefficients = splineCoefficients(signal, dims);
  const shift = new Float64Array(ny);
  for (let k = 0; k < nz; k++)
    for (let i = 0; i < nx; i++) {
      const line = i + nx * ny * k;
      const first = reach.range[2 * (i + nx * k)];
      const last = reach.range[2 * (i + nx * k) + 1];
      if (last - first < 1) continue;
      const x = (i - (nx - 1) / 2) * voxelSizes[0];
      const z = (k - (nz - 1) / 2) * voxelSizes[2];
      for (let j = first; j <= last; j++) {
        const y = (j - (ny - 1) / 2) * voxelSizes[1];
        const currents =
          x * (eddy[0] + eddy[3] * x + eddy[6] * y + eddy[7] * z) +
          y * (eddy[1] + eddy[4] * y + eddy[8] * z) +
          z * (eddy[2] + eddy[5] * z);
        const field = still
          ? fieldHz[line + nx * j]
          : sampleLinear(
              fieldHz,
              dims,
              Math.min(nx - 1, Math.max(0, m[0] * i + m[1] * j + m[2] * k + m[3])),
              Math.min(ny - 1, Math.max(0, m[4] * i + m[5] * j + m[6] * k + m[7])),
              Math.min(nz - 1, Math.max(0, m[8] * i + m[9] * j + m[10] * k + m[11])),
            );
        shift[j] = hzToVoxels * (field + currents);
      }
      let cell = first;
      for (let j = first; j <= last; j++) {
        // The place s along the line whose signal is recorded at j: s + shift(s) = j. Both ends extrapolate.
        while (cell < last - 1 && cell + 1 + shift[cell + 1] <= j) cell++;
        const start = cell + shift[cell];
        let s = cell + (j - start) / Math.max(0.1, cell + 1 + shift[cell + 1] - start);
        // One Newton step on the cubic through four nodes; its slope is the Jacobian.
        const p1 = shift[cell];
        const p2 = shift[cell + 1];
        const p0 = cell > first ? shift[cell - 1] : 2 * p1 - p2;
        const p3 = cell + 2 <= last ? shift[cell + 2] : 2 * p2 - p1;
        const c1 = p2 - p0;
        const c2 = 2 * p0 - 5 * p1 + 4 * p2 - p3;
        const c3 = 3 * (p1 - p2) + p3 - p0;
        const t = Math.min(1, Math.max(0, s - cell));
        const slope = Math.max(0.1, 1 + 0.5 * (c1 + t * (2 * c2 + 3 * t * c3)));
        if (s >= cell && s <= cell + 1) s -= (s + p1 + 0.5 * t * (c1 + t * (c2 + t * c3)) - j) / slope;
        const nearest = Math.round(s);
        if (nearest < 0 || nearest >= ny || !reach.near[line + nx * nearest]) continue;
        const found = sampleSpline(
          coefficients,
          dims,
          m[0] * i + m[1] * s + m[2] * k + m[3],
          m[4] * i + m[5] * s + m[6] * k + m[7],
          m[8] * i + m[9] * s + m[10] * k + m[11],
        );
        const o = line + nx * j;
        if (found > 0) out[o] = (found * sensitivity[o]) / slope;
      }
    }
  return out;
}

/** Adds Rician noise in place: the length of a complex signal whose parts have noise of standard deviation `sigma`. */
export function addRicianNoise(data: Float32Array, sigma: number, random: RandomStream): void {
  for (let o = 0; o < data.length; o++) {
    const radius = sigma * Math.sqrt(-2 * Math.log(1 - random.uniform()));
    const signal = data[o];
    // In air the phase does not matter.
    data[o] =
      signal === 0
        ? radius
        : Math.sqrt(
            signal * signal +
              radius * radius +
              2 * signal * radius * Math.cos(2 * Math.PI * random.uniform()),
          );
  }
}
