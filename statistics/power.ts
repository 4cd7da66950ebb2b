/** What a trial of a given size can find: power, and the smallest effect found with a given power. */
import { tQuantile } from './distributions.ts';
import { StatisticsError } from './errors.ts';
import { noncentralTCdf, noncentralTUpperTail } from './noncentral-t.ts';
import { rootOf } from './roots.ts';

/**
 * Power of the two-sided Student t-test of two groups.
 * @param d true difference in standard deviations
 * @throws StatisticsError TOO_FEW where a group has less than two members
 */
export function tTestPower(n1: number, n2: number, d: number, alpha = 0.05): number {
  return powerOf(n1 + n2 - 2, d * perUnitOfD(n1, n2), alpha);
}

/** The smallest d > 0 that the two-sided t-test finds with the given power, which must exceed alpha. */
export function minimumDetectableD(n1: number, n2: number, power = 0.8, alpha = 0.05): number {
  return detectable(n1 + n2 - 2, power, alpha) / perUnitOfD(n1, n2);
}

/**
 * Power of the two-sided test of one coefficient of a regression. Its F(1, df) is the square of t, so that the noncentral
 * F with lambda = f2 n is a noncentral t with the root of lambda: one function serves both.
 * @param terms how many slopes the model has, this one among them
 * @param f2 Cohen's f2 of the term: its share of the variance over the share unexplained, sr^2 / (1 - R^2)
 * @throws StatisticsError TOO_FEW without a residual degree of freedom
 */
export function coefficientPower(n: number, terms: number, f2: number, alpha = 0.05): number {
  return powerOf(residualDf(n, terms), Math.sqrt(f2 * n), alpha);
}

/** The smallest f2 > 0 of one coefficient that its test finds with the given power, which must exceed alpha. */
export function minimumDetectableF2(n: number, terms: number, power = 0.8, alpha = 0.05): number {
  return detectable(residualDf(n, terms), power, alpha) ** 2 / n;
}

/** P(|T| > the critical t), both tails: the tiny chance of a wrong sign counts, as in R's power.t.test(strict = TRUE). */
function powerOf(df: number, ncp: number, alpha: number): number {
  requireShare(alpha, 'alpha');
  const critical = tQuantile(1 - alpha / 2, df);
  return noncentralTUpperTail(critical, df, ncp) + noncentralTCdf(-critical, df, ncp);
}

function detectable(df: number, power: number, alpha: number): number {
  requireShare(power, 'power');
  if (!(power > alpha)) throw new RangeError(`power ${power} is not above alpha ${alpha}`);
  let high = 1;
  while (powerOf(df, high, alpha) < power) high *= 2;
  return rootOf((ncp) => powerOf(df, ncp, alpha) - power, 0, high);
}

function perUnitOfD(n1: number, n2: number): number {
  if (!(n1 >= 2 && n2 >= 2))
    throw new StatisticsError('TOO_FEW', `groups of ${n1} and ${n2}: two are needed`);
  return Math.sqrt((n1 * n2) / (n1 + n2));
}

function residualDf(n: number, terms: number): number {
  const df = n - terms - 1;
  if (!(df >= 1)) throw new StatisticsError('TOO_FEW', `${n} subjects cannot test one of ${terms} slopes`);
  return df;
}

function requireShare(value: number, name: string): void {
  if (!(value > 0 && value < 1)) throw new RangeError(`${name} ${value} is not between 0 and 1`);
}
