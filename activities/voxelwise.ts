/** Voxel by voxel: where in the template does dMD differ between groups, or go with a covariate? Images in, images out. */
import { availableParallelism } from 'node:os';
import { gzipSync } from 'node:zlib';
import { Piscina } from 'piscina';
import { type Image, sameGrid } from '../imaging/image.ts';
import { encodeNifti, readImage } from '../imaging/nifti.ts';
import { shareMemory } from '../imaging/phantom/threads.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import type { Term } from '../statistics/regression.ts';
import { type Lattice, lattice } from '../statistics/tfce.ts';
import {
  correctedP,
  type Maxima,
  type VoxelwiseModel,
  voxelwiseMaps,
  voxelwiseModel,
} from '../statistics/voxelwise.ts';
import { writeInto, writeJsonInto } from './derivatives.ts';
import runPermutations, { type PermutationJob } from './voxelwise-worker.ts';

export interface VoxelwiseRequest {
  /** Map of dMD (mm2/s) of each subject, all on one grid; exactly 0 where a subject has no data. */
  readonly maps: readonly string[];
  /** Image on that grid, above zero where to look. */
  readonly mask: string;
  /** Image on that grid, above zero in a smaller volume: p values are given there, and corrected for its voxels only. */
  readonly volume?: string;
  /** One value per subject: group, or a covariate such as the d-score. */
  readonly tested: Term;
  readonly nuisance: readonly Term[];
  readonly permutations: number;
  readonly seed: number;
  /** Default: one per core. Results do not depend on it. */
  readonly threads?: number;
  /** Results are written to `<out>_t.nii.gz` and so on. */
  readonly out: string;
}

export interface VoxelwiseResult {
  /** Voxels tested. */
  readonly voxels: number;
  /** Voxels of the mask in which a subject has no data. */
  readonly leftOut: number;
  readonly permutations: number;
  /** Smallest corrected p, and how many voxels lie below .05, by the largest t and by TFCE. */
  readonly t: { readonly smallestP: number; readonly voxelsBelow05: number };
  readonly tfce: { readonly smallestP: number; readonly voxelsBelow05: number };
  /** Paths of the images. */
  readonly images: Readonly<Record<keyof typeof IMAGES, string>>;
}

/** What each image holds. */
const IMAGES = {
  b: 'Slope of dMD on the tested term, mm2/s per unit of it',
  t: 't of the slope',
  tfce: 'Threshold-free cluster enhancement of t (E 0.5, H 2, 26 neighbours, exact integral)',
  t_corrp: '1 - p of t, two-sided, family-wise corrected by the largest |t| of each permutation',
  tfce_corrp: '1 - p of TFCE, two-sided, family-wise corrected by the largest |TFCE| of each permutation',
} as const;

/** Permutations that a thread does between two reports of progress. */
const BATCH = 25;

/**
 * Tests one term of dMD ~ 1 + nuisance + tested in every voxel in which all subjects have data, and writes the images
 * with a JSON file that explains them.
 * @param onProgress called after each batch of permutations with the share done, 0 to 1; where it throws, the work stops
 * @throws DeltaMdError INPUT_CONTRADICTS where images lie on different grids or terms have another length; INPUT_UNUSABLE
 *   where no voxel has data of all subjects; ImagingError for files that cannot be read; StatisticsError as
 *   {@link voxelwiseModel}
 */
