/** Tables of tests between the two groups. */
import type { EffectSize } from '../../statistics/effect-size.ts';
import type { Equivalence } from '../../statistics/equivalence.ts';
import type { Result } from '../../statistics/errors.ts';
import type { Cell, ChangeTest, CohortAnalysis, Family, OutcomeTest } from '../../statistics/plan.ts';
import type { Coefficient } from '../../statistics/regression.ts';
import type { TTest } from '../../statistics/t-test.ts';
import { column, dScore, estimate, fdr, holm, n, VARIABLE_UNITS, whyNot } from './columns.ts';
import { type RowOf, type Table, table } from './table.ts';

const inUnits = (description: string) => column(description, VARIABLE_UNITS);
const variable = column('What is compared: d-NAME of an outcome, dMD or baseline MD of a region');

const T_TEST_COLUMNS = {
  variable,
  values: {
    Description: 'Values that the test takes',
    Levels: { raw: 'as measured', winsorized: 'outliers pulled in to the nearest value that is none' },
  },
  n,
  n_reference: column('Subjects of the reference group', 'subjects'),
  mean_reference: inUnits('Mean of the reference group'),
  sd_reference: inUnits('Standard deviation of the reference group'),
  n_treatment: column('Subjects of the treatment group', 'subjects'),
  mean_treatment: inUnits('Mean of the treatment group'),
  sd_treatment: inUnits('Standard deviation of the treatment group'),
  difference: inUnits('Mean of the reference group minus mean of the treatment group'),
  ci95_low: inUnits('Lower end of the 95 % confidence interval of the difference, pooled variance'),
  ci95_high: inUnits('Upper end of the 95 % confidence interval of the difference, pooled variance'),
  t: column("Student's t, pooled variance"),
  df: estimate.df,
  p: estimate.p,
  welch_t: column("Welch's t, variances of their own"),
  welch_df: column("Degrees of freedom of Welch's t"),
  welch_p: column("Two-sided p of Welch's t"),
  cohens_d: column("Cohen's d", 'pooled standard deviations'),
  cohens_d_ci95_low: column(
    "Lower end of the exact 95 % interval of Cohen's d",
    'pooled standard deviations',
  ),
  cohens_d_ci95_high: column(
    "Upper end of the exact 95 % interval of Cohen's d",
    'pooled standard deviations',
  ),
  hedges_g: column("Hedges' g, d without its bias in small samples", 'pooled standard deviations'),
  hedges_g_ci95_low: column("Lower end of the 95 % interval of Hedges' g", 'pooled standard deviations'),
  hedges_g_ci95_high: column("Upper end of the 95 % interval of Hedges' g", 'pooled standard deviations'),
  p_holm: holm,
  p_fdr: fdr,
  why_not: whyNot,
};

function tTestRow(
  variable: string,
  values: 'raw' | 'winsorized',
  cell: Cell<TTest>,
  result: Result<TTest>,
  { effect, adjusted }: { effect?: Result<EffectSize>; adjusted?: Family['members'][number] } = {},
): RowOf<typeof T_TEST_COLUMNS> {
  const known = { variable, values, n: cell.n };
  if (!result.ok) return { ...known, why_not: result.reason };
  const { first, second, difference, student, welch, cohensD } = result.value;
  return {
    ...known,
    mean_reference: first.mean,
    sd_reference: first.sd,
    n_reference: first.n,
    mean_treatment: second.mean,
    sd_treatment: second.sd,
    n_treatment: second.n,
    difference,
    ci95_low: student.ci95[0],
    ci95_high: student.ci95[1],
    t: student.t,
    df: student.df,
    p: student.p,
    welch_t: welch.t,
    welch_df: welch.df,
    welch_p: welch.p,
    cohens_d: cohensD,
    ...(effect?.ok
      ? {
          cohens_d_ci95_low: effect.value.cohensD.ci95[0],
          cohens_d_ci95_high: effect.value.cohensD.ci95[1],
          hedges_g: effect.value.hedgesG.value,
          hedges_g_ci95_low: effect.value.hedgesG.ci95[0],
          hedges_g_ci95_high: effect.value.hedgesG.ci95[1],
        }
      : {}),
    p_holm: adjusted?.holm,
    p_fdr: adjusted?.fdr,
  };
}

/** Student's and Welch's tests of d-scores, dMD and baseline MD. */
export function tTests({ outcomeTests, changeTests, baselineTests, families }: CohortAnalysis): Table {
  const adjusted = (roi: string) =>
    families.find(({ name }) => name === 'dMD')?.members.find((member) => member.roi === roi);
  return table(T_TEST_COLUMNS, [
    ...outcomeTests.map((test) => tTestRow(dScore(test.variable), 'raw', test, test.result, test)),
    ...changeTests.flatMap((test) => [
      tTestRow(`dMD ${test.variable}`, 'raw', test, test.result, {
        effect: test.effect,
        adjusted: adjusted(test.variable),
      }),
      ...(test.winsorized ? [tTestRow(`dMD ${test.variable}`, 'winsorized', test, test.winsorized)] : []),
    ]),
    ...baselineTests.map((test) => tTestRow(`baseline MD ${test.variable}`, 'raw', test, test.result, test)),
  ]);
}

