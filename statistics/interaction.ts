/** Whether a change in MD predicts a change in score, and does so differently in the two groups. */
import { isConstant, mean, sd } from './descriptive.ts';
import { StatisticsError } from './errors.ts';
import { linearRegression, type Regression, type Slope, type Term } from './regression.ts';

export interface InteractionInput {
  /** d-score per subject. */
  readonly outcome: Term;
  /** dMD per subject. */
  readonly change: Term;
  /** 1 for treatment, 0 for reference. */
  readonly treated: readonly number[];
  readonly covariates: readonly Term[];
}

/** A fitted model and its three terms of interest. */
export interface InteractionFit {
  readonly regression: Regression;
  readonly change: Slope;
  readonly group: Slope;
  readonly interaction: Slope;
}

/**
 * One model, fitted in two codings. The interaction's t and p are the same in both; the standardized slopes and the
 * tests of the lower terms are not.
 */
export interface InteractionModel {
  /**
   * As SPSS does it: group 0/1 (treatment = 1), dMD minus its mean, their product; beta = B x sd(term) / sd(outcome).
   * The slope of dMD is that of the reference group, the slope of group is the difference at average dMD. This is the
   * coding to compare with the published figures: with 67 of 98 subjects treated the standard error of the product's
   * beta is close to sqrt(1 / 94 / (1 - 67 / 98)) = .18, as in beta = .386, t = 2.143; z-scored coding would give about .10.
   */
  readonly dummyCoded: InteractionFit;
  /**
   * Outcome, dMD, covariates and the 0/1 group z-scored first; the product is that of the z-scores and not scaled again.
   * Here B itself is the standardized slope (`b`), and the slope of dMD is the average over the cohort.
   */
  readonly zScored: InteractionFit;
}

/**
 * Fits outcome ~ dMD + group + dMD x group + covariates.
 * @throws StatisticsError as {@link linearRegression}; CONSTANT where one group is empty.
 */
export function interactionModel(input: InteractionInput): InteractionModel {
  const { outcome, change, treated, covariates } = input;
  for (const { name, values } of [outcome, change, { name: 'group', values: treated }, ...covariates])
    if (values.length === 0 || isConstant(values))
      throw new StatisticsError(values.length === 0 ? 'TOO_FEW' : 'CONSTANT', `${name} does not vary`);
  const centre = mean(change.values);
  return {
    dummyCoded: fit(
      outcome,
      change.values.map((v) => v - centre),
      treated,
      covariates,
    ),
    zScored: fit(
      zScore(outcome),
      zScore(change).values,
      zScore({ name: 'group', values: treated }).values,
      covariates.map(zScore),
    ),
  };
}

function fit(
  outcome: Term,
  change: readonly number[],
  group: readonly number[],
  covariates: readonly Term[],
): InteractionFit {
  const regression = linearRegression(outcome, [
    { name: 'dMD', values: change },
    { name: 'group', values: group },
    { name: 'dMD x group', values: change.map((v, i) => v * group[i]) },
    ...covariates,
  ]);
  return {
    regression,
    change: regression.slopes[0],
    group: regression.slopes[1],
    interaction: regression.slopes[2],
  };
}

/** (value - mean) / sd. */
function zScore({ name, values }: Term): Term {
  const [centre, spread] = [mean(values), sd(values)];
  return { name, values: values.map((v) => (v - centre) / spread) };
}
