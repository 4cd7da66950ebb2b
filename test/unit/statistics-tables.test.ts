/** Tests of counts, p values, distributions and power against R's and Python's figures, and at their limits. */
import { describe, expect, test } from 'vitest';
import { levene } from '../../statistics/assumptions.ts';
import { regressionBayesFactor, slopeBayesFactor, tTestBayesFactor } from '../../statistics/bayes-factor.ts';
import { type ContingencyTable, contingency } from '../../statistics/contingency.ts';
import { hedgesCorrection } from '../../statistics/effect-size.ts';
import { fisherExact } from '../../statistics/fisher-exact.ts';
import { mannWhitney } from '../../statistics/mann-whitney.ts';
import { type Adjustment, adjustP } from '../../statistics/multiplicity.ts';
import {
  noncentralityInterval,
  noncentralTCdf,
  noncentralTUpperTail,
} from '../../statistics/noncentral-t.ts';
import { pearson } from '../../statistics/pearson.ts';
import {
  coefficientPower,
  minimumDetectableD,
  minimumDetectableF2,
  tTestPower,
} from '../../statistics/power.ts';
import { rootOf } from '../../statistics/roots.ts';
import { shapiroWilk } from '../../statistics/shapiro-wilk.ts';
import { agree, reference } from '../fixtures/statistics/agree.ts';

type Adjusted = { p: number[] } & Record<Adjustment, number[]>;
interface TTestPower {
  n1: number;
  n2: number;
  d: number;
  alpha: number;
  power: number;
}
const r = reference<{
  adjusted: Adjusted[];
  contingencies: { table: ContingencyTable; expected: unknown }[];
  power: TTestPower[];
  coefficientPower: { n: number; terms: number; f2: number; alpha: number; power: number }[];
  shapiro: { values: number[]; expected: unknown }[];
  levene: { groups: number[][]; expected: unknown };
  rankTests: { groups: [number[], number[]]; expected: unknown }[];
  pearson: { x: number[]; y: number[]; expected: unknown }[];
}>('tables');
const python = reference<{
  noncentralT: { t: number; df: number; ncp: number; below: number; above: number }[];
  tBayesFactor: { t: number; n1: number; n2: number; scale: number; factor: number }[];
  regressionBayesFactor: { n: number; terms: number; r2: number; factor: number }[];
  adjusted: Adjusted;
  power: TTestPower[];
}>('python');

describe('noncentral t', () => {
  test.each(python.noncentralT)('t $t, df $df, ncp $ncp: both tails to 1e-11 of themselves', (entry) => {
    const { t, df, ncp, below, above } = entry;
    agree(noncentralTCdf(t, df, ncp), below, 'below', 1e-11);
    // make.py's `above` is P(T <= -t) of ncp -ncp: the upper tail by symmetry.
    agree(noncentralTUpperTail(t, df, ncp), above, 'above', 1e-11);
  });

  test('the interval of the noncentrality', () => {
    // t = 0: T <= 0 has probability Phi(-ncp) whatever the df.
    agree(noncentralityInterval(0, 2), [-1.959963984540054, 1.959963984540054], '', 1e-11);
    const [low, high] = noncentralityInterval(50, 3);
    expect(noncentralTUpperTail(50, 3, low)).toBeCloseTo(0.025, 12);
    expect(noncentralTCdf(50, 3, high)).toBeCloseTo(0.025, 12);
  });
});

