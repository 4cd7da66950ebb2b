/** Table 1: the groups before treatment. */
import type { CohortAnalysis } from '../../statistics/plan.ts';
import type { CategoricalCharacteristic, NumericCharacteristic } from '../../statistics/table-one.ts';
import { column, whyNot } from './columns.ts';
import { type RowOf, type Table, table } from './table.ts';

const COLUMNS = {
  characteristic: column('Column of the participants'),
  level: column('Category that the row counts; n/a in the row of the test and of numbers'),
  n_reference: column('Subjects of the reference group with a value', 'subjects'),
  missing_reference: column('Subjects of the reference group without one', 'subjects'),
  mean_reference: column('Mean of the reference group', 'of the column'),
  sd_reference: column('Standard deviation of the reference group', 'of the column'),
  median_reference: column('Median of the reference group', 'of the column'),
  count_reference: column('Subjects of the reference group in the category', 'subjects'),
  percent_reference: column('Their share of those with a value', 'percent'),
  n_treatment: column('Subjects of the treatment group with a value', 'subjects'),
  missing_treatment: column('Subjects of the treatment group without one', 'subjects'),
  mean_treatment: column('Mean of the treatment group', 'of the column'),
  sd_treatment: column('Standard deviation of the treatment group', 'of the column'),
  median_treatment: column('Median of the treatment group', 'of the column'),
  count_treatment: column('Subjects of the treatment group in the category', 'subjects'),
  percent_treatment: column('Their share of those with a value', 'percent'),
  test: {
    Description: 'Test of whether the groups differ',
    Levels: {
      t: "Student's t-test, pooled variance",
      'chi-square': "Pearson's chi-square without correction",
      fisher: "Fisher's exact test, where a cell expects less than 5",
    },
  },
  statistic: column('t, or chi-square; n/a for an exact test'),
  df: column('Degrees of freedom of the statistic'),
  p: column('Two-sided p'),
  welch_p: column("Two-sided p of Welch's t-test, for groups that spread unlike"),
  rank_p: column("Two-sided p of Mann and Whitney's test, for values far from normal"),
  standardized_difference: column(
    'Difference of the groups, reference minus treatment, in units of their average spread; of categories, its size',
    'standard deviations',
  ),
  why_not: whyNot,
};

type Row = RowOf<typeof COLUMNS>;

/** A row per number; for categories a row with the test, then one per level. */
export function tableOne(analysis: CohortAnalysis): Table {
  return table(
    COLUMNS,
    analysis.tableOne.flatMap((one) => (one.kind === 'numeric' ? [numeric(one)] : categorical(one))),
  );
}

function numeric({ name, first, second, ...tests }: NumericCharacteristic): Row {
  const { test, rankTest, standardizedDifference } = tests;
  return {
    characteristic: name,
    n_reference: first.n,
    missing_reference: first.missing,
    mean_reference: first.mean,
    sd_reference: first.sd,
    median_reference: first.median,
    n_treatment: second.n,
    missing_treatment: second.missing,
    mean_treatment: second.mean,
    sd_treatment: second.sd,
    median_treatment: second.median,
    ...(test.ok
      ? {
          test: 't',
          statistic: test.value.student.t,
          df: test.value.student.df,
          p: test.value.student.p,
          welch_p: test.value.welch.p,
        }
      : { why_not: test.reason }),
    rank_p: rankTest.ok ? rankTest.value.p : undefined,
    standardized_difference: standardizedDifference.ok ? standardizedDifference.value : undefined,
  };
}

function categorical({ name, levels, first, second, ...tests }: CategoricalCharacteristic): Row[] {
  const { test, standardizedDifference } = tests;
  return [
    {
      characteristic: name,
      n_reference: first.n,
      missing_reference: first.missing,
      n_treatment: second.n,
      missing_treatment: second.missing,
      ...(test.ok ? testOf(test.value) : { why_not: test.reason }),
      standardized_difference: standardizedDifference.ok ? standardizedDifference.value : undefined,
    },
    ...levels.map((level, i) => ({
      characteristic: name,
      level,
      count_reference: first.counts[i],
      percent_reference: percent(first.shares[i]),
      count_treatment: second.counts[i],
      percent_treatment: percent(second.shares[i]),
    })),
  ];
}

function testOf({
  preferred,
  fisherP,
  chiSquare,
  df,
}: Extract<CategoricalCharacteristic['test'], { ok: true }>['value']): Row {
  if (preferred === 'fisher')
    return fisherP.ok ? { test: 'fisher', p: fisherP.value } : { test: 'fisher', why_not: fisherP.reason };
  return { test: 'chi-square', statistic: chiSquare.statistic, df, p: chiSquare.p };
}

const percent = (share: number | null) => (share === null ? null : 100 * share);
