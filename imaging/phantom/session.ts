/** One imaging session of one simulated subject, in memory: AP and PA sets with everything that is true of them. */

import type { GradientTable } from '../gradients.ts';
import { type Grid, type Image, voxelCount } from '../image.ts';
import { type Acquisition, addRicianNoise, reachOf, recordVolume } from './epi.ts';
import { randomStream } from './random.ts';
import { ROI_NAMES } from './regions.ts';
import {
  drawEddyResponse,
  drawMotion,
  type EddyField,
  eddyField,
  gradientScheme,
  motionMatrix,
  type RigidParameters,
  schemeToBvecs,
  susceptibilityHz,
} from './scanner.ts';
import { anatomyOf, changeMap, drawPosition, type RegionalChange, sampleHead } from './subject.ts';
import { type Phantom, TISSUES } from './template.ts';

/** How a set of volumes is measured. */
export interface Protocol {
  /** Isotropic voxel size in mm. */
  readonly voxelMm: number;
  /** Diffusion directions per set, 6 or more. */
  readonly directions: number;
  /** Unweighted volumes per set. */
  readonly b0s: number;
  /** s/mm2. */
  readonly bvalue: number;
  readonly readoutSeconds: number;
  /** Voxel axes: LAS as dcm2niix writes (radiological), or RAS. */
  readonly orientation: 'LAS' | 'RAS';
}

/** What spoils it. Scales: 1 is usual, 0 is none. */
export interface Artefacts {
  /** White-matter signal at b = 0 over the noise's standard deviation; Infinity: no noise. */
  readonly snr: number;
  readonly motion: number;
  readonly eddyCurrents: number;
  readonly susceptibility: number;
  /** Uneven receive sensitivity. */
  readonly shading: number;
  /** How far a subject's anatomy differs from the template's. */
  readonly anatomy: number;
}

export const DEFAULT_PROTOCOL: Protocol = {
  voxelMm: 3,
  directions: 12,
  b0s: 2,
  bvalue: 1000,
  readoutSeconds: 0.05,
  orientation: 'LAS',
};

export const DEFAULT_ARTEFACTS: Artefacts = {
  snr: 30,
  motion: 1,
  eddyCurrents: 1,
  susceptibility: 1,
  shading: 1,
  anatomy: 1,
};

/** Nothing spoils the data. */
export const NO_ARTEFACTS: Artefacts = {
  snr: Infinity,
  motion: 0,
  eddyCurrents: 0,
  susceptibility: 0,
  shading: 0,
  anatomy: 1,
};

/** No region changes. */
export const NO_CHANGE = Object.fromEntries(ROI_NAMES.map((name) => [name, 0])) as unknown as RegionalChange;

export interface SessionOptions {
  /** Build it once with `buildPhantom()` and share it. */
  readonly phantom: Phantom;
  readonly seed: number;
  /** Names the subject's streams of random numbers: equal subjects have equal anatomy. */
  readonly subject: string;
  readonly session: string;
  /** Fall of MD per region since baseline in mm2/s. Default: none. */
  readonly change?: RegionalChange;
  readonly protocol?: Partial<Protocol>;
  readonly artefacts?: Partial<Artefacts>;
  /** Head positions of the volumes of AP, then PA. Default: drawn by the artefacts' scale of motion. */
  readonly motion?: readonly RigidParameters[];
}

/** One set of volumes with one phase encoding. */
export interface SimulatedSet {
  readonly image: Image;
  readonly gradients: GradientTable;
  readonly acquisition: Acquisition;
  /** Truth per volume; positions are relative to the first volume of AP. */
  readonly motion: readonly RigidParameters[];
  readonly eddy: readonly EddyField[];
}

export interface SimulatedSession {
  readonly grid: Grid;
  readonly ap: SimulatedSet;
  readonly pa: SimulatedSet;
  /** What is true of the head as it lay in the first AP volume, undistorted, on `grid`. */
  readonly truth: {
    readonly fieldHz: Image;
    readonly brain: Image;
    readonly s0: Image;
    /** mm2/s, RAS+ world axes: volumes Dxx Dxy Dxz Dyy Dyz Dzz. */
    readonly tensor: Image;
    /** Template coordinates in mm of every voxel: volumes x, y, z. The registration to be found. */
    readonly template: Image;
  };
}

/** Receive sensitivity that varies smoothly over the scanner's bore. */
export function sensitivityOf(grid: Grid, scale: number, seed: number): Float32Array {
  const random = randomStream(seed, 'coil');
  const c = Array.from({ length: 6 }, () => scale * 0.06 * random.normal());
  const out = new Float32Array(voxelCount(grid));
  const [nx, ny, nz] = grid.dims;
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const [x, y, z] = [(2 * i) / (nx - 1) - 1, (2 * j) / (ny - 1) - 1, (2 * k) / (nz - 1) - 1];
        // Coils at the surface: brighter outside than in the middle.
        out[o] =
          1 +
          scale * 0.1 * (x * x + y * y + z * z - 1) +
          c[0] * x +
          c[1] * y +
          c[2] * z +
          c[3] * x * y +
          c[4] * x * z +
          c[5] * y * z;
      }
  return out;
}

/**
 * Simulates one session. The same options give the same numbers, whatever else ran before.
 * About 0.05 s of CPU per volume at 3 mm.
 */
