/** Least squares: what a linear model with an intercept leaves of its outcome, and what each subject contributes. */
import { Matrix, QrDecomposition, solve } from 'ml-matrix';
import { isConstant, mean, requireFinite, sumOfSquares } from './descriptive.ts';
import { dotProduct } from './dot-product.ts';
import { StatisticsError } from './errors.ts';

/** A named column of a model. */
export interface Term {
  readonly name: string;
  readonly values: readonly number[];
}

/** The fit of outcome ~ 1 + terms to n subjects. Coefficients count the intercept first, then the terms in order. */
export interface LeastSquares {
  readonly outcome: Term;
  readonly terms: readonly Term[];
  /** Residual degrees of freedom: n minus the number of coefficients. */
  readonly df: number;
  readonly coefficients: readonly number[];
  /** Outcome minus fitted value, per subject. */
  readonly residuals: readonly number[];
  /** Diagonal of the hat matrix, per subject; they sum to the number of coefficients. */
  readonly leverages: readonly number[];
  /**
   * (X'X)^-1 X': a row per coefficient, a column per subject; coefficients = pseudoinverse x outcome and
   * (X'X)^-1 = pseudoinverse x pseudoinverse'. Every covariance of the coefficients is made of its rows, without the
   * cancellation that X'X suffers where diffusivities of 1e-5 stand beside scores of 20.
   */
  readonly pseudoinverse: readonly (readonly number[])[];
  /** Residual sum of squares. */
  readonly rss: number;
  /** Sum of squares of the outcome about its mean. */
  readonly tss: number;
}

/** As R's lm: a column whose part outside the others is smaller than this share of it adds nothing. */
export const RANK_TOLERANCE = 1e-7;

/** @throws StatisticsError NOT_FINITE, TOO_FEW or CONSTANT naming the column */
function checkColumn({ name, values }: Term, n: number): void {
  if (values.length !== n) throw new RangeError(`${name} has ${values.length} values, not ${n}`);
  requireFinite(values, 2, name);
  if (isConstant(values)) throw new StatisticsError('CONSTANT', `${name} does not vary`);
}

/** QR of columns that were centred and scaled to unit length. */
export interface CentredQr {
  readonly means: readonly number[];
  /** Lengths of the centred columns. */
  readonly norms: readonly number[];
  /** Orthonormal basis, a column per term. */
  readonly orthogonal: Matrix;
  /** Upper triangular, a row and a column per term. */
  readonly upper: Matrix;
}

/**
 * @param n subjects  @throws StatisticsError CONSTANT or RANK_DEFICIENT naming the column; NOT_FINITE
 */
export function centredQr(terms: readonly Term[], n: number): CentredQr {
  for (const term of terms) checkColumn(term, n);
  const means = terms.map(({ values }) => mean(values));
  const norms = terms.map(({ values }) => Math.sqrt(sumOfSquares(values)));
  const x = new Matrix(n, terms.length);
  for (let j = 0; j < terms.length; j++)
    for (let i = 0; i < n; i++) x.set(i, j, (terms[j].values[i] - means[j]) / norms[j]);
  const qr = new QrDecomposition(x);
  const upper = qr.upperTriangularMatrix;
  for (let j = 0; j < terms.length; j++)
    if (!(Math.abs(upper.get(j, j)) > RANK_TOLERANCE))
      throw new StatisticsError('RANK_DEFICIENT', `${terms[j].name} is a combination of the other terms`);
  return { means, norms, orthogonal: qr.orthogonalMatrix, upper };
}

/**
 * A refinement multiplies the error by about 1e-16 times the condition number, which RANK_TOLERANCE keeps under some
 * 1e8: after two the coefficients are as exact as the data are.
 */
const REFINEMENTS = 2;

/**
 * Fits outcome ~ 1 + terms by QR of the centred columns, scaled to unit length: diffusivities of 1e-5 and scores of 20
 * then weigh alike in the arithmetic. The rounding of QR and of the centring itself is taken out by iterative refinement
 * of residuals and coefficients together, against the columns as given (Bjorck 1967, BIT 7:257-278).
 * @throws StatisticsError TOO_FEW without a residual degree of freedom; CONSTANT or RANK_DEFICIENT naming the column;
 *   NOT_FINITE where squares of the values over- or underflow.
 */