const ANCOVA_COLUMNS = {
  variable: column('Score, or MD of a region, whose follow-up is adjusted for its baseline'),
  n,
  mean_reference: column(
    'Mean of the reference group at follow-up, at the average baseline',
    'points or mm^2/s',
  ),
  se_reference: column('Its standard error', 'points or mm^2/s'),
  mean_treatment: column(
    'Mean of the treatment group at follow-up, at the average baseline',
    'points or mm^2/s',
  ),
  se_treatment: column('Its standard error', 'points or mm^2/s'),
  difference: column(
    'Adjusted mean of the treatment group minus that of the reference group',
    'points or mm^2/s',
  ),
  se: estimate.se,
  ci95_low: column('Lower end of the 95 % confidence interval of the difference', 'points or mm^2/s'),
  ci95_high: column('Upper end of the 95 % confidence interval of the difference', 'points or mm^2/s'),
  t: estimate.t,
  df: estimate.df,
  p: estimate.p,
  baseline_slope: column('Slope of follow-up on baseline, common to the groups'),
  baseline_p: column('Two-sided p of that slope'),
  homogeneity_f: column('F of baseline x group, which the adjustment supposes is nothing'),
  homogeneity_df1: column('Degrees of freedom of its numerator'),
  homogeneity_df2: column('Degrees of freedom of its denominator'),
  homogeneity_p: column('p of that F'),
  why_not: whyNot,
};

/** Follow-up adjusted for baseline: analysis of covariance of every score and region that has both. */
export function ancovas({ outcomeTests, changeTests }: CohortAnalysis): Table {
  const rows = (tests: readonly (OutcomeTest | ChangeTest)[], name: (variable: string) => string) =>
    tests.flatMap(({ variable, ancova }): RowOf<typeof ANCOVA_COLUMNS>[] => {
      if (ancova === null) return [];
      const known = { variable: name(variable), n: ancova.n };
      if (!ancova.result.ok) return [{ ...known, why_not: ancova.result.reason }];
      const { reference, treatment, difference, baseline, homogeneity } = ancova.result.value;
      return [
        {
          ...known,
          mean_reference: reference.b,
          se_reference: reference.se,
          mean_treatment: treatment.b,
          se_treatment: treatment.se,
          difference: difference.b,
          ...tested(difference),
          // The model has an intercept, the baseline and the group.
          df: ancova.n - 3,
          baseline_slope: baseline.b,
          baseline_p: baseline.p,
          ...(homogeneity.ok
            ? {
                homogeneity_f: homogeneity.value.fChange,
                homogeneity_df1: homogeneity.value.df1,
                homogeneity_df2: homogeneity.value.df2,
                homogeneity_p: homogeneity.value.p,
              }
            : {}),
        },
      ];
    });
  return table(ANCOVA_COLUMNS, [
    ...rows(outcomeTests, (name) => name),
    ...rows(changeTests, (roi) => `MD ${roi}`),
  ]);
}

function tested({ se, ci95, t, p }: Coefficient) {
  return { se, ci95_low: ci95[0], ci95_high: ci95[1], t, p };
}

const EQUIVALENCE_COLUMNS = {
  variable: column('What is compared: d-NAME of an outcome, or dMD of a region'),
  n,
  difference: T_TEST_COLUMNS.difference,
  bound_low: inUnits('Largest difference downwards that does not matter'),
  bound_high: inUnits('Largest difference upwards that does not matter'),
  ci90_low: inUnits('Lower end of the 90 % confidence interval of the difference, pooled variance'),
  ci90_high: inUnits('Upper end of the 90 % confidence interval of the difference, pooled variance'),
  p_tost: column('p of equivalence by two one-sided tests, pooled variance: the larger of the two'),
  p_tost_welch: column("p of equivalence by two one-sided tests, Welch's variances"),
  bf10: column(
    'JZS Bayes factor, Cauchy scale .707: how many times likelier the data are with a difference than without',
  ),
  bf01: column('1 / bf10: how many times likelier the data are without a difference'),
  minimum_detectable_d: column(
    "Smallest true difference that Student's test at .05 finds in 80 % of trials of this size",
    'pooled standard deviations',
  ),
  bound_d: column('The bound in pooled standard deviations', 'pooled standard deviations'),
  power: column(
    'Share of trials of this size, 0 to 1, in which a true difference as large as the bound is found',
  ),
  why_not: whyNot,
};

/** Whether the groups are alike, and what a trial of this size can find. */
export function equivalences({ outcomeTests, changeTests }: CohortAnalysis): Table {
  const rows = (tests: readonly (OutcomeTest | ChangeTest)[], name: (variable: string) => string) =>
    tests.flatMap(({ variable, n, result, sensitivity }): RowOf<typeof EQUIVALENCE_COLUMNS>[] => {
      if (!sensitivity) return [];
      const { equivalence, bayesFactor, power } = sensitivity;
      const known = { variable: name(variable), n };
      const failed = [result, equivalence, bayesFactor, power].find(({ ok }) => !ok);
      return [
        {
          ...known,
          ...(result.ok ? { difference: result.value.difference } : {}),
          ...(equivalence.ok ? tost(equivalence.value) : {}),
          ...(bayesFactor.ok ? { bf10: bayesFactor.value, bf01: 1 / bayesFactor.value } : {}),
          ...(power.ok
            ? {
                minimum_detectable_d: power.value.minimumDetectableD,
                bound_d: power.value.d,
                power: power.value.power,
              }
            : {}),
          why_not: failed && !failed.ok ? failed.reason : undefined,
        },
      ];
    });
  return table(EQUIVALENCE_COLUMNS, [
    ...rows(outcomeTests, dScore),
    ...rows(changeTests, (roi) => `dMD ${roi}`),
  ]);
}

function tost({ student, welch }: { readonly student: Equivalence; readonly welch: Equivalence }) {
  return {
    bound_low: student.bounds[0],
    bound_high: student.bounds[1],
    ci90_low: student.ci90[0],
    ci90_high: student.ci90[1],
    p_tost: student.p,
    p_tost_welch: welch.p,
  };
}
