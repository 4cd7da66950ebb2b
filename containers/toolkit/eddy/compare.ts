/**
 * Volumes side by side at points of the undistorted space: what each should look like by the others, which slices
 * fall short of it, and what stands in for data that are lost.
 */
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

export interface Classified {
  readonly predictors: readonly Predictor[];
  readonly classOf: Uint8Array;
}

/** Power per point of the signal that is quadratic in the direction. */
export function contrastPower(d: Directions, data: readonly Float32Array[]): Float64Array {
  const n = data.length;
  const points = data[0].length;
  // Basis: 5 traceless quadratic forms, with the shells' means projected out, orthonormal (Gram-Schmidt).
  const basis: Float64Array[] = [];
  const shells = d.shellB.length;
  const orth = (v: Float64Array) => {
    for (const b of basis) { let dot = 0; for (let i = 0; i < n; i++) dot += v[i] * b[i]; for (let i = 0; i < n; i++) v[i] -= dot * b[i]; }
    const norm = Math.sqrt(v.reduce((a, x) => a + x * x, 0));
    if (norm < 1e-3 * Math.sqrt(n)) return;
    basis.push(v.map((x) => x / norm));
  };
  for (let s = 0; s < shells; s++) orth(Float64Array.from({ length: n }, (_, i) => (d.shellOf[i] === s ? 1 : 0)));
  const means = basis.length;
  const g = (i: number, c: number) => d.vectors[3 * i + c];
  const forms: ((i: number) => number)[] = [(i) => g(i, 0) ** 2 - g(i, 1) ** 2, (i) => g(i, 2) ** 2 - 1 / 3, (i) => g(i, 0) * g(i, 1), (i) => g(i, 0) * g(i, 2), (i) => g(i, 1) * g(i, 2)];
  for (const f of forms) orth(Float64Array.from({ length: n }, (_, i) => f(i)));
  const out = new Float64Array(points);
  const sum = new Float64Array(points);
  for (let k = means; k < basis.length; k++) {
    sum.fill(0);
    for (let i = 0; i < n; i++) { const w = basis[k][i]; const y = data[i]; for (let s = 0; s < points; s++) sum[s] += w * y[s]; }
    for (let s = 0; s < points; s++) out[s] += sum[s] * sum[s];
  }
  return out;
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
    this.missing = each(() => new Uint8Array(points));
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

  /** Predictor fitted to the data as they are now. */
  predictor(): Predictor {
    if (!this.directions) return meanPredictor(this.corrected.length);
    const moments = this.secondMoments();
    return predictor(this.directions, estimateHyperparameters(this.directions, moments), moments);
  }

  /** Predictors fitted to each class of points as the data are now. */
  classified(classes: number): Classified {
    const n = this.corrected.length;
    const points = this.corrected[0].length;
    const classOf = new Uint8Array(points);
    if (!this.directions) return { predictors: [meanPredictor(n)], classOf };
    if (classes === 1) return { predictors: [this.predictor()], classOf };
    const power = contrastPower(this.directions, this.corrected);
    const sorted = Float64Array.from(power).sort();
    for (let s = 0; s < points; s++) {
      let c = 0;
      while (c < classes - 1 && power[s] > sorted[Math.floor(((c + 1) * points) / classes)]) c++;
      classOf[s] = c;
    }
    const predictors = Array.from({ length: classes }, (_, c) => {
      const moments = this.secondMoments((s) => classOf[s] === c);
      const h = estimateHyperparameters(this.directions as Directions, moments);
      if (process.env['DBG']) console.log('class', c, JSON.stringify(h));
      return predictor(this.directions as Directions, h, moments);
    });
    return { predictors, classOf };
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
  predict(p: Predictor | Classified, volume: number, out: Float32Array): void {
    if ('predictors' in p) this.predictBy(p, volume, out);
    else predict(p.others, volume, this.corrected, out);
  }

  /** Prediction of a volume by the others, by class. */
  predictBy({ predictors, classOf }: Classified, volume: number, out: Float32Array): void {
    const n = this.corrected.length;
    const k = predictors.length;
    const w = new Float64Array(k);
    out.fill(0);
    for (let j = 0; j < n; j++) {
      for (let c = 0; c < k; c++) w[c] = predictors[c].others[volume * n + j];
      const y = this.corrected[j];
      for (let s = 0; s < out.length; s++) out[s] += w[classOf[s]] * y[s];
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
  fill(p: Predictor | Classified): void {
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
  judge(p: Predictor | Classified, measured: (volume: number) => Float32Array): void {
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
  private secondMoments(within: (point: number) => boolean = () => true): Float64Array {
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
