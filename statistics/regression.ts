/** Multiple linear regression by least squares. */
import { Matrix, QrDecomposition, solve } from 'ml-matrix';
import { isConstant, mean, requireFinite, sumOfSquares } from './descriptive.ts';
import { fUpperTail, t975, tTwoSided } from './distributions.ts';
import { StatisticsError } from './errors.ts';

/** A named column of a model. */
export interface Term {
  readonly name: string;
  readonly values: readonly number[];
}

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

/** As R's lm: a column whose part outside the others is smaller than this share of it adds nothing. */
export const RANK_TOLERANCE = 1e-7;

/**
 * Fits outcome ~ 1 + terms by QR of the centred columns, scaled to unit length: diffusivities of 1e-5 and scores of 20
 * then weigh alike in the arithmetic.
 * @throws StatisticsError TOO_FEW without a residual degree of freedom; CONSTANT or RANK_DEFICIENT naming the column;
 *   PERFECT_FIT where nothing is left to estimate an error from.
 */
export function linearRegression(outcome: Term, terms: readonly Term[]): Regression {
  const n = outcome.values.length;
  const k = terms.length;
  const df = n - k - 1;
  if (df < 1)
    throw new StatisticsError('TOO_FEW', `${n} subjects cannot estimate ${k + 1} coefficients and an error`);
  for (const { name, values } of [outcome, ...terms]) {
    if (values.length !== n) throw new RangeError(`linearRegression: ${name} has another length`);
    requireFinite(values, 2, name);
    if (isConstant(values)) throw new StatisticsError('CONSTANT', `${name} does not vary`);
  }

  const means = terms.map(({ values }) => mean(values));
  const norms = terms.map(({ values }) => Math.sqrt(sumOfSquares(values)));
  const x = new Matrix(n, k);
  for (let j = 0; j < k; j++)
    for (let i = 0; i < n; i++) x.set(i, j, (terms[j].values[i] - means[j]) / norms[j]);
  const outcomeMean = mean(outcome.values);
  const y = Matrix.columnVector(outcome.values.map((v) => v - outcomeMean));

  const qr = new QrDecomposition(x);
  const upper = qr.upperTriangularMatrix;
  for (let j = 0; j < k; j++)
    if (!(Math.abs(upper.get(j, j)) > RANK_TOLERANCE))
      throw new StatisticsError('RANK_DEFICIENT', `${terms[j].name} is a combination of the other terms`);
  const inverse = solve(upper, Matrix.eye(k));
  const scaled = inverse.mmul(qr.orthogonalMatrix.transpose().mmul(y));
  const residuals = y.clone().sub(x.mmul(scaled)).to1DArray();
  const rss = residuals.reduce((sum, e) => sum + e * e, 0);
  const tss = sumOfSquares(outcome.values);
  if (rss < 1e-20 * tss)
    throw new StatisticsError('PERFECT_FIT', 'the model fits without error: no test is possible');
  const variance = rss / df;

  const coefficient = (term: string, b: number, se: number): Coefficient => {
    const t = b / se;
    const half = t975(df) * se;
    return { term, b, se, ci95: [b - half, b + half], t, p: tTwoSided(t, df) };
  };
  const slopes = terms.map(({ name }, j): Slope => {
    const unscaledVariance = inverse.getRow(j).reduce((sum, v) => sum + v * v, 0);
    const slope = coefficient(
      name,
      scaled.get(j, 0) / norms[j],
      Math.sqrt(variance * unscaledVariance) / norms[j],
    );
    const partialR = slope.t / Math.hypot(slope.t, Math.sqrt(df));
    return { ...slope, beta: scaled.get(j, 0) / Math.sqrt(tss), partialR };
  });
  // The intercept's variance: that of the mean, plus that of the slopes carried from the means back to zero.
  const carried = Matrix.rowVector(means.map((m, j) => m / norms[j])).mmul(inverse);
  const carriedVariance = carried.to1DArray().reduce((sum, v) => sum + v * v, 0);
  const intercept = coefficient(
    '(intercept)',
    outcomeMean - slopes.reduce((sum, { b }, j) => sum + b * means[j], 0),
    Math.sqrt(variance * (1 / n + carriedVariance)),
  );
  const r2 = 1 - rss / tss;
  const f = (tss - rss) / k / variance;
  return {
    n,
    r2,
    adjustedR2: 1 - variance / (tss / (n - 1)),
    residualSd: Math.sqrt(variance),
    f,
    df1: k,
    df2: df,
    p: fUpperTail(f, k, df),
    intercept,
    slopes,
  };
}
