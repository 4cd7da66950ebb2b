/**
 * Linear registration (FLIRT): Jenkinson & Smith 2001, Med Image Anal 5:143; Jenkinson et al. 2002, NeuroImage 17:825.
 * Coarse to fine at 8, 4, 2 and 1 mm, with a search over rotations at 8 mm; written from the papers.
 */
import { type Matrix4, transformPoint } from '../../../imaging/affine.ts';
import type { Grid } from '../../../imaging/image.ts';
import type { CostName } from './cost.ts';
import { type Candidate, evaluate, optimise, type Registration } from './optimise.ts';
import { type Level, pyramid, voxelSize } from './pyramid.ts';
import { alignCentres, distinct, type SearchRange, search } from './search.ts';
import { createSimilarity } from './similarity.ts';
import { centreOfMass, type Dof, rotateAbout } from './transform.ts';

/** One volume. */
export interface Volume {
  readonly grid: Grid;
  readonly data: Float32Array;
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

/**
 * Registers `source` to `reference`.
 * @returns the transform in FLIRT's convention (source to reference, scaled-voxel mm) and its cost at the finest
 * level; a cost of Infinity says that no transform was found: too little overlap or no contrast
 */
export function register(
  reference: Volume,
  source: Volume,
  options: RegisterOptions = DEFAULTS,
  progress: (fraction: number, message: string) => void = () => {},
): Candidate {
  const { dof, cost, bins } = options;
  const sizes = levelSizes(reference.grid, source.grid, options.finest);
  const references = pyramid(reference.data, reference.grid, sizes);
  const sources = pyramid(source.data, source.grid, sizes);
  const centre = centreOfMass(source.data, source.grid);
  const at = (level: number, costName: CostName): Registration => ({
    reference: references[level],
    source: sources[level],
    centre,
    similarity: createSimilarity(
      references[level],
      costName,
      binsAt(references[level], bins),
    )(sources[level]),
  });
  const start = options.init ?? alignCentres(centre, centreOfMass(reference.data, reference.grid));
  const coarseDof: Dof = dof === 6 ? 6 : 7;

  let candidates: Candidate[] = [{ matrix: start, cost: Number.POSITIVE_INFINITY }];
  if (options.search) {
    const startCentre = transformPoint(start, ...centre);
    candidates = search(at(0, options.searchCost), start, startCentre, options.search, coarseDof, (f) =>
      progress(0.5 * f, 'search over rotations'),
    ).slice(0, 4);
    if (candidates.length === 0) return { matrix: start, cost: Number.POSITIVE_INFINITY };
  }
  for (let level = 0; level < sizes.length; level++) {
    progress(0.5 + (0.5 * level) / sizes.length, `optimization at ${Number(sizes[level].toPrecision(3))} mm`);
    const r = at(level, cost);
    const mm = sizes[level];
    const last = level === sizes.length - 1;
    // Freedom comes step by step, as in the paper: scales and skews only once the heads lie on one another.
    const freedoms = LADDER.filter((d) =>
      level === 0 && !last ? d === coarseDof : level === 1 ? d >= coarseDof && d <= dof : d === dof,
    );
    if (level === 1 && options.search) candidates = candidates.map((c) => bestTurn(r, c, options.search));
    candidates = candidates
      .map((c) => freedoms.reduce((m, d) => optimise(r, m.matrix, d, (last ? 0.001 : 0.02) * mm), c))
      .sort((a, b) => a.cost - b.cost);
    candidates = level === 0 ? distinct(candidates, centre, mm / 2).slice(0, 3) : candidates.slice(0, 1);
    if (candidates.length === 0) return { matrix: start, cost: Number.POSITIVE_INFINITY };
  }
  return candidates[0];
}

/** The best of a candidate and its rotations by half a fine step each way: a coarse optimum may lie beside the true one. */
function bestTurn(r: Registration, c: Candidate, range?: SearchRange): Candidate {
  let best: Candidate = { matrix: c.matrix, cost: evaluate(r, c.matrix) };
  if (!range) return best;
  for (const axis of ['x', 'y', 'z'] as const)
    for (const angle of [-range.fine / 2, range.fine / 2]) {
      if (range[axis][0] === range[axis][1]) continue;
      const turn: [number, number, number] = [0, 0, 0];
      turn[axis === 'x' ? 0 : axis === 'y' ? 1 : 2] = angle;
      const matrix = rotateAbout(c.matrix, turn, r.centre);
      const cost = evaluate(r, matrix);
      if (cost < best.cost) best = { matrix, cost };
    }
  return best;
}