export async function analyseVoxels(
  request: VoxelwiseRequest,
  onProgress: (fraction: number) => void = () => {},
): Promise<VoxelwiseResult> {
  const { maps, tested, nuisance, out, seed, permutations } = request;
  for (const { name, values } of [tested, ...nuisance])
    if (values.length !== maps.length)
      throw new DeltaMdError(
        'INPUT_CONTRADICTS',
        `${maps.length} maps, but ${values.length} values of ${name}`,
      );
  const mask = await readImage(request.mask);
  const onGrid = async (path: string) => {
    const image = await readImage(path);
    if (!sameGrid(image.grid, mask.grid))
      throw new DeltaMdError('INPUT_CONTRADICTS', `${path} and ${request.mask} lie on different grids`);
    return image.data;
  };
  // Maps are read twice, one at a time: all of them at once fill the memory.
  const everywhere = Uint8Array.from(mask.data, (v) => (v > 0 ? 1 : 0));
  const asked = count(everywhere);
  for (const path of maps) {
    const data = await onGrid(path);
    for (let v = 0; v < data.length; v++) if (data[v] === 0 || !Number.isFinite(data[v])) everywhere[v] = 0;
  }
  const grid = lattice(mask.grid.dims, everywhere);
  if (grid.voxels.length === 0)
    throw new DeltaMdError(
      'INPUT_UNUSABLE',
      `${request.mask}: no voxel has data of all ${maps.length} subjects`,
      {
        remedy: 'Look for a subject whose map does not cover the template, and leave it out',
      },
    );
  const pick = (data: Float32Array) => Float32Array.from(grid.voxels, (v) => data[v]);
  const values: Float32Array[] = [];
  for (const path of maps) values.push(pick(await onGrid(path)));
  const volume = request.volume === undefined ? undefined : pick(await onGrid(request.volume));

  const model = voxelwiseModel(values, tested, nuisance, grid, volume);
  const observed = voxelwiseMaps(model);
  const p = correctedP(model, observed, await permute(model, request, onProgress));

  const place = async (name: keyof typeof IMAGES, map: Float32Array) => {
    const path = `${out}_${name}.nii.gz`;
    const image = { grid: mask.grid, volumes: 1, data: onto(grid, map) } satisfies Image;
    await writeInto(path, gzipSync(encodeNifti(image), { level: 1 }));
    return path;
  };
  const complement = (map: Float32Array) => map.map((value) => 1 - value);
  const images = {
    b: await place('b', observed.b),
    t: await place('t', observed.t),
    tfce: await place('tfce', observed.tfce),
    t_corrp: await place('t_corrp', complement(p.t)),
    tfce_corrp: await place('tfce_corrp', complement(p.tfce)),
  };
  const summary = (map: Float32Array) => ({
    smallestP: map.reduce((least, value) => Math.min(least, value), 1),
    voxelsBelow05: count(map.map((value) => (value < 0.05 ? 1 : 0))),
  });
  const result: VoxelwiseResult = {
    voxels: grid.voxels.length,
    leftOut: asked - grid.voxels.length,
    permutations,
    t: summary(p.t),
    tfce: summary(p.tfce),
    images,
  };
  await writeJsonInto(`${out}.json`, {
    Description: `dMD ~ 1${nuisance.map(({ name }) => ` + ${name}`).join('')} + ${tested.name}, tested: ${tested.name}`,
    Images: IMAGES,
    Permutations: permutations,
    Seed: seed,
    Subjects: maps.length,
    ...(request.volume === undefined ? {} : { SmallVolume: request.volume }),
    ...result,
  });
  return result;
}

/** Node cannot load the TypeScript source, which only tests run, into a thread. */
const CAN_THREAD = !import.meta.url.endsWith('.ts');
const WORKER = new URL('./voxelwise-worker.js', import.meta.url);

/** All permutations in batches that do not depend on the number of threads. */
async function permute(
  model: VoxelwiseModel,
  { permutations, seed, threads = availableParallelism() }: VoxelwiseRequest,
  onProgress: (fraction: number) => void,
): Promise<Maxima[]> {
  const starts = Array.from({ length: Math.ceil(permutations / BATCH) }, (_, i) => i * BATCH);
  const pool =
    threads > 1 && CAN_THREAD
      ? new Piscina<PermutationJob, Maxima>({
          filename: WORKER.href,
          minThreads: threads,
          maxThreads: threads,
        })
      : undefined;
  const shared = pool ? shareMemory(model) : model;
  let done = 0;
  const batch = async (first: number) => {
    const job = { model: shared, seed, first, end: Math.min(first + BATCH, permutations) };
    const maxima = pool ? await pool.run(job) : runPermutations(job);
    onProgress(++done / starts.length);
    return maxima;
  };
  try {
    return await Promise.all(starts.map(batch));
  } finally {
    await pool?.destroy();
  }
}

/** A map of the lattice on its grid; 0 elsewhere. */
function onto({ dims, voxels }: Lattice, map: Float32Array): Float32Array {
  const data = new Float32Array(dims[0] * dims[1] * dims[2]);
  for (let v = 0; v < voxels.length; v++) data[voxels[v]] = map[v];
  return data;
}

function count(flags: Uint8Array | Float32Array): number {
  let n = 0;
  for (let v = 0; v < flags.length; v++) n += flags[v];
  return n;
}
