/** The whole estimation: b0s to each other, weighted volumes to each other, weighted to b0s, field from movement. */
import { chain, invert } from '../../../imaging/affine.ts';
import { B0_MAX } from '../../../imaging/gradients.ts';
import type { Threads } from '../threads.ts';
import { align } from './align.ts';
import { combine, offsetFromB0s, sameRun } from './continuity.ts';
import { correctVolume } from './correct.ts';
import type { Directions } from './gp.ts';
import {
  meanTerms,
  removeCommonDisplacement,
  removeUnseenMovement,
  type SecondLevel,
  separateConstantFromMovement,
  separateFieldFromMovement,
  tieToGradient,
} from './separate.ts';
import { directionsOf, type Points, pointsAt, type Series, spreadVoxels } from './series.ts';
import { alignToB0 } from './shells.ts';
import { smoothedSpline } from './spline.ts';
import { FIELD_START, type FieldModel, rigidMatrix, setRigid, TERMS } from './warp.ts';

export interface EstimateOptions {
  /** Model of the eddy currents' field. */
  readonly field: FieldModel;
  /** What ties the field's terms to the gradient (--slm). */
  readonly secondLevel: SecondLevel;
  /** Smoothing in mm per iteration; its length is the number of iterations. */
  readonly fwhm: readonly number[];
}

/** What was found for a series. */
export interface Estimate {
  /** Per volume: translations (mm), rotations (radians), field terms (Hz). */
  readonly parameters: readonly Float64Array[];
  /** Volumes that predict each other: b0s (without directions), weighted. */
  readonly groups: readonly { readonly members: readonly number[]; readonly directions?: Directions }[];
  /** Points at which slices can be judged, and how many voxels of the brain one stands for. */
  readonly points: Points;
  readonly voxelsPerPoint: number;
}

/** Points at which volumes are compared: enough for thousandths of a voxel, few enough for speed. */
const MOST_POINTS = 30_000;

/** Right-multiplies all transforms so that the first becomes the identity. */
function makeReference(parameters: readonly Float64Array[]): void {
  const back = invert(rigidMatrix(parameters[0]));
  for (const p of parameters) setRigid(p, chain(rigidMatrix(p), back));
  parameters[0].fill(0, 0, FIELD_START);
}

/** Movement between b0s carried to the weighted volumes: linear in time between b0s of one run, else the nearest b0's. */
function carryMovement(
  series: Series,
  b0s: readonly number[],
  parameters: readonly Float64Array[],
  t: number,
): void {
  const same = b0s.filter((v) => sameRun(series.acquisitions[v], series.acquisitions[t]));
  const pool = same.length > 0 ? same : b0s;
  const before = pool.findLast((v) => v < t);
  const after = pool.find((v) => v > t);
  const [a, b] = [before ?? after, after ?? before];
  if (a === undefined || b === undefined) return;
  const w = a === b ? 0 : (t - a) / (b - a);
  for (let c = 0; c < FIELD_START; c++) parameters[t][c] = (1 - w) * parameters[a][c] + w * parameters[b][c];
}

/**
 * Registers the weighted volumes to each other, each shell to the b0s, and tells field from movement.
 * @param parameters of all volumes; those of weighted volumes are replaced
 */
