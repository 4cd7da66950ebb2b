/** Standard errors of regression coefficients where errors differ in size or come in clusters: sandwich estimators. */
import { StatisticsError } from './errors.ts';
import { type LeastSquares, residualVariance } from './least-squares.ts';
import { type Coefficient, coefficient } from './regression.ts';

/**
 * How a squared residual is raised for what the fit took out of it; h is the leverage, p the number of coefficients.
 * HC0: not (White 1980). HC1: n / (n - p). HC2: 1 / (1 - h). HC3: 1 / (1 - h)^2 (MacKinnon & White 1985), the one to use
 * below some 250 subjects (Long & Ervin 2000). HC4: 1 / (1 - h)^min(4, n h / p) (Cribari-Neto 2004).
 */
export type HeteroscedasticKind = 'HC0' | 'HC1' | 'HC2' | 'HC3' | 'HC4';

/** Covariance of the coefficients, intercept first, and their t-tests by it. */
export interface RobustErrors {
  readonly covariance: readonly (readonly number[])[];
  /** Degrees of freedom of each t. */
  readonly df: number;
  readonly coefficients: readonly Coefficient[];
}

/**
 * Heteroscedasticity-consistent errors; t on the residual degrees of freedom.
 * @throws StatisticsError PERFECT_FIT; for HC2 to HC4 also where a subject's leverage is 1: the fit passes through it,
 *   whatever its outcome.
 */
export function heteroscedasticErrors(fit: LeastSquares, kind: HeteroscedasticKind = 'HC3'): RobustErrors {
  residualVariance(fit);
  const n = fit.residuals.length;
  const p = fit.coefficients.length;
  const raise = (h: number): number => {
    if (kind === 'HC0') return 1;
    if (kind === 'HC1') return n / (n - p);
    if (1 - h < 1e-10)
      throw new StatisticsError('PERFECT_FIT', `${kind} has no error: a subject has a coefficient to itself`);
    return (1 - h) ** -(kind === 'HC2' ? 1 : kind === 'HC3' ? 2 : Math.min(4, (n * h) / p));
  };
  const scores = fit.pseudoinverse.map((row) =>
    row.map((v, i) => v * fit.residuals[i] * Math.sqrt(raise(fit.leverages[i]))),
  );
  return byScores(fit, scores, fit.df);
}

/**
 * Cluster-robust errors with Stata's small-sample factor G / (G - 1) x (n - 1) / (n - p) (CR1; Cameron & Miller 2015), as
 * sandwich's vcovCL gives; t on G - 1 degrees of freedom, G the number of clusters.
 * @param cluster label per subject: the site, say
 * @throws StatisticsError TOO_FEW with one cluster only; PERFECT_FIT
 */
export function clusterErrors(fit: LeastSquares, cluster: readonly (string | number)[]): RobustErrors {
  residualVariance(fit);
  const n = fit.residuals.length;
  if (cluster.length !== n) throw new RangeError('clusterErrors: labels of another length');
  const labels = [...new Set(cluster)];
  const clusters = labels.length;
  if (clusters < 2) throw new StatisticsError('TOO_FEW', 'one cluster has no differences between clusters');
  const factor = Math.sqrt(((clusters / (clusters - 1)) * (n - 1)) / fit.df);
  const scores = fit.pseudoinverse.map((row) => {
    const sums = new Map(labels.map((label) => [label, 0]));
    row.forEach((v, i) => {
      sums.set(cluster[i], sums.get(cluster[i])! + factor * v * fit.residuals[i]);
    });
    return [...sums.values()];
  });
  return byScores(fit, scores, clusters - 1);
}

/** Sums of products of what subjects, or clusters, move each coefficient by. */
function byScores(fit: LeastSquares, scores: readonly (readonly number[])[], df: number): RobustErrors {
  const covariance = scores.map((a) => scores.map((b) => a.reduce((sum, v, i) => sum + v * b[i], 0)));
  const names = ['(intercept)', ...fit.terms.map(({ name }) => name)];
  return {
    covariance,
    df,
    coefficients: names.map((name, j) => {
      if (!(covariance[j][j] > 0))
        throw new StatisticsError('PERFECT_FIT', `${name} has no error by which to test it`);
      return coefficient(name, fit.coefficients[j], Math.sqrt(covariance[j][j]), df);
    }),
  };
}
