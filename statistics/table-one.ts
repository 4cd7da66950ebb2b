/** Baseline characteristics of two groups: a trial's Table 1. */
import { Matrix, pseudoInverse } from 'ml-matrix';
import { type Contingency, contingency } from './contingency.ts';
import { isConstant, mean, quantile, requireFinite, sd, variance } from './descriptive.ts';
import { attempt, type Result, StatisticsError } from './errors.ts';
import { type MannWhitney, mannWhitney } from './mann-whitney.ts';
import { type TTest, tTest } from './t-test.ts';

/** A variable's values in one group, missing ones null. */
type Values<T> = readonly (T | null)[];

/** A number in one group. Null where there are too few values for it, or values too large. */
export interface NumericSummary {
  /** Values present. */
  readonly n: number;
  readonly missing: number;
  readonly mean: number | null;
  readonly sd: number | null;
  readonly median: number | null;
  /** First and third quartile, type 7. */
  readonly quartiles: readonly [number, number] | null;
}

export interface NumericCharacteristic {
  readonly kind: 'numeric';
  readonly name: string;
  readonly first: NumericSummary;
  readonly second: NumericSummary;
  readonly test: Result<TTest>;
  /** For values far from normal. */
  readonly rankTest: Result<MannWhitney>;
  /** (mean1 - mean2) / sqrt((s1^2 + s2^2) / 2) (Austin 2009): of the groups as they are, not pooled by size. */
  readonly standardizedDifference: Result<number>;
}

export interface CategoricalSummary {
  readonly n: number;
  readonly missing: number;
  /** Per level, in the order of the characteristic's levels. Shares are of the values present; null without any. */
  readonly counts: readonly number[];
  readonly shares: readonly (number | null)[];
}

export interface CategoricalCharacteristic {
  readonly kind: 'categorical';
  readonly name: string;
  /** In alphabetical order. */
  readonly levels: readonly string[];
  readonly first: CategoricalSummary;
  readonly second: CategoricalSummary;
  /** Levels by groups. */
  readonly test: Result<Contingency>;
  /** Distance of the two groups' shares in units of their average covariance (Yang & Dalton 2012); never negative. */
  readonly standardizedDifference: Result<number>;
}

export type Characteristic = NumericCharacteristic | CategoricalCharacteristic;

/**
 * Summaries, tests and standardized difference of a number, first group minus second.
 * @throws StatisticsError NOT_FINITE where a value is neither a finite number nor null
 */
export function numericCharacteristic(
  name: string,
  first: Values<number>,
  second: Values<number>,
): NumericCharacteristic {
  const [a, b] = [present(first), present(second)];
  return {
    kind: 'numeric',
    name,
    first: numericSummary(first),
    second: numericSummary(second),
    test: attempt(() => tTest(a, b)),
    rankTest: attempt(() => mannWhitney(a, b)),
    standardizedDifference: attempt(() => {
      if (isConstant(a) && isConstant(b))
        throw new StatisticsError('CONSTANT', `${name} does not vary within either group`);
      return (mean(a) - mean(b)) / Math.sqrt((variance(a) + variance(b)) / 2);
    }),
  };
}

/**
 * A variable's row: counted where it has words, or two numbers at most (0 and 1 for no and yes); otherwise averaged.
 * @throws StatisticsError as {@link numericCharacteristic}
 */
export function characteristicOf(
  name: string,
  first: Values<number | string>,
  second: Values<number | string>,
): Characteristic {
  const all = present([...first, ...second]);
  const isNumber = (value: number | string | null) => value === null || typeof value === 'number';
  if (new Set(all).size > 2 && all.every(isNumber))
    return numericCharacteristic(name, first as Values<number>, second as Values<number>);
  const words = (values: Values<number | string>) => values.map((v) => (v === null ? null : String(v)));
  return categoricalCharacteristic(name, words(first), words(second));
}

/** Counts, shares, tests and standardized difference of a variable of words. */
export function categoricalCharacteristic(
  name: string,
  first: Values<string>,
  second: Values<string>,
): CategoricalCharacteristic {
  const levels = [...new Set([...present(first), ...present(second)])].sort();
  const [a, b] = [categoricalSummary(first, levels), categoricalSummary(second, levels)];
  return {
    kind: 'categorical',
    name,
    levels,
    first: a,
    second: b,
    test: attempt(() => contingency(levels.map((_, i) => [a.counts[i], b.counts[i]]))),
    standardizedDifference: attempt(() => distanceOfShares(name, a, b)),
  };
}

function present<T>(values: Values<T>): T[] {
  return values.filter((v): v is T => v !== null);
}

function numericSummary(values: Values<number>): NumericSummary {
  const x = present(values);
  requireFinite(x, 0, 'characteristic');
  const known = <T>(calculate: () => T) => {
    const result = attempt(calculate);
    return result.ok ? result.value : null;
  };
  return {
    n: x.length,
    missing: values.length - x.length,
    mean: known(() => mean(x)),
    sd: known(() => sd(x)),
    median: known(() => quantile(x, 0.5)),
    quartiles: known(() => [quantile(x, 0.25), quantile(x, 0.75)]),
  };
}

function categoricalSummary(values: Values<string>, levels: readonly string[]): CategoricalSummary {
  const x = present(values);
  const counts = levels.map((level) => x.filter((v) => v === level).length);
  return {
    n: x.length,
    missing: values.length - x.length,
    counts,
    shares: counts.map((count) => (x.length > 0 ? count / x.length : null)),
  };
}

/** sqrt(d' S^-1 d) over all levels but the first: d the difference of shares, S the mean of their covariances. */
function distanceOfShares(name: string, first: CategoricalSummary, second: CategoricalSummary): number {
  if (first.n === 0 || second.n === 0) throw new StatisticsError('TOO_FEW', `${name}: a group has no values`);
  if (first.counts.length < 2) throw new StatisticsError('CONSTANT', `${name} has one level only`);
  const [p, q] = [first, second].map(({ counts, n }) => counts.slice(1).map((count) => count / n));
  const covariance = (share: readonly number[]) =>
    new Matrix(share.map((a, i) => share.map((b, j) => (i === j ? a * (1 - a) : -a * b))));
  const average = Matrix.add(covariance(p), covariance(q)).div(2);
  const difference = Matrix.columnVector(p.map((share, i) => share - q[i]));
  if (average.norm() === 0)
    throw new StatisticsError('CONSTANT', `${name} does not vary within either group`);
  return Math.sqrt(difference.transpose().mmul(pseudoInverse(average)).mmul(difference).get(0, 0));
}
