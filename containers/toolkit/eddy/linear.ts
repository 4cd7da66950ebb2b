/** Small dense linear algebra: symmetric positive definite systems of up to a few hundred unknowns, row-major. */

/** Lower Cholesky factor of a symmetric n x n matrix, or undefined where it is not positive definite. */
export function cholesky(a: Float64Array, n: number): Float64Array | undefined {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      if (i === j) {
        if (!(sum > 1e-12 * Math.abs(a[i * n + i]))) return undefined;
        l[i * n + i] = Math.sqrt(sum);
      } else l[i * n + j] = sum / l[j * n + j];
    }
  return l;
}

/** Solves L L' x = b in place of b. */
export function choleskySolve(l: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) {
    let sum = b[i];
    for (let k = 0; k < i; k++) sum -= l[i * n + k] * b[k];
    b[i] = sum / l[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i];
    for (let k = i + 1; k < n; k++) sum -= l[k * n + i] * b[k];
    b[i] = sum / l[i * n + i];
  }
}

/** Inverse of L L'. */
export function choleskyInverse(l: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  const column = new Float64Array(n);
  for (let c = 0; c < n; c++) {
    column.fill(0);
    column[c] = 1;
    choleskySolve(l, n, column);
    for (let r = 0; r < n; r++) out[r * n + c] = column[r];
  }
  return out;
}

/**
 * Least squares with a ridge: minimizes |A x - b|^2 + ridge * sum(|A_column|^2 x^2), so that columns which cannot be
 * told apart share their effect instead of exploding.
 * @param rows equations, each of one length
 */
export function leastSquares(
  rows: readonly ArrayLike<number>[],
  b: ArrayLike<number>,
  ridge = 1e-6,
): Float64Array {
  const n = rows[0].length;
  const normal = new Float64Array(n * n);
  const x = new Float64Array(n);
  for (const [e, row] of rows.entries())
    for (let i = 0; i < n; i++) {
      x[i] += row[i] * b[e];
      for (let j = 0; j < n; j++) normal[i * n + j] += row[i] * row[j];
    }
  for (let i = 0; i < n; i++) normal[i * n + i] = normal[i * n + i] * (1 + ridge) || 1;
  const l = cholesky(normal, n);
  if (!l) return new Float64Array(n);
  choleskySolve(l, n, x);
  return x;
}

/** Residuals beyond this many standard deviations count less (Huber 1964, Ann Math Statist 35:73). */
const HUBER = 1.345;

/** {@link leastSquares} by Huber's weights: a few wild values, such as jumps of the head, do not carry it away. */
export function robustLeastSquares(rows: readonly ArrayLike<number>[], b: ArrayLike<number>): Float64Array {
  let fit = leastSquares(rows, b);
  for (let round = 0; round < 5; round++) {
    const residuals = rows.map((row, e) => {
      let predicted = 0;
      for (let i = 0; i < row.length; i++) predicted += row[i] * fit[i];
      return Math.abs(b[e] - predicted);
    });
    const scale = 1.4826 * residuals.toSorted((a, c) => a - c)[residuals.length >> 1];
    const weights = residuals.map((r) => Math.sqrt(Math.min(1, (HUBER * scale + 1e-9) / (r + 1e-9))));
    fit = leastSquares(
      rows.map((row, e) => Float64Array.from(row, (v) => v * weights[e])),
      weights.map((w, e) => w * b[e]),
    );
  }
  return fit;
}

/** Mean of each column. */
export const meanRow = (rows: readonly (readonly number[])[]) =>
  rows[0].map((_, c) => rows.reduce((sum, row) => sum + row[c] / rows.length, 0));

/** Values further from the median, in standard deviations, count as if they lay there: jumps of the head. */
const JUMP = 2.5;
/** Ratios of an effect's standard deviation to that of the noise, from no effect on. */
const RATIOS = [0, 0.25, 0.5, 1, 2, 4, 8];

/**
 * Effect of `rows` on `values` beside a constant, as the mean of its posterior: effects ~ N(0, ratio^2 s^2), noise ~
 * N(0, s^2), with the ratio that makes the values most likely (empirical Bayes; Morris 1983, J Am Stat Assoc 78:47).
 * @returns a number per column of `rows`
 */
export function bayesianEffect(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const n = rows.length;
  const middle = values.toSorted((a, b) => a - b)[n >> 1];
  const spread = 1.4826 * values.map((v) => Math.abs(v - middle)).toSorted((a, b) => a - b)[n >> 1];
  const clipped = values.map((v) => Math.max(-JUMP * spread, Math.min(JUMP * spread, v - middle)));
  const [center, constant] = [meanRow(rows), clipped.reduce((sum, v) => sum + v / n, 0)];
  const x = rows.map((row) => row.map((v, c) => v - center[c]));
  const y = clipped.map((v) => v - constant);
  let [best, most] = [center.map(() => 0), Number.NEGATIVE_INFINITY];
  for (const ratio of RATIOS) {
    const covariance = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        covariance[i * n + j] =
          (i === j ? 1 : 0) + ratio * ratio * x[i].reduce((sum, v, c) => sum + v * x[j][c], 0);
    const l = cholesky(covariance, n);
    if (!l) continue;
    const solved = Float64Array.from(y);
    choleskySolve(l, n, solved);
    let likelihood = (-n / 2) * Math.log(y.reduce((sum, v, i) => sum + v * solved[i], 0));
    for (let i = 0; i < n; i++) likelihood -= Math.log(l[i * n + i]);
    if (!(likelihood > most)) continue;
    most = likelihood;
    best = center.map((_, c) => ratio * ratio * x.reduce((sum, row, i) => sum + row[c] * solved[i], 0));
  }
  return best;
}
