/**
 * The likelihood of a linear model with a random intercept per subject, as a function of the ratio theta of the variance
 * between subjects to that within (Lindstrom & Bates 1988, J Am Stat Assoc 83:1014; Searle, Casella & McCulloch 1992,
 * Variance Components, chapter 6): all else has a closed form.
 */
import { Matrix, QrDecomposition, solve } from 'ml-matrix';
import { isConstant, requireFinite, sd } from './descriptive.ts';
import { dot } from './design.ts';
import { StatisticsError } from './errors.ts';
import type { LikelihoodMethod, MixedModelInput } from './mixed-model.ts';
import { RANK_TOLERANCE } from './regression.ts';

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
  const norms = raw.map((values) => Math.hypot(...values));
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
  /** -2 log likelihood. */
  readonly deviance: number;
  /** Derivative of the deviance by the subject variance, times the residual variance. */
  readonly score: number;
  /** Coefficients of the scaled columns. */
  readonly scaled: readonly number[];
  readonly residualVariance: number;
  /** Inverse of R in the QR of the whitened columns. */
  readonly inverse: Matrix;
  /** Q'AQ by residual and subject variance: with the rows of `inverse`, how the coefficients' variances follow from each. */
  readonly slopes: readonly [Matrix, Matrix];
  /** Observed information: second derivatives of -log likelihood by (residual, both, subject) variance. */
  readonly information: readonly [number, number, number];
}

/**
 * Generalized least squares by whitening: with W = inverse of (I + theta ZZ'), each subject's rows lose the share
 * 1 - 1 / sqrt(1 + theta n) of their mean. The derivatives of V by the two variances become, whitened, A0 = W and
 * A1 = W^1/2 ZZ' W^1/2, which act on a subject's rows by their sum; so nothing larger than observations x columns is held.
 */
export function fit(
  { n, p, names, sizes, y, columns }: Prepared,
  theta: number,
  method: LikelihoodMethod,
): Fit {
  const bySubject = (values: ArrayLike<number>, act: (v: number, sum: number, size: number) => number) => {
    const out = new Float64Array(n);
    let first = 0;
    for (const size of sizes) {
      let sum = 0;
      for (let i = first; i < first + size; i++) sum += values[i];
      for (let i = first; i < first + size; i++) out[i] = act(values[i], sum, size);
      first += size;
    }
    return out;
  };
  const whiten = (values: ArrayLike<number>) =>
    bySubject(values, (v, sum, size) => v - ((1 - 1 / Math.sqrt(1 + theta * size)) * sum) / size);
  const acts = [
    (values: ArrayLike<number>) =>
      bySubject(values, (v, sum, size) => v - (theta * sum) / (1 + theta * size)),
    (values: ArrayLike<number>) => bySubject(values, (_, sum, size) => sum / (1 + theta * size)),
  ];

  const x = new Matrix(n, p);
  for (const [j, column] of columns.entries()) x.setColumn(j, Array.from(whiten(column)));
  const qr = new QrDecomposition(x);
  const upper = qr.upperTriangularMatrix;
  const q = columns.map((_, j) => Float64Array.from(qr.orthogonalMatrix.getColumn(j)));
  for (let j = 0; j < p; j++)
    if (!(Math.abs(upper.get(j, j)) > RANK_TOLERANCE * Math.hypot(...x.getColumn(j))))
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
  const freedom = method === 'REML' ? n - p : n;
  const residualVariance = rss / freedom;
  const logs = sizes.reduce((sum, size) => sum + Math.log1p(theta * size), 0);
  const restricted = columns.reduce((sum, _, j) => sum + 2 * Math.log(Math.abs(upper.get(j, j))), 0);

  const qa = acts.map((act) => q.map(act));
  const ea = acts.map((act) => act(residuals));
  const slopes = qa.map((aq) =>
    Matrix.from1DArray(
      p,
      p,
      q.flatMap((left) => aq.map((right) => dot(left, right))),
    ),
  );
  const trace = (a: 0 | 1, b: 0 | 1) => {
    // tr(AB) over the subjects; A0 has the eigenvalues 1 (size - 1 times) and 1 / (1 + theta size), A1 one, size / (1 + theta size).
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
  const expected =
    sizes.reduce((sum, size) => sum + size / (1 + theta * size), 0) -
    (method === 'REML' ? slopes[1].trace() : 0);
  return {
    deviance:
      freedom * (Math.log(2 * Math.PI * residualVariance) + 1) + logs + (method === 'REML' ? restricted : 0),
    score: expected - dot(residuals, ea[1]) / residualVariance,
    scaled: inverse.mmul(Matrix.columnVector(projected)).to1DArray(),
    residualVariance,
    inverse,
    slopes: [slopes[0], slopes[1]],
    information: [curvature(0, 0), curvature(0, 1), curvature(1, 1)],
  };
}
