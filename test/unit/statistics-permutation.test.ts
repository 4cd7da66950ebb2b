/** Random numbers and permutation tests; exact p values against R's lm and t.test in every order (resampling.R). */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { freedmanLane, groupPermutationTest } from '../../statistics/permutation.ts';
import { randomStream, sampleWithReplacement, shuffle } from '../../statistics/random.ts';
import { linearRegression } from '../../statistics/regression.ts';
import { tTest } from '../../statistics/t-test.ts';

interface Fixture {
  freedmanLane: {
    outcome: number[];
    tested: number[];
    nuisance: number[][];
    b: number;
    t: number;
    df: number;
    p: number;
    permutations: number;
  }[];
  groups: { first: number[]; second: number[]; difference: number; p: number; permutations: number }[];
}

const fixture: Fixture = JSON.parse(
  readFileSync(new URL('../fixtures/statistics/permutation.json', import.meta.url), 'utf8'),
);
const term = (name: string, values: readonly number[]) => ({ name, values });

describe('random numbers', () => {
  test('are those of the Mersenne Twister, seeded by an array as its authors do', () => {
    // numpy: RandomState([4, 0x123, 0x234, 0x345, 0x456])._bit_generator.random_raw(5), and of [1, 0].
    const first = (n: number, ...words: number[]) => {
      const random = randomStream(...words);
      return Array.from({ length: n }, () => random.uniform() * 2 ** 32 - 0.5);
    };
    expect(first(5, 0x123, 0x234, 0x345, 0x456)).toEqual([
      3492848574, 2418993817, 1145873191, 2668233511, 2511824998,
    ]);
    expect(first(3, 0)).toEqual([577090037, 2444712010, 3639700191]);
  });

  test('are equal for equal words, others for other words', () => {
    const draws = (...words: number[]) => {
      const random = randomStream(...words);
      return Array.from({ length: 20 }, () => random.uniform());
    };
    expect(draws(1, 2)).toEqual(draws(1, 2));
    const firsts = [[0], [1], [2], [0, 0], [1, 0], [1, 1], [1, 2], [2, 1], [1, 1, 0]].map(
      (words) => draws(...words)[0],
    );
    expect(new Set(firsts).size).toBe(firsts.length);
    for (const words of [[], [-1], [0.5], [2 ** 32], [Number.NaN]])
      expect(() => randomStream(...words)).toThrow(RangeError);
  });

  test('every order and every draw is as likely as the others', () => {
    const random = randomStream(3);
    const orders = new Map<string, number>();
    const drawn = [0, 0, 0, 0];
    const runs = 24_000;
    for (let i = 0; i < runs; i++) {
      const items = ['a', 'b', 'c', 'd'];
      shuffle(items, random);
      orders.set(items.join(''), (orders.get(items.join('')) ?? 0) + 1);
      for (const k of sampleWithReplacement([0, 1, 2, 3], random)) drawn[k]++;
    }
    const chi2 = (counts: readonly number[], expected: number) =>
      counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(orders.size).toBe(24);
    // 99.9 % quantiles of chi-squared with 23 and 3 degrees of freedom.
    expect(chi2([...orders.values()], runs / 24)).toBeLessThan(49.7);
    expect(chi2(drawn, runs)).toBeLessThan(16.3);
  });

  test('normals have the mean, spread and tails of the normal distribution', () => {
    const random = randomStream(4);
    const n = 40_000;
    const values = Array.from({ length: n }, () => random.normal());
    const moment = (k: number) => values.reduce((sum, v) => sum + v ** k, 0) / n;
    // Standard errors of the moments: 1, sqrt 2, sqrt 15, sqrt 96, over sqrt n; 4 of them allowed.
    expect(Math.abs(moment(1))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan((4 * Math.sqrt(2)) / Math.sqrt(n));
    expect(Math.abs(moment(3))).toBeLessThan((4 * Math.sqrt(15)) / Math.sqrt(n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan((4 * Math.sqrt(96)) / Math.sqrt(n));
  });
});

describe('Freedman and Lane', () => {
  test.each(fixture.freedmanLane)('as lm in every order: p = $p', (one) => {
    const result = freedmanLane(
      term('score', one.outcome),
      term('dMD x group', one.tested),
      one.nuisance.map((values, i) => term(`z${i}`, values)),
      { permutations: 10_000, seed: 1 },
    );
    expect(result).toMatchObject({ exact: true, permutations: one.permutations, df: one.df });
    expect(result.p).toBeCloseTo(one.p, 12);
    expect(result.b).toBeCloseTo(one.b, 9);
    expect(result.t).toBeCloseTo(one.t, 9);
  });

  /** A trial of 98 in mm2/s and points. */
  const trial = (interaction: number, seed: number) => {
    const random = randomStream(seed);
    const group = Array.from({ length: 98 }, (_, i) => (i < 31 ? 0 : 1));
    const change = group.map(() => 2e-5 * random.normal());
    const product = change.map((v, i) => v * group[i]);
    const score = product.map((v, i) => 4 + 3 * group[i] + (interaction * v) / 1e-5 + 3 * random.normal());
    return {
      outcome: term('score', score),
      tested: term('dMD x group', product),
      nuisance: [term('dMD', change), term('group', group)],
    };
  };

  test('random permutations come near the t distribution where errors are normal, and stay equal by seed', () => {
    for (const seed of [1, 2]) {
      const { outcome, tested, nuisance } = trial(0.3, seed);
      const parametric = linearRegression(outcome, [...nuisance, tested]).slopes[2];
      const options = { permutations: 10_000, seed: 5 };
      const result = freedmanLane(outcome, tested, nuisance, options);
      expect(result.exact).toBe(false);
      expect(result.t).toBeCloseTo(parametric.t, 9);
      expect(result.b / parametric.b).toBeCloseTo(1, 9);
      // 4 Monte-Carlo standard errors, and .01 for what permutation and theory differ by at n = 98.
      const se = Math.sqrt((parametric.p * (1 - parametric.p)) / 10_000);
      expect(Math.abs(result.p - parametric.p)).toBeLessThan(4 * se + 0.01);
      expect(freedmanLane(outcome, tested, nuisance, options)).toEqual(result);
      expect(freedmanLane(outcome, tested, nuisance, { ...options, seed: 6 }).p).not.toBe(result.p);
    }
  });

  test('p is never 0, and does not depend on units or on what the nuisance adds to the outcome', () => {
    const { outcome, tested, nuisance } = trial(20, 1);
    const options = { permutations: 199, seed: 1 };
    const result = freedmanLane(outcome, tested, nuisance, options);
    expect(result.p).toBe(1 / 200);
    const weak = trial(0.3, 2);
    const plain = freedmanLane(weak.outcome, weak.tested, weak.nuisance, options);
    const moved = weak.outcome.values.map(
      (v, i) => 1e6 * (v + 5 + 2 * weak.nuisance[1].values[i] + 3e5 * weak.nuisance[0].values[i]),
    );
    expect(freedmanLane(term('score', moved), weak.tested, weak.nuisance, options).p).toBe(plain.p);
  });

  test('keeps its level where errors are far from normal', () => {
    let rejected = 0;
    const cohorts = 400;
    for (let seed = 1; seed <= cohorts; seed++) {
      const random = randomStream(77, seed);
      const group = Array.from({ length: 24 }, (_, i) => i % 2);
      const change = group.map(() => random.normal());
      const score = group.map((g) => 2 * g + Math.exp(1.5 * random.normal()));
      const { p } = freedmanLane(
        term('score', score),
        term(
          'x',
          change.map((v, i) => v * group[i]),
        ),
        [term('dMD', change), term('group', group)],
        { permutations: 199, seed },
      );
      if (p <= 0.05) rejected++;
    }
    // 5 %, with 4 Monte-Carlo standard errors of 1.1 points.
    expect(Math.abs(rejected / cohorts - 0.05)).toBeLessThan(0.044);
  });

  test('degenerate input is named', () => {
    const { outcome, tested, nuisance } = trial(0, 1);
    const options = { permutations: 9, seed: 1 };
    const flat = term(
      'flat',
      outcome.values.map(() => 1),
    );
    expect(() => freedmanLane(flat, tested, nuisance, options)).toThrow('flat does not vary');
    expect(() => freedmanLane(outcome, flat, nuisance, options)).toThrow('flat does not vary');
    expect(() => freedmanLane(outcome, nuisance[0], nuisance, options)).toThrow('is a combination');
    expect(() => freedmanLane(nuisance[0], tested, nuisance, options)).toThrow('nothing of dMD is left');
    expect(() => freedmanLane(tested, tested, nuisance, options)).toThrow('fits without error');
    const few = ({ name, values }: typeof tested) => term(name, values.slice(29, 33));
    expect(() => freedmanLane(few(outcome), few(tested), nuisance.map(few), options)).toThrow('4 subjects');
  });
});

describe('two groups', () => {
  test.each(fixture.groups)('as t.test in every choice: p = $p', ({ first, second, ...expected }) => {
    const result = groupPermutationTest(first, second, { permutations: 10_000, seed: 1 });
    expect(result).toMatchObject({ exact: true, permutations: expected.permutations });
    expect(result.p).toBeCloseTo(expected.p, 12);
    expect(result.difference).toBeCloseTo(expected.difference, 12);
  });

  test('random choices come near the exact p, and near the t-test at the size of the trial', () => {
    const [{ first, second, p }] = fixture.groups;
    const sampled = groupPermutationTest(first, second, { permutations: 400, seed: 2 });
    expect(sampled.exact).toBe(false);
    expect(Math.abs(sampled.p - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 400) + 1 / 401);
    const random = randomStream(9);
    const draw = (n: number, shift: number) => Array.from({ length: n }, () => shift + random.normal());
    const [a, b] = [draw(31, 0), draw(67, 0.4)];
    const welch = tTest(a, b).welch.p;
    const large = groupPermutationTest(a, b, { permutations: 10_000, seed: 2 });
    expect(Math.abs(large.p - welch)).toBeLessThan(4 * Math.sqrt((welch * (1 - welch)) / 10_000) + 0.005);
  });

  test('the same for either order of the groups and any units; 2 of 20 where groups lie apart', () => {
    const value = fc.integer({ min: -5, max: 5 });
    const group = fc.array(value, { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(group, group, (a, b) => {
        fc.pre(new Set([...a, ...b]).size > 1);
        const options = { permutations: 1000, seed: 1 };
        const result = groupPermutationTest(a, b, options);
        const scaled = (values: number[]) => values.map((v) => 3e-7 * v + 1e-5);
        expect(groupPermutationTest(b, a, options).p).toBe(result.p);
        expect(groupPermutationTest(scaled(a), scaled(b), options).p).toBe(result.p);
        expect(result.p).toBeGreaterThan(0);
        expect(result.p).toBeLessThanOrEqual(1);
      }),
    );
    expect(groupPermutationTest([1, 1, 1], [2, 2, 2], { permutations: 99, seed: 1 })).toEqual({
      difference: -1,
      p: 0.1,
      permutations: 19,
      exact: true,
    });
    expect(() => groupPermutationTest([1, 1], [1, 1], { permutations: 99, seed: 1 })).toThrow('do not vary');
  });
});
