/**
 * Affine transforms as registration sees them: matrices from source to reference in FSL's scaled-voxel mm, their
 * parameters, and how far two of them lie apart.
 */
import {
  identity,
  invert,
  type Matrix4,
  multiply,
  rotation,
  transformPoint,
} from '../../../imaging/affine.ts';
import { type Grid, voxelToFsl } from '../../../imaging/image.ts';

export type Point = readonly [number, number, number];

/** Radius of the head in mm: Jenkinson's RMS deviation integrates over this sphere, and it makes angles comparable to mm. */
export const HEAD_RADIUS = 80;

/**
 * Parameters, all in mm at the head's surface so that one tolerance serves them all: 0-2 translations, 3-5 rotations
 * about x, y, z, 6 global scale, 7-9 scales along the source's x, y, z, 10-12 skews xy, xz, yz.
 */
export const PARAMETERS = 13;

/** Degrees of freedom by FSL's count (3 and 4 serve the search only) -> the parameters that are free. */
export const FREE = {
  3: [0, 1, 2],
  4: [0, 1, 2, 6],
  6: [0, 1, 2, 3, 4, 5],
  7: [0, 1, 2, 3, 4, 5, 6],
  9: [0, 1, 2, 3, 4, 5, 7, 8, 9],
  12: [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12],
} as const satisfies Record<number, readonly number[]>;
export type Dof = keyof typeof FREE;

/** Linear map `a` about fixed point `from`, which it sends to `to`. */
function about(a: Matrix4, from: Point, to: Point): Matrix4 {
  const out = Float64Array.from(a);
  for (let r = 0; r < 3; r++)
    out[4 * r + 3] = to[r] - (a[4 * r] * from[0] + a[4 * r + 1] * from[1] + a[4 * r + 2] * from[2]);
  return out;
}

/** Linear part of a matrix, without its translation. */
function linear(m: Matrix4): Matrix4 {
  const out = Float64Array.from(m);
  out[3] = out[7] = out[11] = 0;
  return out;
}

/**
 * A matrix near `start`: scales and skews act on the source's axes, then `start`, then rotations about the image of
 * `centre` (the source's centre of mass, mm), then translations. Rigid, similarity, 9-parameter and affine transforms
 * each stay in their family when the result becomes the next `start`.
 * @param p {@link PARAMETERS} numbers; zeros give `start`
 */
export function perturb(start: Matrix4, p: Float64Array, centre: Point): Matrix4 {
  const unit = 1 / HEAD_RADIUS;
  const global = Math.exp(p[6] * unit);
  const [sx, sy, sz] = [7, 8, 9].map((i) => global * Math.exp(p[i] * unit));
  const shape = identity();
  shape[0] = sx;
  shape[1] = sy * p[10] * unit;
  shape[2] = sz * p[11] * unit;
  shape[5] = sy;
  shape[6] = sz * p[12] * unit;
  shape[10] = sz;
  const c = transformPoint(start, ...centre);
  const a = multiply(rotation(p[3] * unit, p[4] * unit, p[5] * unit), multiply(linear(start), shape));
  return about(a, centre, [c[0] + p[0], c[1] + p[1], c[2] + p[2]]);
}

/** `m` followed by a rotation (radians) about the image of `centre`. */
export function rotateAbout(m: Matrix4, angles: Point, centre: Point): Matrix4 {
  return about(multiply(rotation(...angles), linear(m)), centre, transformPoint(m, ...centre));
}

/**
 * RMS deviation in mm of two transforms over a sphere (Jenkinson 1999, FMRIB technical report TR99MJ1):
 * sqrt(R^2/5 tr(A'A) + |t + A c|^2) of b a^-1 - 1.
 * @param centre centre of the sphere in the reference space, mm
 */
export function rmsDeviation(a: Matrix4, b: Matrix4, centre: Point, radius = HEAD_RADIUS): number {
  const m = multiply(b, invert(a));
  let trace = 0;
  let shift = 0;
  for (let r = 0; r < 3; r++) {
    let d = m[4 * r + 3];
    for (let c = 0; c < 3; c++) {
      const e = m[4 * r + c] - (r === c ? 1 : 0);
      trace += e * e;
      d += e * centre[c];
    }
    shift += d * d;
  }
  return Math.sqrt((radius * radius * trace) / 5 + shift);
}

/**
 * Rigid parameters of a matrix as FSL prints them in `.par`: rotations about x, y, z in radians (matrix =
 * Rx(-a) Ry(-b) Rz(-c): FSL's sign), then translations in mm, with rotations about `centre`.
 */
export function rigidParameters(m: Matrix4, centre: Point): number[] {
  const moved = transformPoint(m, ...centre);
  const angles = [Math.atan2(m[6], m[10]), Math.atan2(-m[2], Math.hypot(m[0], m[1])), Math.atan2(m[1], m[0])];
  return [...angles, ...moved.map((x, i) => x - centre[i])];
}

/** Centre of mass (mm, FSL's scaled voxels) of the intensities above the volume's second percentile. */
export function centreOfMass(data: Float32Array, grid: Grid): Point {
  const [nx, ny, nz] = grid.dims;
  // A sample of at most some ten thousand voxels places a percentile well enough.
  const sample = data.filter((_, i) => i % Math.max(1, Math.floor(data.length / 20_000)) === 0).sort();
  const floor = sample[Math.floor(0.02 * sample.length)];
  let [mass, x, y, z] = [0, 0, 0, 0];
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const v = data[o] - floor;
        if (!(v > 0)) continue;
        mass += v;
        x += v * i;
        y += v * j;
        z += v * k;
      }
  const centre: Point =
    mass > 0 ? [x / mass, y / mass, z / mass] : [(nx - 1) / 2, (ny - 1) / 2, (nz - 1) / 2];
  return transformPoint(voxelToFsl(grid), ...centre);
}