export function simulateSession(options: SessionOptions): SimulatedSession {
  const { phantom, seed, subject, session } = options;
  const protocol = { ...DEFAULT_PROTOCOL, ...options.protocol };
  const artefacts = { ...DEFAULT_ARTEFACTS, ...options.artefacts };
  const stream = (purpose: string) => randomStream(seed, subject, session, purpose);

  const anatomy = anatomyOf(seed, subject, artefacts.anatomy);
  const { grid, voxelToHead } = drawPosition(stream('position'), protocol.voxelMm, protocol.orientation);
  const head = sampleHead(
    phantom,
    anatomy,
    changeMap(phantom, options.change ?? NO_CHANGE),
    grid,
    voxelToHead,
  );
  const n = voxelCount(grid);
  const strength = artefacts.susceptibility * (1 + 0.1 * stream('susceptibility').normal());
  const fieldHz = new Float32Array(n);
  for (let o = 0; o < n && strength !== 0; o++)
    fieldHz[o] = susceptibilityHz(head.template[o], head.template[n + o], head.template[2 * n + o], strength);

  const scheme = gradientScheme(protocol.directions, protocol.b0s, protocol.bvalue);
  const volumes = scheme.bvals.length;
  const motion = options.motion ?? drawMotion(stream('motion'), 2 * volumes, artefacts.motion);
  const response = drawEddyResponse(randomStream(seed, 'eddy'), artefacts.eddyCurrents);
  const sensitivity = sensitivityOf(grid, artefacts.shading, seed);
  const bvecs = schemeToBvecs(scheme, grid);
  const lit = Int32Array.from(head.s0.keys()).filter((o) => head.s0[o] > 0);
  const atRest = new Float32Array(n);
  const { voxelMm, readoutSeconds } = protocol;
  const moved = Math.max(...motion.map(farthest)) / voxelMm;
  const bent = readoutSeconds * (largest(fieldHz) + largestEddy(response));
  const reach = reachOf(head.s0, grid.dims, Math.max(2, Math.ceil(moved)), Math.max(4, Math.ceil(bent)));

  const acquire = (name: 'AP' | 'PA'): SimulatedSet => {
    const acquisition: Acquisition = {
      direction: [0, name === 'AP' ? -1 : 1, 0],
      readoutSeconds: protocol.readoutSeconds,
    };
    const positions = name === 'AP' ? motion.slice(0, volumes) : motion.slice(volumes);
    const noise = stream(`noise ${name}`);
    const eddy: EddyField[] = [];
    const data = new Float32Array(n * volumes);
    for (let t = 0; t < volumes; t++) {
      const gradient = scheme.gradients.subarray(3 * t, 3 * t + 3);
      const matrix = motionMatrix(positions[t], grid);
      eddy.push(eddyField(response, scheme.bvals[t], gradient));
      weigh(head, lit, scheme.bvals[t], gradient, matrix, atRest);
      const volume = recordVolume(atRest, {
        grid,
        acquisition,
        fieldHz,
        motion: matrix,
        eddy: eddy[t],
        sensitivity,
        reach,
      });
      if (Number.isFinite(artefacts.snr)) addRicianNoise(volume, TISSUES.white.s0 / artefacts.snr, noise);
      data.set(volume, n * t);
    }
    const gradients = { bvals: scheme.bvals, bvecs };
    return { image: { grid, volumes, data }, gradients, acquisition, motion: positions, eddy };
  };

  const image = (data: Float32Array): Image => ({ grid, volumes: data.length / n, data });
  return {
    grid,
    ap: acquire('AP'),
    pa: acquire('PA'),
    truth: {
      fieldHz: image(fieldHz),
      brain: image(head.brain),
      s0: image(head.s0),
      tensor: image(head.tensor),
      template: image(head.template),
    },
  };
}

/** Half the extent of a head in mm. */
const HEAD_RADIUS = 90;

/** How far in mm a motion takes the edge of a head. */
const farthest = ([x, y, z, a, b, c]: RigidParameters) =>
  Math.hypot(x, y, z) + HEAD_RADIUS * Math.hypot(a, b, c);

/** Largest field in Hz that any gradient's eddy currents make in the head. */
function largestEddy(response: Float64Array): number {
  let most = 0;
  for (let axis = 0; axis < 3; axis++) {
    const part = response.subarray(9 * axis, 9 * axis + 9);
    const [linear, quadratic] = [part.subarray(0, 3), part.subarray(3)];
    most += (Math.hypot(...linear) + HEAD_RADIUS * Math.hypot(...quadratic)) ** 2;
  }
  return HEAD_RADIUS * Math.sqrt(most);
}

function largest(values: Float32Array): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

/** Diffusion-weighted signal of the head at rest; a gradient meets a turned head at the opposite angle. */
function weigh(
  head: { readonly s0: Float32Array; readonly tensor: Float32Array },
  lit: Int32Array,
  bval: number,
  gradient: ArrayLike<number>,
  motion: Float64Array,
  out: Float32Array,
): void {
  const n = out.length;
  const d = head.tensor;
  const [x, y, z] = [0, 1, 2].map(
    (c) => motion[c] * gradient[0] + motion[4 + c] * gradient[1] + motion[8 + c] * gradient[2],
  );
  for (let v = 0; v < lit.length; v++) {
    const o = lit[v];
    const along =
      x * (x * d[o] + 2 * (y * d[n + o] + z * d[2 * n + o])) +
      y * (y * d[3 * n + o] + 2 * z * d[4 * n + o]) +
      z * z * d[5 * n + o];
    out[o] = head.s0[o] * Math.exp(-bval * along);
  }
}
