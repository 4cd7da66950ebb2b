/** What holds of the statistics whatever the data: order of rows, units, names of groups; and definitions done the long way. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ancova } from '../../statistics/ancova.ts';
import { breuschPagan, levene, varianceInflation } from '../../statistics/assumptions.ts';
import { tTestBayesFactor } from '../../statistics/bayes-factor.ts';
import { contingency } from '../../statistics/contingency.ts';
import { effectSize } from '../../statistics/effect-size.ts';
import { equivalentMeans, equivalentSlope } from '../../statistics/equivalence.ts';
import { attempt, type Result } from '../../statistics/errors.ts';
import { fisherExact } from '../../statistics/fisher-exact.ts';
import { influence } from '../../statistics/influence.ts';
import { type LeastSquares, leastSquares, type Term } from '../../statistics/least-squares.ts';
import { compareNested, semiPartialR } from '../../statistics/model-comparison.ts';
import { adjustP } from '../../statistics/multiplicity.ts';
import { pearson } from '../../statistics/pearson.ts';
import { regressionOf } from '../../statistics/regression.ts';
import { clusterErrors, heteroscedasticErrors } from '../../statistics/robust-errors.ts';
import { shapiroWilk } from '../../statistics/shapiro-wilk.ts';
import { simpleSlopes } from '../../statistics/simple-slopes.ts';
import { tTest } from '../../statistics/t-test.ts';
import { categoricalCharacteristic, numericCharacteristic } from '../../statistics/table-one.ts';
import { agree } from '../fixtures/statistics/agree.ts';

const runs = { seed: 24, numRuns: 40 };

/** A cohort that any method takes: numbers of one decimal, so that ties come up, both groups of at least four. */
const cohort = fc
  .integer({ min: 4, max: 12 })
  .chain((n) => {
    const value = fc.integer({ min: -99, max: 99 }).map((v) => v / 10);
    return fc.array(fc.record({ score: value, change: value, age: value }), {
      minLength: 2 * n,
      maxLength: 3 * n,
    });
  })
  .map((rows) => rows.map((row, i) => ({ ...row, treated: i % 2, site: i % 3 })));
type Row = { score: number; change: number; age: number; treated: number; site: number };

const column = (rows: readonly Row[], key: keyof Row): Term => ({
  name: key,
  values: rows.map((row) => row[key]),
});
const scores = (rows: readonly Row[], group: number) =>
  rows.filter(({ treated }) => treated === group).map(({ score }) => score);

const sites = (rows: readonly Row[], group: number) =>
  rows.filter(({ treated }) => treated === group).map(({ site }) => `site ${site}`);

function fitOf(rows: readonly Row[]): LeastSquares {
  const [change, treated] = [column(rows, 'change'), column(rows, 'treated')];
  const product = { name: 'product', values: change.values.map((v, i) => v * treated.values[i]) };
  return leastSquares(column(rows, 'score'), [change, treated, product, column(rows, 'age')]);
}
const interaction = (rows: readonly Row[]) => ({
  outcome: column(rows, 'score'),
  change: column(rows, 'change'),
  treated: column(rows, 'treated').values,
  covariates: [column(rows, 'age')],
});
const covariance = (rows: readonly Row[]) => ({
  outcome: column(rows, 'score'),
  baseline: column(rows, 'age'),
  treated: column(rows, 'treated').values,
  covariates: [column(rows, 'change')],
});

