/** The noncentral t distribution: of t statistics where there is an effect. */
import normal from '@stdlib/stats-base-dists-normal';
import { logIntegral } from './quadrature.ts';
import { rootOf } from './roots.ts';

/**
 * P(T <= t) of T = (Z + ncp) / sqrt(chi2 / df). Integrates the normal tail over the distribution of s = sqrt(chi2 / df),
 * P = E[Phi(t s - ncp)] (Johnson, Kotz & Balakrishnan 1995, ch. 31): every term is positive, so that tiny probabilities
 * keep their digits where the series of AS 243 (Lenth 1989), as in R's pt, stops at an absolute 1e-12. Relative
 * accuracy 1e-10 or better for |ncp| <= 100 and df <= 1e4; the tests compare it with 40-digit arithmetic.
 * @param df degrees of freedom, > 0, not necessarily whole
 */
export function noncentralTCdf(t: number, df: number, ncp: number): number {
  // In u = log s, the density of s is proportional to exp(df (u - s^2 / 2)).
  const density = (u: number) => df * (u - Math.expm1(2 * u) / 2);
  const tail = (u: number) => normal.logcdf(t * Math.exp(u) - ncp, 0, 1) + density(u);
  const step = 0.4 / Math.sqrt(2 * df + ncp ** 2 + 6);
  return Math.min(1, Math.exp(logIntegral(tail, step) - logIntegral(density, step)));
}

/** P(T > t). */
export function noncentralTUpperTail(t: number, df: number, ncp: number): number {
  return noncentralTCdf(-t, df, -ncp);
}

/**
 * The 95 % confidence interval of the noncentrality, given t: the noncentralities under which t is its distribution's
 * 97.5 % and 2.5 % quantile (Steiger & Fouladi 1997).
 */
export function noncentralityInterval(t: number, df: number): readonly [number, number] {
  // Wide enough for any df from 1: both tails are then far beyond 2.5 %.
  const reach = 10 * (1 + Math.abs(t));
  return [
    rootOf((ncp) => noncentralTUpperTail(t, df, ncp) - 0.025, t - reach, t + reach),
    rootOf((ncp) => noncentralTCdf(t, df, ncp) - 0.025, t - reach, t + reach),
  ];
}
