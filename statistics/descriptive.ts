/** Means, spreads and quantiles. Every function refuses empty and non-finite input with a {@link StatisticsError}. */
import { StatisticsError } from './errors.ts';

/** Throws unless there are at least `least` values and all are finite. */
export function requireFinite(values: readonly number[], least: number, what: string): void {
  if (values.length < least)
    throw new StatisticsError('TOO_FEW', `${what}: ${values.length} of at least ${least} values`);
  if (!values.every(Number.isFinite))
    throw new StatisticsError('NOT_FINITE', `${what}: a value is not a finite number`);
}

/** Arithmetic mean, in two passes: the second takes out the rounding of the first. */
export function mean(values: readonly number[]): number {
  requireFinite(values, 1, 'mean');
  const n = values.length;
  let sum = 0;
  for (const v of values) sum += v;
  const first = sum / n;
  let rest = 0;
  for (const v of values) rest += v - first;
  return first + rest / n;
}

/** Below it the squares of deviations have lost digits to underflow: the smallest double over the rounding of one. */
const SMALLEST_SQUARE = 1e-292;

/**
 * Sum of squared deviations from the mean. Refuses values beyond some 1e150 or below 1e-146, whose squares no double
 * holds: dividing by such a sum would give zeros that look like results.
 */
export function sumOfSquares(values: readonly number[]): number {
  const centre = mean(values);
  let sum = 0;
  for (const v of values) sum += (v - centre) ** 2;
  if (sum === Infinity || (sum > 0 && sum < SMALLEST_SQUARE))
    throw new StatisticsError('NOT_FINITE', 'the values are too large or too small to be calculated with');
  return sum;
}

/** Sample variance (n - 1). Needs two values. */
export function variance(values: readonly number[]): number {
  requireFinite(values, 2, 'variance');
  return sumOfSquares(values) / (values.length - 1);
}

/** Sample standard deviation (n - 1). Needs two values. */
export function sd(values: readonly number[]): number {
  return Math.sqrt(variance(values));
}

/** True where the values differ by no more than rounding. */
export function isConstant(values: readonly number[]): boolean {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return high - low <= 10 * Number.EPSILON * Math.max(Math.abs(low), Math.abs(high));
}

/** Quantile, 0 <= p <= 1, linear between order statistics: type 7 of Hyndman & Fan 1996, R's default. */
export function quantile(values: readonly number[], p: number): number {
  requireFinite(values, 1, 'quantile');
  const sorted = [...values].sort((a, b) => a - b);
  const h = (sorted.length - 1) * p;
  const below = Math.floor(h);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (h - below) * (sorted[above] - sorted[below]);
}
