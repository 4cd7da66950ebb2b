/** The methods beside t-test and regression against R's and Python's, on data sets that make.R made and that R brings. */
import { describe, expect, test } from 'vitest';
import { ancova } from '../../statistics/ancova.ts';
import { breuschPagan, levene, varianceInflation } from '../../statistics/assumptions.ts';
import { regressionBayesFactor, tTestBayesFactor } from '../../statistics/bayes-factor.ts';
import { effectSize } from '../../statistics/effect-size.ts';
import { equivalentMeans, equivalentSlope } from '../../statistics/equivalence.ts';
import { influence } from '../../statistics/influence.ts';
import { leastSquares } from '../../statistics/least-squares.ts';
import { compareNested, semiPartialR } from '../../statistics/model-comparison.ts';
import { pearson } from '../../statistics/pearson.ts';
import { regressionOf } from '../../statistics/regression.ts';
import { clusterErrors, heteroscedasticErrors } from '../../statistics/robust-errors.ts';
import { shapiroWilk } from '../../statistics/shapiro-wilk.ts';
import { simpleSlopes } from '../../statistics/simple-slopes.ts';
import { tTest } from '../../statistics/t-test.ts';
import { categoricalCharacteristic, numericCharacteristic } from '../../statistics/table-one.ts';
import { agree, reference } from '../fixtures/statistics/agree.ts';

interface Columns {
  treated: number[];
  change: (number | null)[];
  score: (number | null)[];
  age: (number | null)[];
  sex: (string | null)[];
}

interface Methods {
  name: string;
  columns?: Columns;
  // biome-ignore lint/suspicious/noExplicitAny: as R wrote it; every number is compared by its path
  expected: any;
}

interface Python {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  secondOpinions: (Record<string, any> & { name: string })[];
}

const names = [
  'paper',
  'tiny',
  'tied',
  'unbalanced',
  'missing',
  'steep',
  'mtcars',
  'iris',
  'airquality',
  'swiss',
];
/** scipy takes the normal quantiles of Shapiro-Wilk from AS 111, good to some 1e-9; R, with which we agree, from AS 241. */
const AS_111 = 2e-8;

const { secondOpinions } = reference<Python>('python');
const sets = names.map((name) => {
  const { columns, expected } = reference<Methods>(`methods/${name}`);
  const python = secondOpinions.find((opinion) => opinion.name === name)!;
  return { name, columns: columns ?? reference<Required<Methods>>(name).columns, expected, python };
});

