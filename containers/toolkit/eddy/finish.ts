/** From the estimate to images: the corrected series, lost slices found and replaced, maps of contrast against noise. */
import { type Image, volumeOf } from '../../../imaging/image.ts';
import { pieces, type Threads } from '../threads.ts';
import { b0Snr, shellCnr } from './cnr.ts';
import { Comparison, predict } from './compare.ts';
import { correctVolume, correctVolumes, replaceSlices } from './correct.ts';
import type { Estimate } from './estimate.ts';
import type { Directions, Predictor } from './gp.ts';
import { restorePair } from './lsr.ts';
import { acquiredSlices } from './register.ts';
import { type OutlierSlice, outlierSlices } from './report.ts';
import type { Series } from './series.ts';

/** Volumes resampled in one go. */
const AT_ONCE = 8;

/** A corrected series. */
export interface Finished {
  /** The volumes on the series' grid. */
  readonly corrected: Image;
  /** The volumes as acquired, outlier slices replaced where that was asked for. */
  readonly acquired: readonly Float32Array[];
  readonly outliers: readonly OutlierSlice[];
  /** Volumes that predict each other, and how. */
  readonly groups: readonly {
    readonly members: readonly number[];
    readonly directions?: Directions;
    readonly predictor: Predictor;
  }[];
}

/**
 * Corrects every volume, finds outlier slices, and replaces them by predictions where that is asked for.
 * @param replace predictions take the place of outlier slices, before the interpolation
 */
export async function finish(
  series: Series,
  found: Estimate,
  replace: boolean,
  corrected: Image,
  threads: Threads,
  progress: (fraction: number) => void,
): Promise<Finished> {
  const { parameters, points } = found;
  const volumes = series.volumes.map((_, t) => volumeOf(corrected, t));
  // A few at a time: no more than those are held twice.
  for (const [first, end] of pieces(volumes.length, AT_ONCE)) {
    const which = volumes.slice(first, end).map((_, i) => first + i);
    const done = await correctVolumes(threads, series, which, parameters);
    for (const [i, volume] of done.entries()) volumes[first + i].set(volume);
    progress(end / volumes.length);
  }
  const judged = found.groups.map(({ members, directions }) => {
    const slices = series.frame.dims[2];
    const comparison = new Comparison(
      members.length,
      points.voxel.length,
      slices,
      directions,
      found.voxelsPerPoint,
    );
    const measured = (i: number) => Float32Array.from(points.voxel, (v) => volumes[members[i]][v]);
    const sample = () => {
      for (const [i, t] of members.entries()) {
        comparison.corrected[i].set(measured(i));
        acquiredSlices(series.frame, series.acquisitions[t], parameters[t], points, comparison.sliceOf[i]);
        comparison.markMissing(i);
      }
    };
    sample();
    let classified = comparison.classified();
    // Twice: lost slices spoil the first predictions of their neighbours.
    for (let round = 0; round < 2; round++) {
      comparison.fill(classified);
      comparison.judge(classified, measured);
      sample();
      comparison.fill(classified);
      classified = comparison.classified();
    }
    return { members, directions, predictor: comparison.predictor(), statistics: comparison.statistics };
  });
  const outliers = outlierSlices(judged);
  const acquired = [...series.volumes];
  if (replace) {
    const predicted = new Float32Array(series.mask.length);
    // Twice: in the first round a prediction may rest on slices which are themselves lost.
    for (let round = 0; round < 2; round++)
      for (const { members, predictor } of judged)
        for (const [i, t] of members.entries()) {
          const lost = outliers.filter((o) => o.volume === t).map((o) => o.slice);
          if (lost.length === 0) continue;
          predict(
            predictor.others,
            i,
            members.map((m) => volumes[m]),
            predicted,
          );
          const mended = replaceSlices(series, t, parameters[t], predicted, lost);
          volumes[t].set(correctVolume(series, t, parameters[t], mended));
          acquired[t] = mended;
        }
  }
  return { corrected, acquired, outliers, groups: judged };
}

/** One volume of each pair of opposite phase encoding (--resamp=lsr), in the pairs' order. */
export async function restorePairs(
  series: Series,
  found: Estimate,
  { corrected, acquired }: Finished,
  pairs: readonly (readonly [number, number])[],
  threads: Threads,
): Promise<Image> {
  const { frame, field, acquisitions } = series;
  const restored = await threads.map(
    restorePair,
    pairs.map((pair) => ({
      frame,
      field,
      halves: pair.map((t) => ({
        acquisition: acquisitions[t],
        p: found.parameters[t],
        acquired: acquired[t],
      })),
    })),
  );
  const data = new Float32Array(pairs.length * series.mask.length);
  for (const [i, volume] of restored.entries()) data.set(volume, i * series.mask.length);
  return { grid: corrected.grid, volumes: pairs.length, data };
}

/** SNR of the b0s, then CNR of each shell by ascending b, as one series of maps; 0 outside the mask. */
export function cnrMaps(series: Series, { corrected, groups }: Finished): Image {
  const volumes = (members: readonly number[]) => members.map((t) => volumeOf(corrected, t));
  const b0s = groups.find(({ directions }) => !directions)?.members ?? [];
  const maps = [b0Snr(series, volumes(b0s))];
  for (const { members, directions, predictor } of groups)
    if (directions) maps.push(...shellCnr(series, volumes(members), predictor, directions.shellOf));
  const data = new Float32Array(maps.length * series.mask.length);
  for (const [i, map] of maps.entries()) data.set(map, i * series.mask.length);
  return { grid: corrected.grid, volumes: maps.length, data };
}
