/** Tables of the regressions, correlations and mixed models. */

import { addedLast } from '../../statistics/model-comparison.ts';
import type { CohortAnalysis, InteractionCell } from '../../statistics/plan.ts';
import type { Slope } from '../../statistics/regression.ts';
import {
  column,
  dScore,
  estimate,
  exploratory,
  fdr,
  holm,
  n,
  outcome,
  r2,
  roi,
  term,
  whyNot,
} from './columns.ts';
import { type RowOf, type Table, table } from './table.ts';

const TERMS = ['change', 'group', 'interaction'] as const;

const slopeColumns = {
  b: estimate.b,
  se: estimate.se,
  beta: column('Standardized slope as SPSS prints it: b sd(term) / sd(outcome)'),
  t: estimate.t,
  df: estimate.df,
  p: estimate.p,
  partial_r: column('Partial correlation of term and outcome given the other terms'),
};

const slopeRow = ({ term, b, se, beta, t, p, partialR }: Slope, df: number) => ({
  term,
  b,
  se,
  beta,
  t,
  df,
  p,
  partial_r: partialR,
});

/** p of a primary interaction adjusted for its family. */
function adjusted({ families }: CohortAnalysis, { outcome, roi, change, covariates }: InteractionCell) {
  if (change !== 'raw' || covariates.length > 0) return {};
  const member = families
    .flatMap(({ members }) => members)
    .find((one) => one.outcome === outcome && one.roi === roi);
  return { p_holm: member?.holm, p_fdr: member?.fdr };
}

const REGRESSION_COLUMNS = {
  outcome,
  exploratory,
  roi,
  change: {
    Description: 'Values of dMD that the model takes',
    Levels: { raw: 'as measured', winsorized: 'outliers pulled in to the nearest value that is none' },
  },
  covariates: column('Covariates of the model, separated by spaces; n/a in the primary model'),
  n,
  term,
  ...slopeColumns,
  beta_z_scored: column('Slope of the model of z-scored columns, the product of z-scores not scaled again'),
  r2,
  f: column('F of the model'),
  model_p: column('p of the model'),
  p_holm: holm,
  p_fdr: fdr,
  se_hc3: column('Standard error of b by HC3, for errors of unlike size', 'as b'),
  p_hc3: column('Two-sided p by HC3'),
  p_permutation: column('p by permuting residuals (Freedman and Lane)'),
  why_not: whyNot,
};

/** Every model: each outcome and region, raw and Winsorized, alone and with each set of covariates. */
export function regressions(analysis: CohortAnalysis): Table {
  return table(
    REGRESSION_COLUMNS,
    analysis.regressions.flatMap((cell): RowOf<typeof REGRESSION_COLUMNS>[] => {
      const { outcome, exploratory, roi, change, covariates, n, result, checks } = cell;
      const known = {
        outcome: dScore(outcome),
        exploratory,
        roi,
        change,
        covariates: covariates.join(' '),
        n,
      };
      if (!result.ok) return [{ ...known, why_not: result.reason }];
      const { dummyCoded, zScored } = result.value;
      const { regression } = dummyCoded;
      return TERMS.map((term) => ({
        ...known,
        ...slopeRow(dummyCoded[term], regression.df2),
        beta_z_scored: zScored[term].b,
        r2: regression.r2,
        f: regression.f,
        model_p: regression.p,
        ...(term === 'interaction'
          ? {
              ...adjusted(analysis, cell),
              ...(checks?.ok
                ? {
                    se_hc3: checks.value.hc3.se,
                    p_hc3: checks.value.hc3.p,
                    p_permutation: checks.value.permutation.p,
                  }
                : {}),
            }
          : {}),
      }));
    }),
  );
}

const TABLE_TWO_COLUMNS = {
  outcome,
  exploratory,
  roi,
  n,
  term,
  b: slopeColumns.b,
  se: slopeColumns.se,
  ci95_low: estimate.ci95_low,
  ci95_high: estimate.ci95_high,
  beta: slopeColumns.beta,
  t: slopeColumns.t,
  df: slopeColumns.df,
  p: slopeColumns.p,
  partial_r: slopeColumns.partial_r,
  r2_change: column('Share of the variance, 0 to 1, that the term adds when it is entered last'),
  p_holm: holm,
  p_fdr: fdr,
  r2,
  adjusted_r2: column('r2 adjusted for the number of terms'),
  f: column('F of the model'),
  df1: column('Degrees of freedom of its numerator'),
  df2: column('Degrees of freedom of its denominator'),
  model_p: column('p of the model'),
  why_not: whyNot,
};

