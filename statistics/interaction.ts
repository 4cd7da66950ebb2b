/** Whether a change in MD predicts a change in score, and does so differently in the two groups. */
import { isConstant, mean, sd } from './descriptive.ts';
import { StatisticsError } from './errors.ts';
import { leastSquares } from './least-squares.ts';
import { freedmanLane, type PermutationOptions, type PermutationTest } from './permutation.ts';
import { type Coefficient, linearRegression, type Regression, type Slope, type Term } from './regression.ts';
import { heteroscedasticErrors } from './robust-errors.ts';

export interface InteractionInput {
  /** d-score per subject. */
  readonly outcome: Term;
  /** dMD per subject. */
  readonly change: Term;
  /** 1 for treatment, 0 for reference. */
  readonly treated: readonly number[];
  readonly covariates: readonly Term[];
}

/** The interaction's test again, asking less of the errors. */
export interface InteractionChecks {
  /** By errors that may differ in size between subjects (HC3). */
  readonly hc3: Coefficient;
  /** By permuting what the other terms leave (Freedman & Lane 1983). */
  readonly permutation: PermutationTest;
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
  return {
    dummyCoded: fit(outcome, interactionTerms(input)),
    zScored: fit(
      zScore(outcome),
      terms(zScore(change).values, zScore({ name: 'group', values: treated }).values, covariates.map(zScore)),
    ),
  };
}

/**
 * The terms of the model in 0/1 coding, dMD from its mean: dMD, group, dMD x group, covariates.
 * @throws StatisticsError TOO_FEW or NOT_FINITE where dMD has no mean
 */
export function interactionTerms({ change, treated, covariates }: InteractionInput): Term[] {
  const centre = mean(change.values);
  return terms(
    change.values.map((v) => v - centre),
    treated,
    covariates,
  );
}

function terms(change: readonly number[], group: readonly number[], covariates: readonly Term[]): Term[] {
  return [
    { name: 'dMD', values: change },
    { name: 'group', values: group },
    { name: 'dMD x group', values: change.map((v, i) => v * group[i]) },
    ...covariates,
  ];
}

/**
 * Tests the interaction of {@link interactionModel} by two other ways.
 * @throws StatisticsError as {@link interactionModel}
 */
export function interactionChecks(input: InteractionInput, options: PermutationOptions): InteractionChecks {
  const { outcome } = input;
  const [dMd, group, interaction, ...others] = interactionTerms(input);
  const fitted = leastSquares(outcome, [dMd, group, interaction, ...others]);
  return {
    // After the intercept, dMD and group.
    hc3: heteroscedasticErrors(fitted, 'HC3').coefficients[3],
    permutation: freedmanLane(outcome, interaction, [dMd, group, ...others], options),
  };
}

function fit(outcome: Term, of: readonly Term[]): InteractionFit {
  const regression = linearRegression(outcome, of);
  const [change, group, interaction] = regression.slopes;
  return { regression, change, group, interaction };
}

/** (value - mean) / sd. */
function zScore({ name, values }: Term): Term {
  const [centre, spread] = [mean(values), sd(values)];
  return { name, values: values.map((v) => (v - centre) / spread) };
}
