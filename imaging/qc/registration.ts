/** How well images lie on each other: overlap, similarity, and what a warp does to volume. */
import { correlation } from './numbers.ts';

/** Dice overlap of two masks, 0 to 1; null where both are empty. */
export function dice(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  let [both, sum] = [0, 0];
  for (let o = 0; o < a.length; o++) {
    const [inA, inB] = [a[o] > 0, b[o] > 0];
    if (inA && inB) both++;
    sum += Number(inA) + Number(inB);
  }
  return sum > 0 ? (2 * both) / sum : null;
}

/** Share of `whole` that `part` covers; null where `whole` is empty. */
export function coverage(part: ArrayLike<number>, whole: ArrayLike<number>): number | null {
  let [covered, all] = [0, 0];
  for (let o = 0; o < whole.length; o++)
    if (whole[o] > 0) {
      all++;
      if (part[o] > 0) covered++;
    }
  return all > 0 ? covered / all : null;
}

/** Extremes of a warp's Jacobian determinants over some voxels; 0 or less: the warp folds there. */
export function jacobianMetrics(
  jacobian: ArrayLike<number>,
  voxels: Int32Array,
): Record<string, number | null> {
  let [least, most, folds] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const o of voxels) {
    least = Math.min(least, jacobian[o]);
    most = Math.max(most, jacobian[o]);
    if (jacobian[o] <= 0) folds++;
  }
  const known = voxels.length > 0;
  return {
    warp_jacobian_min: known ? least : null,
    warp_jacobian_max: known ? most : null,
    warp_folds: known ? folds : null,
  };
}

/** Smallest share of a region, over all regions of a label image, that a mask covers. */
export function leastCoverage(
  labels: ArrayLike<number>,
  mask: ArrayLike<number>,
  regions: readonly number[],
): number | null {
  const counts = new Map(regions.map((index) => [index, [0, 0]]));
  for (let o = 0; o < labels.length; o++) {
    const count = labels[o] === 0 ? undefined : counts.get(Math.round(labels[o]));
    if (!count) continue;
    count[0]++;
    if (mask[o] > 0) count[1]++;
  }
  const shares = [...counts.values()].map(([voxels, covered]) => (voxels > 0 ? covered / voxels : 0));
  return shares.length > 0 ? Math.min(...shares) : null;
}

/**
 * Similarity of b0s of opposed phase encoding before and after topup, and what of the gap topup closed.
 * @param before the mean b0 of either encoding as acquired  @param after the same, undistorted
 */
export function opposedMetrics(
  before: readonly [ArrayLike<number>, ArrayLike<number>],
  after: readonly [ArrayLike<number>, ArrayLike<number>],
  voxels: Int32Array,
): Record<string, number | null> {
  const [raw, corrected] = [correlation(...before, voxels), correlation(...after, voxels)];
  const gain = raw === null || corrected === null || raw >= 1 ? null : 1 - (1 - corrected) / (1 - raw);
  return { ap_pa_corr_raw: raw, ap_pa_corr: corrected, ap_pa_gain: gain };
}
