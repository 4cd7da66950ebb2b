/** The inverse of a warp as a displacement field, point by point by Newton's method. */
import { determinant3, invert, type Matrix4, transformPoint } from '../../../imaging/affine.ts';
import { type Dims, type Grid, type Image, voxelCount, voxelToFsl } from '../../../imaging/image.ts';
import { defineJob, pieces, shared, type Threads } from '../threads.ts';
import { type PointMap, pointMap, type Warp } from '../warp/warp.ts';

/** A point is found when the warp takes it this near to where it should, in mm. */
const NEAR = 1e-3;
const MOST_STEPS = 40;
/** Longest step in mm: a warp's slopes tell nothing of what lies further. */
const LONGEST = 10;
/** Distance in mm over which slopes are taken. */
const DELTA = 0.25;

/** Room for {@link solve}, so that it allocates nothing. */
class Workspace {
  readonly at = new Float64Array(3);
  readonly moved = new Float64Array(3);
  readonly slopes = new Float64Array(9);
  readonly step = new Float64Array(3);
}

/** Solves a 3 x 3 system, row-major. @returns false where it is as good as singular */
function solve3(m: Float64Array, r: Float64Array, out: Float64Array): boolean {
  const c0 = m[4] * m[8] - m[5] * m[7];
  const c1 = m[5] * m[6] - m[3] * m[8];
  const c2 = m[3] * m[7] - m[4] * m[6];
  const det = m[0] * c0 + m[1] * c1 + m[2] * c2;
  if (!(Math.abs(det) > 1e-6)) return false;
  out[0] = (r[0] * c0 + r[1] * (m[2] * m[7] - m[1] * m[8]) + r[2] * (m[1] * m[5] - m[2] * m[4])) / det;
  out[1] = (r[0] * c1 + r[1] * (m[0] * m[8] - m[2] * m[6]) + r[2] * (m[2] * m[3] - m[0] * m[5])) / det;
  out[2] = (r[0] * c2 + r[1] * (m[1] * m[6] - m[0] * m[7]) + r[2] * (m[0] * m[4] - m[1] * m[3])) / det;
  return true;
}

/**
 * Improves `point` until the warp takes it to `goal`.
 * @returns the distance that is left, in mm
 */
function solve(map: PointMap, goal: Float64Array, point: Float64Array, w: Workspace): number {
  const { at, moved, slopes, step } = w;
  const missing = () => {
    map.sourceAt(point[0], point[1], point[2], at);
    for (let c = 0; c < 3; c++) at[c] -= goal[c];
    return Math.hypot(at[0], at[1], at[2]);
  };
  let distance = missing();
  for (let i = 0; i < MOST_STEPS && distance > NEAR; i++) {
    for (let a = 0; a < 3; a++) {
      map.sourceAt(
        point[0] + (a === 0 ? DELTA : 0),
        point[1] + (a === 1 ? DELTA : 0),
        point[2] + (a === 2 ? DELTA : 0),
        moved,
      );
      for (let c = 0; c < 3; c++) slopes[3 * c + a] = (moved[c] - goal[c] - at[c]) / DELTA;
    }
    if (!solve3(slopes, at, step)) break;
    const length = Math.hypot(step[0], step[1], step[2]);
    let part = length > LONGEST ? LONGEST / length : 1;
    const [x, y, z] = point;
    const before = distance;
    // Between two cells of a field slopes jump: then a shorter step gets nearer.
    for (; part > 0.02; part /= 2) {
      point[0] = x - part * step[0];
      point[1] = y - part * step[1];
      point[2] = z - part * step[2];
      distance = missing();
      if (distance < before) break;
    }
    if (distance >= before) {
      point[0] = x;
      point[1] = y;
      point[2] = z;
      distance = missing();
      break;
    }
  }
  return distance;
}

interface InvertInput {
  readonly warp: Warp;
  /** The matrix nearest to the inverse: where the search starts. */
  readonly start: Matrix4;
  readonly toFsl: Matrix4;
  readonly dims: Dims;
  readonly slices: readonly [number, number];
  readonly out: Float32Array;
}