export function leastSquares(outcome: Term, terms: readonly Term[]): LeastSquares {
  const n = outcome.values.length;
  const k = terms.length;
  const df = n - k - 1;
  if (df < 1)
    throw new StatisticsError('TOO_FEW', `${n} subjects cannot estimate ${k + 1} coefficients and an error`);
  checkColumn(outcome, n);
  const { means, norms, orthogonal: q, upper } = centredQr(terms, n);
  const inverse = solve(upper, Matrix.eye(k));

  const slopes = inverse.mmul(q.transpose());
  for (let j = 0; j < k; j++) slopes.mulRow(j, 1 / norms[j]);
  const intercept = Matrix.rowVector(means)
    .mmul(slopes)
    .to1DArray()
    .map((carried) => 1 / n - carried);

  let residuals: number[] = new Array(n).fill(0);
  let coefficients: number[] = new Array(k + 1).fill(0);
  // The first turn, from zero, is the fit itself. In each: residuals + X coefficients = outcome lacks `open`, and
  // X' residuals = 0 lacks `inner`; the corrections solve these two equations for what is lacking.
  for (let turn = 0; turn <= REFINEMENTS; turn++) {
    const open = outcome.values.map((y, i) =>
      dotProduct([1, 1, ...coefficients], [y, -residuals[i], -1, ...terms.map(({ values }) => -values[i])]),
    );
    const sum = dotProduct(new Array(n).fill(-1), residuals);
    const inner = terms.map(({ values }, j) => (-dotProduct(values, residuals) - means[j] * sum) / norms[j]);
    const ofInner = inverse.transpose().mmul(Matrix.columnVector(inner));
    const ofOpen = q.transpose().mmul(Matrix.columnVector(open));
    const openMean = mean(open);
    const scaled = inverse.mmul(Matrix.sub(ofOpen, ofInner)).to1DArray();
    const bySlope = scaled.map((v, j) => v / norms[j]);
    const across = q.mmul(Matrix.sub(ofInner, ofOpen)).to1DArray();
    residuals = residuals.map((r, i) => r + (open[i] - openMean + sum / n + across[i]));
    const byIntercept = openMean - sum / n - bySlope.reduce((total, b, j) => total + b * means[j], 0);
    coefficients = coefficients.map((b, j) => b + (j === 0 ? byIntercept : bySlope[j - 1]));
  }

  const rss = residuals.reduce((total, e) => total + e * e, 0);
  const tss = sumOfSquares(outcome.values);
  if (!(tss > 0 && Number.isFinite(rss + tss)))
    throw new StatisticsError('NOT_FINITE', 'the values are too large or too small to be calculated with');
  return {
    outcome,
    terms,
    df,
    coefficients,
    residuals,
    leverages: residuals.map((_, i) => 1 / n + q.getRow(i).reduce((total, v) => total + v * v, 0)),
    pseudoinverse: [intercept, ...slopes.to2DArray()],
    rss,
    tss,
  };
}

/**
 * Residual variance of a fit, on df degrees of freedom.
 * @throws StatisticsError PERFECT_FIT where nothing is left to estimate an error from.
 */
export function residualVariance({ rss, tss, df }: LeastSquares): number {
  if (rss < 1e-20 * tss)
    throw new StatisticsError('PERFECT_FIT', 'the model fits without error: no test is possible');
  return rss / df;
}

/** A weighted sum of a fit's coefficients, as a slope within a group or an adjusted mean is. */
export interface LinearCombination {
  readonly estimate: number;
  readonly se: number;
}

/**
 * Estimate and standard error of weights . coefficients.
 * @param weights one per coefficient, the intercept's first
 * @throws StatisticsError PERFECT_FIT
 */
export function linearCombination(fit: LeastSquares, weights: readonly number[]): LinearCombination {
  const perSubject = fit.residuals.map((_, i) =>
    weights.reduce((sum, w, j) => sum + w * fit.pseudoinverse[j][i], 0),
  );
  const unscaled = perSubject.reduce((sum, v) => sum + v * v, 0);
  return {
    estimate: weights.reduce((sum, w, j) => sum + w * fit.coefficients[j], 0),
    se: Math.sqrt(residualVariance(fit) * unscaled),
  };
}
