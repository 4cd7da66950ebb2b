/**
 * The likelihood of a linear model with a random intercept per subject, as a function of the ratio theta of the variance
 * between subjects to that within (Lindstrom & Bates 1988, J Am Stat Assoc 83:1014; Searle, Casella & McCulloch 1992,
 * Variance Components, chapter 6): all else has a closed form.
 */
import { Matrix, QrDecomposition, solve } from 'ml-matrix';
import { isConstant, requireFinite, sd } from './descriptive.ts';
import { dot } from './design.ts';
import { StatisticsError } from './errors.ts';
import { RANK_TOLERANCE } from './least-squares.ts';
import type { LikelihoodMethod, MixedModelInput } from './mixed-model.ts';

/** Observations of a subject side by side, columns at the scale of 1. */
export interface Prepared {
  readonly n: number;
  readonly p: number;
  readonly names: readonly string[];
  /** Observations per subject, in the order of the rows. */
  readonly sizes: readonly number[];
  readonly y: Float64Array;
  /** Spread of the outcome, by which it was divided. */
  readonly scale: number;
  /** Intercept first; each divided by its norm. */
  readonly columns: readonly Float64Array[];
  readonly norms: readonly number[];
}

/** @throws StatisticsError as {@link mixedModel} */
export function prepare({ outcome, terms, subject }: MixedModelInput): Prepared {
  const n = subject.length;
  for (const { name, values } of [outcome, ...terms]) {
    if (values.length !== n) throw new RangeError(`mixedModel: ${name} has another length`);
    requireFinite(values, 2, name);
    if (isConstant(values)) throw new StatisticsError('CONSTANT', `${name} does not vary`);
  }
  const rows = new Map<string, number[]>();
  for (const [i, one] of subject.entries()) rows.set(one, [...(rows.get(one) ?? []), i]);
  const order = [...rows.values()].flat();
  const p = terms.length + 1;
  if (n <= p)
    throw new StatisticsError('TOO_FEW', `${n} observations cannot estimate ${p} coefficients and an error`);
  if (rows.size < 2) throw new StatisticsError('TOO_FEW', 'one subject cannot tell how subjects differ');
  if (rows.size === n) throw new StatisticsError('TOO_FEW', 'no subject was measured twice');
  const scale = sd(outcome.values);
  const raw = [order.map(() => 1), ...terms.map(({ values }) => order.map((i) => values[i]))];
  const norms = raw.map((values) => Math.sqrt(dot(values, values)));
  return {
    n,
    p,
    names: ['(intercept)', ...terms.map(({ name }) => name)],
    sizes: [...rows.values()].map(({ length }) => length),
    y: Float64Array.from(order, (i) => outcome.values[i] / scale),
    scale,
    columns: raw.map((values, j) => Float64Array.from(values, (v) => v / norms[j])),
    norms,
  };
}

/** The model at one ratio of variances, in the units of {@link Prepared}. */
export interface Fit {
  readonly theta: number;
  /** -2 log likelihood. */
  readonly deviance: number;
  /** Derivative of the deviance by the subject variance, times the residual variance. */
  readonly score: number;
  /** Coefficients of the scaled columns. */
  readonly scaled: readonly number[];
  readonly residualVariance: number;
  /** Of the whitened columns: Q by columns, and the inverse of R. */
  readonly q: readonly Float64Array[];
  readonly inverse: Matrix;
  /** Whitened. */
  readonly residuals: Float64Array;
}

type Column = ArrayLike<number>;

/** Acts on the rows of each subject by their sum. */
function bySubject(
  sizes: readonly number[],
  values: Column,
  act: (value: number, sum: number, size: number) => number,
): Float64Array {
  const out = new Float64Array(values.length);
  let first = 0;
  for (const size of sizes) {
    let sum = 0;
    for (let i = first; i < first + size; i++) sum += values[i];
    for (let i = first; i < first + size; i++) out[i] = act(values[i], sum, size);
    first += size;
  }
  return out;
}

/**
 * The derivatives of the covariance by the residual and by the subject variance, whitened: with W the inverse of
 * I + theta ZZ', these are W itself and W^1/2 ZZ' W^1/2.
 */
const derivatives = (sizes: readonly number[], theta: number) =>
  [
    (values: Column) => bySubject(sizes, values, (v, sum, size) => v - (theta * sum) / (1 + theta * size)),
    (values: Column) => bySubject(sizes, values, (_, sum, size) => sum / (1 + theta * size)),
  ] as const;

/**
 * Generalized least squares by whitening: each subject's rows lose the share 1 - 1 / sqrt(1 + theta n) of their mean, which
 * is W^1/2. Nothing larger than observations x columns is held.
 */
