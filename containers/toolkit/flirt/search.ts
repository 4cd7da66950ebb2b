/**
 * Where to start: a search over rotations at the coarsest level, so that the final optimum does not depend on how the
 * heads lie (Jenkinson & Smith 2001, section 5: coarse grid, fine grid, local minima, optimization of each).
 */
import { type Matrix4, translation } from '../../../imaging/affine.ts';
import { type Candidate, evaluate, optimise, type Registration } from './optimise.ts';
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
export function search(
  r: Registration,
  start: Matrix4,
  startCentre: Point,
  range: SearchRange,
  dof: Dof,
  progress: (fraction: number) => void,
): Candidate[] {
  const coarse = [
    angles(range.x, range.coarse),
    angles(range.y, range.coarse),
    angles(range.z, range.coarse),
  ];
  const fine = [angles(range.x, range.fine), angles(range.y, range.fine), angles(range.z, range.fine)];
  const tolerance = r.reference.mm / 8;

  // Best translation of each coarse rotation, as a shift of the centre.
  const shifts: Point[] = [];
  const total = coarse[0].length * coarse[1].length * coarse[2].length;
  for (const c of coarse[2])
    for (const b of coarse[1])
      for (const a of coarse[0]) {
        const { matrix } = optimise(r, rotateAbout(start, [a, b, c], r.centre), 3, 4 * tolerance, {
          evaluations: 12,
        });
        const at = (row: number) =>
          matrix[4 * row] * r.centre[0] +
          matrix[4 * row + 1] * r.centre[1] +
          matrix[4 * row + 2] * r.centre[2] +
          matrix[4 * row + 3] -
          startCentre[row];
        shifts.push([at(0), at(1), at(2)]);
        progress((0.5 * shifts.length) / total);
      }

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
  const costs: number[] = [];
  for (let k = 0; k < nc; k++)
    for (let j = 0; j < nb; j++)
      for (let i = 0; i < na; i++) {
        const rotation: Point = [fine[0][i], fine[1][j], fine[2][k]];
        const turned = rotateAbout(start, rotation, r.centre);
        const shift = shiftAt(rotation);
        for (let row = 0; row < 3; row++) turned[4 * row + 3] += shift[row];
        placed.push(turned);
        costs.push(evaluate(r, turned));
        if (i === 0) progress(0.5 + (0.3 * costs.length) / (na * nb * nc));
      }

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

  const found = [start, ...minima].map((m, i, all) => {
    progress(0.8 + (0.2 * i) / all.length);
    return optimise(r, m, dof, tolerance);
  });
  found.sort((a, b) => a.cost - b.cost);
  return distinct(found, startCentre, r.reference.mm);
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