/** Everything there is to say of a cohort but what counts its rows one by one. */
function everything(rows: readonly Row[]): Record<string, Result<unknown>> {
  const [a, b] = [scores(rows, 0), scores(rows, 1)];
  return {
    tTest: attempt(() => tTest(a, b)),
    effectSize: attempt(() => effectSize(a, b)),
    equivalentMeans: attempt(() => equivalentMeans(a, b, [-0.5, 0.4], 'd')),
    equivalentSlope: attempt(() =>
      equivalentSlope(regressionOf(fitOf(rows)).slopes[0], fitOf(rows).df, [-1, 2]),
    ),
    bayesFactor: attempt(() => tTestBayesFactor(tTest(a, b).student.t, a.length, b.length)),
    levene: attempt(() => levene([a, b])),
    shapiroWilk: attempt(() => shapiroWilk([...a, ...b])),
    pearson: attempt(() => pearson(column(rows, 'change').values, column(rows, 'score').values)),
    numeric: attempt(() => numericCharacteristic('score', a, b)),
    categorical: attempt(() => categoricalCharacteristic('site', sites(rows, 0), sites(rows, 1))),
    regression: attempt(() => regressionOf(fitOf(rows))),
    robust: attempt(() => heteroscedasticErrors(fitOf(rows)).coefficients),
    cluster: attempt(() => clusterErrors(fitOf(rows), column(rows, 'site').values).coefficients),
    vif: attempt(() => varianceInflation(fitOf(rows))),
    breuschPagan: attempt(() => breuschPagan(fitOf(rows))),
    simpleSlopes: attempt(() => simpleSlopes(interaction(rows), [1, 2])),
    ancova: attempt(() => ancova(covariance(rows))),
  };
}

const value = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.reason);
  return result.value;
};

/** Equal to 1e-8 of the size of both, or both within rounding of zero. */
function near(a: number, b: number, what: string, unit = 1): void {
  expect(Math.abs(a - b), `${what}: ${a} and ${b}`).toBeLessThanOrEqual(
    1e-8 * Math.max(Math.abs(a), Math.abs(b)) + 1e-10 * unit,
  );
}
function alike(a: unknown, b: unknown, path = ''): void {
  if (typeof a === 'number' && typeof b === 'number') near(a, b, path);
  else if (a === null || typeof a !== 'object') expect(a, path).toEqual(b);
  else
    for (const [key, inner] of Object.entries(a))
      alike(inner, (b as Record<string, unknown>)[key], `${path}.${key}`);
}

/** Cohorts without degeneracy: nearly all. */
const sound = cohort.filter(
  (rows) =>
    attempt(() => breuschPagan(fitOf(rows))).ok &&
    attempt(() => influence(fitOf(rows))).ok &&
    attempt(() => levene([scores(rows, 0), scores(rows, 1)])).ok,
);

