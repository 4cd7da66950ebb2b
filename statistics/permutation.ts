/** Permutation tests: p values that ask of the errors only that they could have fallen to other subjects. */
import { isConstant, mean, requireFinite, sumOfSquares } from './descriptive.ts';
import { dot, partition, residualize } from './design.ts';
import { StatisticsError } from './errors.ts';
import { randomStream, shuffle } from './random.ts';
import type { Term } from './regression.ts';

export interface PermutationOptions {
  /** How many random permutations to compare with; all there are, each once, where they are no more than this. */
  readonly permutations: number;
  readonly seed: number;
}

export interface PermutationTest {
  /** Two-sided: (b + 1) / (m + 1), where b of m permutations are as extreme as what was observed. */
  readonly p: number;
  /** m: permutations besides the observed order. */
  readonly permutations: number;
  /** True where those are all there are. */
  readonly exact: boolean;
}

export interface CoefficientPermutationTest extends PermutationTest {
  /** Slope, in units of the outcome per unit of the term. */
  readonly b: number;
  readonly t: number;
  /** Residual degrees of freedom. */
  readonly df: number;
}

export interface GroupPermutationTest extends PermutationTest {
  /** Mean of the first group minus mean of the second. */
  readonly difference: number;
}

/** Statistics are compared as shares of variance, 0 to 1; those that differ by rounding only are equal. */
const ROUNDING = 1e-12;

/**
 * Whether one coefficient of outcome ~ 1 + nuisance + tested is zero, by permuting the residuals of the model without it
 * and fitting the whole model to each permuted outcome (Freedman & Lane 1983, J Bus Econ Stat 1:292; Winkler et al. 2014,
 * NeuroImage 92:381). For the interaction: tested is dMD x group, nuisance are dMD, group and covariates. Statistic: t.
 * @throws StatisticsError TOO_FEW without a residual degree of freedom; CONSTANT or RANK_DEFICIENT naming the column;
 *   PERFECT_FIT where the nuisance leaves nothing of the outcome
 */
export function freedmanLane(
  outcome: Term,
  tested: Term,
  nuisance: readonly Term[],
  options: PermutationOptions,
): CoefficientPermutationTest {
  const { name, values } = outcome;
  if (values.length !== tested.values.length)
    throw new RangeError(`freedmanLane: ${name} has another length`);
  requireFinite(values, 2, name);
  if (isConstant(values)) throw new StatisticsError('CONSTANT', `${name} does not vary`);
  const design = partition(tested, nuisance);
  const centre = mean(values);
  const scale = Math.sqrt(sumOfSquares(values));
  const residuals = residualize(
    design,
    values.map((v) => (v - centre) / scale),
  );
  const squares = dot(residuals, residuals);
  if (squares < 1e-20)
    throw new StatisticsError('PERFECT_FIT', `nothing of ${name} is left when the other terms are fitted`);

  // Only residuals count: what the nuisance explains of the permuted outcome is taken out again by the full fit. So one
  // permutation costs a dot product per column; t rises with the share of variance that the tested column explains.
  const n = residuals.length;
  const { tested: direction, nuisance: basis, length, df } = design;
  const share = (order: Int32Array): number => {
    let along = 0;
    for (let i = 0; i < n; i++) along += direction[i] * residuals[order[i]];
    let rest = squares;
    for (const q of basis) {
      let fit = 0;
      for (let i = 0; i < n; i++) fit += q[i] * residuals[order[i]];
      rest -= fit * fit;
    }
    return (along * along) / rest;
  };
  const along = dot(direction, residuals);
  const observed = (along * along) / squares;
  if (1 - observed < 1e-14)
    throw new StatisticsError('PERFECT_FIT', 'the model fits without error: no test is possible');
  const all = factorial(n) - 1;
  const exact = all <= options.permutations;
  const order = Int32Array.from(residuals, (_, i) => i);
  let extreme = 0;
  const judge = () => {
    if (share(order) >= observed - ROUNDING) extreme++;
  };
  if (exact) forEveryOrder(order, judge);
  else {
    const random = randomStream(options.seed);
    for (let k = 0; k < options.permutations; k++) {
      shuffle(order, random);
      judge();
    }
  }
  return {
    b: (along * scale) / length,
    t: Math.sign(along) * Math.sqrt((df * observed) / (1 - observed)),
    df,
    ...verdict(extreme, exact ? all : options.permutations, exact),
  };
}

