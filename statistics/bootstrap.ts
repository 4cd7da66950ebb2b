/** Confidence intervals from resampled subjects: bias-corrected and accelerated (Efron 1987, J Am Stat Assoc 82:171). */
import { Matrix, solve } from 'ml-matrix';
import { isConstant, mean, quantile, requireFinite, sd } from './descriptive.ts';
import { normalCdf, normalQuantile, Z_975 } from './distributions.ts';
import { StatisticsError } from './errors.ts';
import { centredQr, leastSquares, residualVariance, type Term } from './least-squares.ts';
import { randomStream, sampleWithReplacement } from './random.ts';

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
 * @throws StatisticsError as {@link bootstrap}, {@link leastSquares} and {@link residualVariance}
 */
export function bootstrapSlopes(
  outcome: Term,
  terms: readonly Term[],
  group: readonly (number | string)[],
  options: BootstrapOptions,
): Bootstrap {
  // The fit of all subjects refuses what no resample could be computed from.
  residualVariance(leastSquares(outcome, terms));
  const subjects = group.map((_, i) => i);
  const strata = [...new Set(group)].map((one) => subjects.filter((i) => group[i] === one));
  return bootstrap(strata, slopesOfRows(outcome, terms), options);
}

/** A pivot smaller than this share of its column is rounding: the columns below are of one size and orthogonal at first. */
const PIVOT = 1e-10;

/**
 * The slopes of any rows of one data set. Columns are made orthogonal once, over all rows: in a resample they still nearly
 * are, so that its normal equations lose no digits, and a fit costs microseconds.
 */
function slopesOfRows(outcome: Term, terms: readonly Term[]): (rows: readonly number[]) => number[] {
  const n = outcome.values.length;
  const { orthogonal, upper, norms } = centredQr(terms, n);
  const columns = [
    new Float64Array(n).fill(1 / Math.sqrt(n)),
    ...terms.map((_, j) => Float64Array.from(orthogonal.getColumn(j))),
  ];
  const centre = mean(outcome.values);
  const y = Float64Array.from(outcome.values, (v) => v - centre);
  const back = solve(upper, Matrix.eye(terms.length));
  return (rows) => {
    const normal = columns.map((a, j) =>
      columns.slice(0, j + 1).map((b) => {
        let sum = 0;
        for (const i of rows) sum += a[i] * b[i];
        return sum;
      }),
    );
    const right = columns.map((a) => {
      let sum = 0;
      for (const i of rows) sum += a[i] * y[i];
      return sum;
    });
    const [, ...scaled] = solveSymmetric(normal, right);
    return terms.map((_, j) => scaled.reduce((sum, v, k) => sum + back.get(j, k) * v, 0) / norms[j]);
  };
}

/**
 * Solves a symmetric positive definite system by Cholesky's factors.
 * @param lower the matrix's rows up to the diagonal; overwritten  @param right overwritten by the solution
 * @throws StatisticsError RANK_DEFICIENT
 */
function solveSymmetric(lower: number[][], right: number[]): number[] {
  const size = right.length;
  for (let j = 0; j < size; j++) {
    const row = lower[j];
    const before = row[j];
    for (let k = 0; k < j; k++) {
      for (let m = 0; m < k; m++) row[k] -= row[m] * lower[k][m];
      row[k] /= lower[k][k];
      row[j] -= row[k] * row[k];
      right[j] -= row[k] * right[k];
    }
    if (!(row[j] > PIVOT * before))
      throw new StatisticsError('RANK_DEFICIENT', 'a term is a combination of the others');
    row[j] = Math.sqrt(row[j]);
    right[j] /= row[j];
  }
  for (let j = size - 1; j >= 0; j--) {
    for (let k = j + 1; k < size; k++) right[j] -= lower[k][j] * right[k];
    right[j] /= lower[j][j];
  }
  return right;
}
