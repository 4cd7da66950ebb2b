/** BCa intervals: against scipy's from the same replicates (resampling.py), and by their coverage. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bcaInterval, bootstrap, bootstrapSlopes } from '../../statistics/bootstrap.ts';
import { mean, variance } from '../../statistics/descriptive.ts';
import { StatisticsError } from '../../statistics/errors.ts';
import { randomStream } from '../../statistics/random.ts';
import { linearRegression } from '../../statistics/regression.ts';

const fixtures: {
  name: string;
  estimate: number;
  replicates: number[];
  jackknife: number[][];
  ci95: [number, number];
}[] = JSON.parse(readFileSync(new URL('../fixtures/statistics/bootstrap.json', import.meta.url), 'utf8'));

test.each(fixtures)('as scipy: $name', ({ estimate, replicates, jackknife, ci95 }) => {
  const ours = bcaInterval(estimate, replicates, jackknife);
  expect(ours.ci95[0]).toBeCloseTo(ci95[0], 9);
  expect(ours.ci95[1]).toBeCloseTo(ci95[1], 9);
  // In units of diffusivity, cubes of influences are 1e-18 of what they were.
  const small = bcaInterval(
    1e-120 * estimate,
    replicates.map((v) => 1e-120 * v),
    jackknife.map((values) => values.map((v) => 1e-120 * v)),
  );
  expect(small.acceleration).toBeCloseTo(ours.acceleration, 12);
  expect(small.ci95[1] / 1e-120).toBeCloseTo(ci95[1], 9);
});

const exponential = (n: number, seed: number) => {
  const random = randomStream(seed);
  return Array.from({ length: n }, () => -Math.log(random.uniform()));
};

describe('the bootstrap', () => {
  test('covers a skewed mean more evenly than the symmetric interval does', () => {
    let [low, high] = [0, 0];
    const samples = 250;
    for (let seed = 1; seed <= samples; seed++) {
      const { intervals } = bootstrap([exponential(40, seed)], (rows) => [mean(rows)], {
        resamples: 300,
        seed,
      });
      const [from, to] = intervals[0].ci95;
      if (from > 1) high++;
      if (to < 1) low++;
    }
    // True coverage of BCa here is about 93.5 % (n = 40); about 3 Monte-Carlo standard errors of 1.6 points to either side.
    expect(1 - (low + high) / samples).toBeGreaterThan(0.885);
    expect(1 - (low + high) / samples).toBeLessThan(0.985);
    // The t interval misses this mean almost only from below.
    expect(high).toBeGreaterThan(0);
  });

  test('standard error of the mean, and equal results for equal seeds', () => {
    const sample = exponential(60, 1);
    const run = (seed: number) => bootstrap([sample], (rows) => [mean(rows)], { resamples: 4000, seed });
    const [{ se, estimate }] = run(1).intervals;
    // The spread of 4000 replicates is known to 1 / sqrt(8000) of itself: 4 of those.
    const plain = Math.sqrt((variance(sample) * 59) / 60 / 60);
    expect(Math.abs(se / plain - 1)).toBeLessThan(0.045);
    expect(estimate).toBe(mean(sample));
    expect(run(1)).toEqual(run(1));
    expect(run(2)).not.toEqual(run(1));
  });

  test('strata keep their sizes', () => {
    const sizes = new Set<string>();
    bootstrap(
      [
        ['a1', 'a2', 'a3', 'a4'],
        ['b1', 'b2', 'b3'],
      ],
      (rows) => {
        if (rows.length === 7)
          sizes.add(`${rows.filter((r) => r[0] === 'a').length} ${rows.filter((r) => r[0] === 'b').length}`);
        return [rows.reduce((sum, row) => sum + Number(row[1]) ** 2, 0)];
      },
      { resamples: 50, seed: 1 },
    );
    expect([...sizes]).toEqual(['4 3']);
  });

  test('a resample that cannot be computed is drawn again and counted; many of them are refused', () => {
    const rare = (rows: readonly number[]) => {
      if (!rows.includes(0)) throw new StatisticsError('RANK_DEFICIENT', 'no row 0');
      return [mean(rows)];
    };
    const rows = Array.from({ length: 12 }, (_, i) => (i < 4 ? 0 : i));
    // Without any of 4 of 12 rows: (2/3)^12 = 0.8 % of the draws.
    const { redrawn, resamples } = bootstrap([rows], rare, { resamples: 2000, seed: 1 });
    expect(resamples).toBe(2000);
    expect(redrawn).toBeGreaterThan(3);
    expect(redrawn).toBeLessThan(35);
    expect(() => bootstrap([[0, 0, 5, 6, 7, 8, 9, 10, 11]], rare, { resamples: 2000, seed: 1 })).toThrow(
      'too many resamples cannot be computed: no row 0',
    );
    const broken = () => {
      throw new TypeError('a bug');
    };
    expect(() => bootstrap([rows], broken, { resamples: 9, seed: 1 })).toThrow(TypeError);
  });

  test('degenerate input is named', () => {
    const options = { resamples: 99, seed: 1 };
    expect(() => bootstrap([[1, 2], [3]], (rows) => [mean(rows)], options)).toThrow('a stratum of 1');
    expect(() => bootstrap([[2, 2, 2]], (rows) => [mean(rows)], options)).toThrow('same in every resample');
    expect(() => bcaInterval(9, [1, 2, 3], [[1, 2, 3]])).toThrow('outside all of its resamples');
    expect(() => bcaInterval(2, [1, 2, 3], [[2, 2, 2]])).toThrow('no single row');
  });
});

test('slopes of the interaction model: standard errors near those of least squares', () => {
  const random = randomStream(8);
  const group = Array.from({ length: 200 }, (_, i) => i % 2);
  const change = group.map(() => 2e-5 * random.normal());
  const terms = [
    { name: 'dMD', values: change },
    { name: 'group', values: group },
    { name: 'dMD x group', values: change.map((v, i) => v * group[i]) },
  ];
  const outcome = {
    name: 'd-MADRS',
    values: change.map((v, i) => 6 + 7 * group[i] + v / 1e-5 + 4 * random.normal()),
  };
  const { slopes } = linearRegression(outcome, terms);
  const { intervals } = bootstrapSlopes(outcome, terms, group, { resamples: 400, seed: 1 });
  for (const [k, { estimate, se, ci95 }] of intervals.entries()) {
    expect(estimate / slopes[k].b).toBeCloseTo(1, 9);
    // The bootstrap does not know that the errors are alike everywhere: its standard error is one from 200 squared residuals,
    // good to about 10 %; 3 of those.
    expect(Math.abs(se / slopes[k].se - 1)).toBeLessThan(0.3);
    expect(ci95[0]).toBeLessThan(estimate);
    expect(ci95[1]).toBeGreaterThan(estimate);
  }
});
