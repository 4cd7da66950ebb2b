/** From the estimate to images: the corrected series, lost slices replaced, and maps of contrast against noise. */

import { B0_MAX } from '../../../imaging/gradients.ts';
import { type Image, volumeOf } from '../../../imaging/image.ts';
import { predict } from './align.ts';
import { b0Snr, shellCnr } from './cnr.ts';
import { correctVolume, replaceSlices } from './correct.ts';
import type { Estimate } from './estimate.ts';
import type { OutlierSlice } from './report.ts';
import { directionsOf, type Series } from './series.ts';

/**
 * Corrects every volume into `out` and replaces the given slices by predictions before the resampling.
 * @param outliers slices to be replaced; none leaves the data as measured
 */
export function correctSeries(
  series: Series,
  found: Estimate,
  outliers: readonly OutlierSlice[],
  out: Image,
  progress: (fraction: number) => void,
): void {
  const { parameters, groups } = found;
  const volumes = series.volumes.map((_, t) => volumeOf(out, t));
  for (const [t, acquired] of series.volumes.entries()) {
    volumes[t].set(correctVolume(series, t, parameters[t], acquired));
    progress((t + 1) / volumes.length);
  }
  const predicted = new Float32Array(series.mask.length);
  // Twice: in the first round a prediction may rest on slices which are themselves lost.
  for (let round = 0; round < 2; round++)
    for (const { members, aligned } of groups)
      for (const [i, t] of members.entries()) {
        const lost = outliers.filter((o) => o.volume === t).map((o) => o.slice);
        if (lost.length === 0) continue;
        predict(
          aligned.predictor.others,
          i,
          members.map((m) => volumes[m]),
          predicted,
        );
        const mended = replaceSlices(series, t, parameters[t], predicted, lost);
        volumes[t].set(correctVolume(series, t, parameters[t], mended));
      }
}

/** SNR of the b0s, then CNR of each shell by ascending b, as one series of maps. */
export function cnrMaps(series: Series, found: Estimate, corrected: Image): Image {
  const volumesOf = (members: readonly number[]) => members.map((t) => volumeOf(corrected, t));
  const maps: Float32Array[] = [];
  const isB0 = (members: readonly number[]) => series.bvals[members[0]] <= B0_MAX;
  const b0s = found.groups.find(({ members }) => isB0(members));
  const weighted = found.groups.find(({ members }) => !isB0(members));
  maps.push(b0Snr(series, volumesOf(b0s?.members ?? [])));
  if (weighted)
    maps.push(
      ...shellCnr(
        series,
        volumesOf(weighted.members),
        weighted.aligned.predictor,
        directionsOf(series, weighted.members).shellOf,
      ),
    );
  const data = new Float32Array(maps.length * series.mask.length);
  for (const [i, map] of maps.entries()) data.set(map, i * series.mask.length);
  return { grid: corrected.grid, volumes: maps.length, data };
}
