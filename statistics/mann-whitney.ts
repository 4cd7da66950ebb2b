/** Whether values of one group tend to be larger than those of another, without supposing a distribution. */
import normal from '@stdlib/stats-base-dists-normal';
import { isConstant, requireFinite } from './descriptive.ts';
import { StatisticsError } from './errors.ts';

export interface MannWhitney {
  /** Pairs in which the first group's value is the larger, ties half: R's W. */
  readonly u: number;
  /** Two-sided. */
  readonly p: number;
  /** Whether p is exact, or from the normal approximation with continuity correction. */
  readonly exact: boolean;
}

/** As R: with as many values in a group, or with any tie, p is approximated. */
const APPROXIMATE_FROM = 50;

/**
 * Mann and Whitney's U test, the rank-sum test of Wilcoxon: R's wilcox.test.
 * @throws StatisticsError TOO_FEW where a group is empty; CONSTANT where all values are one; NOT_FINITE
 */
export function mannWhitney(first: readonly number[], second: readonly number[]): MannWhitney {
  requireFinite(first, 1, 'first group');
  requireFinite(second, 1, 'second group');
  const all = [...first, ...second];
  if (isConstant(all)) throw new StatisticsError('CONSTANT', 'the values do not vary');
  const [n1, n2] = [first.length, second.length];
  let u = 0;
  for (const a of first) for (const b of second) u += a > b ? 1 : a === b ? 0.5 : 0;

  const times = new Map<number, number>();
  for (const v of all) times.set(v, (times.get(v) ?? 0) + 1);
  const sizes = [...times.values()];
  const exact = n1 < APPROXIMATE_FROM && n2 < APPROXIMATE_FROM && sizes.every((size) => size === 1);
  if (exact) return { u, p: exactP(Math.min(u, n1 * n2 - u), n1, n2), exact };
  const n = n1 + n2;
  const ties = sizes.reduce((sum, size) => sum + size ** 3 - size, 0);
  const sigma = Math.sqrt(((n1 * n2) / 12) * (n + 1 - ties / (n * (n - 1))));
  const off = Math.max(0, Math.abs(u - (n1 * n2) / 2) - 0.5);
  return { u, p: 2 * normal.cdf(-off / sigma, 0, 1), exact };
}

/** Twice P(U <= u), by the number of ways in which n1 of the ranks have each sum. */
function exactP(u: number, n1: number, n2: number): number {
  // Shares of all ways rather than their number, which overflows: of k values of the first group among k + m, the largest
  // is of the first with probability k / (k + m) and then exceeds m others.
  let before: number[][] = Array.from({ length: n2 + 1 }, () => [1]);
  for (let k = 1; k <= n1; k++) {
    const now: number[][] = [[1]];
    for (let m = 1; m <= n2; m++) {
      const share = k / (k + m);
      now.push(
        Array.from(
          { length: k * m + 1 },
          (_, v) => share * (before[m][v - m] ?? 0) + (1 - share) * (now[m - 1][v] ?? 0),
        ),
      );
    }
    before = now;
  }
  const below = before[n2].slice(0, u + 1).reduce((sum, share) => sum + share, 0);
  return Math.min(1, 2 * below);
}
