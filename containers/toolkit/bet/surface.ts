/**
 * The deformable surface of BET (Smith 2002, Human Brain Mapping 17:143): a small sphere inside the brain grows until
 * it meets the dark ring of fluid and skull, while its vertices keep apart evenly and its curvature stays a brain's.
 */
import type { Grid } from '../../../imaging/image.ts';
import type { Mesh } from './icosphere.ts';
import type { Head } from './intensity.ts';

const ITERATIONS = 1000;
/** Radii of curvature in mm between which the surface goes from stiff to free (paper: E and F of equation 5). */
const R_MIN = 3.33;
const R_MAX = 10;
const E = (1 / R_MIN + 1 / R_MAX) / 2;
const F = 6 / (1 / R_MIN - 1 / R_MAX);
/** How far inwards the darkest and the brightest point are looked for, in mm. */
const DEPTH_DARK = 20;
const DEPTH_BRIGHT = DEPTH_DARK / 2;
/** Distance between looks, in mm; each look is at the middle of its step, so the first is half a step inwards. */
const STEP = 1;

/**
 * The paper's threshold b_t, as a power of the command's `-f`. Calibrated: with b_t between 0.5 and 0.6, masks agree
 * best with those that FSL 5.0.9's bet makes of two b0 images with -f 0.3.
 */
const FRACTION_POWER = 0.5;

/** How far the surface is drawn outwards. */
export interface Pull {
  /** 0 to 1: the smaller, the larger the brain. */
  readonly fraction: number;
  /** Change of the fraction from the centre to one head radius up (z). */
  readonly gradient: number;
}

/** The paper's b_t at a height above the centre in head radii. */
function thresholdAt({ fraction, gradient }: Pull, height: number): number {
  return Math.min(1, Math.max(0, fraction + gradient * height)) ** FRACTION_POWER;
}

/**
 * Grows a surface from the head's centre to the edge of the brain.
 * @param mesh a unit sphere  @param data one volume
 * @returns the mesh with points in mm (voxel index x voxel size)
 */
export function growSurface(
  mesh: Mesh,
  data: Float32Array,
  grid: Grid,
  head: Head,
  pull: Pull,
  onProgress: (fraction: number) => void = () => {},
): Mesh {
  const points = mesh.points.map((p, i) => head.centre[i % 3] + (p * head.radius) / 2);
  const normals = new Float64Array(points.length);
  const moves = new Float64Array(points.length);
  const { firstNeighbour, neighbours } = mesh;
  const range = { dark: 0, bright: 0 };
  const level = thresholdAt(pull, 0);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    if (iteration % 50 === 0) onProgress(iteration / ITERATIONS);
    vertexNormals(points, mesh.triangles, normals);
    const spacing = meanSpacing(points, mesh);
    for (let v = 0; v < points.length; v += 3) {
      const first = firstNeighbour[v / 3];
      const last = firstNeighbour[v / 3 + 1];
      let [mx, my, mz] = [0, 0, 0];
      for (let q = first; q < last; q++) {
        mx += points[3 * neighbours[q]];
        my += points[3 * neighbours[q] + 1];
        mz += points[3 * neighbours[q] + 2];
      }
      const [nx, ny, nz] = [normals[v], normals[v + 1], normals[v + 2]];
      // s: from the vertex to the middle of its neighbours; along the normal it is curvature, across it unevenness.
      const sx = mx / (last - first) - points[v];
      const sy = my / (last - first) - points[v + 1];
      const sz = mz / (last - first) - points[v + 2];
      const along = sx * nx + sy * ny + sz * nz;
      const curvature = (2 * Math.abs(along)) / (spacing * spacing);
      const smoothing = (1 + Math.tanh(F * (curvature - E))) / 2;
      const seen = lookInwards(data, grid, head, points, normals, v, range);
      const height = (points[v + 2] - head.centre[2]) / head.radius;
      const threshold = pull.gradient === 0 ? level : thresholdAt(pull, height);
      const edge = head.t2 + threshold * (range.bright - head.t2);
      const span = range.bright - head.t2;
      const outward = seen && span > 0 ? (0.05 * 2 * spacing * (range.dark - edge)) / span : 0;
      // Half of the uneven part, all that curvature asks for, and the image's pull.
      const normalMove = (smoothing - 0.5) * along + outward;
      moves[v] = 0.5 * sx + normalMove * nx;
      moves[v + 1] = 0.5 * sy + normalMove * ny;
      moves[v + 2] = 0.5 * sz + normalMove * nz;
    }
    for (let i = 0; i < points.length; i++) points[i] += moves[i];
  }
  return { ...mesh, points };
}

