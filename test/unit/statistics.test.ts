/** The statistics against R's, on data sets that R made: see test/fixtures/statistics/make.R. */
import { describe, expect, test } from 'vitest';
import { analysePlan } from '../../statistics/analyse.ts';
import { mean, quantile, sd, variance } from '../../statistics/descriptive.ts';
import { type InteractionModel, interactionModel } from '../../statistics/interaction.ts';
import { type Correlation, pearson } from '../../statistics/pearson.ts';
import type { InteractionCell, SubjectRow } from '../../statistics/plan.ts';
import { linearRegression } from '../../statistics/regression.ts';
import { type TTest, tTest } from '../../statistics/t-test.ts';
import { winsorize } from '../../statistics/winsorize.ts';
import { agree, reference } from '../fixtures/statistics/agree.ts';

type Column<T> = readonly (T | null)[];
interface Fixture {
  name: string;
  columns: {
    treated: number[];
    change: Column<number>;
    score: Column<number>;
    age: Column<number>;
    sex: Column<string>;
  };
  expected: {
    descriptive: { mean: number; sd: number; variance: number; p: number[]; quantiles: number[] };
    winsorized: Column<number>;
    scoreTest: TTest;
    changeTest: TTest;
    winsorizedTest: TTest;
    raw: { plain: unknown; adjusted: unknown };
    winsorizedModel: { plain: unknown; adjusted: unknown };
    reference: Correlation;
    treatment: Correlation;
  };
}

const fixtures = ['paper', 'tiny', 'tied', 'unbalanced', 'missing', 'steep'].map((name) =>
  reference<Fixture>(name),
);

const present = <T>(values: Column<T>) => values.filter((v): v is T => v !== null);

/** R's result tells the model and not its three named slopes. */
const models = ({ dummyCoded, zScored }: InteractionModel) => ({
  dummyCoded: dummyCoded.regression,
  zScored: zScored.regression,
});

const tableOf = ({ columns }: Fixture): SubjectRow[] =>
  columns.treated.map((treated, i) => ({
    subject: `sub-${i + 1}`,
    group: treated ? 'ketamine' : 'vehicle',
    change: { lBA10: columns.change[i] },
    baselineMd: {},
    scores: { MADRS: columns.score[i] },
    covariates: { age: columns.age[i], sex: columns.sex[i] },
  }));

const plan = {
  groups: { reference: 'vehicle', treatment: 'ketamine' },
  rois: ['lBA10'],
  outcomes: ['MADRS'],
  covariates: [['age', 'sex']],
  winsorize: 'tukey',
} as const;

describe.each(fixtures)('as R: $name', (fixture) => {
  const { columns, expected } = fixture;
  const change = present(columns.change);

  test('mean, spread, quantiles', () => {
    const { p } = expected.descriptive;
    const ours = { mean: mean(change), sd: sd(change), variance: variance(change) };
    agree({ ...ours, p, quantiles: p.map((q) => quantile(change, q)) }, expected.descriptive);
  });

  test('Winsorizing', () => {
    agree(winsorize(change, 'tukey').values, present(expected.winsorized));
  });

  test('t-tests, by hand', () => {
    const group = (treated: number) =>
      present(columns.score.filter((_, i) => columns.treated[i] === treated));
    expect(agree(tTest(group(0), group(1)), expected.scoreTest)).toBe(20);
  });

  test('the whole plan', () => {
    const analysis = analysePlan(plan, tableOf(fixture));
    const value = <T>(result: { ok: true; value: T } | { ok: false; reason: string }): T => {
      if (!result.ok) throw new Error(result.reason);
      return result.value;
    };
    agree(value(analysis.outcomeTests[0].result), expected.scoreTest, 'score');
    agree(value(analysis.changeTests[0].result), expected.changeTest, 'change');
    agree(value(analysis.changeTests[0].winsorized!), expected.winsorizedTest, 'Winsorized');
    const cell = (change: InteractionCell['change'], covariates: number) =>
      analysis.regressions.find((c) => c.change === change && c.covariates.length === covariates)!.result;
    agree(models(value(cell('raw', 0))), expected.raw.plain, 'model');
    agree(models(value(cell('raw', 2))), expected.raw.adjusted, 'adjusted');
    agree(models(value(cell('winsorized', 0))), expected.winsorizedModel.plain, 'Winsorized model');
    agree(models(value(cell('winsorized', 2))), expected.winsorizedModel.adjusted, 'Winsorized adjusted');
    agree(value(analysis.correlations[0].result), expected.reference, 'reference');
    agree(value(analysis.correlations[1].result), expected.treatment, 'treatment');
    expect(JSON.parse(JSON.stringify(analysis))).toEqual(analysis);
  });
});

