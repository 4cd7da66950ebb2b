/** Tail probabilities and quantiles of the normal, t and F distributions. */
import gammainc from '@stdlib/math-base-special-gammainc';
import fDistribution from '@stdlib/stats-base-dists-f';
import normalDistribution from '@stdlib/stats-base-dists-normal';
import tDistribution from '@stdlib/stats-base-dists-t';

/** 97.5 % quantile of the standard normal distribution. */
export const Z_975 = 1.959963984540054;

/** P(Z < z) of the standard normal distribution. */
export function normalCdf(z: number): number {
  return normalDistribution.cdf(z, 0, 1);
}

/** Quantile of the standard normal distribution; infinite at 0 and 1. */
export function normalQuantile(p: number): number {
  return normalDistribution.quantile(p, 0, 1);
}

/** Two-sided p of a t statistic. */
export function tTwoSided(t: number, df: number): number {
  return Math.min(1, 2 * tDistribution.cdf(-Math.abs(t), df));
}

/** 97.5 % quantile of Student's t: half the width of a 95 % confidence interval in standard errors. */
export function t975(df: number): number {
  return tDistribution.quantile(0.975, df);
}

/** P(F > f), by the reciprocal's lower tail, so that small p keep all their digits. */
export function fUpperTail(f: number, df1: number, df2: number): number {
  return f > 0 ? fDistribution.cdf(1 / f, df2, df1) : 1;
}

/** P(T > t) of Student's t. */
export function tUpperTail(t: number, df: number): number {
  return tDistribution.cdf(-t, df);
}

/** Quantile of Student's t. */
export function tQuantile(p: number, df: number): number {
  return tDistribution.quantile(p, df);
}

/** P(X > x) of chi-square, by the upper incomplete gamma function, so that small p keep all their digits. */
export function chiSquareUpperTail(x: number, df: number): number {
  return x > 0 ? gammainc(x / 2, df / 2, true, true) : 1;
}
