/**
 * Bayes factors BF10: how many times likelier the data are where there is an effect than where there is none. Default
 * priors of Jeffreys, Zellner & Siow: the effect is normal with variance g, g inverse-gamma of shape 1/2. The integral
 * over g is computed to a relative 1e-10, which the tests check against 30-digit arithmetic.
 */
import { StatisticsError } from './errors.ts';
import { logIntegral } from './quadrature.ts';

/**
 * Two-sample t-test (Rouder et al. 2009): Cauchy prior on the standardized difference. BayesFactor's ttestBF.
 * @param t Student's t
 * @param scale of the Cauchy prior; sqrt(1/2) = .707, `medium`, by default
 * @throws StatisticsError TOO_FEW without a degree of freedom; NOT_FINITE where the factor overflows
 */
export function tTestBayesFactor(t: number, n1: number, n2: number, scale = Math.SQRT1_2): number {
  const df = n1 + n2 - 2;
  if (!(n1 >= 1 && n2 >= 1 && df >= 1)) throw new StatisticsError('TOO_FEW', 'too few values for a t-test');
  const n = (n1 * n2) / (n1 + n2);
  const logLikelihood = (g: number) =>
    -Math.log1p(n * g) / 2 - ((df + 1) / 2) * Math.log1p(t ** 2 / df / (1 + n * g));
  const underNull = -((df + 1) / 2) * Math.log1p(t ** 2 / df);
  return averaged((g) => logLikelihood(g) - underNull, scale ** 2 / 2, df);
}

/**
 * A whole regression against the mean alone (Liang et al. 2008; Rouder & Morey 2012): multivariate Cauchy prior on the
 * standardized slopes. With one term, the factor of a correlation. BayesFactor's linearReg.R2stat.
 * @param terms number of slopes, at least 1
 * @param scale of the prior; sqrt(2) / 4 = .354, `medium`, by default
 * @throws StatisticsError TOO_FEW without a residual degree of freedom; PERFECT_FIT; NOT_FINITE
 */
export function regressionBayesFactor(n: number, terms: number, r2: number, scale = Math.SQRT2 / 4): number {
  if (n - terms - 1 < 1)
    throw new StatisticsError('TOO_FEW', `${n} subjects cannot estimate ${terms} slopes`);
  if (!(r2 < 1)) throw new StatisticsError('PERFECT_FIT', 'the model fits without error');
  const logLikelihood = (g: number) =>
    ((n - 1 - terms) * Math.log1p(g) - (n - 1) * Math.log1p(g * (1 - r2))) / 2;
  return averaged(logLikelihood, (n * scale ** 2) / 2, n - 1);
}

/**
 * One slope of a regression, given the others: the factor of the model with it over that of the model without.
 * @param terms number of slopes with it
 * @param r2Without R^2 of the model without it; 0 where it is the only term
 */
export function slopeBayesFactor(
  n: number,
  terms: number,
  r2: number,
  r2Without: number,
  scale?: number,
): number {
  const without = terms === 1 ? 1 : regressionBayesFactor(n, terms - 1, r2Without, scale);
  return regressionBayesFactor(n, terms, r2, scale) / without;
}

/** Likelihood ratio averaged over g, inverse-gamma of shape 1/2 and the given rate; integrated over log g. */
function averaged(logRatio: (g: number) => number, rate: number, df: number): number {
  // The likelihood narrows with the root of the degrees of freedom.
  const step = Math.min(0.1, 0.5 / Math.sqrt(df));
  const logIntegrand = (u: number) => logRatio(Math.exp(u)) - u / 2 - rate * Math.exp(-u);
  const factor = Math.exp(logIntegral(logIntegrand, step) + Math.log(rate / Math.PI) / 2);
  if (!Number.isFinite(factor))
    throw new StatisticsError('NOT_FINITE', 'the Bayes factor is too large for a number');
  return factor;
}