/**
 * Whether two groups have equal means, by dealing the values anew. The statistic is Welch's t: the test is exact where
 * both groups have one distribution, and holds its level in large samples where only their variances differ (Janssen
 * 1997, Stat Probab Lett 36:9).
 * @throws StatisticsError TOO_FEW under two values a group, CONSTANT where all values are equal
 */
export function groupPermutationTest(
  first: readonly number[],
  second: readonly number[],
  options: PermutationOptions,
): GroupPermutationTest {
  requireFinite(first, 2, 'first group');
  requireFinite(second, 2, 'second group');
  const values = [...first, ...second];
  if (isConstant(values)) throw new StatisticsError('CONSTANT', 'the values do not vary');
  const [n1, n2] = [first.length, second.length];
  const n = n1 + n2;
  const centre = mean(values);
  const scale = Math.sqrt(sumOfSquares(values));
  const z = Float64Array.from(values, (v) => (v - centre) / scale);
  // The sums of the second group follow from those of the first: all z add up to 0, their squares to 1.
  const share = (chosen: Int32Array): number => {
    let [sum, squares] = [0, 0];
    for (let i = 0; i < n1; i++) {
      const v = z[chosen[i]];
      sum += v;
      squares += v * v;
    }
    const difference = sum / n1 + sum / n2;
    const v1 = Math.max(0, squares - (sum * sum) / n1) / (n1 - 1);
    const v2 = Math.max(0, 1 - squares - (sum * sum) / n2) / (n2 - 1);
    return difference ** 2 / (difference ** 2 + v1 / n1 + v2 / n2);
  };
  const order = Int32Array.from(z, (_, i) => i);
  const observed = share(order);
  const all = combinations(n, n1) - 1;
  const exact = all <= options.permutations;
  let extreme = 0;
  const judge = (chosen: Int32Array) => {
    if (share(chosen) >= observed - ROUNDING) extreme++;
  };
  if (exact) forEveryChoice(n, n1, judge);
  else {
    const random = randomStream(options.seed);
    for (let k = 0; k < options.permutations; k++) {
      shuffle(order, random);
      judge(order);
    }
  }
  return {
    difference: mean(first) - mean(second),
    ...verdict(extreme, exact ? all : options.permutations, exact),
  };
}

/** The observed order is one of those counted: a p of 0 cannot be (Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39). */
function verdict(extreme: number, permutations: number, exact: boolean): PermutationTest {
  // Where every order was looked at, the observed one was too.
  const others = exact ? extreme - 1 : extreme;
  return { p: (others + 1) / (permutations + 1), permutations, exact };
}

function factorial(n: number): number {
  let product = 1;
  for (let k = 2; k <= n; k++) product *= k;
  return product;
}

/** Number of ways to choose k of n. */
function combinations(n: number, k: number): number {
  let ways = 1;
  for (let i = 1; i <= k; i++) ways = Math.round((ways * (n - k + i)) / i);
  return ways;
}

/** Brings `order` into every order there is, one exchange at a time (Heap 1963, Comput J 6:293). */
function forEveryOrder(order: Int32Array, visit: () => void): void {
  const counters = new Int32Array(order.length);
  visit();
  for (let i = 1; i < order.length; ) {
    if (counters[i] >= i) {
      counters[i++] = 0;
      continue;
    }
    const j = i % 2 === 0 ? 0 : counters[i];
    [order[i], order[j]] = [order[j], order[i]];
    visit();
    counters[i]++;
    i = 1;
  }
}

/** Every choice of k of 0..n-1, ascending, in the order of a dictionary. The array is used again. */
function forEveryChoice(n: number, k: number, visit: (chosen: Int32Array) => void): void {
  const chosen = Int32Array.from({ length: k }, (_, i) => i);
  for (;;) {
    visit(chosen);
    let i = k - 1;
    while (i >= 0 && chosen[i] === n - k + i) i--;
    if (i < 0) return;
    chosen[i]++;
    for (let j = i + 1; j < k; j++) chosen[j] = chosen[j - 1] + 1;
  }
}
