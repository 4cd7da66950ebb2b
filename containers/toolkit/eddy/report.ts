/** eddy's text files: parameters, rotated gradients, movement, outliers. */
import type { Matrix4 } from '../../../imaging/affine.ts';
import type { SliceStatistics } from './outliers.ts';
import type { Series } from './series.ts';
import { FIELD_START, rigidMatrix, TERMS } from './warp.ts';

/**
 * Rows of `.eddy_parameters` in FSL's convention, found by applying its own files: translations and field as here,
 * rotations of the opposite sense, and an x axis that runs to the subject's left.
 * @param neurological the image's x axis runs to the right
 */
export function parameterRows(parameters: readonly Float64Array[], neurological: boolean): Float64Array[] {
  return parameters.map((p) => {
    const row = Float64Array.from(p, (v, c) => (c >= 3 && c < FIELD_START ? -v : v));
    if (!neurological) return row;
    // Mirrored in x: a translation along x, rotations about y and z and terms odd in x change sign.
    const odd = p.length - FIELD_START === TERMS.quadratic ? [0, 4, 5, 6, 12, 13] : [0, 4, 5, 6];
    for (const c of odd) row[c] = -row[c];
    return row;
  });
}

/** Text of `.eddy_parameters`: a row per volume. */
export function formatParameters(rows: readonly Float64Array[]): string {
  return rows
    .map((row) => `${Array.from(row, (v) => String(Number(v.toPrecision(10)) || 0)).join('  ')}\n`)
    .join('');
}

/**
 * Gradients as the head saw them (Leemans & Jones 2009, MRM 61:1336): turned back by each volume's rotation.
 * @param neurological bvecs' x is then the negative of the voxel axis
 */
export function rotatedBvecs(
  series: Series,
  parameters: readonly Float64Array[],
  neurological: boolean,
): Float64Array {
  const out = new Float64Array(series.bvecs.length);
  const flip = neurological ? -1 : 1;
  for (const [t, p] of parameters.entries()) {
    const m = rigidMatrix(p);
    const [x, y, z] = [flip * series.bvecs[3 * t], series.bvecs[3 * t + 1], series.bvecs[3 * t + 2]];
    out[3 * t] = flip * (m[0] * x + m[4] * y + m[8] * z) || 0;
    out[3 * t + 1] = m[1] * x + m[5] * y + m[9] * z || 0;
    out[3 * t + 2] = m[2] * x + m[6] * y + m[10] * z || 0;
  }
  return out;
}

/** Root mean square displacement in mm over the mask's voxels, by which `a` differs from `b`. */
function rmsBetween(series: Series, a: Matrix4, b: Matrix4): number {
  const [nx, ny, nz] = series.frame.dims;
  const [dx, dy, dz] = series.frame.voxelSizes;
  const d = a.map((v, i) => v - b[i]);
  let sum = 0;
  let count = 0;
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (series.mask[o] === 0) continue;
        const x = (i - 0.5 * (nx - 1)) * dx;
        const y = (j - 0.5 * (ny - 1)) * dy;
        const z = (k - 0.5 * (nz - 1)) * dz;
        for (let r = 0; r < 12; r += 4) sum += (d[r] * x + d[r + 1] * y + d[r + 2] * z + d[r + 3]) ** 2;
        count++;
      }
  return Math.sqrt(sum / Math.max(1, count));
}

/** Movement of each volume in mm RMS over the brain: against the first volume, and against the one before. */
export function movementRms(series: Series, parameters: readonly Float64Array[]): [number, number][] {
  const rigid = parameters.map(rigidMatrix);
  return rigid.map((m, t) => [
    rmsBetween(series, m, rigid[0]),
    t === 0 ? 0 : rmsBetween(series, m, rigid[t - 1]),
  ]);
}

/** Text of `.eddy_movement_rms`. */
export function formatMovementRms(rms: readonly [number, number][]): string {
  return rms.map((row) => `${row.map((v) => String(Number(v.toPrecision(8)))).join('  ')}  \n`).join('');
}

/** A slice found to be an outlier. */
export interface OutlierSlice {
  readonly volume: number;
  readonly slice: number;
  /** Standard deviations of the mean difference, and of the mean squared difference. */
  readonly mean: number;
  readonly meanSquared: number;
}

/** Outliers of groups of volumes, by volume and slice. */
export function outlierSlices(
  groups: readonly { readonly members: readonly number[]; readonly statistics: SliceStatistics }[],
): OutlierSlice[] {
  const out: OutlierSlice[] = [];
  for (const { members, statistics: s } of groups)
    for (const [i, volume] of members.entries())
      for (let slice = 0; slice < s.slices; slice++) {
        const q = i * s.slices + slice;
        if (s.outlier[q] === 1) out.push({ volume, slice, mean: s.mean[q], meanSquared: s.meanSquared[q] });
      }
  return out.sort((a, b) => a.volume - b.volume || a.slice - b.slice);
}

/** Text of `.eddy_outlier_report`. Slices and volumes count from 0. */
export function formatOutlierReport(outliers: readonly OutlierSlice[]): string {
  return outliers
    .map(
      (o) =>
        `Slice ${o.slice} in scan ${o.volume} is an outlier with mean ${o.mean.toFixed(4)} standard deviations off, ` +
        `and mean squared ${o.meanSquared.toFixed(4)} standard deviations off.\n`,
    )
    .join('');
}

/** Text of `.eddy_outlier_map`: a header, then a row per volume with 1 for outlier slices. */
export function formatOutlierMap(outliers: readonly OutlierSlice[], volumes: number, slices: number): string {
  const rows = Array.from({ length: volumes }, () => new Uint8Array(slices));
  for (const o of outliers) rows[o.volume][o.slice] = 1;
  return `One row per scan, one column per slice. Outlier: 1, Non-outlier: 0\n${rows.map((r) => `${r.join(' ')}\n`).join('')}`;
}
