/**
 * Linear mixed model with a random intercept per subject: outcome = X beta + u(subject) + e, u ~ N(0, s2u), e ~ N(0, s2e).
 * Whatever was measured counts: subjects may lack sessions (missing at random). For MD: session, group, and their product,
 * which is the difference between the groups' changes.
 */
import { Matrix } from 'ml-matrix';
import { dot } from './design.ts';
import { t975, tTwoSided } from './distributions.ts';
import { StatisticsError } from './errors.ts';
import { type Fit, fit, prepare, type Uncertainty, uncertainty } from './random-intercept.ts';
import type { Coefficient, Term } from './regression.ts';

/** Restricted or full maximum likelihood. Only full likelihoods of models with other fixed effects may be compared. */
export type LikelihoodMethod = 'REML' | 'ML';

export interface FixedEffect extends Coefficient {
  /** Satterthwaite's degrees of freedom: those of a t whose variance estimate is as uncertain as this one's. */
  readonly df: number;
}

export interface MixedModel {
  readonly method: LikelihoodMethod;
  readonly observations: number;
  readonly subjects: number;
  /** Intercept first, then in the order of the terms. */
  readonly fixed: readonly FixedEffect[];
  /** Between subjects, and within them; in squared units of the outcome. */
  readonly variance: { readonly subject: number; readonly residual: number };
  /** Share of the variance that lies between subjects, 0 to 1. */
  readonly icc: number;
  /** True where the subject variance is estimated as 0, at the edge of what is possible. */
  readonly singular: boolean;
  readonly logLikelihood: number;
  /** -2 logLikelihood + 2 x (fixed effects + 2 variances). */
  readonly aic: number;
}

export interface MixedModelInput {
  /** One value per observation, as have the terms. */
  readonly outcome: Term;
  readonly terms: readonly Term[];
  /** Whose observation it is. */
  readonly subject: readonly string[];
  readonly method: LikelihoodMethod;
}

/**
 * Fits the model by maximum likelihood. Degrees of freedom after Satterthwaite 1946 (Biometrics Bull 2:110), from the
 * observed information of the variances (Giesbrecht & Burns 1985, Biometrics 41:477), as R's lmerTest; where the subject
 * variance is 0 the model is an ordinary regression, and so are they.
 * @throws StatisticsError TOO_FEW without a residual degree of freedom or where no subject was measured twice; CONSTANT
 *   or RANK_DEFICIENT naming the column; PERFECT_FIT where nothing varies within subjects
 */
export function mixedModel(input: MixedModelInput): MixedModel {
  const { method } = input;
  const data = prepare(input);
  const { n, p, names, scale, norms, sizes } = data;
  const ratio = mostLikelyRatio((theta) => fit(data, theta, method));
  const best = fit(data, ratio, method);
  const { residualVariance, inverse, scaled, deviance } = best;
  const { slopes, information } = uncertainty(data, best, method);
  const [ee, eu, uu] = varianceCovariance(information, ratio === 0);
  const fixed = names.map((term, k): FixedEffect => {
    const row = inverse.getRow(k);
    const variance = residualVariance * dot(row, row);
    const [ge, gu] = slopes.map((slope) => dot(row, slope.mmul(Matrix.columnVector(row)).to1DArray()));
    const df = (2 * variance ** 2) / (ge * ge * ee + 2 * ge * gu * eu + gu * gu * uu);
    const b = (scale * scaled[k]) / norms[k];
    const se = (scale * Math.sqrt(variance)) / norms[k];
    const t = b / se;
    const half = t975(df) * se;
    return { term, b, se, ci95: [b - half, b + half], t, p: tTwoSided(t, df), df };
  });
  // Back to the likelihood of the outcome in its own units; the restricted one depends on those of the columns too.
  const units =
    method === 'REML'
      ? (n - p) * Math.log(scale) + norms.reduce((sum, norm) => sum + Math.log(norm), 0)
      : n * Math.log(scale);
  const logLikelihood = -deviance / 2 - units;
  const residual = residualVariance * scale * scale;
  return {
    method,
    observations: n,
    subjects: sizes.length,
    fixed,
    variance: { subject: ratio * residual, residual },
    icc: ratio / (1 + ratio),
    singular: ratio === 0,
    logLikelihood,
    aic: -2 * logLikelihood + 2 * (p + 2),
  };
}

/** Where the search looks first: 0, then a ratio a decade. */
const RATIOS = [0, ...Array.from({ length: 12 }, (_, i) => 10 ** (i - 3))];

/** The ratio of least deviance, by halving the interval in which its derivative changes sign: flat there, the deviance is exact. */
function mostLikelyRatio(at: (theta: number) => Fit): number {
  const fits = RATIOS.map(at);
  const best = fits.reduce((least, { deviance }, i) => (deviance < fits[least].deviance ? i : least), 0);
  const rising = fits[best].score >= 0;
  if (best === 0 && rising) return 0;
  if (best === RATIOS.length - 1 && !rising)
    throw new StatisticsError('PERFECT_FIT', 'nothing varies within subjects');
  let [low, high] = rising ? [RATIOS[best - 1], RATIOS[best]] : [RATIOS[best], RATIOS[best + 1]];
  while (high - low > 1e-10 * high) {
    const middle = (low + high) / 2;
    if (at(middle).score < 0) low = middle;
    else high = middle;
  }
  return high;
}

/** How uncertain the variances are (residual, both, subject): the inverse of their information. */
function varianceCovariance(
  [ee, eu, uu]: Uncertainty['information'],
  singular: boolean,
): [number, number, number] {
  if (singular) return [1 / ee, 0, 0];
  const determinant = ee * uu - eu * eu;
  return [uu / determinant, -eu / determinant, ee / determinant];
}

/** MD of one subject in one session. */
export interface SessionRow {
  readonly subject: string;
  readonly session: string;
  readonly group: string;
  readonly value: number;
}

/**
 * value ~ session x group for {@link mixedModel}: terms `session=S` for each session but the first, `group` (1 for
 * treatment), and `session=S x group`, by how much more the value rises from the first session to S with treatment.
 * With dMD = MD(first) - MD(S), a positive slope is a smaller fall.
 * @param sessions in the order of time; rows of other sessions and groups are left out
 */
export function sessionByGroup(
  rows: readonly SessionRow[],
  sessions: readonly string[],
  groups: { readonly reference: string; readonly treatment: string },
): Omit<MixedModelInput, 'method'> {
  const used = rows.filter(
    ({ session, group }) =>
      sessions.includes(session) && (group === groups.reference || group === groups.treatment),
  );
  const column = (name: string, of: (row: SessionRow) => number): Term => ({ name, values: used.map(of) });
  const treated = ({ group }: SessionRow) => (group === groups.treatment ? 1 : 0);
  const later = sessions.slice(1);
  const during = (session: string) => (row: SessionRow) => (row.session === session ? 1 : 0);
  return {
    outcome: column('value', ({ value }) => value),
    terms: [
      ...later.map((session) => column(`session=${session}`, during(session))),
      column('group', treated),
      ...later.map((session) =>
        column(`session=${session} x group`, (row) => during(session)(row) * treated(row)),
      ),
    ],
    subject: used.map(({ subject }) => subject),
  };
}
