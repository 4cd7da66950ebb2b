/** Whether data and model are such as the tests suppose: collinearity, equal spread, constant error variance. */
import { mean, quantile, requireFinite, sumOfSquares } from './descriptive.ts';
import { chiSquareUpperTail, fUpperTail } from './distributions.ts';
import { StatisticsError } from './errors.ts';
import { type LeastSquares, leastSquares, residualVariance } from './least-squares.ts';

/** Variance inflation of a slope by the other terms: 1 / (1 - R^2) of its term on them. 1 at best; above 10 is much. */
export interface VarianceInflation {
  readonly term: string;
  readonly vif: number;
}

/** Per term, in order. */
export function varianceInflation({ terms, pseudoinverse }: LeastSquares): VarianceInflation[] {
  return terms.map(({ name, values }, j) => ({
    term: name,
    vif: sumOfSquares(values) * pseudoinverse[j + 1].reduce((sum, v) => sum + v * v, 0),
  }));
}

export interface FTest {
  readonly f: number;
  readonly df1: number;
  readonly df2: number;
  readonly p: number;
}

/**
 * Levene's test that groups have one variance, on distances from the median (Brown & Forsythe 1974): car's leveneTest.
 * @throws StatisticsError TOO_FEW where a group has less than two values; CONSTANT where the distances do not vary within
 *   any group; NOT_FINITE
 */
export function levene(groups: readonly (readonly number[])[]): FTest {
  for (const group of groups) requireFinite(group, 2, 'Levene');
  if (groups.length < 2) throw new StatisticsError('TOO_FEW', 'two groups are needed');
  const distances = groups.map((group) => {
    const median = quantile(group, 0.5);
    return group.map((v) => Math.abs(v - median));
  });
  const all = distances.flat();
  const within = distances.reduce((sum, group) => sum + sumOfSquares(group), 0);
  // Equal distances, as in groups of two, differ by rounding only.
  const size = Math.max(...groups.flat().map(Math.abs));
  if (within <= all.length * (10 * Number.EPSILON * size) ** 2)
    throw new StatisticsError('CONSTANT', 'distances from the median do not vary within the groups');
  const grand = mean(all);
  const between = distances.reduce((sum, group) => sum + group.length * (mean(group) - grand) ** 2, 0);
  const df1 = groups.length - 1;
  const df2 = all.length - groups.length;
  const f = between / df1 / (within / df2);
  return { f, df1, df2, p: fUpperTail(f, df1, df2) };
}

export interface BreuschPagan {
  /** n R^2 of the squared residuals on the model's terms: chi-square of df under constant variance. */
  readonly statistic: number;
  readonly df: number;
  readonly p: number;
}

/**
 * Breusch and Pagan's test of constant error variance in Koenker's studentized form (Koenker 1981), which does not suppose
 * normal errors: lmtest's bptest.
 * @throws StatisticsError PERFECT_FIT; CONSTANT where all residuals have one size
 */
export function breuschPagan(fit: LeastSquares): BreuschPagan {
  const variance = residualVariance(fit);
  const squares = { name: 'squared residual', values: fit.residuals.map((e) => e ** 2 / variance) };
  const { rss, tss } = leastSquares(squares, fit.terms);
  const df = fit.terms.length;
  const statistic = fit.residuals.length * (1 - rss / tss);
  return { statistic, df, p: chiSquareUpperTail(statistic, df) };
}