export function fit(
  { n, p, names, sizes, y, columns }: Prepared,
  theta: number,
  method: LikelihoodMethod,
): Fit {
  const whiten = (values: Column) =>
    bySubject(sizes, values, (v, sum, size) => v - ((1 - 1 / Math.sqrt(1 + theta * size)) * sum) / size);
  const whitened = columns.map(whiten);
  const x = new Matrix(n, p);
  for (const [j, column] of whitened.entries()) x.setColumn(j, Array.from(column));
  const qr = new QrDecomposition(x);
  const upper = qr.upperTriangularMatrix;
  const q = columns.map((_, j) => Float64Array.from(qr.orthogonalMatrix.getColumn(j)));
  for (const [j, column] of whitened.entries())
    if (!(Math.abs(upper.get(j, j)) > RANK_TOLERANCE * Math.sqrt(dot(column, column))))
      throw new StatisticsError('RANK_DEFICIENT', `${names[j]} is a combination of the other terms`);
  const inverse = solve(upper, Matrix.eye(p));
  const residuals = whiten(y);
  const projected = q.map((column) => {
    const along = dot(column, residuals);
    for (let i = 0; i < n; i++) residuals[i] -= along * column[i];
    return along;
  });
  const rss = dot(residuals, residuals);
  // The outcome has spread 1: what is left here is rounding.
  if (rss < 1e-18 * n)
    throw new StatisticsError('PERFECT_FIT', 'the model fits without error: no test is possible');
  const restricted = method === 'REML';
  const freedom = restricted ? n - p : n;
  const residualVariance = rss / freedom;
  let deviance = freedom * (Math.log(2 * Math.PI * residualVariance) + 1);
  let expected = 0;
  for (const size of sizes) {
    deviance += Math.log1p(theta * size);
    expected += size / (1 + theta * size);
  }
  const [, bySubjectVariance] = derivatives(sizes, theta);
  if (restricted)
    for (const [j, column] of q.entries()) {
      deviance += 2 * Math.log(Math.abs(upper.get(j, j)));
      expected -= dot(column, bySubjectVariance(column));
    }
  return {
    theta,
    deviance,
    score: expected - dot(residuals, bySubjectVariance(residuals)) / residualVariance,
    scaled: inverse.mmul(Matrix.columnVector(projected)).to1DArray(),
    residualVariance,
    q,
    inverse,
    residuals,
  };
}

/** How sure a fit is of its variances, and what hangs on them. */
export interface Uncertainty {
  /** Q'AQ for A the derivative by residual and by subject variance: the coefficients' covariance C has R^-1 Q'AQ R^-T. */
  readonly slopes: readonly [Matrix, Matrix];
  /** Observed information: second derivatives of -log likelihood by (residual, both, subject) variance. */
  readonly information: readonly [number, number, number];
}

export function uncertainty({ p, sizes }: Prepared, at: Fit, method: LikelihoodMethod): Uncertainty {
  const { theta, q, residuals, residualVariance } = at;
  const acts = derivatives(sizes, theta);
  const qa = acts.map((act) => q.map(act));
  const ea = acts.map((act) => act(residuals));
  const slopes = qa.map((aq) => {
    const products = q.flatMap((left) => aq.map((right) => dot(left, right)));
    return Matrix.from1DArray(p, p, products);
  });
  const trace = (a: 0 | 1, b: 0 | 1) => {
    // tr(AB) by subject: the eigenvalues of A are 1 (size - 1 times) and 1 / (1 + theta size); or size / (1 + theta size).
    const own = sizes.reduce((sum, size) => {
      const [w, z] = [1 / (1 + theta * size), size / (1 + theta * size)];
      return sum + (a + b === 0 ? size - 1 + w * w : a + b === 1 ? w * z : z * z);
    }, 0);
    if (method === 'ML') return own;
    const across = qa[a].reduce((sum, column, j) => sum + dot(column, qa[b][j]), 0);
    return own - 2 * across + slopes[a].mmul(slopes[b]).trace();
  };
  const curvature = (a: 0 | 1, b: 0 | 1) => {
    const fitted = q.reduce((sum, column) => sum + dot(column, ea[a]) * dot(column, ea[b]), 0);
    return ((dot(ea[a], ea[b]) - fitted) / residualVariance - trace(a, b) / 2) / residualVariance ** 2;
  };
  return {
    slopes: [slopes[0], slopes[1]],
    information: [curvature(0, 0), curvature(0, 1), curvature(1, 1)],
  };
}