describe.each(sets)('as R and Python: $name', ({ columns, expected, python }) => {
  const of = <T>(values: readonly T[], group: number) =>
    values.filter((_, i) => columns.treated[i] === group);
  const number = (v: number | null): v is number => v !== null;
  const first = of(columns.score, 0).filter(number);
  const second = of(columns.score, 1).filter(number);
  const complete = columns.treated.flatMap((treated, i) => {
    const [change, score, age] = [columns.change[i], columns.score[i], columns.age[i]];
    return number(change) && number(score) && number(age) ? [{ treated, change, score, age }] : [];
  });
  const column = (key: 'treated' | 'change' | 'score' | 'age') => ({
    name: key,
    values: complete.map((row) => row[key]),
  });
  const [treated, change, outcome, age] = [
    column('treated'),
    column('change'),
    column('score'),
    column('age'),
  ];
  const centre = change.values.reduce((sum, v) => sum + v, 0) / change.values.length;
  const dMd = { name: 'dMD', values: change.values.map((v) => v - centre) };
  const product = { name: 'dMD x group', values: dMd.values.map((v, i) => v * treated.values[i]) };
  const fit = leastSquares(outcome, [dMd, treated, product, age]);
  const smaller = leastSquares(outcome, [dMd, treated]);
  const { model } = expected;

  test('effect sizes', () => {
    // R finds the interval by its own pt, which is exact to 1e-12 absolute.
    expect(agree(effectSize(first, second), expected.effectSize)).toBe(6);
  });

  test('equivalence', () => {
    expect(agree(equivalentMeans(first, second, [-5, 8], 'raw'), expected.rawEquivalence)).toBe(20);
    expect(agree(equivalentMeans(first, second, [-0.5, 0.5], 'd'), expected.dEquivalence)).toBe(20);
    expect(
      agree(
        equivalentSlope(regressionOf(fit).slopes[0], fit.df, model.equivalentSlope.bounds),
        model.equivalentSlope,
      ),
    ).toBe(10);
  });

  test('Bayes factors', () => {
    const { t } = tTest(first, second).student;
    agree(tTestBayesFactor(t, first.length, second.length), expected.bayesFactor, 'JZS', 1e-5);
    agree(regressionBayesFactor(complete.length, 4, model.r2), model.bayesFactor, 'JZS', 1e-5);
  });

  test('normality and spread', () => {
    agree(shapiroWilk([...first, ...second]), expected.shapiro);
    agree(levene([first, second]), expected.levene);
    agree(shapiroWilk(fit.residuals), model.residualShapiro);
  });

  test('baseline characteristics', () => {
    agree(numericCharacteristic('score', of(columns.score, 0), of(columns.score, 1)), expected.numeric);
    agree(categoricalCharacteristic('sex', of(columns.sex, 0), of(columns.sex, 1)), expected.categorical);
  });

  test('robust errors', () => {
    for (const kind of ['HC0', 'HC1', 'HC2', 'HC3', 'HC4'] as const)
      agree(heteroscedasticErrors(fit, kind), model.robust[kind], kind);
    agree(clusterErrors(fit, model.clusterLabels), model.cluster, 'cluster');
  });

  test('influence', () => {
    const ours = influence(fit);
    const keys = Object.keys(model.influence) as (keyof (typeof ours)[number])[];
    for (const key of keys)
      agree(
        ours.map((subject) => subject[key]),
        model.influence[key],
        key,
      );
  });

  test('assumptions', () => {
    agree(
      varianceInflation(fit).map(({ vif }) => vif),
      model.vif,
    );
    agree(breuschPagan(fit), model.breuschPagan);
  });

  test('model comparison', () => {
    agree(compareNested(smaller, fit), model.comparison);
    agree(semiPartialR(regressionOf(fit)), model.semiPartialR);
  });

  test('simple slopes', () => {
    const input = { outcome, change, treated: treated.values, covariates: [age] };
    agree(simpleSlopes(input, model.simpleSlopes.at), { ...model.simpleSlopes, at: undefined });
  });

  test('analysis of covariance', () => {
    const input = { outcome, baseline: age, treated: treated.values, covariates: [change] };
    agree(ancova(input), expected.ancova);
  });

  test('groups, as scipy, statsmodels and pingouin', () => {
    agree(tTest(first, second).welch, python.welch);
    agree(pearson(change.values, outcome.values), python.pearson);
    agree(shapiroWilk([...first, ...second]), python.shapiro, 'Shapiro-Wilk', AS_111);
    agree(levene([first, second]), { ...python.levene, f: python.levene.f || 0 });
    const { test: counts } = categoricalCharacteristic('sex', of(columns.sex, 0), of(columns.sex, 1));
    if (!counts.ok) throw new Error(counts.reason);
    agree(counts.value.chiSquare, python.chiSquare);
    agree(equivalentMeans(first, second, [-5, 8], 'raw'), python.tost);
    // pingouin corrects by 1 - 3 / (4 df - 1), an approximation that is 0.5 % off at n = 7.
    const { hedgesG, cohensD } = effectSize(first, second);
    const df = first.length + second.length - 2;
    agree(cohensD.value * (1 - 3 / (4 * df - 1)), python.hedgesG);
    agree(hedgesG.value, python.hedgesG, 'g', 0.01);
  });

  test('models, as statsmodels', () => {
    for (const kind of ['HC0', 'HC1', 'HC2', 'HC3'] as const)
      agree(
        heteroscedasticErrors(fit, kind).coefficients.map(({ se }) => se),
        python.standardErrors[kind],
        kind,
      );
    agree(
      clusterErrors(fit, model.clusterLabels).coefficients.map(({ se }) => se),
      python.clusterErrors,
      'cluster',
    );
    const ours = influence(fit);
    for (const key of Object.keys(python.influence) as (keyof (typeof ours)[number])[])
      agree(
        ours.map((subject) => subject[key]),
        python.influence[key],
        key,
        // statsmodels solves by singular values of columns of unlike size, and loses a digit or two where R does not.
        1e-8,
      );
    agree(
      varianceInflation(fit).map(({ vif }) => vif),
      python.vif,
    );
    agree(breuschPagan(fit), python.breuschPagan);
  });
});
