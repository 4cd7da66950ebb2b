/**
 * Volumes side by side at points of the undistorted space: what each should look like by the others, which slices
 * fall short of it, and what stands in for data that are lost.
 */
import { shared } from '../threads.ts';
import { CLASSES, contrastClasses } from './classes.ts';
import { type Directions, estimateHyperparameters, meanPredictor, type Predictor, predictor } from './gp.ts';
import { judgeSlices, type SliceStatistics, sliceSums } from './outliers.ts';

/** Slice of a point that lies outside the acquired image. */
export const OUTSIDE = -1;

/** Fewest b0s, and fewest volumes of a shell, that can predict one another. */
const FEWEST = { b0: 2, shell: 5 } as const;
/** Fewest volumes of which one can be called an outlier. */
const FEWEST_TO_JUDGE = 3;

/** Weighted sum of `data` into `out`; the weights are row `row` of an n x n matrix. */
export function predict(
  weights: Float64Array,
  row: number,
  data: readonly Float32Array[],
  out: Float32Array,
): void {
  const n = data.length;
  out.fill(0);
  for (let j = 0; j < n; j++) {
    const w = weights[row * n + j];
    if (w === 0) continue;
    const y = data[j];
    for (let s = 0; s < out.length; s++) out[s] += w * y[s];
  }
}

/** Predictors for points that differ in contrast. */
export interface Classified {
  /** One per class. */
  readonly predictors: readonly Predictor[];
  /** Class of each point. */
  readonly classOf: Uint8Array;
}

/** How much each point counts where one volume is held against its prediction. */
export interface Weights {
  /** Weight of a class; the first is 1. */
  readonly of: Float64Array;
  readonly classOf: Uint8Array;
}

/** The volumes of one kind (b0s, or all weighted volumes) at the points. */
export class Comparison {
  /** Corrected intensities per volume; where {@link missing}, after {@link fill}, the prediction. */
  readonly corrected: readonly Float32Array[];
  /** Acquired slice of each point per volume, or {@link OUTSIDE}. */
  readonly sliceOf: readonly Int16Array[];
  /** 1 where a volume's point lies outside its image or in an outlier slice. */
  readonly missing: readonly Uint8Array[];
  /** Result of {@link judge}; without outliers before. */
  statistics: SliceStatistics;
  private readonly directions: Directions | undefined;
  private readonly voxelsPerPoint: number;
  private readonly predicted: Float32Array;

  /**
   * @param directions of the weighted volumes; undefined for b0s, which are predicted by their mean
   * @param voxelsPerPoint how many voxels of the brain one point stands for
   */
  constructor(
    volumes: number,
    points: number,
    slices: number,
    directions: Directions | undefined,
    voxelsPerPoint: number,
  ) {
    const each = <T>(make: () => T) => Array.from({ length: volumes }, make);
    this.corrected = each(() => new Float32Array(points));
    this.sliceOf = each(() => new Int16Array(points));
    this.missing = each(() => shared(new Uint8Array(points)));
    this.predicted = new Float32Array(points);
    this.directions = directions;
    this.voxelsPerPoint = voxelsPerPoint;
    const all = volumes * slices;
    this.statistics = {
      slices,
      mean: new Float64Array(all),
      meanSquared: new Float64Array(all),
      outlier: new Uint8Array(all),
    };
  }

  /** One predictor for all points, fitted to the data as they are now. */
  predictor(): Predictor {
    const { directions, corrected } = this;
    if (!directions) return meanPredictor(corrected.length);
    const moments = this.secondMoments(() => true);
    return predictor(directions, estimateHyperparameters(directions, moments), moments);
  }

  /** Predictors fitted to each class of contrast as the data are now. */
  classified(): Classified {
    const { directions, corrected } = this;
    const points = corrected[0].length;
    if (!directions)
      return { predictors: [meanPredictor(corrected.length)], classOf: shared(new Uint8Array(points)) };
    const classOf = shared(contrastClasses(directions, corrected));
    const predictors = Array.from({ length: CLASSES }, (_, c) => {
      const moments = this.secondMoments((s) => classOf[s] === c);
      return predictor(directions, estimateHyperparameters(directions, moments), moments);
    });
    return { predictors, classOf };
  }

  /** Weights of the points in the registration of a volume: one over the variance of their prediction. */
  weights({ predictors, classOf }: Classified, volume: number): Weights {
    const least = predictors[0].precision[volume];
    return { of: Float64Array.from(predictors, (p) => p.precision[volume] / least), classOf };
  }