describe('whatever the data', () => {
  test('the order of the rows does not matter', () => {
    fc.assert(
      fc.property(sound, fc.integer({ min: 1, max: 7 }), (rows, by) => {
        const order = rows
          .map((_, i) => i)
          .sort((i, j) => ((i * 7 + by) % 11) - ((j * 7 + by) % 11) || j - i);
        const moved = order.map((i) => rows[i]);
        alike(everything(rows), everything(moved));
        const before = influence(fitOf(rows));
        influence(fitOf(moved)).forEach((subject, i) => {
          alike(subject, before[order[i]]);
        });
      }),
      runs,
    );
  });

  test('another unit of score or dMD changes what has a unit and nothing else', () => {
    fc.assert(
      fc.property(
        sound,
        fc.constantFrom(1e-5, 1000),
        fc.constantFrom(1e-5, 3, 1e4),
        (rows, perScore, perChange) => {
          const scaled = rows.map((row) => ({
            ...row,
            score: row.score * perScore,
            change: row.change * perChange,
          }));
          const [a, b] = [everything(rows), everything(scaled)];
          for (const free of [
            'effectSize',
            'bayesFactor',
            'levene',
            'shapiroWilk',
            'pearson',
            'vif',
            'breuschPagan',
          ])
            alike(value(a[free]), value(b[free]), free);
          const [before, after] = [fitOf(rows), fitOf(scaled)];
          alike(semiPartialR(regressionOf(before)), semiPartialR(regressionOf(after)));
          alike(influence(before), influence(after));
          const perSlope = [1, perChange, 1, perChange, 1];
          for (const errors of [
            heteroscedasticErrors,
            (fit: LeastSquares) => clusterErrors(fit, column(rows, 'site').values),
          ]) {
            const [old, now] = [errors(before).coefficients, errors(after).coefficients];
            now.forEach(({ se, p }, j) => {
              near((se * perSlope[j]) / perScore, old[j].se, 'se');
              near(p, old[j].p, 'p');
            });
          }
          const [old, now] = [
            simpleSlopes(interaction(rows), [1]),
            simpleSlopes(interaction(scaled), [perChange]),
          ];
          near(now.differences[0].p, old.differences[0].p, 'p');
          near(now.treatment.t, old.treatment.t, 't');
          expect(now.significant.length).toBe(old.significant.length);
          now.significant.forEach(({ from, to }, i) => {
            if (from !== null) near(from / perChange, old.significant[i].from!, 'from');
            if (to !== null) near(to / perChange, old.significant[i].to!, 'to');
          });
        },
      ),
      runs,
    );
  });

  test('with the groups named the other way round, differences change their sign', () => {
    fc.assert(
      fc.property(sound, (rows) => {
        const swapped = rows.map((row) => ({ ...row, treated: 1 - row.treated }));
        const [a, b] = [scores(rows, 0), scores(rows, 1)];
        const [here, there] = [effectSize(a, b), effectSize(b, a)];
        near(here.hedgesG.value, -there.hedgesG.value, 'g');
        near(here.hedgesG.ci95[0], -there.hedgesG.ci95[1], 'interval of g');
        const [first, second] = [
          equivalentMeans(a, b, [-1, 2], 'raw'),
          equivalentMeans(b, a, [-2, 1], 'raw'),
        ];
        near(first.welch.p, second.welch.p, 'equivalence');
        near(first.welch.aboveLow.t, -second.welch.belowHigh.t, 'one-sided t');
        near(
          value(numericCharacteristic('score', a, b).standardizedDifference),
          -value(numericCharacteristic('score', b, a).standardizedDifference),
          'standardized difference',
        );
        const [slopes, turned] = [
          simpleSlopes(interaction(rows), [0]),
          simpleSlopes(interaction(swapped), [0]),
        ];
        near(slopes.reference.b, turned.treatment.b, 'slope');
        near(slopes.reference.p, turned.treatment.p, 'p of the slope');
        near(slopes.differences[0].b, -turned.differences[0].b, 'difference');
        alike(slopes.significant, turned.significant);
        const [adjusted, back] = [ancova(covariance(rows)), ancova(covariance(swapped))];
        near(adjusted.reference.b, back.treatment.b, 'adjusted mean');
        near(adjusted.difference.b, -back.difference.b, 'adjusted difference');
        near(value(adjusted.homogeneity).p, value(back.homogeneity).p, 'homogeneity');
      }),
      runs,
    );
  });

  test('a number or a reason, never NaN', () => {
    const ugly = fc.oneof(
      fc.integer({ min: -1, max: 1 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(Number.NaN, Infinity, 1e-320, 1e200, 0.1, 0.1 + 1e-17),
    );
    const row = fc.record({
      score: ugly,
      change: ugly,
      age: ugly,
      treated: fc.integer({ min: 0, max: 1 }),
      site: fc.integer({ min: 1, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 16 }), (rows) => {
        for (const result of Object.values(everything(rows)))
          if (!result.ok) expect(result.reason.length).toBeGreaterThan(0);
      }),
      { ...runs, numRuns: 200 },
    );
  });
});

describe('the definition, the long way', () => {
  test('influence: the model without the subject', () => {
    fc.assert(
      fc.property(sound, fc.nat(20), (rows, which) => {
        const fit = fitOf(rows);
        const i = which % rows.length;
        const rest = rows.filter((_, j) => j !== i);
        const without = attempt(() => fitOf(rest));
        fc.pre(without.ok);
        const { dfbetas, studentizedResidual, cooksDistance, leverage, dffits } = influence(fit)[i];
        fc.pre(dfbetas !== null && leverage < 0.999);
        const refit = value(without);
        const sdWithout = Math.sqrt(refit.rss / refit.df);
        fit.coefficients.forEach((b, j) => {
          const unit = sdWithout * Math.sqrt(fit.pseudoinverse[j].reduce((sum, v) => sum + v * v, 0));
          near(dfbetas![j], (b - refit.coefficients[j]) / unit, 'DFBETAS', 1e3);
        });
        const fitted = ({ coefficients }: LeastSquares, row: Row) =>
          [1, row.change, row.treated, row.change * row.treated, row.age].reduce(
            (sum, v, j) => sum + v * coefficients[j],
            0,
          );
        const moved = rows.map((row) => fitted(fit, row) - fitted(refit, row));
        near(dffits!, moved[i] / (sdWithout * Math.sqrt(leverage)), 'DFFITS', 1e3);
        const cook = moved.reduce((sum, v) => sum + v * v, 0) / (5 * (fit.rss / fit.df));
        near(cooksDistance!, cook, "Cook's distance", 1e3);
        const studentized = fit.residuals[i] / (sdWithout * Math.sqrt(1 - leverage));
        near(studentizedResidual!, studentized, 'studentized residual', 1e3);
      }),
      runs,
    );
  });

  test('variance inflation: the regression of each term on the others', () => {
    fc.assert(
      fc.property(sound, (rows) => {
        const { terms } = fitOf(rows);
        varianceInflation(fitOf(rows)).forEach(({ vif }, j) => {
          const { rss, tss } = leastSquares(
            terms[j],
            terms.filter((_, i) => i !== j),
          );
          near(vif, tss / rss, terms[j].name);
        });
      }),
      runs,
    );
  });

  test('one term more: F is the square of its t, R2 change the square of its semi-partial r', () => {
    fc.assert(
      fc.property(sound, (rows) => {
        const larger = fitOf(rows);
        const smaller = leastSquares(larger.outcome, larger.terms.slice(0, 3));
        const { fChange, r2Change, p } = compareNested(smaller, larger);
        const regression = regressionOf(larger);
        near(fChange, regression.slopes[3].t ** 2, 'F');
        near(p, regression.slopes[3].p, 'p');
        near(r2Change, semiPartialR(regression)[3] ** 2, 'R2 change');
        expect(() => compareNested(larger, smaller)).toThrowError(RangeError);
      }),
      runs,
    );
  });

  test('Johnson-Neyman: p is .05 at each end, below it inside and above it outside', () => {
    fc.assert(
      fc.property(sound, (rows) => {
        const input = interaction(rows);
        const { significant, observed } = simpleSlopes(input, []);
        const ends = significant.flatMap(({ from, to }) => [from, to]).filter((end) => end !== null);
        // Ends beyond all data belong to slopes that hardly differ, and their place is as uncertain as their meaning.
        fc.pre(ends.every((end) => Math.abs(end) < 1e4));
        const p = (at: number) => simpleSlopes(input, [at]).differences[0].p;
        for (const end of ends) expect(p(end)).toBeCloseTo(0.05, 7);
        const span = observed[1] - observed[0];
        for (let at = observed[0] - span; at <= observed[1] + span; at += span / 7) {
          if (ends.some((end) => Math.abs(at - end) < 1e-6 * span)) continue;
          const inside = significant.some(
            ({ from, to }) => (from === null || at > from) && (to === null || at < to),
          );
          expect(p(at) < 0.05, `p ${p(at)} at ${at}`).toBe(inside);
        }
      }),
      runs,
    );
  });

  test('equivalence below .05 where the 90 % interval lies within the bounds', () => {
    fc.assert(
      fc.property(sound, fc.double({ min: 0.1, max: 20, noNaN: true }), (rows, bound) => {
        const { student, welch } = equivalentMeans(scores(rows, 0), scores(rows, 1), [-bound, bound], 'raw');
        for (const { p, ci90 } of [student, welch])
          expect(p < 0.05).toBe(ci90[0] > -bound && ci90[1] < bound);
      }),
      runs,
    );
  });

  test('adjusted p: none below its own, in the same order, and each method no stricter than the one before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 }),
        (p) => {
          const [bonferroni, holm, bh] = (['bonferroni', 'holm', 'benjamini-hochberg'] as const).map((m) =>
            adjustP(p, m),
          );
          p.forEach((v, i) => {
            expect(bonferroni[i]).toBeGreaterThanOrEqual(holm[i]);
            expect(holm[i]).toBeGreaterThanOrEqual(bh[i] - 1e-15);
            expect(bh[i]).toBeGreaterThanOrEqual(v);
            for (const adjusted of [bonferroni, holm, bh])
              p.forEach((w, j) => {
                if (v < w) expect(adjusted[i]).toBeLessThanOrEqual(adjusted[j]);
              });
          });
        },
      ),
      runs,
    );
  });

  test("Fisher's test: every table of the same margins written out", () => {
    const counts = (rows: number, columns: number) =>
      fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: columns, maxLength: columns }), {
        minLength: rows,
        maxLength: rows,
      });
    fc.assert(
      fc.property(fc.oneof(counts(2, 2), counts(2, 4), counts(3, 3), counts(3, 2)), (table) => {
        fc.pre(attempt(() => contingency(table)).ok);
        fc.pre(
          table.every((row) => row.some(Boolean)) && table[0].every((_, j) => table.some((row) => row[j])),
        );
        near(fisherExact(table), writtenOut(table), 'p');
      }),
      runs,
    );
  });
});

