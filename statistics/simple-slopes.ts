/** What an interaction means: the slope within each group, and where along dMD the groups differ. */
import { mean } from './descriptive.ts';
import { t975 } from './distributions.ts';
import { StatisticsError } from './errors.ts';
import { type InteractionInput, interactionTerms } from './interaction.ts';
import { leastSquares, linearCombination } from './least-squares.ts';
import { type Coefficient, coefficient } from './regression.ts';

/** A stretch of dMD; null where it has no end. */
export interface Region {
  readonly from: number | null;
  readonly to: number | null;
}

export interface SimpleSlopes {
  /** Slope of the outcome on dMD in each group. */
  readonly reference: Coefficient;
  readonly treatment: Coefficient;
  /** Outcome of treatment minus reference at the chosen values of dMD, covariates alike. */
  readonly differences: readonly (Coefficient & { readonly at: number })[];
  /** Where the two-sided p of that difference is below .05 (Johnson & Neyman 1936): none, one or two regions, ascending. */
  readonly significant: readonly Region[];
  /** The regions are to be read within these ends of what was observed. */
  readonly observed: readonly [number, number];
}

/**
 * Follows up outcome ~ dMD + group + dMD x group + covariates.
 * @param at values of dMD at which to compare the groups, in its own unit
 * @throws StatisticsError as `linearRegression`
 */
export function simpleSlopes(input: InteractionInput, at: readonly number[]): SimpleSlopes {
  const { outcome, change, covariates } = input;
  if (change.values.length === 0) throw new StatisticsError('TOO_FEW', `${change.name} has no values`);
  const centre = mean(change.values);
  const fit = leastSquares(outcome, interactionTerms(input));
  const others = covariates.map(() => 0);
  const combination = (term: string, weights: readonly number[]) => {
    const { estimate, se } = linearCombination(fit, [...weights, ...others]);
    return coefficient(term, estimate, se, fit.df);
  };
  const difference = (u: number) => [0, 0, 1, u];

  // The difference a + b u, u = dMD from its mean, has variance vaa + 2 vab u + vbb u^2, and is significant where its
  // square exceeds the critical t^2 times that.
  const group = combination('group', difference(0));
  const interaction = combination('dMD x group', [0, 0, 0, 1]);
  const [vaa, vbb] = [group.se ** 2, interaction.se ** 2];
  const [, , byGroup, byInteraction] = fit.pseudoinverse;
  const vab = (fit.rss / fit.df) * byGroup.reduce((sum, v, i) => sum + v * byInteraction[i], 0);
  const critical = t975(fit.df) ** 2;
  const significant = positive(
    interaction.b ** 2 - critical * vbb,
    2 * (group.b * interaction.b - critical * vab),
    group.b ** 2 - critical * vaa,
  );
  const shift = (u: number | null) => (u === null ? null : u + centre);
  return {
    reference: combination('dMD in reference', [0, 1, 0, 0]),
    treatment: combination('dMD in treatment', [0, 1, 0, 1]),
    differences: at.map((value) => ({ at: value, ...combination('group', difference(value - centre)) })),
    significant: significant.map(({ from, to }) => ({ from: shift(from), to: shift(to) })),
    observed: [Math.min(...change.values), Math.max(...change.values)],
  };
}

/** Where a u^2 + b u + c > 0. */
function positive(a: number, b: number, c: number): Region[] {
  const discriminant = b ** 2 - 4 * a * c;
  if (discriminant <= 0) return a > 0 || (a === 0 && c > 0) ? [{ from: null, to: null }] : [];
  // The form of the roots that subtracts nothing from its like.
  const q = -(b + (b < 0 ? -1 : 1) * Math.sqrt(discriminant)) / 2;
  if (a === 0) return b > 0 ? [{ from: -c / b, to: null }] : [{ from: null, to: -c / b }];
  const [low, high] = [q / a, c / q].sort((x, y) => x - y);
  return a > 0
    ? [
        { from: null, to: low },
        { from: high, to: null },
      ]
    : [{ from: low, to: high }];
}