async function estimateWeighted(
  threads: Threads,
  series: Series,
  b0s: readonly number[],
  weighted: readonly number[],
  directions: Directions,
  parameters: Float64Array[],
  at: { readonly points: Points; readonly voxelsPerPoint: number },
  options: EstimateOptions,
  progress: (fraction: number, message: string) => void,
): Promise<void> {
  const { points, voxelsPerPoint } = at;
  const { fwhm } = options;
  const own = weighted.map((t) => parameters[t]);
  const voxelMm = Math.max(...series.frame.voxelSizes);
  const mean = meanTerms(points, TERMS[options.field]);
  const group = { members: weighted, directions, parameters: own };
  // In two stages: the susceptibility field must lie right on the weighted volumes while the last details are found.
  const early = Math.max(1, fwhm.length - 2);
  for (const [from, to] of [
    [0, early],
    [early, fwhm.length],
  ]) {
    const corrected = await align(threads, series, group, points, voxelsPerPoint, {
      fwhm: fwhm.slice(from, to),
      withField: true,
      afterIteration: (now) => tieToGradient(series, weighted, now, options.secondLevel),
      progress: (f) => {
        const done = from + (to - from) * f;
        progress(done / fwhm.length, `weighted volumes, iteration ${Math.ceil(done)} of ${fwhm.length}`);
      },
    });
    removeCommonDisplacement(series, weighted, own);
    separateFieldFromMovement(series, weighted, own, mean);
    removeUnseenMovement(series, weighted, own);
    if (b0s.length === 0) continue;
    const b0 = meanB0(series, b0s, parameters, fwhm[fwhm.length - 1]);
    for (const [i, t] of weighted.entries()) parameters[t] = own[i];
    for (let shell = 0; shell < directions.shellB.length; shell++) {
      const who = weighted.map((_, i) => i).filter((i) => directions.shellOf[i] === shell);
      const volumes = who.map((i) => weighted[i]);
      const registered = alignToB0(b0, series.frame, meanOf(who.map((i) => corrected[i])), points);
      const following = offsetFromB0s(series, b0s, volumes, parameters);
      const q = following ? combine(following, registered, voxelMm) : registered;
      const back = invert(rigidMatrix(q));
      for (const i of who) setRigid(own[i], chain(rigidMatrix(own[i]), back));
    }
  }
  for (const [i, t] of weighted.entries()) parameters[t] = own[i];
}

/**
 * Estimates movement and eddy-current fields of a series.
 * The first b0 (or volume 0 where there is none) is the reference of movement.
 */
export async function estimate(
  threads: Threads,
  series: Series,
  options: EstimateOptions,
  progress: (fraction: number, message: string) => void,
): Promise<Estimate> {
  const all = series.volumes.map((_, t) => t);
  const b0s = all.filter((t) => series.bvals[t] <= B0_MAX);
  const weighted = all.filter((t) => series.bvals[t] > B0_MAX);
  const parameters = all.map(() => new Float64Array(FIELD_START + TERMS[options.field]));
  const points = pointsAt(series, spreadVoxels(series.mask, MOST_POINTS));
  const voxelsPerPoint = series.mask.reduce((sum, m) => sum + (m !== 0 ? 1 : 0), 0) / points.voxel.length;
  const groups: { members: readonly number[]; directions?: Directions }[] = [];
  const share = b0s.length / all.length;

  if (b0s.length > 0) {
    groups.push({ members: b0s });
    const own = b0s.map((t) => parameters[t]);
    await align(threads, series, { members: b0s, parameters: own }, points, voxelsPerPoint, {
      fwhm: options.fwhm,
      withField: false,
      afterIteration: makeReference,
      progress: (f) => progress(share * f, `b0 volumes, ${Math.round(100 * f)} %`),
    });
    for (const [i, t] of b0s.entries()) parameters[t] = own[i];
    for (const t of weighted) carryMovement(series, b0s, parameters, t);
  }
  if (weighted.length > 0) {
    const directions = directionsOf(series, weighted);
    groups.push({ members: weighted, directions });
    const at = { points, voxelsPerPoint };
    await estimateWeighted(
      threads,
      series,
      b0s,
      weighted,
      directions,
      parameters,
      at,
      options,
      (f, message) => progress(share + (1 - share) * f, message),
    );
  }
  if (b0s.length === 0) makeReference(parameters);
  separateConstantFromMovement(series, parameters);
  return { parameters, groups, points, voxelsPerPoint };
}

/** Spline coefficients of the mean of the corrected b0s, smoothed by `fwhm` mm. */
function meanB0(
  series: Series,
  b0s: readonly number[],
  parameters: readonly Float64Array[],
  fwhm: number,
): Float32Array {
  const corrected = b0s.map((t) => correctVolume(series, t, parameters[t], series.volumes[t]));
  return smoothedSpline(meanOf(corrected), series.frame, fwhm);
}

function meanOf(data: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(data[0].length);
  for (const d of data) for (let s = 0; s < out.length; s++) out[s] += d[s] / data.length;
  return out;
}
