/** The table of sensitivity analyses: one row per check, so that each has its own reason where it could not be made. */
import type { BootstrapInterval } from '../../statistics/bootstrap.ts';
import type { Result } from '../../statistics/errors.ts';
import type { CohortAnalysis, GroupSensitivity, InteractionCell } from '../../statistics/plan.ts';
import type { Coefficient } from '../../statistics/regression.ts';
import { column, dScore, exploratory, n, roi, whyNot } from './columns.ts';
import { type RowOf, type Table, table } from './table.ts';

const COLUMNS = {
  outcome: column(
    'Outcome of the model, or variable of the group test; d-NAME is baseline minus follow-up of NAME',
  ),
  exploratory,
  roi,
  n,
  check: {
    Description:
      'What is looked at. Of group tests: levene, group_normality; of primary interactions: all others',
    Levels: {
      levene: "Whether the groups spread alike (Levene's F, distances from the median)",
      group_normality: "Whether values less their group's mean may be normal (Shapiro-Wilk's W)",
      least_squares: 'The interaction as Table 2 has it, for comparison',
      hc3: 'The interaction by errors that may differ in size between subjects',
      cluster: 'The interaction by errors that subjects of one cluster share',
      permutation: 'The interaction by permuting residuals (Freedman and Lane)',
      bootstrap: 'BCa interval of a slope from subjects resampled within groups',
      cooks_distance: 'The largest distance, and whose it is',
      dfbetas: 'The largest pull of one subject on the interaction, in standard errors, and whose it is',
      without_subject: 'The interaction without the subject of dfbetas',
      influential: 'A subject whose distance exceeds 4 / n',
      variance_inflation: 'How much collinearity widens the variance of a slope; 1 at best, above 10 is much',
      breusch_pagan: 'Whether the error variance is constant (chi-square, studentized)',
      residual_normality: "Whether the residuals may be normal (Shapiro-Wilk's W)",
      simple_slope: 'Slope of the outcome on dMD within a group',
      difference_at: 'Outcome of treatment minus reference at a value of dMD',
      johnson_neyman:
        'Stretch of dMD in which that difference has p < .05; observed_from and observed_to bound the data',
      bayes_factor: 'JZS Bayes factor of the interaction, given the other terms: BF10',
      minimum_detectable_f2:
        "Cohen's f2 of an interaction that is found in 80 % of trials of this size at .05",
    },
  },
  term: column('Term, or group, that the check is about'),
  estimate: column('Slope, difference, distance, factor or size', 'of the check'),
  se: column('Standard error of the estimate', 'as the estimate'),
  ci95_low: column('Lower end of its 95 % interval', 'as the estimate'),
  ci95_high: column('Upper end of its 95 % interval', 'as the estimate'),
  statistic: column('t, F, W or chi-square of the check'),
  df: column('Degrees of freedom of the statistic, of its numerator'),
  df2: column('Degrees of freedom of its denominator'),
  p: column('p of the check'),
  subject: column('Subject that the check names'),
  dmd_from: column('Where the stretch begins, or the value; n/a where it has no end', 'mm^2/s'),
  dmd_to: column('Where the stretch ends; n/a where it has no end', 'mm^2/s'),
  observed_from: column('Smallest dMD of the data', 'mm^2/s'),
  observed_to: column('Largest dMD of the data', 'mm^2/s'),
  draws: column('Permutations or resamples', 'draws'),
  why_not: whyNot,
};

type Row = RowOf<typeof COLUMNS>;
type Check = keyof typeof COLUMNS.check.Levels;

/** Rows of one check, or its reason. */
function rowsOf<T>(check: Check, result: Result<T> | null | undefined, rows: (value: T) => Row[]): Row[] {
  if (!result) return [];
  return (result.ok ? rows(result.value) : [{ why_not: result.reason }]).map((row) => ({ check, ...row }));
}

const coefficient = ({ b, se, ci95, t, p }: Coefficient, df?: number): Row => ({
  estimate: b,
  se,
  ci95_low: ci95[0],
  ci95_high: ci95[1],
  statistic: t,
  df,
  p,
});

const interval = (term: string, { estimate, se, ci95 }: BootstrapInterval, draws: number): Row => ({
  term,
  estimate,
  se,
  ci95_low: ci95[0],
  ci95_high: ci95[1],
  draws,
});

