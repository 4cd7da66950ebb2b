/** Quality of one session: reads what its steps left, one large series at a time, and measures it. */
import { readFile } from 'node:fs/promises';
import { readBvals, readBvecs } from '../../imaging/gradients.ts';
import { type Image, volumeOf, voxelCount } from '../../imaging/image.ts';
import { readImage } from '../../imaging/nifti.ts';
import { axisWords, checkGradients } from '../../imaging/qc/gradient-check.ts';
import {
  bvecRotations,
  framewiseDisplacement,
  movementMetrics,
  parameterMetrics,
} from '../../imaging/qc/motion.ts';
import {
  largest,
  meanOf,
  medianOf,
  smallest,
  standardDeviation,
  voxelsOf,
} from '../../imaging/qc/numbers.ts';
import { outlierMetrics, parseOutlierReport, perVolume, type SlicePlace } from '../../imaging/qc/outliers.ts';
import { opposedMetrics } from '../../imaging/qc/registration.ts';
import { shellsOf, weightedOf } from '../../imaging/qc/shells.ts';
import type { Spread } from '../../imaging/qc/tensor-noise.ts';
import { brainMetrics, tissueMetrics, tissueOf } from '../../imaging/qc/tissue.ts';
import type { SessionMaps } from '../../pipeline/protocol.ts';
import type { VolumeQc } from '../../pipeline/qc/types.ts';
import { readRows, type Scheme, schemesOf } from './read.ts';
import { acquisitionMetrics, gainOf, noiseQc, type SeriesQc, seriesQc, type Volumes } from './series.ts';

/** All that was measured of a session's own images. */
export interface MeasuredSession {
  readonly metrics: Record<string, number | null>;
  readonly notes: readonly string[];
  /** Absent for a session processed before its raw series was kept. */
  readonly volumes?: readonly VolumeQc[];
  readonly slices?: {
    readonly outliers: readonly SlicePlace[] | null;
    readonly raw: SeriesQc['slices'];
  };
  readonly protocol: Volumes & Pick<Image, 'grid'>;
  /** b0 over weighted signal in tissue. */
  readonly gain: number | null;
  readonly spreads: readonly Spread[];
  /** Whether CNR is eddy's own. */
  readonly hasCnrMaps: boolean;
  readonly parameters?: readonly (readonly number[])[];
  /** Standard deviation of the susceptibility displacement, voxels, per scheme. */
  readonly displacement: readonly (number | null)[];
}

type Metrics = Record<string, number | null>;

/** Rows of a text, if there is one for every volume; a note else. */
async function rowsPerVolume(
  file: SessionMaps['parameters'],
  volumes: number,
  width: number,
  notes: string[],
): Promise<number[][] | undefined> {
  if (!file) return undefined;
  const rows = await readRows(file);
  if (rows.length === volumes && rows.every((row) => row.length >= width && row.every(Number.isFinite)))
    return rows;
  notes.push(
    `${file.path} does not hold ${width} numbers for each of ${volumes} volumes, so it tells no motion.`,
  );
  return undefined;
}

/** Mean image of some volumes. */
function meanImage(series: Image, volumes: readonly number[]): Float32Array {
  const out = new Float32Array(voxelCount(series.grid));
  for (const t of volumes) {
    const volume = volumeOf(series, t);
    for (let o = 0; o < out.length; o++) out[o] += volume[o] / volumes.length;
  }
  return out;
}

/** The susceptibility field, and b0s of opposed phase encoding before and after it was undone. */
export async function susceptibility(
  maps: Pick<SessionMaps, 'fieldHz' | 'unwarped' | 'b0s' | 'acqparamsB0'>,
  schemes: readonly Scheme[],
  voxels: Int32Array,
): Promise<{ metrics: Metrics; displacement: (number | null)[] }> {
  const { fieldHz, unwarped, b0s, acqparamsB0 } = maps;
  if (!fieldHz || !unwarped || !acqparamsB0) return { metrics: {}, displacement: [] };
  const field = (await readImage(fieldHz.path)).data;
  const values = Float64Array.from(voxels, (o) => field[o]);
  const deviation = standardDeviation(values);
  const displacement = schemes.map(({ readoutSeconds }) =>
    deviation === null ? null : deviation * readoutSeconds,
  );
  const rows = schemesOf(await readRows(acqparamsB0));
  const [first] = rows;
  const alike = [...rows.keys()].filter((t) => rows[t].axis === first.axis && rows[t].sign === first.sign);
  const opposed = [...rows.keys()].filter((t) => rows[t].axis === first.axis && rows[t].sign === -first.sign);
  const pair = async (path: string): Promise<[Float32Array, Float32Array]> => {
    const series = await readImage(path);
    return [meanImage(series, alike), meanImage(series, opposed)];
  };
  return {
    metrics: {
      fieldmap_hz_median: medianOf(values),
      fieldmap_hz_minimum: smallest(values),
      fieldmap_hz_maximum: largest(values),
      fieldmap_hz_mean: meanOf(values),
      fieldmap_hz_standard_deviation: deviation,
      qc_vox_displ_std: displacement[0] ?? null,
      ...(opposed.length > 0 ? opposedMetrics(await pair(b0s.path), await pair(unwarped.path), voxels) : {}),
    },
    displacement,
  };
}

