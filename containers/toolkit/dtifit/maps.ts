/** Maps of a field of tensors, fitted in pieces that threads share. */
import type { GradientTable } from '../../../imaging/gradients.ts';
import { defineJob, pieces, shared, type Threads } from '../threads.ts';
import { type Eigen3, eigen3, eigenSymmetric3 } from './eigen.ts';
import { type Estimator, TensorFitter } from './fit.ts';

/** Numbers per voxel of each map, by FSL's suffix. */
const COMPONENTS = {
  FA: 1,
  MD: 1,
  MO: 1,
  S0: 1,
  L1: 1,
  L2: 1,
  L3: 1,
  V1: 3,
  V2: 3,
  V3: 3,
  sse: 1,
  tensor: 6,
} as const;
export type MapName = keyof typeof COMPONENTS;

/**
 * Maps by FSL's suffix, components one after the other, n voxels each: fractional anisotropy (Basser & Pierpaoli 1996),
 * mean diffusivity, mode (Ennis & Kindlmann 2006, MRM 55:136), signal at b = 0, eigenvalues L1 >= L2 >= L3 in mm2/s,
 * unit eigenvectors V1 to V3 (x, y, z), sum of squared errors of the signal, tensor (Dxx Dxy Dxz Dyy Dyz Dzz, mm2/s).
 */
export type TensorMaps = Readonly<Record<MapName, Float32Array>>;

/** Maps of n voxels, zero, in memory that threads share. */
export function emptyMaps(n: number): TensorMaps {
  const entries = Object.entries(COMPONENTS).map(([name, count]) => [
    name,
    new Float32Array(new SharedArrayBuffer(4 * count * n)),
  ]);
  return Object.fromEntries(entries);
}

/**
 * Fills in what follows from the tensor of voxel i: FA, MD, MO, L1 to L3, V1 to V3.
 *
 * Eigenvalues are kept as fitted, negative ones too, as FSL does: cutting them off would bias MD upwards where noise
 * is high. So MD may be negative, and FA reach sqrt(3/2). A tensor of zeros gives zeros, also in V1 to V3.
 * @param tensor Dxx, Dxy, Dxz, Dyy, Dyz, Dzz  @param e workspace
 */
export function setInvariants(maps: TensorMaps, i: number, tensor: ArrayLike<number>, e: Eigen3): void {
  const n = maps.FA.length;
  const [xx, yy, zz] = [tensor[0], tensor[3], tensor[5]];
  if (xx === 0 && yy === 0 && zz === 0) return;
  eigenSymmetric3(xx, tensor[1], tensor[2], yy, tensor[4], zz, e);
  const [a, b, c] = e.values;
  const square = a * a + b * b + c * c;
  const spread = ((a - b) ** 2 + (b - c) ** 2 + (c - a) ** 2) / 2;
  maps.FA[i] = Math.sqrt(spread / square);
  maps.MD[i] = (xx + yy + zz) / 3;
  // Isotropic to rounding: no mode.
  if (spread > 1e-20 * square)
    maps.MO[i] = Math.max(
      -1,
      Math.min(1, ((a + b - 2 * c) * (2 * a - b - c) * (a - 2 * b + c)) / (2 * spread ** 1.5)),
    );
  maps.L1[i] = a;
  maps.L2[i] = b;
  maps.L3[i] = c;
  for (let k = 0; k < 3; k++) {
    maps.V1[k * n + i] = e.vectors[k];
    maps.V2[k * n + i] = e.vectors[3 + k];
    maps.V3[k * n + i] = e.vectors[6 + k];
  }
}

/** What is fitted. */
export interface FitInput {
  /** Voxel after voxel, n x volumes. */
  readonly signals: Float32Array;
  readonly gradients: GradientTable;
  readonly estimator: Estimator;
  /** Deviations of the gradients, n x 9; none: the same gradients everywhere. */
  readonly deviations?: Float32Array;
  /** Also the sum of squared errors; it costs as much as a fit. */
  readonly withErrors?: boolean;
}

/** How it went. */
export interface FitCounts {
  /** Voxels in which some volume's signal had no logarithm. */
  readonly incomplete: number;
  /** Voxels without a tensor. */
  readonly failed: number;
  /** Signals that the robust fit left out. */
  readonly outliers: number;
}

const fitPiece = defineJob(
  'dtifit.fit',
  ({
    input: { signals, gradients, estimator, deviations, withErrors },
    maps,
    first,
    end,
  }: {
    input: FitInput;
    maps: TensorMaps;
    first: number;
    end: number;
  }): FitCounts => {
    const fitter = new TensorFitter(gradients, estimator);
    const n = maps.FA.length;
    const e = eigen3();
    const volumes = gradients.bvals.length;
    let [incomplete, failed, outliers] = [0, 0, 0];
    for (let i = first; i < end; i++) {
      const fitted = fitter.fit(signals, i, deviations);
      if (fitter.usable < volumes) incomplete++;
      outliers += fitter.outliers;
      if (!fitted) {
        failed++;
        continue;
      }
      maps.S0[i] = fitter.s0;
      if (withErrors) maps.sse[i] = fitter.squaredErrors();
      for (let c = 0; c < 6; c++) maps.tensor[c * n + i] = fitter.tensor[c];
      setInvariants(maps, i, fitter.tensor, e);
    }
    return { incomplete, failed, outliers };
  },
);

/** Voxels per piece of work. */
const PIECE = 8192;

/** Fits a tensor in every voxel and maps it. Each voxel stands for itself: threads do not change a bit of it. */
export async function fitMaps(
  input: FitInput,
  threads: Threads,
): Promise<{ maps: TensorMaps; counts: FitCounts }> {
  const n = input.signals.length / input.gradients.bvals.length;
  const maps = emptyMaps(n);
  const common = {
    ...input,
    signals: shared(input.signals),
    deviations: input.deviations && shared(input.deviations),
  };
  const counts = await threads.map(
    fitPiece,
    pieces(n, PIECE).map(([first, end]) => ({ input: common, maps, first, end })),
  );
  const total = (key: keyof FitCounts) => counts.reduce((sum, count) => sum + count[key], 0);
  return {
    maps,
    counts: { incomplete: total('incomplete'), failed: total('failed'), outliers: total('outliers') },
  };
}