describe('tables of counts', () => {
  // R's fisher.test of more than 2 x 2 (FEXACT) sums in an order of its own: 1e-9 holds all the same.
  test.each(r.contingencies)('$table', ({ table, expected }) => {
    agree(contingency(table), expected);
  });

  test('Fisher where a cell expects less than 5', () => {
    expect(
      contingency([
        [20, 11],
        [31, 36],
      ]).preferred,
    ).toBe('chiSquare');
    expect(
      contingency([
        [3, 1],
        [1, 3],
      ]).preferred,
    ).toBe('fisher');
  });

  test('empty levels are dropped', () => {
    expect(
      contingency([
        [3, 0, 1],
        [0, 0, 0],
        [1, 0, 3],
      ]),
    ).toEqual(
      contingency([
        [3, 1],
        [1, 3],
      ]),
    );
  });

  test('turned by a quarter, or in another order, a table tells the same', () => {
    const table = [
      [8, 2, 1],
      [4, 9, 3],
      [2, 3, 11],
    ];
    const turned = table[0].map((_, j) => table.map((row) => row[j]).reverse());
    agree(contingency(turned), contingency(table), '', 1e-12);
  });

  test.each([
    [
      'CONSTANT',
      () =>
        contingency([
          [3, 4],
          [0, 0],
        ]),
    ],
    ['CONSTANT', () => contingency([[3], [4]])],
    ['CONSTANT', () => contingency([])],
    [
      'NOT_FINITE',
      () =>
        contingency([
          [Number.NaN, 1],
          [2, 3],
        ]),
    ],
    [
      'TOO_LARGE',
      () => fisherExact(Array.from({ length: 5 }, (_, i) => [40 + i, 41, 39 + i, 40, 38, 42 - i])),
    ],
  ])('%s', (code, calculate) => {
    expect(calculate).toThrowError(expect.objectContaining({ name: 'StatisticsError', code }));
  });

  test('no counts', () => {
    expect(() =>
      contingency([
        [1.5, 2],
        [3, 4],
      ]),
    ).toThrowError(RangeError);
    expect(() =>
      contingency([
        [-1, 2],
        [3, 4],
      ]),
    ).toThrowError(RangeError);
    expect(() => contingency([[1, 2], [3]])).toThrowError(RangeError);
  });
});

describe('adjusted p values', () => {
  const methods = ['bonferroni', 'holm', 'benjamini-hochberg'] as const;
  test.each([...r.adjusted, python.adjusted])('$p', ({ p, ...adjusted }) => {
    for (const method of methods) agree(adjustP(p, method), adjusted[method], method);
  });

  test('a missing p is refused, one outside 0 to 1 too', () => {
    for (const method of methods) {
      expect(() => adjustP([0.1, Number.NaN], method)).toThrowError(
        expect.objectContaining({ code: 'NOT_FINITE' }),
      );
      expect(() => adjustP([0.1, 1.1], method)).toThrowError(RangeError);
      expect(adjustP([], method)).toEqual([]);
    }
  });
});

describe('Bayes factors, as the integral in 50 digits', () => {
  test.each(python.tBayesFactor)('t $t of $n1 and $n2, scale $scale', ({ t, n1, n2, scale, factor }) => {
    agree(tTestBayesFactor(t, n1, n2, scale), factor, 'BF10', 1e-10);
  });
  test.each(python.regressionBayesFactor)('R2 $r2 of $terms terms, n $n', ({ n, terms, r2, factor }) => {
    agree(regressionBayesFactor(n, terms, r2), factor, 'BF10', 1e-10);
  });

  test('a slope: the model with it over the model without', () => {
    expect(slopeBayesFactor(98, 1, 0.05, 0)).toBe(regressionBayesFactor(98, 1, 0.05));
    const [full, without] = [regressionBayesFactor(98, 4, 0.2), regressionBayesFactor(98, 3, 0.15)];
    expect(slopeBayesFactor(98, 4, 0.2, 0.15)).toBe(full / without);
  });

  test.each([
    ['TOO_FEW', () => tTestBayesFactor(1, 1, 1)],
    ['TOO_FEW', () => regressionBayesFactor(4, 3, 0.5)],
    ['PERFECT_FIT', () => regressionBayesFactor(40, 3, 1)],
    ['NOT_FINITE', () => tTestBayesFactor(1000, 2000, 2000)],
  ])('%s', (code, calculate) => {
    expect(calculate).toThrowError(expect.objectContaining({ name: 'StatisticsError', code }));
  });
});