/** Tissue, tensor directions and the extent of the brain. */
async function mapMetrics(
  maps: SessionMaps,
  mask: Image,
  voxels: Int32Array,
  notes: string[],
): Promise<{ metrics: Metrics; tissue: Int32Array }> {
  const fa = (await readImage(maps.fa.path)).data;
  const md = (await readImage(maps.md.path)).data;
  const v1 = await readImage(maps.v1.path);
  const check = v1.volumes === 3 ? checkGradients(fa, v1.data, voxels, mask.grid) : undefined;
  if (!check) notes.push('Too little white matter is seen to check the gradient directions.');
  const fix = check && axisWords(check.best);
  if (check && fix !== undefined)
    notes.push(
      `The gradient directions fit the image better with axes changed (${(100 * (1 / check.coherence - 1)).toFixed(0)} % more coherent fibres): in the bvecs, ${fix}. MD is not touched by it, FA hardly, directions are.`,
    );
  return {
    metrics: {
      ...tissueMetrics(fa, md, voxels),
      ...brainMetrics(mask.data, mask.grid),
      bvec_coherence: check?.coherence ?? null,
      bvec_margin: check?.margin ?? null,
    },
    tissue: voxels.filter((o) => ['white', 'grey'].includes(tissueOf(fa[o], md[o]) ?? '')),
  };
}

/** Which volumes there are; where older results do not say, all have one scheme. */
async function volumesOf(maps: SessionMaps): Promise<Volumes & { rawBvecs: Float64Array }> {
  const bvals = await readBvals(maps.bvals.path);
  const bvecs = await readBvecs(maps.bvecs.path);
  const index = maps.index ? (await readRows(maps.index)).flat() : new Array<number>(bvals.length).fill(1);
  const schemes = maps.acqparams ? schemesOf(await readRows(maps.acqparams)) : [];
  return {
    bvals,
    bvecs,
    index,
    schemes,
    rawBvecs: maps.rawBvecs ? await readBvecs(maps.rawBvecs.path) : bvecs,
  };
}

/** Measures a session. Never holds more than one series. @param beat called between its parts */
export async function measureSession(maps: SessionMaps, beat: () => void): Promise<MeasuredSession> {
  const notes: string[] = [];
  const volumes = await volumesOf(maps);
  const { bvals, index, schemes, rawBvecs } = volumes;
  const mask = await readImage(maps.mask.path);
  const voxels = voxelsOf(mask.data);
  const count = bvals.length;
  const metrics: Metrics = {};

  let raw: SeriesQc | undefined;
  if (maps.rawDwi) {
    const series = await readImage(maps.rawDwi.path);
    beat();
    raw = seriesQc('raw', series, { ...volumes, bvecs: rawBvecs }, voxels);
    beat();
    Object.assign(metrics, raw.metrics, acquisitionMetrics(series, volumes, mask.data, voxels));
    if (metrics['signal_drift'] === null)
      notes.push('Signal drift is not known: the b0s are too few or too close together.');
  } else notes.push('Processed before the raw series was kept: what it tells is not known.');

  const { metrics: ofMaps, tissue } = await mapMetrics(maps, mask, voxels, notes);
  Object.assign(metrics, ofMaps);
  beat();
  const series = await readImage(maps.dwi.path);
  beat();
  const corrected = seriesQc('t1', series, volumes, voxels);
  beat();
  const noise = noiseQc(series, volumes, voxels, maps.cnrMaps && (await readImage(maps.cnrMaps.path)));
  beat();
  const gain = gainOf(series, volumes, tissue);
  Object.assign(metrics, corrected.metrics, noise.metrics);

  const parameters = await rowsPerVolume(maps.parameters, count, 9, notes);
  const movement = await rowsPerVolume(maps.movement, count, 2, notes);
  if (parameters) Object.assign(metrics, parameterMetrics(parameters));
  if (movement) Object.assign(metrics, movementMetrics(movement));
  const angles = bvecRotations(rawBvecs, volumes.bvecs, weightedOf(bvals));
  Object.assign(metrics, { bvec_rotation_mean: meanOf(angles), bvec_rotation_max: largest(angles) });

  const outliers = maps.outlierReport
    ? parseOutlierReport(await readFile(maps.outlierReport.path, 'utf8'))
    : null;
  const perVolumeOutliers = outliers && perVolume(outliers, count);
  if (perVolumeOutliers)
    Object.assign(metrics, outlierMetrics(perVolumeOutliers, mask.grid.dims[2], shellsOf(bvals), index));
  else
    notes.push('Outlier slices are not known: eddy kept no report. To have one: delta-md retry --from eddy.');

  const field = await susceptibility(maps, schemes, voxels);
  Object.assign(metrics, field.metrics);

  const steps = parameters && framewiseDisplacement(parameters);
  const counted = (places: readonly SlicePlace[] | undefined, t: number) =>
    places?.filter(({ volume }) => volume === t).length ?? 0;
  return {
    metrics,
    notes,
    ...(parameters && raw
      ? {
          parameters,
          volumes: parameters.map((row, t) => ({
            framewise_displacement: steps?.[t] ?? null,
            trans_x: row[0],
            trans_y: row[1],
            trans_z: row[2],
            rot_x: row[3],
            rot_y: row[4],
            rot_z: row[5],
            bval: bvals[t],
            grad_x: rawBvecs[3 * t],
            grad_y: rawBvecs[3 * t + 1],
            grad_z: rawBvecs[3 * t + 2],
            pe: index[t],
            outlier_slices: perVolumeOutliers?.[t] ?? null,
            dropped_slices: counted(raw.slices.dropped, t),
            spiked_slices: counted(raw.slices.spiked, t),
            raw_neighbor_corr: raw.neighbourCorr[t],
            t1_neighbor_corr: corrected.neighbourCorr[t],
          })),
        }
      : {}),
    ...(raw ? { slices: { outliers, raw: raw.slices } } : {}),
    protocol: { ...volumes, grid: mask.grid },
    gain,
    spreads: noise.spreads,
    hasCnrMaps: maps.cnrMaps !== undefined,
    displacement: field.displacement,
  };
}
