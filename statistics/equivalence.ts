/** Whether an effect is too small to matter: two one-sided tests (TOST; Schuirmann 1987, Lakens 2017). */
import { tQuantile, tUpperTail } from './distributions.ts';
import { StatisticsError } from './errors.ts';
import type { Slope } from './regression.ts';
import { type TStatistic, tTest } from './t-test.ts';

/** The largest effects, down and up, that do not matter: low < high. */
export type Bounds = readonly [low: number, high: number];

interface OneSided {
  readonly t: number;
  readonly p: number;
}

export interface Equivalence {
  /** In the unit of the effect. */
  readonly bounds: Bounds;
  /** Against an effect at or below the low bound. */
  readonly aboveLow: OneSided;
  /** Against an effect at or above the high bound. */
  readonly belowHigh: OneSided;
  readonly df: number;
  /** The larger of the two: below .05, the effect lies within the bounds. */
  readonly p: number;
  /** Inside the bounds exactly where p < .05. */
  readonly ci90: readonly [number, number];
}

export interface EquivalenceOfMeans {
  readonly student: Equivalence;
  readonly welch: Equivalence;
}

/**
 * Equivalence of two groups' means, first - second.
 * @param unit `raw`: bounds in the unit of the values; `d`: in pooled standard deviations of this sample
 * @throws StatisticsError as {@link tTest}; NOT_FINITE where bounds in standard deviations vanish
 */
export function equivalentMeans(
  first: readonly number[],
  second: readonly number[],
  [low, high]: Bounds,
  unit: 'raw' | 'd',
): EquivalenceOfMeans {
  const { difference, student, welch } = tTest(first, second);
  const scale = unit === 'd' ? student.se / Math.sqrt(1 / first.length + 1 / second.length) : 1;
  const bounds = [low * scale, high * scale] as const;
  if (low < high && !(bounds[0] < bounds[1]))
    throw new StatisticsError('NOT_FINITE', 'the values are too large or too small to be calculated with');
  const of = ({ se, df }: TStatistic) => twoOneSided(difference, se, df, bounds);
  return { student: of(student), welch: of(welch) };
}

/** Equivalence of a regression's slope with zero; bounds in units of the outcome per unit of the term. */
export function equivalentSlope({ b, se }: Slope, df: number, bounds: Bounds): Equivalence {
  return twoOneSided(b, se, df, bounds);
}

function twoOneSided(effect: number, se: number, df: number, bounds: Bounds): Equivalence {
  const [low, high] = bounds;
  if (!(low < high)) throw new RangeError(`equivalence: bounds ${low} and ${high} are not in order`);
  const [above, below] = [(effect - low) / se, (effect - high) / se];
  const aboveLow = { t: above, p: tUpperTail(above, df) };
  const belowHigh = { t: below, p: tUpperTail(-below, df) };
  const half = tQuantile(0.95, df) * se;
  return {
    bounds,
    aboveLow,
    belowHigh,
    df,
    p: Math.max(aboveLow.p, belowHigh.p),
    ci90: [effect - half, effect + half],
  };
}
