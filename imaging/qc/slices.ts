/**
 * Bad slices of a series: those that lost their signal (motion during the gradients, a failed excitation) and those
 * with too much (spikes in k space, which lay stripes over the whole slice and so light up the air). Each slice is
 * compared with itself in the other volumes of its kind and with its neighbours in the same volume: contrast that goes
 * with direction, motion and coil profile change gradually along the slices; a bad slice is darker, or brighter, than
 * those above it and those below.
 */
import { type Image, volumeOf, voxelCount } from '../image.ts';
import { medianOf, robustDeviation } from './numbers.ts';
import type { SlicePlace } from './outliers.ts';

/** Slices with less brain than this share of the fullest slice are too small to judge. */
const SMALLEST_SLICE = 0.1;
/** Neighbours on each side that a slice is compared with. */
const REACH = 3;
/** Volumes of a kind that a slice can be compared among. */
const FEWEST_VOLUMES = 4;
/** Robust standard deviations beyond which a slice is bad... */
const FAR = 6;
/** ... and least log ratios: a loss of an eighth of the signal, a flash by as much, air brighter by a third. */
const LOSS = Math.log(8 / 7);
const FLASH = Math.log(8 / 7);
const STRIPES = Math.log(4 / 3);
/** Share of a slice's voxels, the darkest over time, that are taken for air. */
const AIR = 0.25;
/** Added to the air, as a share of the brain's signal: many scanners blank the air, and ratios of nothing say nothing. */
const AIR_FLOOR = 0.02;

export interface BadSlices {
  readonly dropped: readonly SlicePlace[];
  readonly spiked: readonly SlicePlace[];
  /** Per volume and slice: log of the brain's signal over what is expected; null where it cannot be told. */
  readonly deviation: readonly (readonly (number | null)[])[];
}

/** Means over a set of voxels in each slice of each volume, at `t * slices + k`; NaN-free: 0 in empty slices. */
function sliceMeans(series: Image, voxels: Int32Array): { means: Float64Array; counts: Int32Array } {
  const [nx, ny, nz] = series.grid.dims;
  const counts = new Int32Array(nz);
  const sliceOf = Int32Array.from(voxels, (o) => Math.floor(o / (nx * ny)));
  for (const k of sliceOf) counts[k]++;
  const means = new Float64Array(series.volumes * nz);
  for (let t = 0; t < series.volumes; t++) {
    const volume = volumeOf(series, t);
    for (let v = 0; v < voxels.length; v++) means[t * nz + sliceOf[v]] += volume[voxels[v]];
    for (let k = 0; k < nz; k++) if (counts[k] > 0) means[t * nz + k] /= counts[k];
  }
  return { means, counts };
}

/** The darkest voxels of each slice, by their mean over time. */
function airOf(series: Image): Int32Array {
  const [nx, ny, nz] = series.grid.dims;
  const n = voxelCount(series.grid);
  const mean = new Float32Array(n);
  for (let t = 0; t < series.volumes; t++) {
    const volume = volumeOf(series, t);
    for (let o = 0; o < n; o++) mean[o] += volume[o];
  }
  const inSlice = nx * ny;
  const count = Math.floor(AIR * inSlice);
  const out = new Int32Array(nz * count);
  for (let k = 0; k < nz; k++) {
    const slice = mean.subarray(k * inSlice, (k + 1) * inSlice);
    const limit = Float32Array.from(slice).sort()[count];
    let found = 0;
    for (let i = 0; i < inSlice && found < count; i++)
      if (slice[i] <= limit) out[k * count + found++] = k * inSlice + i;
  }
  return out;
}

/**
 * Log ratios of each slice against itself in other volumes of its kind, beyond those of its neighbours: 0 where it lies
 * between the slices below and those above, as at the rim of a head that has moved. The outermost slices are not judged.
 */
function deviations(
  means: Float64Array,
  volumes: number,
  slices: readonly number[],
  total: number,
  kinds: readonly (string | number)[],
): (number | null)[][] {
  const out = Array.from({ length: volumes }, () => new Array<number | null>(total).fill(null));
  for (const kind of new Set(kinds)) {
    const members = Array.from({ length: volumes }, (_, t) => t).filter((t) => kinds[t] === kind);
    if (members.length < FEWEST_VOLUMES) continue;
    const usual = new Map(
      slices.map((k) => [k, medianOf(members.map((t) => means[t * total + k])) ?? 0] as const),
    );
    const judged = slices.filter((k) => (usual.get(k) ?? 0) > 0);
    for (const t of members) {
      const ratio = judged.map((k) =>
        Math.log(Math.max(means[t * total + k], 1e-3 * usual.get(k)!) / usual.get(k)!),
      );
      for (const [i, k] of judged.entries()) {
        const below = medianOf(ratio.slice(Math.max(0, i - REACH), i));
        const above = medianOf(ratio.slice(i + 1, i + 1 + REACH));
        if (below === null || above === null) continue;
        const [low, high] = below < above ? [below, above] : [above, below];
        out[t][k] = Math.min(0, ratio[i] - low) + Math.max(0, ratio[i] - high);
      }
    }
  }
  return out;
}

/** Places whose deviation has the given sign and is far beyond the usual. */
function beyond(
  deviation: readonly (readonly (number | null)[])[],
  sign: 1 | -1,
  least: number,
): SlicePlace[] {
  const all = deviation.flat().filter((value) => value !== null);
  const limit = Math.max(least, FAR * (robustDeviation(all) ?? 0));
  return deviation.flatMap((row, volume) =>
    row.flatMap((value, slice) => (value !== null && sign * value > limit ? [{ volume, slice }] : [])),
  );
}

/**
 * @param voxels of the brain
 * @param kinds of volumes that should look alike, such as shell and phase encoding
 */
export function badSlices(series: Image, voxels: Int32Array, kinds: readonly (string | number)[]): BadSlices {
  const nz = series.grid.dims[2];
  const { means, counts } = sliceMeans(series, voxels);
  const fullest = counts.reduce((a, b) => Math.max(a, b), 0);
  const slices = [...counts.keys()].filter((k) => counts[k] >= Math.max(1, SMALLEST_SLICE * fullest));
  const deviation = deviations(means, series.volumes, slices, nz, kinds);
  const floor = AIR_FLOOR * (medianOf(means.filter((mean) => mean > 0)) ?? 0);
  const air = sliceMeans(series, airOf(series)).means.map((mean) => mean + floor);
  const stripes = deviations(air, series.volumes, [...counts.keys()], nz, kinds);
  const spiked = new Map<string, SlicePlace>();
  for (const place of [...beyond(stripes, 1, STRIPES), ...beyond(deviation, 1, FLASH)])
    spiked.set(`${place.volume} ${place.slice}`, place);
  return { dropped: beyond(deviation, -1, LOSS), spiked: [...spiked.values()], deviation };
}
