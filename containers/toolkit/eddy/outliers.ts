/**
 * Slices with lost signal (Andersson et al. 2016, NeuroImage 141:556): a slice whose mean difference from its
 * prediction lies far below that of its like. Slices are those of the acquired image, where the loss happens.
 */

/** Standard deviations from the mean at which a slice counts as an outlier (FSL's --ol_nstd). */
const DEVIATIONS = 4;
/** Fewest voxels of the brain a slice must hold to be judged (FSL's --ol_nvox). */
const FEWEST_VOXELS = 250;

/** Deviations of each slice of some volumes, in standard deviations; slice k of the i-th volume at `i * slices + k`. */
export interface SliceStatistics {
  readonly slices: number;
  /** Of the mean difference observed - predicted. NaN-free: 0 where a slice was not judged. */
  readonly mean: Float64Array;
  /** Of the mean squared difference. */
  readonly meanSquared: Float64Array;
  /** 1 where the slice is an outlier. */
  readonly outlier: Uint8Array;
}

/**
 * A slice less far off than this share of its neighbour is the neighbour's shadow: where the head has moved, interpolation
 * carries loss across. Up to 0.38 is found where slices lose all signal.
 */
const SHADOW = 0.4;

/** Sums over the points of each slice of one volume. */
export interface SliceSums {
  readonly count: Float64Array;
  readonly sum: Float64Array;
  readonly squares: Float64Array;
}

/** Sums of differences observed - predicted by acquired slice; points in slice -1 are skipped. */
export function sliceSums(
  observed: Float32Array,
  predicted: Float32Array,
  sliceOf: Int16Array,
  slices: number,
): SliceSums {
  const [count, sum, squares] = [0, 1, 2].map(() => new Float64Array(slices));
  for (let s = 0; s < observed.length; s++) {
    const k = sliceOf[s];
    if (k < 0 || k >= slices) continue;
    const d = observed[s] - predicted[s];
    count[k]++;
    sum[k] += d;
    squares[k] += d * d;
  }
  return { count, sum, squares };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Standard deviation by the median absolute deviation, which a few lost slices do not widen. */
function spread(values: readonly number[]): number {
  const centre = median(values);
  return 1.4826 * median(values.map((v) => Math.abs(v - centre)));
}

/** Mean and standard deviation of values without those beyond four standard deviations, to convergence. */
function clippedMoments(values: readonly number[]): { mean: number; sd: number } {
  // Begin with median and MAD: lost slices may be many, and must not widen the yardstick they are held against.
  let mean = median(values);
  let sd = spread(values);
  for (let round = 0; round < 10; round++) {
    const kept = values.filter((v) => Math.abs(v - mean) <= DEVIATIONS * sd);
    if (kept.length < 2) break;
    const m = kept.reduce((a, b) => a + b, 0) / kept.length;
    const s = Math.sqrt(kept.reduce((a, b) => a + (b - m) ** 2, 0) / (kept.length - 1));
    if (Math.abs(s - sd) <= 1e-6 * sd && Math.abs(m - mean) <= 1e-6 * sd) break;
    mean = m;
    sd = s;
  }
  return { mean, sd };
}

/**
 * Judges all slices of volumes of one kind (b0s, or one shell) against each other.
 * @param sums one per volume
 * @param voxelsPerPoint how many voxels of the brain one point stands for
 */
export function judgeSlices(sums: readonly SliceSums[], voxelsPerPoint: number): SliceStatistics {
  const slices = sums[0]?.count.length ?? 0;
  const n = sums.length * slices;
  const judged: number[] = [];
  const means = new Float64Array(n);
  const squares = new Float64Array(n);
  for (const [i, { count, sum, squares: square }] of sums.entries())
    for (let k = 0; k < slices; k++) {
      if (count[k] * voxelsPerPoint < FEWEST_VOXELS) continue;
      judged.push(i * slices + k);
      means[i * slices + k] = sum[k] / count[k];
      squares[i * slices + k] = square[k] / count[k];
    }
  const statistics = {
    slices,
    mean: new Float64Array(n),
    meanSquared: new Float64Array(n),
    outlier: new Uint8Array(n),
  };
  const byMean = clippedMoments(judged.map((q) => means[q]));
  const bySquare = clippedMoments(judged.map((q) => squares[q]));
  // Small slices, and those at the brain's ends, vary more than others: held against their like in the other volumes.
  for (let k = 0; k < slices; k++) {
    const own = judged.filter((q) => q % slices === k);
    const meanSd = Math.max(byMean.sd, spread(own.map((q) => means[q])));
    const squareSd = Math.max(bySquare.sd, spread(own.map((q) => squares[q])));
    for (const q of own) {
      if (meanSd > 0) statistics.mean[q] = (means[q] - byMean.mean) / meanSd;
      if (squareSd > 0) statistics.meanSquared[q] = (squares[q] - bySquare.mean) / squareSd;
    }
  }
  const mean = (i: number, k: number) => (k < 0 || k >= slices ? 0 : statistics.mean[i * slices + k]);
  for (const q of judged) {
    const [i, k] = [Math.floor(q / slices), q % slices];
    const worst = Math.min(mean(i, k - 1), mean(i, k + 1));
    if (mean(i, k) < -DEVIATIONS && mean(i, k) < SHADOW * worst) statistics.outlier[q] = 1;
  }
  return statistics;
}
