/** Pearson's product-moment correlation. */
import { isConstant, mean, requireFinite, sumOfSquares } from './descriptive.ts';
import { tTwoSided, Z_975 } from './distributions.ts';
import { StatisticsError } from './errors.ts';

export interface Correlation {
  readonly n: number;
  readonly r: number;
  /** 95 % confidence interval by Fisher's z; null for n = 3, where z has no standard error. */
  readonly ci95: readonly [number, number] | null;
  readonly t: number;
  readonly df: number;
  /** Two-sided. */
  readonly p: number;
}

/**
 * Correlates two columns of equal length.
 * @throws StatisticsError TOO_FEW under three pairs, CONSTANT, PERFECT_FIT where all points lie on a line.
 */
export function pearson(x: readonly number[], y: readonly number[]): Correlation {
  requireFinite(x, 3, 'correlation');
  requireFinite(y, 3, 'correlation');
  if (x.length !== y.length) throw new RangeError('pearson: columns of unequal length');
  if (isConstant(x) || isConstant(y)) throw new StatisticsError('CONSTANT', 'a variable does not vary');
  const n = x.length;
  const [mx, my] = [mean(x), mean(y)];
  const [sx, sy] = [Math.sqrt(sumOfSquares(x)), Math.sqrt(sumOfSquares(y))];
  let r = 0;
  for (let i = 0; i < n; i++) r += ((x[i] - mx) / sx) * ((y[i] - my) / sy);
  const unexplained = (1 - r) * (1 + r);
  if (unexplained < 1e-14) throw new StatisticsError('PERFECT_FIT', 'all points lie on one line');
  const df = n - 2;
  const t = r * Math.sqrt(df / unexplained);
  return { n, r, ci95: n > 3 ? fisherInterval(r, n) : null, t, df, p: tTwoSided(t, df) };
}

function fisherInterval(r: number, n: number): [number, number] {
  const half = Z_975 / Math.sqrt(n - 3);
  return [Math.tanh(Math.atanh(r) - half), Math.tanh(Math.atanh(r) + half)];
}