const invertJob = defineJob('invert warp', (input: InvertInput): void => {
  const { warp, start, toFsl, dims, slices, out } = input;
  const [nx, ny, nz] = dims;
  const n = nx * ny * nz;
  const map = pointMap(warp);
  const w = new Workspace();
  const goal = new Float64Array(3);
  const point = new Float64Array(3);
  const tried = new Float64Array(3);
  let o = nx * ny * slices[0];
  for (let k = slices[0]; k < slices[1]; k++)
    for (let j = 0; j < ny; j++) {
      let left = Number.POSITIVE_INFINITY;
      for (let i = 0; i < nx; i++, o++) {
        const last = goal[0];
        goal[0] = toFsl[0] * i + toFsl[3];
        goal[1] = toFsl[5] * j;
        goal[2] = toFsl[10] * k;
        // From the neighbour's solution, else from the affine's.
        if (left < NEAR) {
          for (let c = 0; c < 3; c++) point[c] += start[4 * c] * (goal[0] - last);
          left = solve(map, goal, point, w);
        }
        if (!(left < NEAR)) {
          for (let c = 0; c < 3; c++)
            tried[c] =
              start[4 * c] * goal[0] +
              start[4 * c + 1] * goal[1] +
              start[4 * c + 2] * goal[2] +
              start[4 * c + 3];
          const other = solve(map, goal, tried, w);
          if (other < left) {
            left = other;
            point.set(tried);
          }
        }
        for (let c = 0; c < 3; c++) out[o + c * n] = point[c] - goal[c];
      }
    }
});

/** The matrix (reference FSL mm to source FSL mm) nearest to a warp, by least squares over its field of view. */
export function nearestMatrix(warp: Warp): Matrix4 {
  if (warp.kind === 'spline') return warp.linear;
  const map = pointMap(warp);
  const toMm = invert(warp.toVoxel);
  const p = new Float64Array(3);
  const points = 8;
  const normal = new Float64Array(16);
  const right = [new Float64Array(4), new Float64Array(4), new Float64Array(4)];
  const row = Float64Array.of(0, 0, 0, 1);
  const [lx, ly, lz] = warp.dims.map((d) => (d - 1) / (points - 1));
  for (let k = 0; k < points; k++)
    for (let j = 0; j < points; j++)
      for (let i = 0; i < points; i++) {
        const [x, y, z] = transformPoint(toMm, lx * i, ly * j, lz * k);
        map.sourceAt(x, y, z, p);
        row[0] = x;
        row[1] = y;
        row[2] = z;
        for (let a = 0; a < 4; a++) {
          for (let b = 0; b < 4; b++) normal[4 * a + b] += row[a] * row[b];
          for (let c = 0; c < 3; c++) right[c][a] += row[a] * p[c];
        }
      }
  return affineOfMoments(normal, right);
}

/** Solves the normal equations of an affine fit: with the means taken out, a 3 x 3 system. */
function affineOfMoments(normal: Float64Array, right: readonly Float64Array[]): Matrix4 {
  const n = normal[15];
  const mean = [normal[3] / n, normal[7] / n, normal[11] / n];
  const spread = new Float64Array(16);
  for (let a = 0; a < 3; a++)
    for (let b = 0; b < 3; b++) spread[4 * a + b] = normal[4 * a + b] - n * mean[a] * mean[b];
  spread[15] = 1;
  const inverse = invert(spread);
  const out = new Float64Array(16);
  out[15] = 1;
  for (let c = 0; c < 3; c++) {
    const middle = right[c][3] / n;
    out[4 * c + 3] = middle;
    for (let a = 0; a < 3; a++) {
      for (let b = 0; b < 3; b++) out[4 * c + a] += inverse[4 * a + b] * (right[c][b] - n * mean[b] * middle);
      out[4 * c + 3] -= out[4 * c + a] * mean[a];
    }
  }
  return out;
}

/** @returns displacement field on `grid` (the warp's source) to the warp's reference; undefined: the warp is flat */
export async function inverseField(warp: Warp, grid: Grid, threads: Threads): Promise<Image | undefined> {
  const forward = nearestMatrix(warp);
  if (!(Math.abs(determinant3(forward)) > 1e-6)) return undefined;
  const start = invert(forward);
  const out = shared(new Float32Array(3 * voxelCount(grid)));
  const toFsl = voxelToFsl(grid);
  const { dims } = grid;
  await threads.map(
    invertJob,
    pieces(dims[2], 4).map((slices) => ({ warp, start, toFsl, dims, slices, out })),
  );
  return { grid, volumes: 3, data: out };
}
