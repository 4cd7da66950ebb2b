/**
 * One coefficient of a linear model in every voxel, with p values corrected for their number: the largest statistic of
 * each permutation tells what chance does anywhere (Nichols & Holmes 2002, Hum Brain Mapp 15:1; permutation of the
 * nuisance's residuals as Winkler et al. 2014, NeuroImage 92:381). Statistics: t, and its TFCE.
 */
import { requireFinite } from './descriptive.ts';
import { dot, type Partition, partition, residualize } from './design.ts';
import { StatisticsError } from './errors.ts';
import { randomStream, shuffle } from './random.ts';
import type { Term } from './regression.ts';
import { type Lattice, tfce } from './tfce.ts';

/** A model ready for permuting. Plain data: it travels between threads. */
export interface VoxelwiseModel {
  readonly lattice: Lattice;
  readonly design: Partition;
  /** Subjects x voxels: what the nuisance leaves of the maps, each voxel at unit length; 0 where nothing is left. */
  readonly residuals: Float32Array;
  /** Length before, in units of the maps. */
  readonly lengths: Float32Array;
  /** Above zero in the voxels that p values are corrected for and given for. */
  readonly searched: Uint8Array;
}

/** Maps hold one value per voxel of the lattice. */
export interface VoxelwiseMaps {
  /** Slope, in units of the maps per unit of the tested term. */
  readonly b: Float32Array;
  readonly t: Float32Array;
  readonly tfce: Float32Array;
}

/** The largest |t| and |TFCE| in the searched voxels, by permutation. */
export interface Maxima {
  readonly t: readonly number[];
  readonly tfce: readonly number[];
}

/** Family-wise corrected two-sided p, NaN-free: 1 outside the searched voxels. */
export interface CorrectedP {
  readonly t: Float32Array;
  readonly tfce: Float32Array;
}

/**
 * Prepares map ~ 1 + nuisance + tested, in every voxel of the lattice.
 * @param maps one per subject, one value per voxel of the lattice
 * @param volume a smaller volume to search, one value per voxel of the lattice (small-volume correction): clusters may
 *   reach beyond it, p values are corrected for its voxels only
 * @throws StatisticsError as {@link partition}; NOT_FINITE where a map is not; TOO_FEW where nothing is searched; CONSTANT
 *   where no voxel varies
 */
export function voxelwiseModel(
  maps: readonly Float32Array[],
  tested: Term,
  nuisance: readonly Term[],
  lattice: Lattice,
  volume?: ArrayLike<number>,
): VoxelwiseModel {
  const n = maps.length;
  const count = lattice.voxels.length;
  const design = partition(tested, nuisance);
  if (tested.values.length !== n || maps.some(({ length }) => length !== count))
    throw new RangeError('voxelwiseModel: maps, terms and lattice do not fit together');
  const searched = Uint8Array.from(volume ?? lattice.voxels, (v) => (volume === undefined || v > 0 ? 1 : 0));
  if (searched.length !== count) throw new RangeError('voxelwiseModel: the volume does not fit the lattice');
  if (!searched.includes(1)) throw new StatisticsError('TOO_FEW', 'no voxel to search');
  const residuals = new Float32Array(n * count);
  const lengths = new Float32Array(count);
  const values = new Array<number>(n).fill(0);
  for (let v = 0; v < count; v++) {
    for (let i = 0; i < n; i++) values[i] = maps[i][v];
    requireFinite(values, 2, `voxel ${lattice.voxels[v]}`);
    const left = residualize(design, values);
    const length = Math.sqrt(dot(left, left));
    // What is left of a voxel without variance is rounding.
    if (!(length > 1e-6 * Math.sqrt(dot(values, values)))) continue;
    lengths[v] = length;
    for (let i = 0; i < n; i++) residuals[i * count + v] = left[i] / length;
  }
  if (!lengths.some((length) => length > 0)) throw new StatisticsError('CONSTANT', 'no voxel varies');
  return { lattice, design, residuals, lengths, searched };
}