function ofGroupTest({ levene, shapiroWilk }: GroupSensitivity): Row[] {
  return [
    ...rowsOf('levene', levene, ({ f, df1, df2, p }) => [{ statistic: f, df: df1, df2, p }]),
    ...rowsOf('group_normality', shapiroWilk, ({ w, p }) => [{ statistic: w, p }]),
  ];
}

function ofInteraction({ result, checks, sensitivity }: InteractionCell): Row[] {
  if (!sensitivity) return [];
  const { simpleSlopes, bootstrap, clusterRobust, influence, varianceInflation } = sensitivity;
  const { breuschPagan, shapiroWilk, bayesFactor, minimumDetectableF2 } = sensitivity;
  const interaction = 'dMD x group';
  const df = result.ok ? result.value.dummyCoded.regression.df2 : undefined;
  return [
    ...rowsOf('least_squares', result, ({ dummyCoded }) => [
      { term: interaction, ...coefficient(dummyCoded.interaction, df) },
    ]),
    ...rowsOf('hc3', checks, ({ hc3 }) => [{ term: interaction, ...coefficient(hc3, df) }]),
    ...rowsOf('cluster', clusterRobust, (robust) => [
      { term: interaction, ...coefficient(robust, robust.df) },
    ]),
    ...rowsOf('permutation', checks, ({ permutation: { p, permutations } }) => [
      { term: interaction, p, draws: permutations },
    ]),
    ...rowsOf('bootstrap', bootstrap, ({ resamples, change, group, interaction: product }) => [
      interval('dMD', change, resamples),
      interval('group', group, resamples),
      interval(interaction, product, resamples),
    ]),
    ...rowsOf('cooks_distance', influence, ({ cooksDistance: { subject, value } }) => [
      { subject, estimate: value },
    ]),
    ...rowsOf('dfbetas', influence, ({ dfbetas: { subject, value } }) => [
      { term: interaction, subject, estimate: value },
    ]),
    ...(influence.ok
      ? rowsOf('without_subject', influence.value.without, (without) => [
          {
            term: interaction,
            subject: influence.value.dfbetas.subject,
            ...coefficient(without, df === undefined ? df : df - 1),
          },
        ])
      : []),
    ...(influence.ok
      ? influence.value.influential.map((subject) => ({ check: 'influential', subject }))
      : []),
    ...rowsOf('variance_inflation', varianceInflation, (terms) =>
      terms.map(({ term, vif }) => ({ term, estimate: vif })),
    ),
    ...rowsOf('breusch_pagan', breuschPagan, ({ statistic, df, p }) => [{ statistic, df, p }]),
    ...rowsOf('residual_normality', shapiroWilk, ({ w, p }) => [{ statistic: w, p }]),
    ...rowsOf('simple_slope', simpleSlopes, ({ reference, treatment }) => [
      { term: 'reference', ...coefficient(reference, df) },
      { term: 'treatment', ...coefficient(treatment, df) },
    ]),
    ...rowsOf('difference_at', simpleSlopes, ({ differences }) =>
      differences.map((difference) => ({ dmd_from: difference.at, ...coefficient(difference, df) })),
    ),
    ...rowsOf('johnson_neyman', simpleSlopes, ({ significant, observed: [observed_from, observed_to] }) =>
      significant.map(({ from, to }) => ({ dmd_from: from, dmd_to: to, observed_from, observed_to })),
    ),
    ...rowsOf('bayes_factor', bayesFactor, (factor) => [{ term: interaction, estimate: factor }]),
    ...rowsOf('minimum_detectable_f2', minimumDetectableF2, (f2) => [{ term: interaction, estimate: f2 }]),
  ];
}

export function sensitivities({ outcomeTests, changeTests, regressions }: CohortAnalysis): Table {
  return table(COLUMNS, [
    ...outcomeTests.flatMap(({ variable, exploratory, n, sensitivity }) =>
      sensitivity
        ? ofGroupTest(sensitivity).map((row) => ({ outcome: dScore(variable), exploratory, n, ...row }))
        : [],
    ),
    ...changeTests.flatMap(({ variable, n, sensitivity }) =>
      sensitivity
        ? ofGroupTest(sensitivity).map((row) => ({ outcome: 'dMD', roi: variable, n, ...row }))
        : [],
    ),
    ...regressions.flatMap((cell) => {
      const { outcome, exploratory, roi, n } = cell;
      return ofInteraction(cell).map((row) => ({ outcome: dScore(outcome), exploratory, roi, n, ...row }));
    }),
  ]);
}
