/** A primary interaction looked at from other sides: what it means, what it leans on, what it supposes, what it can find. */
import { breuschPagan, varianceInflation } from './assumptions.ts';
import { slopeBayesFactor } from './bayes-factor.ts';
import { bootstrapSlopes } from './bootstrap.ts';
import { mean, sd } from './descriptive.ts';
import { attempt, type Result, StatisticsError } from './errors.ts';
import { influence } from './influence.ts';
import { type InteractionInput, interactionTerms } from './interaction.ts';
import { type LeastSquares, leastSquares } from './least-squares.ts';
import { addedLast } from './model-comparison.ts';
import type {
  InteractionBootstrap,
  InteractionInfluence,
  InteractionSensitivity,
  SensitivityOptions,
} from './plan.ts';
import { minimumDetectableF2 } from './power.ts';
import { type Coefficient, regressionOf } from './regression.ts';
import { clusterErrors } from './robust-errors.ts';
import { shapiroWilk } from './shapiro-wilk.ts';
import { simpleSlopes } from './simple-slopes.ts';

/** Place of the interaction among the coefficients: after the intercept, dMD and group. */
const INTERACTION = 3;

/**
 * @param subjects who they are, in the order of the input
 * @param cluster per subject; undefined where it is not known
 */
export function interactionSensitivity(
  input: InteractionInput,
  subjects: readonly string[],
  cluster: readonly (string | number | undefined)[],
  { bootstrap, cluster: clusterName }: SensitivityOptions,
): InteractionSensitivity {
  const fitted = attempt(() => leastSquares(input.outcome, interactionTerms(input)));
  const of = <T>(calculate: (fit: LeastSquares) => T): Result<T> =>
    fitted.ok ? attempt(() => calculate(fitted.value)) : fitted;
  return {
    simpleSlopes: of(() => {
      const { values } = input.change;
      const [centre, spread] = [mean(values), sd(values)];
      return simpleSlopes(input, [centre - spread, centre, centre + spread]);
    }),
    bootstrap: bootstrap
      ? of(({ outcome, terms }): InteractionBootstrap => {
          const { resamples, redrawn, intervals } = bootstrapSlopes(outcome, terms, input.treated, bootstrap);
          const [change, group, interaction] = intervals;
          return { resamples, redrawn, change, group, interaction };
        })
      : null,
    clusterRobust:
      clusterName === undefined
        ? null
        : of((fit) => {
            const known = cluster.map((one, i) => {
              if (one === undefined)
                throw new StatisticsError('TOO_FEW', `${subjects[i]} has no ${clusterName}`);
              return one;
            });
            const { coefficients, df } = clusterErrors(fit, known);
            return { ...coefficients[INTERACTION], df };
          }),
    influence: of((fit) => influenceOf(fit, subjects)),
    varianceInflation: of(varianceInflation),
    breuschPagan: of(breuschPagan),
    shapiroWilk: of(({ residuals }) => shapiroWilk(residuals)),
    bayesFactor: of((fit) => {
      const regression = regressionOf(fit);
      const { n, r2, df1, slopes } = regression;
      const { r2Change } = addedLast(regression, slopes[INTERACTION - 1]);
      return slopeBayesFactor(n, df1, r2, Math.max(0, r2 - r2Change));
    }),
    minimumDetectableF2: of(({ residuals, terms }) => minimumDetectableF2(residuals.length, terms.length)),
  };
}

function influenceOf(fit: LeastSquares, subjects: readonly string[]): InteractionInfluence {
  const all = influence(fit);
  const farthest = (value: (one: (typeof all)[number]) => number | undefined) => {
    let most = { index: -1, value: 0 };
    for (const [index, one] of all.entries()) {
      const v = value(one);
      if (v !== undefined && (most.index < 0 || Math.abs(v) > Math.abs(most.value)))
        most = { index, value: v };
    }
    if (most.index < 0)
      throw new StatisticsError('PERFECT_FIT', 'no subject has an influence that can be told');
    return most;
  };
  const cook = farthest((one) => one.cooksDistance ?? undefined);
  const dfbetas = farthest((one) => one.dfbetas?.[INTERACTION]);
  const much = 4 / subjects.length;
  return {
    cooksDistance: { subject: subjects[cook.index], value: cook.value },
    dfbetas: { subject: subjects[dfbetas.index], value: dfbetas.value },
    influential: subjects.filter((_, i) => (all[i].cooksDistance ?? 0) > much),
    without: attempt(() => interactionWithout(fit, dfbetas.index)),
  };
}

function interactionWithout({ outcome, terms }: LeastSquares, index: number): Coefficient {
  const others = <T extends { readonly values: readonly number[] }>(column: T) => ({
    ...column,
    values: column.values.toSpliced(index, 1),
  });
  const { term, b, se, ci95, t, p } = regressionOf(leastSquares(others(outcome), terms.map(others))).slopes[
    INTERACTION - 1
  ];
  return { term, b, se, ci95, t, p };
}