/** Fisher's p by walking through all tables cell by cell. */
function writtenOut(table: readonly (readonly number[])[]): number {
  const factorial = (k: number): number => (k < 2 ? 1 : k * factorial(k - 1));
  const weight = (cells: readonly number[]) => 1 / cells.reduce((product, x) => product * factorial(x), 1);
  const columns = table[0].length;
  const rowTotals = table.map((row) => row.reduce((a, b) => a + b, 0));
  const left = table[0].map((_, j) => table.reduce((sum, row) => sum + row[j], 0));
  const observed = weight(table.flat());
  let [all, extreme] = [0, 0];
  const walk = (cell: number, cells: number[], inRow: number) => {
    if (cell === table.length * columns) {
      if (left.some((v) => v > 0)) return;
      const w = weight(cells);
      all += w;
      if (w <= observed * (1 + 1e-7)) extreme += w;
      return;
    }
    const [i, j] = [Math.floor(cell / columns), cell % columns];
    const used = j === 0 ? 0 : inRow;
    for (let x = 0; x <= Math.min(left[j], rowTotals[i] - used); x++) {
      if (j === columns - 1 && used + x !== rowTotals[i]) continue;
      left[j] -= x;
      walk(cell + 1, [...cells, x], used + x);
      left[j] += x;
    }
  };
  walk(0, [], 0);
  return extreme / all;
}