describe('power', () => {
  // R's pt and statsmodels' nct are exact to some 1e-12 absolute, which finding the effect back multiplies.
  test.each([...r.power, ...python.power])('d $d of $n1 and $n2', ({ n1, n2, d, alpha, power }) => {
    agree(tTestPower(n1, n2, d, alpha), power);
    agree(minimumDetectableD(n1, n2, power, alpha), d, 'd', 1e-8);
  });

  // By the noncentral F there.
  test.each(r.coefficientPower)('f2 $f2 of $terms terms, n $n', ({ n, terms, f2, alpha, power }) => {
    agree(coefficientPower(n, terms, f2, alpha), power);
    agree(minimumDetectableF2(n, terms, power, alpha), f2, 'f2', 1e-8);
  });

  test('no effect is found with probability alpha', () => {
    expect(tTestPower(31, 67, 0)).toBeCloseTo(0.05, 12);
    expect(coefficientPower(98, 3, 0)).toBeCloseTo(0.05, 12);
  });

  test('what cannot be', () => {
    expect(() => tTestPower(1, 20, 1)).toThrowError(expect.objectContaining({ code: 'TOO_FEW' }));
    expect(() => coefficientPower(4, 3, 1)).toThrowError(expect.objectContaining({ code: 'TOO_FEW' }));
    expect(() => minimumDetectableD(20, 20, 0.05)).toThrowError(RangeError);
    expect(() => minimumDetectableD(20, 20, 1)).toThrowError(RangeError);
    expect(() => tTestPower(20, 20, 1, 0)).toThrowError(RangeError);
  });
});

describe('single samples', () => {
  test.each(r.shapiro)('Shapiro-Wilk of $expected.n values', ({ values, expected }) => {
    agree(shapiroWilk(values), expected);
  });

  test('Levene of three groups', () => {
    agree(levene(r.levene.groups), r.levene.expected);
  });

  // Exact where there is no tie and fewer than 50 a group; otherwise approximate.
  test.each(r.rankTests)('Mann-Whitney of $groups', ({ groups, expected }) => {
    agree(mannWhitney(...groups), expected);
  });

  test.each(r.pearson)('Pearson of $expected.n pairs', ({ x, y, expected }) => {
    agree(pearson(x, y), expected);
  });

  test.each([
    ['TOO_FEW', () => shapiroWilk([1, 2])],
    ['CONSTANT', () => shapiroWilk([1, 1, 1, 1])],
    ['NOT_FINITE', () => shapiroWilk([1, Number.NaN, 3])],
    ['TOO_LARGE', () => shapiroWilk(Array.from({ length: 5001 }, (_, i) => i))],
    ['TOO_FEW', () => mannWhitney([], [1, 2])],
    ['CONSTANT', () => mannWhitney([2, 2], [2])],
    ['TOO_FEW', () => levene([[1, 2], [3]])],
    ['TOO_FEW', () => levene([[1, 2, 4]])],
    [
      'CONSTANT',
      () =>
        levene([
          [1, 2],
          [0.1, 0.7],
        ]),
    ],
  ])('%s', (code, calculate) => {
    expect(calculate).toThrowError(expect.objectContaining({ name: 'StatisticsError', code }));
  });
});

test("Hedges' correction: near its approximation, and exact where that is not", () => {
  // J(2) = Gamma(1) / (sqrt(1) Gamma(1/2)) = 1 / sqrt(pi); the approximation gives 4 / 7.
  expect(hedgesCorrection(2)).toBeCloseTo(1 / Math.sqrt(Math.PI), 14);
  expect(hedgesCorrection(96)).toBeCloseTo(1 - 3 / (4 * 96 - 1), 5);
});

test('a root is found to the last bit, and refused where there is none', () => {
  expect(rootOf((x) => x ** 3 - 8, 0, 5)).toBeCloseTo(2, 15);
  expect(rootOf((x) => 2 - x, -5, 5)).toBeCloseTo(2, 15);
  expect(() => rootOf((x) => x ** 2 + 1, -1, 1)).toThrowError(RangeError);
});
