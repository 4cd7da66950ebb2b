/** Group difference of a score after treatment, adjusted for the same score before. */
import { mean } from './descriptive.ts';
import { attempt, type Result } from './errors.ts';
import { leastSquares, linearCombination, type Term } from './least-squares.ts';
import { compareNested, type ModelComparison } from './model-comparison.ts';
import { type Coefficient, coefficient } from './regression.ts';

export interface AncovaInput {
  /** Score after treatment. */
  readonly outcome: Term;
  /** The same score at baseline. */
  readonly baseline: Term;
  /** 1 for treatment, 0 for reference. */
  readonly treated: readonly number[];
  readonly covariates: readonly Term[];
}

export interface Ancova {
  /** Mean outcome of each group at the grand mean of baseline and covariates. Their t and p test against zero. */
  readonly reference: Coefficient;
  readonly treatment: Coefficient;
  /** Adjusted treatment minus reference. */
  readonly difference: Coefficient;
  /** Slope of the outcome on baseline, common to the groups. */
  readonly baseline: Coefficient;
  /** Whether the slope differs between the groups, which the adjustment supposes it does not: F of baseline x group. */
  readonly homogeneity: Result<ModelComparison>;
}

/**
 * Analysis of covariance: outcome ~ baseline + group + covariates.
 * @throws StatisticsError as `linearRegression`
 */
export function ancova({ outcome, baseline, treated, covariates }: AncovaInput): Ancova {
  const terms = [baseline, { name: 'group', values: treated }, ...covariates];
  const fit = leastSquares(outcome, terms);
  const combination = (term: string, weights: readonly number[]) => {
    const { estimate, se } = linearCombination(fit, weights);
    return coefficient(term, estimate, se, fit.df);
  };
  const [atBaseline, ...atCovariates] = [baseline, ...covariates].map(({ values }) => mean(values));
  const none = covariates.map(() => 0);
  const product = baseline.values.map((v, i) => (v - atBaseline) * treated[i]);
  return {
    reference: combination('reference', [1, atBaseline, 0, ...atCovariates]),
    treatment: combination('treatment', [1, atBaseline, 1, ...atCovariates]),
    difference: combination('treatment - reference', [0, 0, 1, ...none]),
    baseline: combination(baseline.name, [0, 1, 0, ...none]),
    homogeneity: attempt(() =>
      compareNested(fit, leastSquares(outcome, [...terms, { name: 'baseline x group', values: product }])),
    ),
  };
}
