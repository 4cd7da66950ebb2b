/** Pulling outliers in to the nearest value that is none. */
import { quantile, requireFinite } from './descriptive.ts';

export type WinsorizeMethod = 'tukey' | 'none';

export interface Winsorized {
  /** As many as were given, in the same order. */
  readonly values: readonly number[];
  /** Indices of the values that were pulled in. */
  readonly pulled: readonly number[];
}

/**
 * Winsorizes by Tukey's fences (Exploratory Data Analysis, 1977): values below Q1 - 1.5 IQR or above Q3 + 1.5 IQR become
 * the smallest or largest value inside the fences. Quartiles of type 7. `none` returns the values as they are.
 */
export function winsorize(values: readonly number[], method: WinsorizeMethod): Winsorized {
  requireFinite(values, 1, 'winsorize');
  if (method === 'none') return { values: [...values], pulled: [] };
  const q1 = quantile(values, 0.25);
  const q3 = quantile(values, 0.75);
  const reach = 1.5 * (q3 - q1);
  const inside = values.filter((v) => v >= q1 - reach && v <= q3 + reach);
  const low = inside.reduce((a, b) => Math.min(a, b));
  const high = inside.reduce((a, b) => Math.max(a, b));
  const result = values.map((v) => Math.min(high, Math.max(low, v)));
  return { values: result, pulled: values.flatMap((v, i) => (v === result[i] ? [] : [i])) };
}
