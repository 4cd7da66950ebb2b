/** Multiple linear regression by least squares. */
import { sumOfSquares } from './descriptive.ts';
import { fUpperTail, t975, tTwoSided } from './distributions.ts';
import { type LeastSquares, leastSquares, residualVariance, type Term } from './least-squares.ts';

export type { Term } from './least-squares.ts';

export interface Coefficient {
  readonly term: string;
  /** Unstandardized slope, in units of the outcome per unit of the term. */
  readonly b: number;
  readonly se: number;
  readonly ci95: readonly [number, number];
  readonly t: number;
  /** Two-sided. */
  readonly p: number;
}

export interface Slope extends Coefficient {
  /** Standardized slope as SPSS prints it: b x sd(term) / sd(outcome). */
  readonly beta: number;
  /** Partial correlation of term and outcome given the other terms. */
  readonly partialR: number;
}

export interface Regression {
  readonly n: number;
  readonly r2: number;
  readonly adjustedR2: number;
  /** Standard deviation of the residuals, on df2 degrees of freedom. */
  readonly residualSd: number;
  readonly f: number;
  readonly df1: number;
  /** Residual degrees of freedom, those of each t. */
  readonly df2: number;
  /** Of the model. */
  readonly p: number;
  readonly intercept: Coefficient;
  /** In the order of the terms. */
  readonly slopes: readonly Slope[];
}

/**
 * Fits outcome ~ 1 + terms: see {@link leastSquares}.
 * @throws StatisticsError as {@link leastSquares}; PERFECT_FIT where nothing is left to estimate an error from.
 */
export function linearRegression(outcome: Term, terms: readonly Term[]): Regression {
  return regressionOf(leastSquares(outcome, terms));
}

/**
 * The tests of a fit.
 * @throws StatisticsError PERFECT_FIT
 */
export function regressionOf(fit: LeastSquares): Regression {
  const { terms, df, rss, tss } = fit;
  const n = fit.residuals.length;
  const k = terms.length;
  const variance = residualVariance(fit);
  const standardErrors = fit.pseudoinverse.map((row) =>
    Math.sqrt(variance * row.reduce((sum, v) => sum + v * v, 0)),
  );
  const slopes = terms.map(({ name, values }, j): Slope => {
    const slope = coefficient(name, fit.coefficients[j + 1], standardErrors[j + 1], df);
    return {
      ...slope,
      beta: slope.b * Math.sqrt(sumOfSquares(values) / tss),
      partialR: slope.t / Math.hypot(slope.t, Math.sqrt(df)),
    };
  });
  const f = (tss - rss) / k / variance;
  return {
    n,
    r2: 1 - rss / tss,
    adjustedR2: 1 - variance / (tss / (n - 1)),
    residualSd: Math.sqrt(variance),
    f,
    df1: k,
    df2: df,
    p: fUpperTail(f, k, df),
    intercept: coefficient('(intercept)', fit.coefficients[0], standardErrors[0], df),
    slopes,
  };
}

/** The t-test of an estimate on df degrees of freedom. */
export function coefficient(term: string, b: number, se: number, df: number): Coefficient {
  const t = b / se;
  const half = t975(df) * se;
  return { term, b, se, ci95: [b - half, b + half], t, p: tTwoSided(t, df) };
}
