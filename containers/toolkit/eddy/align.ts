/**
 * Registers the volumes of one kind (the b0s, or all weighted volumes) to each other's predictions: every volume in
 * turn takes a Gauss-Newton step towards what the others say it should look like, and the others see it in its new
 * place at once. Taking turns never overshoots, where simultaneous steps of few volumes would swap places for ever.
 */
import { splineCoefficients } from '../../../imaging/interpolate.ts';
import { SIGMA_TO_FWHM, smooth } from '../../../imaging/smooth.ts';
import { type Directions, estimateHyperparameters, meanPredictor, type Predictor, predictor } from './gp.ts';
import { judgeSlices, type SliceStatistics, sliceSums } from './outliers.ts';
import { correctedAt, type Moving, OUTSIDE, step } from './register.ts';
import type { Points, Series } from './series.ts';

/** A group of volumes and what is known of it; `align` moves `parameters`. */
export interface Group {
  /** Volumes of the series. */
  readonly members: readonly number[];
  /** Directions of weighted volumes; undefined for b0s, which are predicted by their mean. */
  readonly directions?: Directions;
  /** Parameters of each member, changed in place of the array. */
  readonly parameters: Float64Array[];
}

/** State of a group after its last iteration. */
export interface Aligned {
  readonly predictor: Predictor;
  /** Corrected intensities at the points, per member; predictions where a member has no usable data. */
  readonly corrected: readonly Float32Array[];
  /** Outliers per member and slice, judged within the member's shell. */
  readonly statistics: SliceStatistics;
}

/** Weighted sum of the rows of `data` into `out`. */
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

