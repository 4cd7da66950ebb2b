/**
 * The scanner around the head: gradient scheme, head motion, eddy currents, susceptibility field.
 */
import { chain, type Matrix4, rotation, translation } from '../affine.ts';
import { type Grid, isNeurological } from '../image.ts';
import type { RandomStream } from './random.ts';

/** b values in s/mm2 and unit gradients in RAS+ world axes (3 per volume; zero for b0). */
export interface Scheme {
  readonly bvals: Float64Array;
  readonly gradients: Float64Array;
}

/**
 * `directions` spread evenly over the half sphere (electrostatic repulsion, Jones 1999, MRM 42:515), with `b0s`
 * unweighted volumes at the start and evenly between.
 */
export function gradientScheme(directions: number, b0s: number, bvalue: number): Scheme {
  const points = Float64Array.from({ length: 3 * directions }, (_, i) => {
    const t = Math.floor(i / 3);
    const z = (t + 0.5) / directions;
    const angle = Math.PI * (1 + Math.sqrt(5)) * t;
    const r = Math.sqrt(1 - z * z);
    return [r * Math.cos(angle), r * Math.sin(angle), z][i % 3];
  });
  const force = new Float64Array(3);
  for (let pass = 0; pass < 200; pass++)
    for (let a = 0; a < directions; a++) {
      force.fill(0);
      for (let b = 0; b < directions; b++)
        for (const sign of b === a ? [] : [1, -1]) {
          const d = [0, 1, 2].map((c) => points[3 * a + c] - sign * points[3 * b + c]);
          const cubed = Math.hypot(...d) ** 3 + 1e-9;
          for (let c = 0; c < 3; c++) force[c] += d[c] / cubed;
        }
      const moved = [0, 1, 2].map((c) => points[3 * a + c] + (0.3 / directions ** 1.5) * force[c]);
      const norm = Math.hypot(...moved);
      for (let c = 0; c < 3; c++) points[3 * a + c] = moved[c] / norm;
    }
  const volumes = directions + b0s;
  const bvals = new Float64Array(volumes);
  const gradients = new Float64Array(3 * volumes);
  const isB0 = new Set(Array.from({ length: b0s }, (_, i) => Math.round((i * volumes) / b0s)));
  for (let t = 0, used = 0; t < volumes; t++) {
    if (isB0.has(t)) continue;
    bvals[t] = bvalue;
    // Alternate hemispheres, so that eddy currents do not all point one way.
    for (let c = 0; c < 3; c++) gradients[3 * t + c] = (used % 2 ? -1 : 1) * points[3 * used + c];
    used++;
  }
  return { bvals, gradients };
}

/** The scheme's vectors as FSL's bvecs: along the image's axes, x flipped where it is stored neurologically. */
export function schemeToBvecs(scheme: Scheme, grid: Grid): Float64Array {
  const out = new Float64Array(scheme.gradients.length);
  const a = grid.affine;
  for (let t = 0; t < scheme.bvals.length; t++)
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      for (let r = 0; r < 3; r++) sum += (a[4 * r + c] / grid.voxelSizes[c]) * scheme.gradients[3 * t + r];
      out[3 * t + c] = c === 0 && isNeurological(grid) ? -sum : sum;
    }
  return out;
}

/** Rigid head position of a volume: translation in mm, rotation in radians about the grid's centre, world axes. */
export type RigidParameters = readonly [number, number, number, number, number, number];

/** A head that drifts and now and then jumps; the first position is the reference. `scale` 0: it keeps still. */
export function drawMotion(random: RandomStream, volumes: number, scale: number): RigidParameters[] {
  const current = [0, 0, 0, 0, 0, 0];
  const drift = Array.from({ length: 6 }, () => 0.012 * random.normal());
  return Array.from({ length: volumes }, (_, t): RigidParameters => {
    if (t > 0) {
      const jump = random.uniform() < 0.04 ? 6 : 1;
      for (let p = 0; p < 6; p++) {
        // A degree of rotation moves the brain's edge by about as much as a millimetre of translation.
        const unit = p < 3 ? 1 : Math.PI / 180;
        current[p] += scale * unit * (drift[p] + 0.07 * jump * random.normal());
      }
    }
    const [x, y, z, a, b, c] = current;
    return [x, y, z, a, b, c];
  });
}

/** World matrix of a head position: reference head to this volume's head. */
export function motionMatrix([x, y, z, a, b, c]: RigidParameters, grid: Grid): Matrix4 {
  const m = grid.affine;
  const centre = [0, 1, 2].map((r) => {
    let sum = m[4 * r + 3];
    for (let axis = 0; axis < 3; axis++) sum += (m[4 * r + axis] * (grid.dims[axis] - 1)) / 2;
    return sum;
  });
  return chain(
    translation(centre[0] + x, centre[1] + y, centre[2] + z),
    rotation(a, b, c),
    translation(-centre[0], -centre[1], -centre[2]),
  );
}

/**
 * Eddy-current field of a volume in Hz over mm from the grid's centre along the voxel axes: coefficients of
 * x y z (Hz/mm), xx yy zz xy xz yz (Hz/mm2).
 */
export type EddyField = Float64Array;

/** How a scanner's eddy currents answer its gradients at b = 1000: 9 coefficients per gradient axis. */
export function drawEddyResponse(random: RandomStream, scale: number): Float64Array {
  return Float64Array.from({ length: 27 }, (_, i) => scale * (i % 9 < 3 ? 0.09 : 4e-4) * random.normal());
}

/** The eddy-current field of one volume: linear in the gradient's amplitude, which grows as the root of b. */
export function eddyField(response: Float64Array, bval: number, gradient: ArrayLike<number>): EddyField {
  const amplitude = Math.sqrt(bval / 1000);
  return Float64Array.from({ length: 9 }, (_, i) => {
    let sum = 0;
    for (let axis = 0; axis < 3; axis++) sum += response[9 * axis + i] * gradient[axis];
    return amplitude * sum;
  });
}

/**
 * Susceptibility field in Hz at template coordinates: air above the sinuses, the ear canals, and what is left of the
 * shim. `strength` 1 gives about +40 Hz and -25 Hz in the brain at the extremes.
 */
export function susceptibilityHz(x: number, y: number, z: number, strength: number): number {
  const ax = Math.abs(x);
  const [u, v, w] = [x / 80, (y + 18) / 100, (z - 8) / 80];
  const shim = (3 + 3 * u - 4 * v - 2 * w + 5 * u * u - 9 * w * w) * Math.exp(-(u * u + v * v + w * w) / 2);
  return (
    strength *
    (64 * blob(x, y - 36, z + 24, 16) -
      24 * blob(x, y - 62, z + 2, 18) -
      32 * blob(ax - 46, y + 22, z + 30, 14) +
      14 * blob(ax - 50, y + 52, z + 28, 14) +
      shim)
  );
}

function blob(x: number, y: number, z: number, sigma: number): number {
  return Math.exp(-(x * x + y * y + z * z) / (2 * sigma * sigma));
}