describe('Winsorizing', () => {
  test('pulls outliers to the nearest value inside the fences, and says which', () => {
    // Quartiles 2.25 and 6.75: fences -4.5 and 13.5.
    const { values, pulled } = winsorize([0, 1, 2, 3, 4, 5, 6, 7, 100, -90], 'tukey');
    expect(values).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 7, 0]);
    expect(pulled).toEqual([8, 9]);
  });

  test('beyond a percentile, to the nearest value within, not to the percentile itself', () => {
    // Type 7: the 10th percentile of 11 values is the second, which stays; the 12th lies between second and third.
    const values = [50, 1, 2, 3, 4, 5, 6, 7, 8, 9, -40];
    expect(winsorize(values, { percentile: 10 })).toEqual({
      values: [9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1],
      pulled: [0, 10],
    });
    expect(winsorize(values, { percentile: 12 }).values).toEqual([8, 2, 2, 3, 4, 5, 6, 7, 8, 8, 2]);
    expect(() => winsorize([1, 2], { percentile: 5 })).toThrowError(
      expect.objectContaining({
        code: 'TOO_FEW',
        message: 'no value lies between the limits of Winsorizing',
      }),
    );
    for (const percentile of [0, 50, Number.NaN])
      expect(() => winsorize(values, { percentile })).toThrowError(RangeError);
  });

  test('none changes nothing', () => {
    expect(winsorize([1, 2, 3, 1000], 'none')).toEqual({ values: [1, 2, 3, 1000], pulled: [] });
  });
});

describe('degenerate input is named', () => {
  const line = [1, 2, 3, 4, 5, 6];
  const bent = [2, 1, 4, 3, 7, 5];
  test.each([
    ['TOO_FEW', () => tTest([1], [1, 2])],
    ['CONSTANT', () => tTest([0.1, 0.1, 0.1], [0.3, 0.3])],
    ['NOT_FINITE', () => tTest([1, Number.NaN], [1, 2])],
    ['TOO_FEW', () => pearson([1, 2], [1, 3])],
    ['CONSTANT', () => pearson([3, 3, 3], [1, 2, 4])],
    ['PERFECT_FIT', () => pearson(line, line)],
    ['TOO_FEW', () => linearRegression(term('y', [1, 2]), [term('x', [2, 3])])],
    ['PERFECT_FIT', () => linearRegression(term('y', line), [term('x', line)])],
    ['CONSTANT', () => linearRegression(term('y', [1, 1, 1, 1, 1, 1]), [term('x', line)])],
    ['TOO_FEW', () => mean([])],
  ])('%s', (code, calculate) => {
    expect(calculate).toThrowError(expect.objectContaining({ name: 'StatisticsError', code }));
  });

  test('a redundant column is named, whatever its unit', () => {
    const twice = term(
      'twice',
      line.map((v) => 2e-6 * v - 1),
    );
    expect(() => linearRegression(term('y', bent), [term('x', line), twice])).toThrowError(
      expect.objectContaining({ code: 'RANK_DEFICIENT', message: expect.stringContaining('twice') }),
    );
  });

  test('a group without members', () => {
    const input = { outcome: term('y', bent), change: term('x', line), treated: [1, 1, 1, 1, 1, 1] };
    expect(() => interactionModel({ ...input, covariates: [] })).toThrowError('group does not vary');
  });

  function term(name: string, values: number[]) {
    return { name, values };
  }
});
