/**
 * Least-squares restoration (--resamp=lsr): each pair of volumes of one weighting and opposite phase encoding gives one
 * volume, which explains both (Andersson, Skare & Ashburner 2003, NeuroImage 20:870).
 */
import { sampleSpline, splineCoefficients } from '../../../imaging/interpolate.ts';
import { restore } from '../applytopup/restore.ts';
import type { Acquisition } from '../files.ts';
import { defineJob } from '../threads.ts';
import { positions } from './correct.ts';
import { fieldSlope, type Series } from './series.ts';
import { Warp } from './warp.ts';

/** b values that differ by less, in s/mm2, and axes nearer to each other than 2.5 degrees, are one weighting. */
const SAME_B = 50;
const SAME_AXIS = Math.cos((2.5 * Math.PI) / 180);

function oppose(a: Acquisition, b: Acquisition): boolean {
  return a.readoutSeconds === b.readoutSeconds && a.direction.every((d, c) => d === -b.direction[c]);
}

function sameWeighting({ bvals, bvecs }: Series, a: number, b: number, b0Max: number): boolean {
  if (bvals[a] <= b0Max || bvals[b] <= b0Max) return bvals[a] <= b0Max && bvals[b] <= b0Max;
  const dot = [0, 1, 2].reduce((sum, c) => sum + bvecs[3 * a + c] * bvecs[3 * b + c], 0);
  return Math.abs(bvals[a] - bvals[b]) <= SAME_B && Math.abs(dot) >= SAME_AXIS;
}

/**
 * Pairs of volumes of one weighting and opposite phase encoding, by their first volume.
 * @param b0Max largest b of an unweighted volume
 * @returns the pairs, or the first volume that has no partner
 */
export function oppositePairs(series: Series, b0Max: number): [number, number][] | number {
  const pairs: [number, number][] = [];
  const used = new Set<number>();
  for (const t of series.volumes.keys()) {
    if (used.has(t)) continue;
    const partner = [...series.volumes.keys()].find(
      (u) =>
        u > t &&
        !used.has(u) &&
        oppose(series.acquisitions[t], series.acquisitions[u]) &&
        sameWeighting(series, t, u, b0Max),
    );
    if (partner === undefined) return t;
    used.add(partner);
    pairs.push([t, partner]);
  }
  return pairs;
}

/** One volume of a pair as acquired, and what was found for it. */
interface Half {
  readonly acquisition: Acquisition;
  readonly p: Float64Array;
  readonly acquired: Float32Array;
}

/**
 * The volume that explains both of a pair. Movement is undone first, by one interpolation. The shift then counts along the
 * head's axis where it was along the scanner's: for turns of a degree and shifts of six voxels a tenth of a voxel apart.
 */
export const restorePair = defineJob(
  'eddy restore',
  ({ frame, field, halves }: Pick<Series, 'frame' | 'field'> & { halves: readonly Half[] }) => {
    const { dims } = frame;
    const [xs, ys, zs] = ([0, 1, 2] as const).map((axis) => positions({ frame }, axis));
    const images = halves.map(({ acquisition, p, acquired }) => {
      const warp = new Warp(frame, acquisition, p);
      const coefficients = splineCoefficients(acquired, dims);
      const volume = new Float32Array(acquired.length);
      const shift = new Float32Array(acquired.length);
      let o = 0;
      for (let k = 0; k < dims[2]; k++)
        for (let j = 0; j < dims[1]; j++)
          for (let i = 0; i < dims[0]; i++, o++) {
            const slope = field ? fieldSlope(field, frame, o, warp.axis) : 0;
            warp.map(xs[i], ys[j], zs[k], field ? field[o] : 0, slope);
            shift[o] = warp.displacement;
            volume[o] = sampleSpline(
              coefficients,
              dims,
              warp.axis === 0 ? warp.vx - warp.displacement : warp.vx,
              warp.axis === 1 ? warp.vy - warp.displacement : warp.vy,
              warp.vz,
            );
          }
      return { volume, shift };
    });
    const restored = restore(images, dims, halves[0].acquisition.direction[0] !== 0 ? 0 : 1);
    // Overshoot below zero is no signal.
    return restored.map((v) => Math.max(v, 0));
  },
);
