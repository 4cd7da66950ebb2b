/** Pulling outliers in to the nearest value that is none. */
import { quantile, requireFinite } from './descriptive.ts';
import { StatisticsError } from './errors.ts';

/** How far is too far: Tukey's fences, beyond a percentile (above 0, below 50) at either end, or nowhere. */
export type WinsorizeMethod = 'tukey' | 'none' | { readonly percentile: number };

export interface Winsorized {
  /** As many as were given, in the same order. */
  readonly values: readonly number[];
  /** Indices of the values that were pulled in. */
  readonly pulled: readonly number[];
}

/**
 * Pulls in what lies outside two limits to the smallest or largest value inside them: the nearest valid value, not the
 * limit. `tukey`: Q1 - 1.5 IQR and Q3 + 1.5 IQR (Exploratory Data Analysis, 1977). `percentile` p: the p-th and the
 * (100 - p)-th percentile. Quantiles of type 7. `none` returns the values as they are.
 * @throws StatisticsError TOO_FEW without values, and where none lies between the percentiles; NOT_FINITE
 */
export function winsorize(values: readonly number[], method: WinsorizeMethod): Winsorized {
  requireFinite(values, 1, 'winsorize');
  if (method === 'none') return { values: [...values], pulled: [] };
  const [from, to] = limits(values, method);
  const inside = values.filter((v) => v >= from && v <= to);
  if (inside.length === 0)
    throw new StatisticsError('TOO_FEW', 'no value lies between the limits of Winsorizing');
  const low = inside.reduce((a, b) => Math.min(a, b));
  const high = inside.reduce((a, b) => Math.max(a, b));
  const result = values.map((v) => Math.min(high, Math.max(low, v)));
  return { values: result, pulled: values.flatMap((v, i) => (v === result[i] ? [] : [i])) };
}

function limits(values: readonly number[], method: Exclude<WinsorizeMethod, 'none'>): [number, number] {
  if (method === 'tukey') {
    const [q1, q3] = [quantile(values, 0.25), quantile(values, 0.75)];
    const reach = 1.5 * (q3 - q1);
    return [q1 - reach, q3 + reach];
  }
  const { percentile } = method;
  if (!(percentile > 0 && percentile < 50))
    throw new RangeError(`winsorize: percentile ${percentile} is not between 0 and 50`);
  return [quantile(values, percentile / 100), quantile(values, (100 - percentile) / 100)];
}
