/** Quality of a diffusion series, as acquired or as corrected: what its own images tell. */
import { type Image, volumeOf } from '../../imaging/image.ts';
import { signalDrift } from '../../imaging/qc/drift.ts';
import { ghostRatio } from '../../imaging/qc/ghost.ts';
import { nearestNeighbours, neighbourCorrelations } from '../../imaging/qc/neighbours.ts';
import { largest, meanOf, medianOf } from '../../imaging/qc/numbers.ts';
import { b0sOf, shellsOf, weightedOf } from '../../imaging/qc/shells.ts';
import { type BadSlices, badSlices } from '../../imaging/qc/slices.ts';
import { b0Snr, type Spread, tensorNoise } from '../../imaging/qc/tensor-noise.ts';
import type { Scheme } from './read.ts';

/** What is known of the volumes of a series. */
export interface Volumes {
  readonly bvals: Float64Array;
  readonly bvecs: Float64Array;
  /** 1-based row of `schemes` per volume. */
  readonly index: readonly number[];
  readonly schemes: readonly Scheme[];
}

export interface SeriesQc {
  readonly metrics: Record<string, number | null>;
  /** Correlation of each volume with its neighbour in q space, in the mask. */
  readonly neighbourCorr: readonly (number | null)[];
  readonly slices: BadSlices;
}

const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);

/** Facts, neighbours and bad slices of a series. @param prefix `raw` or `t1`, as QSIPrep has it */
export function seriesQc(
  prefix: 'raw' | 't1',
  series: Image,
  { bvals, bvecs, index }: Volumes,
  voxels: Int32Array,
): SeriesQc {
  const { dims, voxelSizes } = series.grid;
  const weighted = weightedOf(bvals);
  const shells = shellsOf(bvals);
  const neighbours = nearestNeighbours(bvals, bvecs, weighted, index);
  const masked = neighbourCorrelations(series, neighbours, voxels);
  const slices = badSlices(
    series,
    voxels,
    shells.map((b, t) => `${b} ${index[t]}`),
  );
  const axes = ['x', 'y', 'z'];
  return {
    metrics: {
      ...Object.fromEntries(axes.map((axis, i) => [`${prefix}_dimension_${axis}`, dims[i]])),
      ...Object.fromEntries(axes.map((axis, i) => [`${prefix}_voxel_size_${axis}`, voxelSizes[i]])),
      [`${prefix}_max_b`]: largest(bvals),
      [`${prefix}_num_directions`]: weighted.length,
      [`${prefix}_neighbor_corr`]: meanOf(known(neighbourCorrelations(series, neighbours))),
      [`${prefix}_masked_neighbor_corr`]: meanOf(known(masked)),
      [`${prefix}_num_bad_slices`]: slices.dropped.length,
      ...(prefix === 'raw'
        ? {
            raw_bad_slices: (100 * slices.dropped.length) / (series.volumes * dims[2]),
            raw_num_spikes: slices.spiked.length,
          }
        : {}),
    },
    neighbourCorr: masked,
    slices,
  };
}

/** Drift and ghost, which only the series as acquired shows. @param mask of the brain, on its grid */
export function acquisitionMetrics(
  raw: Image,
  { bvals, index, schemes }: Volumes,
  mask: Float32Array,
  voxels: Int32Array,
): Record<string, number | null> {
  const b0s = b0sOf(bvals);
  const drifts = known(
    schemes.map((_, row) => {
      const set = [...index.keys()].filter((t) => index[t] === row + 1);
      return signalDrift(raw, set, b0s, voxels);
    }),
  );
  const worst = drifts.reduce<number | null>(
    (most, drift) => (most === null || Math.abs(drift) > Math.abs(most) ? drift : most),
    null,
  );
  const first = b0s.find((t) => schemes[index[t] - 1] !== undefined);
  return {
    signal_drift: worst,
    signal_drift_abs: worst === null ? null : Math.abs(worst),
    ghost_ratio:
      first === undefined
        ? null
        : ghostRatio(volumeOf(raw, first), mask, raw.grid, schemes[index[first] - 1].axis),
  };
}

function spreadMetrics(shell: number, { mean, median, deviation }: Spread): Record<string, number | null> {
  return {
    [`CNR${shell}_mean`]: mean,
    [`CNR${shell}_median`]: median,
    [`CNR${shell}_standard_deviation`]: deviation,
  };
}

/** Spread over the brain of one of eddy's own CNR maps. */
function mapSpread(values: Float64Array): Spread {
  const mean = meanOf(values);
  const squares = mean === null ? null : meanOf(values.map((value) => (value - mean) ** 2));
  return { mean, median: medianOf(values), deviation: squares === null ? null : Math.sqrt(squares) };
}

export interface NoiseQc {
  readonly metrics: Record<string, number | null>;
  /** SNR of the b0s, then CNR per shell: mean and standard deviation, as eddy_quad lists them. */
  readonly spreads: readonly Spread[];
}

/**
 * SNR, CNR and residuals of the corrected series.
 * @param cnrMaps eddy's own, where it wrote them: SNR of the b0s, then a volume per shell
 */
export function noiseQc(
  corrected: Image,
  { bvals, bvecs }: Volumes,
  voxels: Int32Array,
  cnrMaps: Image | undefined,
): NoiseQc {
  const shells = shellsOf(bvals);
  const noise = tensorNoise(corrected, bvals, bvecs, shells, voxels);
  const snr = b0Snr(corrected, b0sOf(bvals), voxels);
  const nothing: Spread = { mean: null, median: null, deviation: null };
  const distinct = [...new Set(shells)].filter((b) => b > 0).sort((a, b) => a - b);
  const spreads = cnrMaps
    ? Array.from({ length: cnrMaps.volumes }, (_, shell) => {
        const map = volumeOf(cnrMaps, shell);
        return mapSpread(Float64Array.from(voxels, (o) => map[o]).filter((value) => value > 0));
      })
    : [snr ?? nothing, ...distinct.map((b) => noise?.cnr.get(b) ?? nothing)];
  return {
    metrics: {
      tensor_residual: noise?.residualPercent ?? null,
      b0_median_snr: snr?.median ?? null,
      ...Object.fromEntries(distinct.map((b, i) => [`b${b}_median_cnr`, spreads[i + 1]?.median ?? null])),
      ...Object.assign({}, ...spreads.map((spread, shell) => spreadMetrics(shell, spread))),
    },
    spreads,
  };
}

/**
 * Mean b0 over mean weighted signal in tissue. It changes with b and with the head's diffusivity, but not with the
 * scanner's gain, unless that differs between b0s and weighted volumes.
 */
export function gainOf(corrected: Image, { bvals }: Volumes, tissue: Int32Array): number | null {
  const mean = (volumes: readonly number[]) =>
    meanOf(
      volumes.map((t) => {
        const volume = volumeOf(corrected, t);
        let sum = 0;
        for (const o of tissue) sum += volume[o];
        return sum / tissue.length;
      }),
    );
  const [b0, weighted] = [mean(b0sOf(bvals)), mean(weightedOf(bvals))];
  return tissue.length > 0 && b0 !== null && weighted !== null && weighted > 0 ? b0 / weighted : null;
}
