/**
 * Where to start: a search over rotations at the coarsest level, so that the final optimum does not depend on how the
 * heads lie (Jenkinson & Smith 2001, section 5: coarse grid, fine grid, local minima, optimization of each).
 */
import { type Matrix4, transformPoint, translation } from '../../../imaging/affine.ts';
import { pieces, type Threads } from '../threads.ts';
import { type Comparison, costsJob, optimiseJob } from './jobs.ts';
import type { Candidate } from './optimise.ts';
import { type Dof, type Point, rmsDeviation, rotateAbout } from './transform.ts';

/** Range of rotations about x, y and z, in radians. */
export interface SearchRange {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  readonly z: readonly [number, number];
  /** Step in radians of the grid at which translations are optimized. */
  readonly coarse: number;
  /** Step in radians of the grid at which the cost is looked at. */
  readonly fine: number;
}

/** At most so many minima of the fine grid are optimized. */
const MOST_MINIMA = 10;

/** Work is cut into so many pieces, whatever the number of threads. */
const PIECES = 4;
const share = <T>(items: readonly T[]) =>
  pieces(items.length, Math.ceil(items.length / PIECES)).map(([first, end]) => items.slice(first, end));

function angles([low, high]: readonly [number, number], step: number): number[] {
  const steps = Math.max(0, Math.ceil((high - low) / step - 1e-9));
  return Array.from({ length: steps + 1 }, (_, i) =>
    steps ? low + (i * (high - low)) / steps : (low + high) / 2,
  );
}

/** Linear interpolation of position `a` on the sorted `grid`: lower index and fraction. */
function bracket(grid: readonly number[], a: number): [number, number] {
  if (grid.length === 1) return [0, 0];
  const step = grid[1] - grid[0];
  const i = Math.min(grid.length - 2, Math.max(0, Math.floor((a - grid[0]) / step)));
  return [i, (a - grid[i]) / step];
}

/**
 * Candidates from a search over rotations of `start`, best first and mutually distinct.
 * @param dof of the optimization of each candidate; more than 6 lets the search scale
 * @param startCentre image of the source's centre of mass under `start`
 */
export async function search(
  comparison: Comparison,
  start: Matrix4,
  startCentre: Point,
  range: SearchRange,
  dof: Dof,
  threads: Threads,
  progress: (fraction: number) => void,
): Promise<Candidate[]> {
  const { centre } = comparison;
  const coarse = [
    angles(range.x, range.coarse),
    angles(range.y, range.coarse),
    angles(range.z, range.coarse),
  ];
  const fine = [angles(range.x, range.fine), angles(range.y, range.fine), angles(range.z, range.fine)];
  const tolerance = comparison.reference.mm / 8;
  const optimiseAll = async (starts: readonly Matrix4[], freedom: Dof, mm: number, evaluations?: number) => {
    const tasks = share(starts).map((part) => ({
      comparison,
      starts: part,
      freedoms: [freedom],
      tolerance: mm,
      evaluations,
    }));
    return (await threads.map(optimiseJob, tasks)).flat();
  };

  // Best translation of each coarse rotation, as a shift of the centre.
  const turned: Matrix4[] = [];
  for (const c of coarse[2])
    for (const b of coarse[1]) for (const a of coarse[0]) turned.push(rotateAbout(start, [a, b, c], centre));
  const shifts = (await optimiseAll(turned, 3, 4 * tolerance, 12)).map(({ matrix }): Point => {
    const [x, y, z] = transformPoint(matrix, ...centre);
    return [x - startCentre[0], y - startCentre[1], z - startCentre[2]];
  });
  progress(0.4);

  const shiftAt = (rotation: Point): Point => {
    const cells = rotation.map((a, axis) => bracket(coarse[axis], a));
    const out = [0, 0, 0];
    for (let corner = 0; corner < 8; corner++) {
      let weight = 1;
      let index = 0;
      for (let axis = 2; axis >= 0; axis--) {
        const [i, f] = cells[axis];
        const upper = (corner >> axis) & 1;
        weight *= upper ? f : 1 - f;
        index = index * coarse[axis].length + Math.min(coarse[axis].length - 1, i + upper);
      }
      for (let k = 0; k < 3; k++) out[k] += weight * shifts[index][k];
    }
    return [out[0], out[1], out[2]];
  };

  const [na, nb, nc] = fine.map((f) => f.length);
  const placed: Matrix4[] = [];
  for (const c of fine[2])
    for (const b of fine[1])
      for (const a of fine[0]) {
        const m = rotateAbout(start, [a, b, c], centre);
        for (const [row, shift] of shiftAt([a, b, c]).entries()) m[4 * row + 3] += shift;
        placed.push(m);
      }
  const tasks = share(placed).map((transforms) => ({ comparison, transforms }));
  const costs = (await threads.map(costsJob, tasks)).flat();
  progress(0.8);

  const isMinimum = (at: number) => {
    const [i, j, k] = [at % na, Math.floor(at / na) % nb, Math.floor(at / (na * nb))];
    for (let c = Math.max(0, k - 1); c <= Math.min(nc - 1, k + 1); c++)
      for (let b = Math.max(0, j - 1); b <= Math.min(nb - 1, j + 1); b++)
        for (let a = Math.max(0, i - 1); a <= Math.min(na - 1, i + 1); a++)
          if (costs[a + na * (b + nb * c)] < costs[at]) return false;
    return Number.isFinite(costs[at]);
  };
  const minima = costs
    .map((_, at) => at)
    .filter(isMinimum)
    .sort((a, b) => costs[a] - costs[b] || a - b)
    .slice(0, MOST_MINIMA)
    .map((at) => placed[at]);

  const found = await optimiseAll([start, ...minima], dof, tolerance);
  found.sort((a, b) => a.cost - b.cost);
  return distinct(found, startCentre, comparison.reference.mm);
}

/** Drops candidates that lie within `mm` of a better one. */
export function distinct(candidates: readonly Candidate[], centre: Point, mm: number): Candidate[] {
  const kept: Candidate[] = [];
  for (const c of candidates)
    if (Number.isFinite(c.cost) && kept.every((k) => rmsDeviation(k.matrix, c.matrix, centre) > mm))
      kept.push(c);
  return kept;
}

/** Translation that lays centre of mass on centre of mass. */
export function alignCentres(source: Point, reference: Point): Matrix4 {
  return translation(reference[0] - source[0], reference[1] - source[1], reference[2] - source[2]);
}
