/**
 * Signal drift: warming gradients move the field, and the signal falls over the minutes of a scan (Vos 2017, MRM
 * 77:285). Told from the b0s between the weighted volumes.
 */
import { type Image, volumeOf } from '../image.ts';

/** b0s must lie this far apart, as a share of the series, before a line through them says something of all of it. */
const LEAST_SPAN = 0.5;

/**
 * Change in percent of the b0 signal in the brain from the first to the last volume of one set, by a straight line.
 * @param volumes of the set, in their order  @param b0s those without weighting  @param voxels of the brain
 * @returns null where the b0s are too few or too close together
 */
export function signalDrift(
  series: Image,
  volumes: readonly number[],
  b0s: readonly number[],
  voxels: Int32Array,
): number | null {
  const points = volumes.flatMap((t, time) => {
    if (!b0s.includes(t)) return [];
    const volume = volumeOf(series, t);
    let sum = 0;
    for (const o of voxels) sum += volume[o];
    return [{ time, signal: sum / voxels.length }];
  });
  const last = volumes.length - 1;
  if (points.length < 2 || points[points.length - 1].time - points[0].time < LEAST_SPAN * last) return null;
  const mean = (of: (p: { time: number; signal: number }) => number) =>
    points.reduce((sum, p) => sum + of(p), 0) / points.length;
  const [time, signal] = [mean((p) => p.time), mean((p) => p.signal)];
  const slope =
    mean((p) => (p.time - time) * (p.signal - signal)) / mean((p) => (p.time - time) * (p.time - time));
  const start = signal - slope * time;
  return start > 0 ? (100 * slope * last) / start : null;
}
