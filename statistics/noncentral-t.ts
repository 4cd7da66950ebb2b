/** The noncentral t distribution: of t statistics where there is an effect. */
import gammainc from '@stdlib/math-base-special-gammainc';
import normal from '@stdlib/stats-base-dists-normal';
import { StatisticsError } from './errors.ts';
import { logIntegral } from './quadrature.ts';
import { rootOf } from './roots.ts';

/**
 * P(T <= t) of T = (Z + ncp) / s, s = sqrt(chi2 / df). Integrates one variable's distribution function over the other's
 * density (Johnson, Kotz & Balakrishnan 1995, ch. 31): every term is positive, so that tiny probabilities keep their
 * digits where the series of AS 243 (Lenth 1989), as in R's pt, stops at an absolute 1e-12. The tests compare it with
 * 50-digit arithmetic: relative 1e-11 or better. Below some 1e-250 the answer may be 0.
 * @param df degrees of freedom, > 0, not necessarily whole
 */
export function noncentralTCdf(t: number, df: number, ncp: number): number {
  // Here s is the wider of the two, and would take many steps of Z's size: Z is the one to integrate over.
  if (Math.abs(ncp) > 40 && ncp ** 2 > 2 * df)
    return ncp > 0 ? overNormal(t, df, ncp, true) : overNormal(-t, df, -ncp, false);
  // In u = log s, the density of s is proportional to exp(df (u - s^2 / 2)).
  const density = (u: number) => df * (u - Math.expm1(2 * u) / 2);
  const tail = (u: number) => normal.logcdf(t * Math.exp(u) - ncp, 0, 1) + density(u);
  const step = 0.4 / Math.sqrt(2 * df + ncp ** 2 + 6);
  return Math.min(1, Math.exp(logIntegral(tail, step) - logIntegral(density, step)));
}

/** P(T <= t) or, unless below, P(T > t), for an ncp so large that Z + ncp is positive but for less than 1e-300. */
function overNormal(t: number, df: number, ncp: number, below: boolean): number {
  if (t <= 0) return below ? 0 : 1;
  // T is below t where s is above (Z + ncp) / t.
  const given = (z: number) => gammainc((df / 2) * ((z + ncp) / t) ** 2, df / 2, true, below);
  const p = Math.exp(logIntegral((z) => Math.log(given(z)) - z ** 2 / 2, 0.25)) / Math.sqrt(2 * Math.PI);
  return Math.min(1, p);
}

/** P(T > t). */
export function noncentralTUpperTail(t: number, df: number, ncp: number): number {
  return noncentralTCdf(-t, df, -ncp);
}

/**
 * The 95 % confidence interval of the noncentrality, given t: the noncentralities under which t is its distribution's
 * 97.5 % and 2.5 % quantile (Steiger & Fouladi 1997).
 * @throws StatisticsError NOT_FINITE for a t of values that were too large or too small to be calculated with
 */
export function noncentralityInterval(t: number, df: number): readonly [number, number] {
  if (!Number.isFinite(t))
    throw new StatisticsError('NOT_FINITE', 'the values are too large or too small to be calculated with');
  // Wide enough for any df from 1: both tails are then far beyond 2.5 %.
  const reach = 10 * (1 + Math.abs(t));
  return [
    rootOf((ncp) => noncentralTUpperTail(t, df, ncp) - 0.025, t - reach, t + reach),
    rootOf((ncp) => noncentralTCdf(t, df, ncp) - 0.025, t - reach, t + reach),
  ];
}
