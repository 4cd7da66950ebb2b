/** How far two independent groups are apart, in standard deviations. */
import gammaDeltaRatio from '@stdlib/math-base-special-gamma-delta-ratio';
import { noncentralityInterval } from './noncentral-t.ts';
import { tTest } from './t-test.ts';

/** A standardized difference with its 95 % confidence interval. */
export interface StandardizedDifference {
  readonly value: number;
  readonly ci95: readonly [number, number];
}

export interface EffectSize {
  /** Difference over the pooled standard deviation (Cohen 1988). */
  readonly cohensD: StandardizedDifference;
  /** Cohen's d without its bias in small samples (Hedges 1981, with the gamma function rather than 1 - 3 / (4 df - 1)). */
  readonly hedgesG: StandardizedDifference;
}

/**
 * Cohen's d and Hedges' g of first - second. Exact intervals under normality: t is noncentral t with noncentrality
 * delta sqrt(n1 n2 / (n1 + n2)), whose interval is carried over to d, and times the correction to g.
 * @throws StatisticsError as {@link tTest}
 */
export function effectSize(first: readonly number[], second: readonly number[]): EffectSize {
  const { cohensD, student } = tTest(first, second);
  const perUnit = Math.sqrt((first.length * second.length) / (first.length + second.length));
  const [low, high] = noncentralityInterval(student.t, student.df);
  const correction = hedgesCorrection(student.df);
  const ci95 = [low / perUnit, high / perUnit] as const;
  return {
    cohensD: { value: cohensD, ci95 },
    hedgesG: { value: correction * cohensD, ci95: [correction * ci95[0], correction * ci95[1]] },
  };
}

/** J(df) = Gamma(df / 2) / (sqrt(df / 2) Gamma((df - 1) / 2)), df >= 2: expected value of delta over that of d. */
export function hedgesCorrection(df: number): number {
  return 1 / (Math.sqrt(df / 2) * gammaDeltaRatio((df - 1) / 2, 0.5));
}
