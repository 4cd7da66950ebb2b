/**
 * Linear registration (FLIRT): Jenkinson & Smith 2001, Med Image Anal 5:143; Jenkinson et al. 2002, NeuroImage 17:825.
 * Coarse to fine at 8, 4, 2 and 1 mm, with a search over rotations at 8 mm; written from the papers.
 */
import { type Matrix4, transformPoint } from '../../../imaging/affine.ts';
import type { Grid } from '../../../imaging/image.ts';
import { shared, Threads } from '../threads.ts';
import type { CostName } from './cost.ts';
import { type Comparison, type Optimisation, optimiseJob } from './jobs.ts';
import type { Candidate } from './optimise.ts';
import { type Level, pyramid, voxelSize } from './pyramid.ts';
import { alignCentres, distinct, type SearchRange, search } from './search.ts';
import { centreOfMass, type Dof, type Point } from './transform.ts';

/** One volume. */
export interface Volume {
  readonly grid: Grid;
  readonly data: Float32Array;
  /** How much each voxel counts, 0 or more; absent: all alike. */
  readonly weight?: Float32Array;
}

export interface RegisterOptions {
  /** Degrees of freedom: 6 rigid, 7 with a global scale, 9 with three scales, 12 affine. Counted on top of `init`. */
  readonly dof: Dof;
  readonly cost: CostName;
  /** Cost of the search over rotations. */
  readonly searchCost: CostName;
  /** Histogram bins at 1 mm; a level of L mm, with so many fewer voxels, uses bins / L. */
  readonly bins: number;
  /** Finest level in mm that is used, where the images have it. */
  readonly finest: number;
  /** Where to begin (source to reference, scaled-voxel mm); absent: centre of mass on centre of mass. */
  readonly init?: Matrix4;
  /** Rotations to search, relative to `init`; absent: none. */
  readonly search?: SearchRange;
}

const LADDER = [6, 7, 9, 12] as const;
const DEGREE = Math.PI / 180;

/** FSL's defaults. */
export const DEFAULTS: RegisterOptions = {
  dof: 12,
  cost: 'corratio',
  searchCost: 'corratio',
  bins: 256,
  finest: 1,
  search: {
    x: [-90 * DEGREE, 90 * DEGREE],
    y: [-90 * DEGREE, 90 * DEGREE],
    z: [-90 * DEGREE, 90 * DEGREE],
    coarse: 60 * DEGREE,
    fine: 18 * DEGREE,
  },
};

/** Voxel sizes in mm of a registration's levels, coarse to fine; none finer than the coarser of both images. */
export function levelSizes(reference: Grid, source: Grid, finest: number): number[] {
  const last = Math.max(finest, voxelSize(reference), voxelSize(source));
  const sizes = [8, 4, 2, 1].filter((mm) => mm > 1.25 * last);
  return [...sizes, Math.min(8, last)];
}

/** Histogram bins of a level. */
export function binsAt(level: Level, bins: number): number {
  return Math.max(8, Math.round(bins / level.mm));
}

/** Tolerances as shares of a level's voxel: of what the next level will improve, and of the last one. */
const COARSE = 0.05;
const FINE = 0.001;

/** While several candidates are compared, every so many rows are sampled: they tell where minima lie. */
const THINNING = 2;

/**
 * Registers `source` to `reference`.
 * @returns the transform in FLIRT's convention (source to reference, scaled-voxel mm) and its cost at the finest
 * level; a cost of Infinity says that no transform was found: too little overlap or no contrast
 */
export async function register(
  reference: Volume,
  source: Volume,
  options: RegisterOptions = DEFAULTS,
  progress: (fraction: number, message: string) => void = () => {},
  threads: Threads = new Threads(1),
): Promise<Candidate> {
  const { dof, cost, bins } = options;
  const sizes = levelSizes(reference.grid, source.grid, options.finest);
  const levelsOf = ({ grid, data, weight }: Volume) => pyramid(data, grid, sizes, weight).map(sharedLevel);
  const references = levelsOf(reference);
  const sources = levelsOf(source);
  // Weights of one image only leave out what the other's centre would still count.
  const weighted = Boolean(reference.weight && source.weight);
  const centre = massOf(source, weighted);
  const at = (level: number, costName: CostName, thinning: number): Comparison => ({
    reference: references[level],
    source: sources[level],
    centre,
    cost: costName,
    bins: binsAt(references[level], bins),
    thinning,
  });
  const start = options.init ?? alignCentres(centre, massOf(reference, weighted));
  const coarseDof: Dof = dof === 6 ? 6 : 7;

  let candidates: Candidate[] = [{ matrix: start, cost: Number.POSITIVE_INFINITY }];
  if (options.search) {
    const startCentre = transformPoint(start, ...centre);
    const searched = at(0, options.searchCost, THINNING);
    candidates = await search(searched, start, startCentre, options.search, coarseDof, threads, (f) =>
      progress(0.5 * f, 'search over rotations'),
    );
    candidates = candidates.slice(0, 4);
  }
  const improve = async (from: readonly Candidate[], task: Omit<Optimisation, 'starts'>) => {
    const tasks = from.map(({ matrix }) => ({ ...task, starts: [matrix] }));
    return (await threads.map(optimiseJob, tasks)).flat().sort((a, b) => a.cost - b.cost);
  };
  for (let level = 0; level < sizes.length && candidates.length > 0; level++) {
    const mm = sizes[level];
    progress(0.5 + (0.5 * level) / sizes.length, `optimization at ${Number(mm.toPrecision(3))} mm`);
    const last = level === sizes.length - 1;
    if (level <= 1) {
      // Freedom comes step by step, as in the paper: scales and skews only once the heads lie on one another.
      const freedoms = LADDER.filter((d) => d >= coarseDof && d <= dof);
      candidates = await improve(candidates, {
        comparison: at(level, cost, THINNING),
        freedoms: level === 0 && !last ? [coarseDof] : freedoms,
        tolerance: COARSE * mm,
        turns: level === 1 && options.search ? turnsOf(options.search) : [],
      });
      if (level === 0 && !last) candidates = distinct(candidates, centre, mm / 2).slice(0, 3);
    }
    if (level > 1 || last)
      candidates = await improve(candidates.slice(0, 1), {
        comparison: at(level, cost, 1),
        freedoms: [dof],
        tolerance: (last ? FINE : COARSE) * mm,
      });
  }
  return candidates[0] ?? { matrix: start, cost: Number.POSITIVE_INFINITY };
}

/** Centre of mass, of what counts where `weighted`. */
function massOf({ grid, data, weight }: Volume, weighted: boolean): Point {
  return centreOfMass(weighted && weight ? data.map((v, o) => v * weight[o]) : data, grid);
}

function sharedLevel(level: Level): Level {
  return { ...level, data: shared(level.data), weight: level.weight && shared(level.weight) };
}

/** Half a fine step each way about each axis: a coarse optimum may lie beside the true one. */
function turnsOf(range: SearchRange): [number, number, number][] {
  const half = range.fine / 2;
  return (['x', 'y', 'z'] as const)
    .flatMap((axis, a) =>
      range[axis][0] === range[axis][1]
        ? []
        : [
            [a, half],
            [a, -half],
          ],
    )
    .map(([a, angle]) => [0, 1, 2].map((i) => (i === a ? angle : 0)) as [number, number, number]);
}