describe('degenerate models are named', () => {
  const rows: Row[] = Array.from({ length: 8 }, (_, i) => ({
    score: [3, 1, 4, 1, 5, 9, 2, 6][i],
    change: [2, 7, 1, 8, 2, 8, 1, 8][i],
    age: [1, 4, 1, 4, 2, 1, 3, 5][i],
    treated: i % 2,
    site: 1,
  }));
  const y = column(rows, 'score');
  const change = column(rows, 'change');
  const perfect = leastSquares({ name: 'y', values: change.values.map((v) => 2 * v) }, [change]);
  test.each([
    ['PERFECT_FIT', () => regressionOf(perfect)],
    ['PERFECT_FIT', () => heteroscedasticErrors(perfect)],
    ['PERFECT_FIT', () => clusterErrors(perfect, [1, 1, 1, 1, 2, 2, 2, 2])],
    ['PERFECT_FIT', () => influence(perfect)],
    ['PERFECT_FIT', () => breuschPagan(perfect)],
    ['TOO_FEW', () => clusterErrors(fitOf(rows), column(rows, 'site').values)],
    ['TOO_FEW', () => influence(fitOf(rows.slice(0, 6)))],
    ['TOO_FEW', () => fitOf(rows.slice(0, 5))],
    ['TOO_FEW', () => simpleSlopes(interaction([]), [])],
    ['CONSTANT', () => leastSquares(y, [{ name: 'one', values: y.values.map(() => 0.1) }])],
    ['RANK_DEFICIENT', () => leastSquares(y, [change, { ...change, name: 'again' }])],
    ['NOT_FINITE', () => leastSquares(y, [{ name: 'gap', values: [...change.values.slice(1), Number.NaN] }])],
    ['NOT_FINITE', () => leastSquares({ name: 'huge', values: y.values.map((v) => v * 1e200) }, [change])],
    ['CONSTANT', () => ancova({ ...covariance(rows), treated: rows.map(() => 1) })],
    ['CONSTANT', () => effectSize([1, 1], [2, 2])],
    ['TOO_FEW', () => effectSize([1], [2, 3])],
  ])('%s', (code, calculate) => {
    expect(calculate).toThrowError(expect.objectContaining({ name: 'StatisticsError', code }));
  });

  test('a subject with a coefficient to itself', () => {
    const own = { name: 'only the first', values: rows.map((_, i) => (i === 0 ? 1 : 0)) };
    const fit = leastSquares(y, [change, own]);
    expect(influence(fit)[0]).toMatchObject({
      studentizedResidual: null,
      cooksDistance: null,
      dfbetas: null,
    });
    expect(influence(fit)[0].leverage).toBeCloseTo(1, 12);
    expect(influence(fit)[1].dfbetas).not.toBeNull();
    expect(() => heteroscedasticErrors(fit)).toThrowError(expect.objectContaining({ code: 'PERFECT_FIT' }));
  });

  test('a characteristic without values, without variation, without a group', () => {
    expect(numericCharacteristic('x', [null, null], [1, 2])).toMatchObject({
      first: { n: 0, missing: 2, mean: null, sd: null, median: null, quartiles: null },
      second: { n: 2, missing: 0, mean: 1.5 },
      test: { ok: false, code: 'TOO_FEW' },
      standardizedDifference: { ok: false, code: 'TOO_FEW' },
    });
    expect(numericCharacteristic('x', [1, 1], [2, 2]).standardizedDifference).toMatchObject({
      code: 'CONSTANT',
    });
    expect(categoricalCharacteristic('sex', ['f', null], ['f', 'f'])).toMatchObject({
      levels: ['f'],
      first: { n: 1, missing: 1, counts: [1], shares: [1] },
      test: { ok: false, code: 'CONSTANT' },
      standardizedDifference: { ok: false, code: 'CONSTANT' },
    });
    expect(categoricalCharacteristic('sex', [null], ['f', 'm'])).toMatchObject({
      first: { n: 0, shares: [null, null] },
      test: { ok: false, code: 'CONSTANT' },
      standardizedDifference: { ok: false, code: 'TOO_FEW' },
    });
    expect(categoricalCharacteristic('sex', ['f', 'f'], ['m', 'm']).standardizedDifference).toMatchObject({
      code: 'CONSTANT',
    });
  });

  test.each([1e200, 1e-160])(
    'values of %d, whose squares no double holds, give no zero that looks like a result',
    (unit) => {
      const [a, b] = [0, 1].map((group) => scores(rows, group).map((v) => v * unit));
      const refused = expect.objectContaining({ name: 'StatisticsError', code: 'NOT_FINITE' });
      expect(() => pearson([...a, ...b], change.values)).toThrowError(refused);
      expect(() => shapiroWilk([...a, ...b])).toThrowError(refused);
      expect(numericCharacteristic('x', a, b)).toMatchObject({
        first: { sd: null },
        second: { sd: null },
        test: { ok: false, code: 'NOT_FINITE' },
        standardizedDifference: { ok: false, code: 'NOT_FINITE' },
      });
      expect(attempt(() => effectSize(a, b))).toMatchObject({ code: 'NOT_FINITE' });
      expect(attempt(() => levene([a, b]))).toMatchObject({ ok: false, code: 'NOT_FINITE' });
      expect(() => leastSquares({ name: 'y', values: [...a, ...b] }, [change])).toThrowError(refused);
      expect(() => leastSquares(y, [{ name: 'x', values: [...a, ...b] }])).toThrowError(refused);
    },
  );

  test('calls that make no sense', () => {
    const [a, b] = [scores(rows, 0), scores(rows, 1)];
    expect(() => equivalentMeans(a, b, [1, 1], 'raw')).toThrowError(RangeError);
    expect(() => clusterErrors(fitOf(rows), [1, 2])).toThrowError(RangeError);
    expect(() => leastSquares(y, [{ name: 'short', values: [1, 2] }])).toThrowError(RangeError);
    expect(() => compareNested(leastSquares(change, [y]), fitOf(rows))).toThrowError(RangeError);
  });
});

test('what agrees is compared', () => {
  // The helper itself: a number that is off, missing or superfluous is noticed.
  expect(() => agree([1], [1 + 1e-8])).toThrowError();
  expect(() => agree([1, 2], [1])).toThrowError();
  expect(() => agree({}, { b: 1 })).toThrowError();
  expect(agree({ a: 1, b: [2, 3] }, { b: [2, 3] })).toBe(2);
});
