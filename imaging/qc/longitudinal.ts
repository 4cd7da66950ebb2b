/** One head, twice: do its maps agree? */
import { medianOf } from './numbers.ts';

/**
 * Agreement of two measurements of the same things: ICC(A,1), two-way, absolute agreement (McGraw & Wong 1996, Psychol
 * Methods 1:30). Here the things are voxels, so it says how far the pattern and the level of a map are kept.
 */
export function agreement(a: ArrayLike<number>, b: ArrayLike<number>): number | null {
  const n = a.length;
  if (n < 2) return null;
  let [sumA, sumB] = [0, 0];
  for (let i = 0; i < n; i++) {
    sumA += a[i];
    sumB += b[i];
  }
  const [meanA, meanB] = [sumA / n, sumB / n];
  const grand = (meanA + meanB) / 2;
  let [rows, all] = [0, 0];
  for (let i = 0; i < n; i++) {
    rows += 2 * ((a[i] + b[i]) / 2 - grand) ** 2;
    all += (a[i] - grand) ** 2 + (b[i] - grand) ** 2;
  }
  const columns = n * ((meanA - grand) ** 2 + (meanB - grand) ** 2);
  const between = rows / (n - 1);
  const error = (all - rows - columns) / (n - 1);
  const below = between + error + (2 / n) * (columns - error);
  return below > 0 ? (between - error) / below : null;
}

/**
 * Test and retest of a map over white matter: median difference (first minus second) and robust within-subject
 * coefficient of variation, both in percent of the mean.
 */
export function retest(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  voxels: Int32Array,
): { difference: number | null; variation: number | null } {
  const differences = Float64Array.from(voxels, (o) => first[o] - second[o]);
  const mean = medianOf(Float64Array.from(voxels, (o) => (first[o] + second[o]) / 2));
  const middle = medianOf(differences);
  const spread = medianOf(differences.map(Math.abs));
  if (mean === null || middle === null || spread === null || !(mean > 0))
    return { difference: null, variation: null };
  // 1.4826: median of absolute normal values to their standard deviation; a difference has the noise of two.
  return { difference: (100 * middle) / mean, variation: (100 * 1.4826 * spread) / Math.SQRT2 / mean };
}

/** Second over first; null where one is not known. */
export function ratioOf(first: number | null, second: number | null): number | null {
  return first !== null && second !== null && first > 0 ? second / first : null;
}