/** The maps of the subjects as they are. @param dh see {@link tfce} */
export function voxelwiseMaps(model: VoxelwiseModel, dh = 0): VoxelwiseMaps {
  const { design, lengths, lattice } = model;
  const t = tMap(
    model,
    Int32Array.from(design.tested, (_, i) => i),
  );
  const b = t.map((value, v) => {
    const along = value / Math.sqrt(design.df + value * value);
    return (along * lengths[v]) / design.length;
  });
  return { b, t, tfce: tfce(t, lattice, dh) };
}

/**
 * Permutations `first` to `end` (exclusive) and their maxima. Each has a random stream of its own, so batches may be cut
 * and shared out in any way.
 */
export function permutedMaxima(
  model: VoxelwiseModel,
  seed: number,
  first: number,
  end: number,
  dh = 0,
): Maxima {
  const [t, enhanced]: [number[], number[]] = [[], []];
  for (let k = first; k < end; k++) {
    const order = Int32Array.from(model.design.tested, (_, i) => i);
    shuffle(order, randomStream(seed, k));
    const map = tMap(model, order);
    t.push(largest(map, model.searched));
    enhanced.push(largest(tfce(map, model.lattice, dh), model.searched));
  }
  return { t, tfce: enhanced };
}

/** (b + 1) / (m + 1) in every searched voxel, where b of the m permutations have a maximum as large as its statistic. */
export function correctedP(
  { searched }: VoxelwiseModel,
  observed: VoxelwiseMaps,
  maxima: readonly Maxima[],
): CorrectedP {
  const p = (map: Float32Array, largest: number[]) => {
    const sorted = Float64Array.from(largest).sort();
    const m = sorted.length;
    return map.map((value, v) => {
      if (searched[v] === 0) return 1;
      // Maxima of the same data differ by no more than the rounding of single precision.
      const below = firstAtLeast(sorted, Math.abs(value) * (1 - 1e-6));
      return (m - below + 1) / (m + 1);
    });
  };
  return {
    t: p(
      observed.t,
      maxima.flatMap(({ t }) => t),
    ),
    tfce: p(
      observed.tfce,
      maxima.flatMap((batch) => batch.tfce),
    ),
  };
}

/** Voxels worked on together: their sums stay in the processor's cache. */
const BLOCK = 2048;

/** t in every voxel when subject i is given the residual of subject order[i]. */
function tMap({ design, residuals, lengths }: VoxelwiseModel, order: Int32Array): Float32Array {
  const { nuisance, tested, df } = design;
  const count = lengths.length;
  const t = new Float32Array(count);
  const along = new Float64Array(BLOCK);
  const fit = new Float64Array(BLOCK);
  const rest = new Float64Array(BLOCK);
  for (let first = 0; first < count; first += BLOCK) {
    const size = Math.min(BLOCK, count - first);
    const project = (column: Float64Array, sums: Float64Array) => {
      sums.fill(0);
      for (let i = 0; i < order.length; i++) {
        const weight = column[i];
        const at = order[i] * count + first;
        for (let v = 0; v < size; v++) sums[v] += weight * residuals[at + v];
      }
    };
    project(tested, along);
    rest.fill(1);
    for (const column of nuisance) {
      project(column, fit);
      for (let v = 0; v < size; v++) rest[v] -= fit[v] * fit[v];
    }
    for (let v = 0; v < size; v++) {
      const error = Math.max(1e-12, rest[v] - along[v] * along[v]);
      t[first + v] = along[v] * Math.sqrt(df / error);
    }
  }
  return t;
}

function largest(map: Float32Array, searched: Uint8Array): number {
  let most = 0;
  for (let v = 0; v < map.length; v++) if (searched[v] > 0) most = Math.max(most, Math.abs(map[v]));
  return most;
}

/** Index of the first value of an ascending list that is at least `least`. */
function firstAtLeast(sorted: Float64Array, least: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
