/** What terms add to a regression. */
import { fUpperTail } from './distributions.ts';
import { type LeastSquares, residualVariance } from './least-squares.ts';
import type { Regression, Slope } from './regression.ts';

export interface ModelComparison {
  /** R^2 of the larger model minus that of the smaller. */
  readonly r2Change: number;
  readonly fChange: number;
  /** Number of terms added. */
  readonly df1: number;
  /** Residual degrees of freedom of the larger model. */
  readonly df2: number;
  readonly p: number;
}

/**
 * F-test of the terms that a larger model adds to a smaller one of the same subjects, as R's anova(smaller, larger).
 * @throws StatisticsError PERFECT_FIT of the larger model
 * @throws RangeError where the outcomes differ or the larger model lacks a term of the smaller
 */
export function compareNested(smaller: LeastSquares, larger: LeastSquares): ModelComparison {
  const variance = residualVariance(larger);
  const names = new Set(larger.terms.map(({ name }) => name));
  const df1 = smaller.df - larger.df;
  if (
    df1 < 1 ||
    !smaller.terms.every(({ name }) => names.has(name)) ||
    smaller.outcome.values.length !== larger.outcome.values.length ||
    smaller.outcome.values.some((v, i) => v !== larger.outcome.values[i])
  )
    throw new RangeError('compareNested: the models are not nested');
  // What the added terms explain cannot be negative; rounding can.
  const explained = Math.max(0, smaller.rss - larger.rss);
  const fChange = explained / df1 / variance;
  return {
    r2Change: explained / larger.tss,
    fChange,
    df1,
    df2: larger.df,
    p: fUpperTail(fChange, df1, larger.df),
  };
}

/** What one term adds to the others, from its slope: its F is the square of its t. */
export function addedLast({ r2, df2 }: Regression, { t, p }: Slope): ModelComparison {
  return { r2Change: (t * t * (1 - r2)) / df2, fChange: t * t, df1: 1, df2, p };
}

/**
 * Semi-partial correlation of the outcome with what each term has beyond the others; its square is the R^2 that the term
 * adds when entered last. In the order of the slopes.
 */
export function semiPartialR(regression: Regression): number[] {
  return regression.slopes.map(
    (slope) => Math.sign(slope.t) * Math.sqrt(addedLast(regression, slope).r2Change),
  );
}
