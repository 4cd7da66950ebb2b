/** The statistics as tidy tables: one row per test, a reason where a test could not be made. */
import type { EffectSize } from '../statistics/effect-size.ts';
import type { Result } from '../statistics/errors.ts';
import type { Cell, CohortAnalysis, Family } from '../statistics/plan.ts';
import type { TTest } from '../statistics/t-test.ts';
import { tsv } from './derivatives.ts';

type Row = Readonly<Record<string, unknown>>;

function tTestRow(
  variable: string,
  values: 'raw' | 'winsorized',
  cell: Cell<TTest>,
  result: Result<TTest>,
  { effect, adjusted }: { effect?: Result<EffectSize>; adjusted?: Family['members'][number] } = {},
): Row {
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

const T_TEST_COLUMNS = [
  'variable',
  'values',
  'n',
  'n_reference',
  'mean_reference',
  'sd_reference',
  'n_treatment',
  'mean_treatment',
  'sd_treatment',
  'difference',
  'ci95_low',
  'ci95_high',
  't',
  'df',
  'p',
  'welch_t',
  'welch_df',
  'welch_p',
  'cohens_d',
  'cohens_d_ci95_low',
  'cohens_d_ci95_high',
  'hedges_g',
  'hedges_g_ci95_low',
  'hedges_g_ci95_high',
  'p_holm',
  'p_fdr',
  'why_not',
];

const REGRESSION_COLUMNS = [
  'outcome',
  'exploratory',
  'roi',
  'change',
  'covariates',
  'n',
  'term',
  'b',
  'se',
  'beta',
  't',
  'df',
  'p',
  'partial_r',
  'beta_z_scored',
  'r2',
  'f',
  'model_p',
  'p_holm',
  'p_fdr',
  'se_hc3',
  'p_hc3',
  'p_permutation',
  'why_not',
];

const CORRELATION_COLUMNS = [
  'outcome',
  'exploratory',
  'roi',
  'group',
  'n',
  'r',
  'ci95_low',
  'ci95_high',
  't',
  'df',
  'p',
  'why_not',
];

/** File name -> text of every table. */
export function statisticsTables(analysis: CohortAnalysis): Record<string, string> {
  const adjusted = (name: string, roi: string) =>
    analysis.families.find((one) => one.name === name)?.members.find((member) => member.roi === roi);
  const tTests = [
    ...analysis.outcomeTests.map((test) => tTestRow(`d-${test.variable}`, 'raw', test, test.result, test)),
    ...analysis.changeTests.flatMap((test) => [
      tTestRow(`dMD ${test.variable}`, 'raw', test, test.result, {
        effect: test.effect,
        adjusted: adjusted('dMD', test.variable),
      }),
      ...(test.winsorized ? [tTestRow(`dMD ${test.variable}`, 'winsorized', test, test.winsorized)] : []),
    ]),
    ...analysis.baselineTests.map((test) =>
      tTestRow(`baseline MD ${test.variable}`, 'raw', test, test.result, test),
    ),
  ];
  const regressions = analysis.regressions.flatMap(
    ({ outcome, exploratory, roi, change, covariates, n, result, checks }): Row[] => {
      const known = {
        outcome: `d-${outcome}`,
        exploratory,
        roi,
        change,
        covariates: covariates.join(' '),
        n,
      };
      if (!result.ok) return [{ ...known, why_not: result.reason }];
      const { dummyCoded, zScored } = result.value;
      const { regression } = dummyCoded;
      return (['change', 'group', 'interaction'] as const).map((term) => {
        const { term: name, b, se, beta, t, p, partialR } = dummyCoded[term];
        return {
          ...known,
          term: name,
          b,
          se,
          beta,
          t,
          df: regression.df2,
          p,
          partial_r: partialR,
          beta_z_scored: zScored[term].b,
          r2: regression.r2,
          f: regression.f,
          model_p: regression.p,
          ...(term === 'interaction' && change === 'raw' && covariates.length === 0
            ? {
                p_holm: adjusted(outcome, roi)?.holm,
                p_fdr: adjusted(outcome, roi)?.fdr,
                ...(checks?.ok
                  ? {
                      se_hc3: checks.value.hc3.se,
                      p_hc3: checks.value.hc3.p,
                      p_permutation: checks.value.permutation.p,
                    }
                  : {}),
              }
            : {}),
        };
      });
    },
  );
  const correlations = analysis.correlations.map(({ outcome, exploratory, roi, group, n, result }) => {
    const known = { outcome: `d-${outcome}`, exploratory, roi, group, n };
    if (!result.ok) return { ...known, why_not: result.reason };
    const { r, ci95, t, df, p } = result.value;
    return { ...known, r, ci95_low: ci95?.[0], ci95_high: ci95?.[1], t, df, p };
  });
  return {
    'group_ttests.tsv': tsv(T_TEST_COLUMNS, tTests),
    'group_regressions.tsv': tsv(REGRESSION_COLUMNS, regressions),
    'group_correlations.tsv': tsv(CORRELATION_COLUMNS, correlations),
  };
}
