/** The data eddy works on, and the points of the undistorted space at which volumes are compared. */
import type { Acquisition } from '../files.ts';
import { shared } from '../threads.ts';
import { phaseAxis } from '../topup/distortion.ts';
import type { Directions } from './gp.ts';
import type { Frame } from './warp.ts';

/** A diffusion series in memory. */
export interface Series {
  readonly frame: Frame;
  /** Voxels of each volume, x fastest. */
  readonly volumes: readonly Float32Array[];
  readonly acquisitions: readonly Acquisition[];
  /** s/mm2 per volume */
  readonly bvals: Float64Array;
  /** Unit vectors in voxel axes as FSL writes them, 3 per volume. */
  readonly bvecs: Float64Array;
  /** Non-zero inside the brain, in undistorted space. */
  readonly mask: Uint8Array;
  /** Susceptibility field in Hz in undistorted space; undefined without topup. */
  readonly field?: Float32Array;
}

/** Points of the undistorted space. */
export interface Points {
  /** Voxel of each point in the grid. */
  readonly voxel: Int32Array;
  /** mm from the centre of the field of view. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly z: Float32Array;
  /** Susceptibility in Hz. */
  readonly field: Float32Array;
  /** Its derivative per voxel along the axes x and y. */
  readonly slope: readonly [Float32Array, Float32Array];
}

/** Susceptibility's derivative at a voxel along axis 0 or 1 by central differences, Hz per voxel. */
export function fieldSlope(field: Float32Array, frame: Frame, voxel: number, axis: 0 | 1): number {
  const n = frame.dims[axis];
  const stride = axis === 0 ? 1 : frame.dims[0];
  const at = axis === 0 ? voxel % frame.dims[0] : Math.floor(voxel / frame.dims[0]) % frame.dims[1];
  if (n === 1) return 0;
  if (at === 0) return field[voxel + stride] - field[voxel];
  if (at === n - 1) return field[voxel] - field[voxel - stride];
  return 0.5 * (field[voxel + stride] - field[voxel - stride]);
}

/** Points at the given voxels. */
export function pointsAt(series: Series, voxel: Int32Array): Points {
  const { frame, field } = series;
  const [nx, ny, nz] = frame.dims;
  const [dx, dy, dz] = frame.voxelSizes;
  const zeros = () => shared(new Float32Array(voxel.length));
  const points = {
    voxel,
    x: zeros(),
    y: zeros(),
    z: zeros(),
    field: zeros(),
    slope: [zeros(), zeros()] as const,
  };
  for (let s = 0; s < voxel.length; s++) {
    const v = voxel[s];
    points.x[s] = ((v % nx) - 0.5 * (nx - 1)) * dx;
    points.y[s] = ((Math.floor(v / nx) % ny) - 0.5 * (ny - 1)) * dy;
    points.z[s] = (Math.floor(v / (nx * ny)) - 0.5 * (nz - 1)) * dz;
    if (!field) continue;
    points.field[s] = field[v];
    points.slope[0][s] = fieldSlope(field, frame, v, 0);
    points.slope[1][s] = fieldSlope(field, frame, v, 1);
  }
  return points;
}

/** At most `most` voxels of the mask, evenly spread: every n-th in the grid's order, n odd so that columns are not favoured. */
export function spreadVoxels(mask: Uint8Array, most: number): Int32Array {
  let inside = 0;
  for (const m of mask) if (m !== 0) inside++;
  let step = Math.ceil(inside / most);
  if (step > 1 && step % 2 === 0) step++;
  const out = new Int32Array(Math.floor((inside + step - 1) / step));
  let seen = 0;
  for (let v = 0; v < mask.length; v++) if (mask[v] !== 0 && seen++ % step === 0) out[(seen - 1) / step] = v;
  return out;
}

/** b values that differ by less belong to one shell. */
const SHELL_WIDTH = 100;

/**
 * Groups weighted volumes into shells.
 * @param members the volumes, in the order of the result's entries
 * @returns directions with shells by ascending b
 */
export function directionsOf(series: Series, members: readonly number[]): Directions {
  const order = members
    .map((_, i) => i)
    .sort((a, b) => series.bvals[members[a]] - series.bvals[members[b]] || a - b);
  const shellOf = new Int32Array(members.length);
  const shells: number[][] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const i of order) {
    const b = series.bvals[members[i]];
    if (b - last > SHELL_WIDTH) shells.push([]);
    last = b;
    shellOf[i] = shells.length - 1;
    shells[shells.length - 1].push(b);
  }
  const vectors = new Float64Array(3 * members.length);
  for (const [i, t] of members.entries()) {
    const v = series.bvecs.subarray(3 * t, 3 * t + 3);
    const norm = Math.hypot(v[0], v[1], v[2]) || 1;
    for (let c = 0; c < 3; c++) vectors[3 * i + c] = v[c] / norm;
  }
  return { vectors, shellOf, shellB: shells.map((bs) => bs.reduce((a, b) => a + b, 0) / bs.length) };
}

/** Slope of the susceptibility field that a volume sees: along its own phase-encode axis. */
export function slopeFor(points: Points, acquisition: Acquisition): Float32Array {
  return points.slope[phaseAxis(acquisition)];
}