/** Table 2: d-score on dMD, group and dMD x group, one row per term. */
export function tableTwo(analysis: CohortAnalysis): Table {
  const primary = analysis.regressions.filter(
    (cell) => cell.change === 'raw' && cell.covariates.length === 0,
  );
  return table(
    TABLE_TWO_COLUMNS,
    primary.flatMap((cell): RowOf<typeof TABLE_TWO_COLUMNS>[] => {
      const { outcome, exploratory, roi, n, result } = cell;
      const known = { outcome: dScore(outcome), exploratory, roi, n };
      if (!result.ok) return [{ ...known, why_not: result.reason }];
      const { dummyCoded } = result.value;
      const { regression } = dummyCoded;
      return TERMS.map((term) => ({
        ...known,
        ...slopeRow(dummyCoded[term], regression.df2),
        ci95_low: dummyCoded[term].ci95[0],
        ci95_high: dummyCoded[term].ci95[1],
        r2_change: addedLast(regression, dummyCoded[term]).r2Change,
        ...(term === 'interaction' ? adjusted(analysis, cell) : {}),
        r2: regression.r2,
        adjusted_r2: regression.adjustedR2,
        f: regression.f,
        df1: regression.df1,
        df2: regression.df2,
        model_p: regression.p,
      }));
    }),
  );
}

const CORRELATION_COLUMNS = {
  outcome,
  exploratory,
  roi,
  group: column('Group within which d-score and dMD are correlated'),
  n,
  r: column("Pearson's correlation of d-score and dMD"),
  ci95_low: column('Lower end of the 95 % confidence interval of r (Fisher)'),
  ci95_high: column('Upper end of the 95 % confidence interval of r (Fisher)'),
  t: estimate.t,
  df: estimate.df,
  p: estimate.p,
  why_not: whyNot,
};

export function correlations(analysis: CohortAnalysis): Table {
  return table(
    CORRELATION_COLUMNS,
    analysis.correlations.map(
      ({ outcome, exploratory, roi, group, n, result }): RowOf<typeof CORRELATION_COLUMNS> => {
        const known = { outcome: dScore(outcome), exploratory, roi, group, n };
        if (!result.ok) return { ...known, why_not: result.reason };
        const { r, ci95, t, df, p } = result.value;
        return { ...known, r, ci95_low: ci95?.[0], ci95_high: ci95?.[1], t, df, p };
      },
    ),
  );
}

const MIXED_COLUMNS = {
  roi,
  n_subjects: column('Subjects with MD in one session or both', 'subjects'),
  n_observations: column('Sessions with MD', 'sessions'),
  term: {
    Description: 'Fixed effect of MD ~ session x group with a random intercept per subject, by REML',
    Levels: {
      '(intercept)': 'MD of the reference group at baseline',
      'session=followup': 'Follow-up minus baseline in the reference group',
      group: 'Treatment minus reference at baseline',
      'session=followup x group': 'How much more MD rises with treatment; a fall is positive dMD',
    },
  },
  b: column('Estimate', 'mm^2/s'),
  se: column('Standard error', 'mm^2/s'),
  ci95_low: column('Lower end of the 95 % confidence interval', 'mm^2/s'),
  ci95_high: column('Upper end of the 95 % confidence interval', 'mm^2/s'),
  t: estimate.t,
  df: column("Satterthwaite's degrees of freedom of t"),
  p: estimate.p,
  variance_subject: column('Variance between subjects', 'mm^4/s^2'),
  variance_residual: column('Variance within subjects', 'mm^4/s^2'),
  icc: column('Share of the variance between subjects, 0 to 1'),
  singular: {
    Description: 'Whether the variance between subjects is estimated as 0',
    Levels: { true: 'it is', false: 'it is above 0' },
  },
  why_not: whyNot,
};

export function mixedModels(analysis: CohortAnalysis): Table {
  return table(
    MIXED_COLUMNS,
    analysis.mixedModels.flatMap(({ roi, n, result }): RowOf<typeof MIXED_COLUMNS>[] => {
      const known = { roi, n_subjects: n };
      if (!result.ok) return [{ ...known, why_not: result.reason }];
      const { fixed, observations, variance, icc, singular } = result.value;
      return fixed.map(({ term, b, se, ci95, t, df, p }) => ({
        ...known,
        n_observations: observations,
        term,
        b,
        se,
        ci95_low: ci95[0],
        ci95_high: ci95[1],
        t,
        df,
        p,
        variance_subject: variance.subject,
        variance_residual: variance.residual,
        icc,
        singular,
      }));
    }),
  );
}
