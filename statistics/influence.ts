/** How much each subject pulls a regression: the diagnostics of Belsley, Kuh & Welsch 1980. */
import { StatisticsError } from './errors.ts';
import { type LeastSquares, residualVariance } from './least-squares.ts';

/**
 * One subject. Null is what has no value: where its leverage is 1, as the fit then passes through it whatever its outcome,
 * or where the others fit without error.
 */
export interface Influence {
  readonly leverage: number;
  /** Internally studentized: residual over its own standard error. R's rstandard. */
  readonly standardizedResidual: number | null;
  /** Externally studentized: the same with the error estimated without the subject. R's rstudent; t on df - 1. */
  readonly studentizedResidual: number | null;
  /** Cook 1977. */
  readonly cooksDistance: number | null;
  /** Change of the fitted value when the subject is left out, in its standard errors. */
  readonly dffits: number | null;
  /** Change of each coefficient when the subject is left out, in its standard errors; the intercept's first. */
  readonly dfbetas: readonly number[] | null;
}

/**
 * Per subject, in order.
 * @throws StatisticsError PERFECT_FIT; TOO_FEW with one residual degree of freedom, where nothing is left without a subject
 */
export function influence(fit: LeastSquares): Influence[] {
  const { df, rss, residuals, leverages, pseudoinverse } = fit;
  const variance = residualVariance(fit);
  if (df < 2) throw new StatisticsError('TOO_FEW', 'two residual degrees of freedom are needed');
  const p = pseudoinverse.length;
  const unscaled = pseudoinverse.map((row) => Math.sqrt(row.reduce((sum, v) => sum + v * v, 0)));
  return residuals.map((e, i) => {
    const leverage = leverages[i];
    const free = 1 - leverage;
    // The residual variance without this subject; zero where the others lie on the model.
    const without = (rss - (e * e) / free) / (df - 1);
    if (free < 1e-10) {
      const unknown = { standardizedResidual: null, studentizedResidual: null, cooksDistance: null };
      return { leverage, ...unknown, dffits: null, dfbetas: null };
    }
    const standardizedResidual = e / Math.sqrt(variance * free);
    const cooksDistance = (standardizedResidual ** 2 * leverage) / (free * p);
    if (without < 1e-12 * variance)
      return {
        leverage,
        standardizedResidual,
        cooksDistance,
        studentizedResidual: null,
        dffits: null,
        dfbetas: null,
      };
    const sd = Math.sqrt(without);
    const studentizedResidual = e / (sd * Math.sqrt(free));
    return {
      leverage,
      standardizedResidual,
      studentizedResidual,
      cooksDistance,
      dffits: studentizedResidual * Math.sqrt(leverage / free),
      dfbetas: pseudoinverse.map((row, j) => (row[i] * e) / free / (sd * unscaled[j])),
    };
  });
}
