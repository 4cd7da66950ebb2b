/** Two-sided t-test of two independent groups. */
import { isConstant, mean, requireFinite, sd, variance } from './descriptive.ts';
import { t975, tTwoSided } from './distributions.ts';
import { StatisticsError } from './errors.ts';

/** One reading of the test: Student's (pooled variance) or Welch's. */
export interface TStatistic {
  readonly t: number;
  readonly df: number;
  /** Two-sided. */
  readonly p: number;
  /** Standard error of the difference. */
  readonly se: number;
  /** 95 % confidence interval of the difference. */
  readonly ci95: readonly [number, number];
}

export interface GroupSummary {
  readonly n: number;
  readonly mean: number;
  readonly sd: number;
}

export interface TTest {
  readonly first: GroupSummary;
  readonly second: GroupSummary;
  /** Mean of the first group minus mean of the second. */
  readonly difference: number;
  readonly student: TStatistic;
  readonly welch: TStatistic;
  /** Difference over the pooled standard deviation (Cohen 1988). */
  readonly cohensD: number;
}

/**
 * Tests whether two groups have equal means. Signs follow `first - second`.
 * @throws StatisticsError TOO_FEW under two values a group, CONSTANT where neither group varies.
 */
export function tTest(first: readonly number[], second: readonly number[]): TTest {
  requireFinite(first, 2, 'first group');
  requireFinite(second, 2, 'second group');
  if (isConstant(first) && isConstant(second))
    throw new StatisticsError('CONSTANT', 'the values do not vary within either group');
  const [n1, n2] = [first.length, second.length];
  const [v1, v2] = [variance(first), variance(second)];
  const difference = mean(first) - mean(second);
  const pooled = ((n1 - 1) * v1 + (n2 - 1) * v2) / (n1 + n2 - 2);
  const [w1, w2] = [v1 / n1, v2 / n2];
  // Shares of the variance rather than the variance itself: its square may underflow for diffusivities.
  const [s1, s2] = [w1 / (w1 + w2), w2 / (w1 + w2)];
  const welchDf = 1 / (s1 ** 2 / (n1 - 1) + s2 ** 2 / (n2 - 1));
  return {
    first: { n: n1, mean: mean(first), sd: sd(first) },
    second: { n: n2, mean: mean(second), sd: sd(second) },
    difference,
    student: statistic(difference, Math.sqrt(pooled * (1 / n1 + 1 / n2)), n1 + n2 - 2),
    welch: statistic(difference, Math.sqrt(w1 + w2), welchDf),
    cohensD: difference / Math.sqrt(pooled),
  };
}

function statistic(difference: number, se: number, df: number): TStatistic {
  const t = difference / se;
  const half = t975(df) * se;
  return { t, df, p: tTwoSided(t, df), se, ci95: [difference - half, difference + half] };
}