/** Unit normals, outwards, into `out`: the sum of the triangles' normals at each vertex, weighted by their areas. */
export function vertexNormals(points: Float64Array, triangles: Int32Array, out: Float64Array): Float64Array {
  out.fill(0);
  for (let f = 0; f < triangles.length; f += 3) {
    const [a, b, c] = [3 * triangles[f], 3 * triangles[f + 1], 3 * triangles[f + 2]];
    const ux = points[b] - points[a];
    const uy = points[b + 1] - points[a + 1];
    const uz = points[b + 2] - points[a + 2];
    const vx = points[c] - points[a];
    const vy = points[c + 1] - points[a + 1];
    const vz = points[c + 2] - points[a + 2];
    const [nx, ny, nz] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (let k = 0; k < 3; k++) {
      const p = 3 * triangles[f + k];
      out[p] += nx;
      out[p + 1] += ny;
      out[p + 2] += nz;
    }
  }
  for (let p = 0; p < out.length; p += 3) {
    const norm = Math.sqrt(out[p] * out[p] + out[p + 1] * out[p + 1] + out[p + 2] * out[p + 2]) || 1;
    out[p] /= norm;
    out[p + 1] /= norm;
    out[p + 2] /= norm;
  }
  return out;
}

/** Mean distance between neighbouring vertices; each pair counts once. */
function meanSpacing(points: Float64Array, { firstNeighbour, neighbours }: Mesh): number {
  let sum = 0;
  for (let v = 0; v + 1 < firstNeighbour.length; v++)
    for (let q = firstNeighbour[v]; q < firstNeighbour[v + 1]; q++) {
      if (neighbours[q] < v) continue;
      const w = 3 * neighbours[q];
      const x = points[w] - points[3 * v];
      const y = points[w + 1] - points[3 * v + 1];
      const z = points[w + 2] - points[3 * v + 2];
      sum += Math.sqrt(x * x + y * y + z * z);
    }
  return (2 * sum) / neighbours.length;
}

/**
 * The darkest and the brightest intensity on the way inwards from vertex `v`, kept within what brain can be. What lies
 * beyond the field of view is unknown, not dark: it does not count, so that a brain cut by the edge is kept up to it.
 * @returns false where the vertex itself lies beyond the field of view
 */
function lookInwards(
  data: Float32Array,
  { dims, voxelSizes }: Grid,
  { t2, t, tm }: Head,
  points: Float64Array,
  normals: Float64Array,
  v: number,
  out: { dark: number; bright: number },
): boolean {
  let dark = tm;
  let bright = t;
  const [nx, ny, nz] = dims;
  // In voxels, with half a voxel added: cutting off the fraction then rounds to the nearest voxel.
  let x = points[v] / voxelSizes[0] + 0.5;
  let y = points[v + 1] / voxelSizes[1] + 0.5;
  let z = points[v + 2] / voxelSizes[2] + 0.5;
  if (!(x >= 0 && y >= 0 && z >= 0 && x < nx && y < ny && z < nz)) return false;
  const dx = (STEP * normals[v]) / voxelSizes[0];
  const dy = (STEP * normals[v + 1]) / voxelSizes[1];
  const dz = (STEP * normals[v + 2]) / voxelSizes[2];
  x -= dx / 2;
  y -= dy / 2;
  z -= dz / 2;
  for (let d = STEP / 2; d <= DEPTH_DARK; d += STEP, x -= dx, y -= dy, z -= dz) {
    if (!(x >= 0 && y >= 0 && z >= 0 && x < nx && y < ny && z < nz)) break;
    const value = data[(x | 0) + nx * ((y | 0) + ny * (z | 0))];
    if (value < dark) dark = value;
    if (d <= DEPTH_BRIGHT) {
      if (value > bright) bright = value;
    } else if (dark <= t2) break; // It cannot get darker.
  }
  out.dark = dark > t2 ? dark : t2;
  out.bright = bright < tm ? bright : tm;
  return true;
}