  /** Volumes of the same kind: b0s, or of one shell. */
  private kin(volume: number): number {
    const shells = this.directions?.shellOf;
    return shells ? shells.filter((s) => s === shells[volume]).length : this.corrected.length;
  }

  /** True where the others suffice to predict a volume. */
  predictable(volume: number): boolean {
    return this.kin(volume) >= (this.directions ? FEWEST.shell : FEWEST.b0);
  }

  /** Prediction of a volume by the others, into `out`. */
  predict({ predictors, classOf }: Classified, volume: number, out: Float32Array): void {
    const n = this.corrected.length;
    const weights = new Float64Array(predictors.length);
    out.fill(0);
    for (let j = 0; j < n; j++) {
      if (j === volume) continue;
      for (const [c, p] of predictors.entries()) weights[c] = p.others[volume * n + j];
      const y = this.corrected[j];
      for (let s = 0; s < out.length; s++) out[s] += weights[classOf[s]] * y[s];
    }
  }

  /** Finds which points of a volume are missing, from its slices and the outliers known. */
  markMissing(volume: number): void {
    const { slices, outlier } = this.statistics;
    const [missing, sliceOf] = [this.missing[volume], this.sliceOf[volume]];
    for (let s = 0; s < missing.length; s++) {
      const k = sliceOf[s];
      missing[s] = k === OUTSIDE || outlier[volume * slices + k] === 1 ? 1 : 0;
    }
  }

  /** Puts `values` where a volume is missing. */
  fillFrom(volume: number, values: Float32Array): void {
    const [missing, y] = [this.missing[volume], this.corrected[volume]];
    for (let s = 0; s < y.length; s++) if (missing[s] !== 0) y[s] = values[s];
  }

  /** Puts predictions wherever data are missing. */
  fill(p: Classified): void {
    // Twice: a prediction may itself rest on values not yet filled.
    for (let round = 0; round < 2; round++)
      for (let i = 0; i < this.corrected.length; i++) {
        this.markMissing(i);
        if (!this.missing[i].includes(1)) continue;
        this.predict(p, i, this.predicted);
        this.fillFrom(i, this.predicted);
      }
  }

  /**
   * Judges all slices anew, within each shell: noise and contrast differ between shells.
   * @param measured the intensities of a volume as measured, where predictions stand in for them now
   */
  judge(p: Classified, measured: (volume: number) => Float32Array): void {
    const { slices } = this.statistics;
    const sums = this.corrected.map((y, i) => {
      const observed = this.missing[i].includes(1) ? measured(i) : y;
      this.predict(p, i, this.predicted);
      return sliceSums(observed, this.predicted, this.sliceOf[i], slices);
    });
    const shellOf = (i: number) => this.directions?.shellOf[i] ?? 0;
    for (let shell = 0; shell < (this.directions?.shellB.length ?? 1); shell++) {
      const who = sums.map((_, i) => i).filter((i) => shellOf(i) === shell);
      if (who.length < FEWEST_TO_JUDGE || !this.predictable(who[0])) continue;
      const part = judgeSlices(
        who.map((i) => sums[i]),
        this.voxelsPerPoint,
      );
      for (const [q, i] of who.entries())
        for (const key of ['mean', 'meanSquared', 'outlier'] as const)
          this.statistics[key].set(part[key].subarray(q * slices, (q + 1) * slices), i * slices);
    }
  }

  /** Mean over points of y y', of points that no volume misses unless nearly all are such. */
  private secondMoments(within: (point: number) => boolean): Float64Array {
    const { corrected: data, missing } = this;
    const n = data.length;
    const all = Array.from({ length: data[0].length }, (_, s) => s).filter(within);
    const whole = all.filter((s) => missing.every((m) => m[s] === 0));
    const use = whole.length > 0.2 * all.length ? whole : all;
    // The likelihood needs no more than a few thousand voxels (2015 paper: 1000).
    const every = Math.max(1, Math.floor(use.length / 5000));
    const m = new Float64Array(n * n);
    let used = 0;
    for (let q = 0; q < use.length; q += every, used++)
      for (let i = 0; i < n; i++) {
        const y = data[i][use[q]];
        for (let j = 0; j <= i; j++) m[i * n + j] += y * data[j][use[q]];
      }
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) m[i * n + j] = m[j * n + i] = m[i * n + j] / Math.max(1, used);
    return m;
  }
}
