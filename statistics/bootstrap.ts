/** Confidence intervals from resampled subjects: bias-corrected and accelerated (Efron 1987, J Am Stat Assoc 82:171). */
import { isConstant, quantile, requireFinite, sd } from './descriptive.ts';
import { normalCdf, normalQuantile, Z_975 } from './distributions.ts';
import { StatisticsError } from './errors.ts';
import { randomStream, sampleWithReplacement } from './random.ts';
import { linearRegression, type Term } from './regression.ts';

export interface BootstrapOptions {
  readonly resamples: number;
  readonly seed: number;
}

export interface BootstrapInterval {
  /** From the subjects as they are. */
  readonly estimate: number;
  /** Standard deviation over the resamples. */
  readonly se: number;
  readonly ci95: readonly [number, number];
  /** z0: how far the resamples' median lies from the estimate, in standard normal units. */
  readonly biasCorrection: number;
  /** a: how fast the standard error changes with the estimate, by the jackknife. */
  readonly acceleration: number;
}

export interface Bootstrap {
  /** One per statistic. */
  readonly intervals: readonly BootstrapInterval[];
  readonly resamples: number;
  /** Resamples that could not be computed and were drawn again. */
  readonly redrawn: number;
}

/** No interval where more than this share of all draws had to be made again: what is left would not be a fair sample. */
const MOST_REDRAWN = 0.1;

/**
 * Intervals of statistics of the rows. Rows are resampled within strata (such as groups), so that their sizes stay.
 * A resample for which the statistics throw a {@link StatisticsError}, as a regression does where a column has become
 * constant or a combination of others, is drawn again and counted.
 * @param strata rows of each stratum; one stratum for plain resampling
 * @param statistics numbers from rows, in one order; the rows come stratum after stratum
 * @throws StatisticsError that of the statistics on the rows themselves, or on the rows without one of them; TOO_FEW under
 *   two rows a stratum, and where more than a tenth of the draws cannot be computed; CONSTANT where all resamples agree
 */
export function bootstrap<Row>(
  strata: readonly (readonly Row[])[],
  statistics: (rows: readonly Row[]) => readonly number[],
  { resamples, seed }: BootstrapOptions,
): Bootstrap {
  for (const { length } of strata)
    if (length < 2)
      throw new StatisticsError('TOO_FEW', `bootstrap: a stratum of ${length} of at least 2 rows`);
  const estimates = statistics(strata.flat());
  const random = randomStream(seed);
  const replicates: (readonly number[])[] = [];
  let redrawn = 0;
  while (replicates.length < resamples)
    try {
      replicates.push(statistics(strata.flatMap((rows) => sampleWithReplacement(rows, random))));
    } catch (error) {
      if (!(error instanceof StatisticsError)) throw error;
      redrawn++;
      if (redrawn > MOST_REDRAWN * (resamples + redrawn))
        throw new StatisticsError('TOO_FEW', `too many resamples cannot be computed: ${error.message}`);
    }
  const without = strata.map((rows, s) =>
    rows.map((_, i) => statistics(strata.flatMap((all, k) => (k === s ? all.toSpliced(i, 1) : all)))),
  );
  const intervals = estimates.map((estimate, k) =>
    bcaInterval(
      estimate,
      replicates.map((values) => values[k]),
      without.map((rows) => rows.map((values) => values[k])),
    ),
  );
  return { intervals, resamples, redrawn };
}

/**
 * The BCa interval from an estimate, its replicates and its jackknife. For several strata the acceleration is that of
 * Davison & Hinkley 1997 (Bootstrap Methods and their Application, section 5.3).
 * @param jackknife per stratum, the statistic without each of its rows
 * @throws StatisticsError CONSTANT where replicates or jackknife do not vary, NOT_FINITE where the estimate lies outside
 *   all replicates
 */
export function bcaInterval(
  estimate: number,
  replicates: readonly number[],
  jackknife: readonly (readonly number[])[],
): BootstrapInterval {
  requireFinite([estimate, ...jackknife.flat()], 1, 'bootstrap');
  requireFinite(replicates, 2, 'bootstrap');
  if (isConstant(replicates))
    throw new StatisticsError('CONSTANT', 'the statistic is the same in every resample');
  let rank = 0;
  for (const v of replicates) rank += v < estimate ? 1 : v === estimate ? 0.5 : 0;
  const biasCorrection = normalQuantile(rank / replicates.length);
  if (!Number.isFinite(biasCorrection))
    throw new StatisticsError('NOT_FINITE', 'the estimate lies outside all of its resamples');
  const influences = jackknife.flatMap((values) => {
    const centre = values.reduce((sum, v) => sum + v, 0) / values.length;
    return values.map((v) => ((values.length - 1) / values.length) * (centre - v));
  });
  const largest = influences.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  if (largest === 0) throw new StatisticsError('CONSTANT', 'no single row changes the statistic');
  // Scaled first: cubes of diffusivities would underflow.
  let [squares, cubes] = [0, 0];
  for (const v of influences) {
    squares += (v / largest) ** 2;
    cubes += (v / largest) ** 3;
  }
  const acceleration = cubes / (6 * squares ** 1.5);
  const end = (z: number) => {
    const shifted = biasCorrection + z;
    return quantile(replicates, normalCdf(biasCorrection + shifted / (1 - acceleration * shifted)));
  };
  return { estimate, se: sd(replicates), ci95: [end(-Z_975), end(Z_975)], biasCorrection, acceleration };
}

/**
 * Intervals of the slopes of outcome ~ 1 + terms, in the order of the terms, by resampling subjects within groups. The
 * terms are taken as they are: a product of centred columns is not centred again in every resample.
 * @param group per subject, whatever tells groups apart
 * @throws StatisticsError as {@link bootstrap} and {@link linearRegression}
 */
export function bootstrapSlopes(
  outcome: Term,
  terms: readonly Term[],
  group: readonly (number | string)[],
  options: BootstrapOptions,
): Bootstrap {
  const subjects = group.map((_, i) => i);
  const strata = [...new Set(group)].map((one) => subjects.filter((i) => group[i] === one));
  const of = ({ name, values }: Term, rows: readonly number[]) => ({
    name,
    values: rows.map((i) => values[i]),
  });
  const slopes = (rows: readonly number[]) =>
    linearRegression(
      of(outcome, rows),
      terms.map((term) => of(term, rows)),
    ).slopes.map(({ b }) => b);
  return bootstrap(strata, slopes, options);
}