/** Mean over points of y y'; points that some volume did not cover are left out unless nearly all are such. */
function secondMoments(data: readonly Float32Array[], missing: readonly Uint8Array[]): Float64Array {
  const n = data.length;
  const count = data[0].length;
  const whole: number[] = [];
  for (let s = 0; s < count; s++) if (missing.every((m) => m[s] === 0)) whole.push(s);
  const use = whole.length > 0.2 * count ? whole : Array.from({ length: count }, (_, s) => s);
  // The likelihood needs no more than a few thousand voxels (2015 paper: 1000).
  const every = Math.max(1, Math.floor(use.length / 8000));
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

/** Judges slices within each shell: noise and contrast differ between shells. */
function judgeByShell(
  sums: readonly ReturnType<typeof sliceSums>[],
  directions: Directions | undefined,
  slices: number,
  voxelsPerPoint: number,
): SliceStatistics {
  const n = sums.length * slices;
  const all = {
    slices,
    mean: new Float64Array(n),
    meanSquared: new Float64Array(n),
    outlier: new Uint8Array(n),
  };
  const shells = directions?.shellB.length ?? 1;
  for (let shell = 0; shell < shells; shell++) {
    const who = sums.map((_, i) => i).filter((i) => (directions?.shellOf[i] ?? 0) === shell);
    const part = judgeSlices(
      who.map((i) => sums[i]),
      voxelsPerPoint,
    );
    for (const [q, i] of who.entries())
      for (const key of ['mean', 'meanSquared', 'outlier'] as const)
        all[key].set(part[key].subarray(q * slices, (q + 1) * slices), i * slices);
  }
  return all;
}

/** Settings of {@link align}. */
export interface AlignOptions {
  /** Smoothing in mm of each iteration; its length is the number of iterations. */
  readonly fwhm: readonly number[];
  /** Estimate the eddy-current field, not movement alone. */
  readonly withField: boolean;
  /** Called with all parameters after each iteration; may change them. */
  readonly afterIteration?: (parameters: Float64Array[]) => void;
  readonly progress?: (fraction: number, message: string) => void;
}

/**
 * Aligns a group, iteration by iteration. Slices judged outliers, and points outside the acquired image, take the
 * prediction's place and have no say in the registration.
 * @param voxelsPerPoint how many voxels of the brain one point stands for
 */
export function align(
  series: Series,
  group: Group,
  points: Points,
  voxelsPerPoint: number,
  options: AlignOptions,
): Aligned {
  const { members, directions, parameters } = group;
  const { frame } = series;
  const n = members.length;
  const count = points.voxel.length;
  const slices = frame.dims[2];
  const corrected = members.map(() => new Float32Array(count));
  const sliceOf = members.map(() => new Int16Array(count));
  const missing = members.map(() => new Uint8Array(count));
  const predicted = new Float32Array(count);
  const usable = new Uint8Array(count);
  const trial = new Float32Array(count);
  let moving: Moving[] = [];
  let statistics: SliceStatistics | undefined;

  const prepare = (fwhm: number) => {
    const sigma = frame.voxelSizes.map((mm) => fwhm / SIGMA_TO_FWHM / mm) as [number, number, number];
    moving = [];
    moving = members.map((t) => ({
      frame,
      acquisition: series.acquisitions[t],
      coefficients: splineCoefficients(
        fwhm > 0 ? smooth(series.volumes[t], frame.dims, sigma) : series.volumes[t],
        frame.dims,
      ),
    }));
  };
  const markMissing = (i: number) => {
    for (let s = 0; s < count; s++) {
      const k = sliceOf[i][s];
      missing[i][s] = k === OUTSIDE || statistics?.outlier[i * slices + k] === 1 ? 1 : 0;
    }
  };
  const fillMissing = (i: number, from: Float32Array) => {
    for (let s = 0; s < count; s++) if (missing[i][s] !== 0) corrected[i][s] = from[s];
  };
  const sampleAll = () => {
    for (let i = 0; i < n; i++) {
      correctedAt(moving[i], parameters[i], points, corrected[i], sliceOf[i]);
      markMissing(i);
    }
  };
  const predictorNow = (): Predictor => {
    if (!directions) return meanPredictor(n);
    const moments = secondMoments(corrected, missing);
    return predictor(directions, estimateHyperparameters(directions, moments), moments);
  };
  const judge = (p: Predictor) => {
    const sums = members.map((_, i) => {
      // What was filled in is judged by what was measured there, the neighbours stay filled.
      const observed = missing[i].includes(1) ? trial : corrected[i];
      if (observed === trial) correctedAt(moving[i], parameters[i], points, trial, sliceOf[i]);
      predict(p.others, i, corrected, predicted);
      return sliceSums(observed, predicted, sliceOf[i], slices);
    });
    statistics = judgeByShell(sums, directions, slices, voxelsPerPoint);
  };
  const fillAll = (p: Predictor) => {
    // Twice: a filled value may itself have been predicted from values not yet filled.
    for (let round = 0; round < 2; round++)
      for (let i = 0; i < n; i++) {
        markMissing(i);
        if (!missing[i].includes(1)) continue;
        predict(p.others, i, corrected, predicted);
        fillMissing(i, predicted);
      }
  };
  /** Squared difference from the prediction that no gain can explain. */
  const misfit = (y: Float32Array) => {
    let [yy, yp, pp] = [0, 0, 0];
    for (let s = 0; s < count; s++) {
      if (usable[s] === 0) continue;
      yy += y[s] * y[s];
      yp += y[s] * predicted[s];
      pp += predicted[s] * predicted[s];
    }
    return yy > 0 ? pp - (yp * yp) / yy : pp;
  };

  let ready = Number.NaN;
  for (const [iteration, fwhm] of options.fwhm.entries()) {
    if (fwhm !== ready) prepare((ready = fwhm));
    sampleAll();
    const p = predictorNow();
    fillAll(p);
    if (iteration > 0 && n > 2) {
      judge(p);
      fillAll(p);
    }
    for (let i = 0; i < n; i++) {
      predict(p.others, i, corrected, predicted);
      for (let s = 0; s < count; s++) usable[s] = missing[i][s] === 0 ? 1 : 0;
      const before = misfit(corrected[i]);
      let next = step(moving[i], parameters[i], points, predicted, usable, options.withField);
      // Halve a step that makes matters worse (far from the solution the gradient says too little).
      for (let half = 0; half < 4; half++) {
        correctedAt(moving[i], next, points, trial, sliceOf[i]);
        if (misfit(trial) <= before) {
          parameters[i] = next;
          corrected[i].set(trial);
          break;
        }
        next = next.map((v, q) => 0.5 * (v + parameters[i][q]));
      }
      fillMissing(i, predicted);
      options.progress?.(
        (iteration + (i + 1) / n) / options.fwhm.length,
        `iteration ${iteration + 1} of ${options.fwhm.length}`,
      );
    }
    options.afterIteration?.(parameters);
  }
  if (ready !== 0) prepare(0);
  sampleAll();
  fillAll(predictorNow());
  const last = predictorNow();
  if (n > 2) {
    judge(last);
    sampleAll();
    fillAll(last);
  }
  return {
    predictor: last,
    corrected,
    statistics: statistics ?? judgeByShell([], directions, slices, voxelsPerPoint),
  };
}
