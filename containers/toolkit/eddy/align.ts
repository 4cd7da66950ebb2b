/**
 * Registers the volumes of one kind (the b0s, or all weighted volumes) to each other's predictions: every volume in
 * turn takes a Gauss-Newton step towards what the others say it should look like, and the others see it in its new
 * place at once. Taking turns never overshoots, where simultaneous steps of few volumes would swap places for ever.
 */
import { shared, type Threads } from '../threads.ts';
import { Comparison, type Weights } from './compare.ts';
import type { Directions } from './gp.ts';
import { correctedAt, type Moving, step } from './register.ts';
import type { Points, Series } from './series.ts';
import { smoothedSpline } from './spline.ts';

/** A group of volumes; {@link align} moves `parameters`. */
export interface Group {
  /** Volumes of the series. */
  readonly members: readonly number[];
  /** Directions of weighted volumes; undefined for b0s. */
  readonly directions?: Directions;
  /** Parameters of each member; entries are replaced. */
  readonly parameters: Float64Array[];
}

/** Settings of {@link align}. */
export interface AlignOptions {
  /** Smoothing in mm of each iteration; its length is the number of iterations. */
  readonly fwhm: readonly number[];
  /** Estimate the eddy-current field, not movement alone. */
  readonly withField: boolean;
  /** Called with all parameters after each iteration; may change them. */
  readonly afterIteration: (parameters: readonly Float64Array[]) => void;
  readonly progress: (fraction: number) => void;
}

/** Halvings of a step that makes matters worse before the volume stays where it is. */
const HALVINGS = 3;

/**
 * Aligns a group, iteration by iteration. Slices judged outliers, and points outside the acquired image, take the
 * prediction's place and have no say in the registration.
 * @param voxelsPerPoint how many voxels of the brain one point stands for
 * @returns corrected intensities at the points, per member, as smoothed in the last iteration
 */
export async function align(
  threads: Threads,
  series: Series,
  group: Group,
  points: Points,
  voxelsPerPoint: number,
  options: AlignOptions,
): Promise<readonly Float32Array[]> {
  const { members, directions, parameters } = group;
  const { frame } = series;
  const count = points.voxel.length;
  const volumes = new Comparison(members.length, count, frame.dims[2], directions, voxelsPerPoint);
  const { corrected, sliceOf, missing } = volumes;
  const predicted = shared(new Float32Array(count));
  const trial = new Float32Array(count);
  let moving: Moving[] = [];

  const smoothBy = (fwhm: number) => {
    moving = []; // Lets the old coefficients go before the new ones are made.
    moving = members.map((t) => ({
      frame,
      acquisition: series.acquisitions[t],
      coefficients: shared(smoothedSpline(series.volumes[t], frame, fwhm)),
    }));
  };
  const sampleAll = () => {
    for (const [i, v] of moving.entries()) {
      correctedAt(v, parameters[i], points, corrected[i], sliceOf[i]);
      volumes.markMissing(i);
    }
  };
  const measured = (i: number) => {
    correctedAt(moving[i], parameters[i], points, trial, sliceOf[i]);
    return trial;
  };

  let ready = options.fwhm[0] ?? 0;
  smoothBy(ready);
  for (const [iteration, fwhm] of options.fwhm.entries()) {
    if (fwhm !== ready) smoothBy((ready = fwhm));
    sampleAll();
    const predictor = volumes.classified();
    volumes.fill(predictor);
    if (iteration > 0) {
      volumes.judge(predictor, measured);
      sampleAll();
      volumes.fill(predictor);
    }
    for (const [i, v] of moving.entries()) {
      if (!volumes.predictable(i)) continue;
      volumes.predict(predictor, i, predicted);
      const weights = volumes.weights(predictor, i);
      const before = misfit(corrected[i], predicted, missing[i], weights);
      let next = await step(threads, {
        v,
        p: parameters[i],
        points,
        predicted,
        missing: missing[i],
        weights,
        withField: options.withField,
      });
      for (let half = 0; half <= HALVINGS; half++) {
        correctedAt(v, next, points, trial, sliceOf[i]);
        if (misfit(trial, predicted, missing[i], weights) <= before) {
          parameters[i] = next;
          corrected[i].set(trial);
          break;
        }
        next = next.map((value, c) => 0.5 * (value + parameters[i][c]));
      }
      volumes.fillFrom(i, predicted);
      options.progress((iteration + (i + 1) / members.length) / options.fwhm.length);
    }
    options.afterIteration(parameters);
  }
  sampleAll();
  return corrected;
}

/** Weighted squared difference from the prediction that no gain can explain, over points that are not missing. */
function misfit(
  y: Float32Array,
  predicted: Float32Array,
  missing: Uint8Array,
  { of, classOf }: Weights,
): number {
  let [yy, yp, pp] = [0, 0, 0];
  for (let s = 0; s < y.length; s++) {
    if (missing[s] !== 0) continue;
    const w = of[classOf[s]];
    yy += w * y[s] * y[s];
    yp += w * y[s] * predicted[s];
    pp += w * predicted[s] * predicted[s];
  }
  return yy > 0 ? pp - (yp * yp) / yy : pp;
}
