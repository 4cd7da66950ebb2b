/** The voxels inside a closed surface. */
import type { Dims } from '../../../imaging/image.ts';
import { components, fillHoles } from '../fslmaths/morphology.ts';
import type { Mesh } from './icosphere.ts';

/** Corners are moved to this fraction of a voxel, with which products of differences are exact in double precision. */
const SUBDIVISION = 65536;

/**
 * Marks the voxels whose centres lie inside the mesh: the surface crosses each line of voxels along x, inwards and
 * outwards, and between the two the winding number is not zero. Where parts of a line were marked twice (the surface
 * folded over itself) they stay inside. The largest piece is kept and its holes are filled.
 * @param mesh points in voxel indices
 * @param crossed says of a voxel that the surface passes through whether it counts as inside; default: by its centre
 * @returns 1 inside, 0 outside
 */
export function fillMesh(mesh: Mesh, dims: Dims, crossed?: (voxel: number) => boolean): Float32Array {
  const [nx, ny, nz] = dims;
  const { triangles } = mesh;
  const points = mesh.points.map((p) => Math.round(p * SUBDIVISION) / SUBDIVISION);
  // Changes of the winding number on the way along x, with one place more for what lies beyond the last voxel.
  const change = new Int16Array((nx + 1) * ny * nz);
  for (let f = 0; f < triangles.length; f += 3) {
    const [a, b, c] = [triangles[f], triangles[f + 1], triangles[f + 2]];
    const [ya, yb, yc] = [points[3 * a + 1], points[3 * b + 1], points[3 * c + 1]];
    const [za, zb, zc] = [points[3 * a + 2], points[3 * b + 2], points[3 * c + 2]];
    const area = (yb - ya) * (zc - za) - (zb - za) * (yc - ya);
    if (area === 0) continue;
    // Seen along x, triangles turn one way on the near side of the surface and the other way on the far side.
    const sign = area < 0 ? 1 : -1;
    const jTo = Math.min(ny - 1, Math.floor(Math.max(ya, yb, yc)));
    const kTo = Math.min(nz - 1, Math.floor(Math.max(za, zb, zc)));
    for (let k = Math.max(0, Math.ceil(Math.min(za, zb, zc))); k <= kTo; k++)
      for (let j = Math.max(0, Math.ceil(Math.min(ya, yb, yc))); j <= jTo; j++) {
        const wa = side(points, b, c, j, k);
        const wb = side(points, c, a, j, k);
        const wc = side(points, a, b, j, k);
        if (sign > 0 ? wa >= 0 || wb >= 0 || wc >= 0 : wa < 0 || wb < 0 || wc < 0) continue;
        const x = (wa * points[3 * a] + wb * points[3 * b] + wc * points[3 * c]) / (wa + wb + wc);
        const i = Math.min(nx, Math.max(0, Math.ceil(x)));
        change[i + (nx + 1) * (j + ny * k)] += sign;
      }
  }
  const inside = new Float32Array(nx * ny * nz);
  for (let line = 0; line < ny * nz; line++) {
    let winding = 0;
    for (let i = 0; i < nx; i++) {
      winding += change[i + (nx + 1) * line];
      if (winding !== 0) inside[i + nx * line] = 1;
    }
  }
  if (crossed)
    forEachCrossed(points, triangles, dims, (voxel) => {
      if (crossed(voxel)) inside[voxel] = 1;
    });
  return fillHoles(largestComponent(inside, dims), dims);
}

/** Points on a triangle are looked at so close to each other, in voxels, that no voxel is passed by but for a corner. */
const SPACING = 0.25;

/** Visits the voxels that triangles pass through; a voxel may be visited again. */
function forEachCrossed(
  points: Float64Array,
  triangles: Int32Array,
  [nx, ny, nz]: Dims,
  visit: (voxel: number) => void,
): void {
  const distance = (p: number, q: number) =>
    Math.hypot(points[q] - points[p], points[q + 1] - points[p + 1], points[q + 2] - points[p + 2]);
  for (let f = 0; f < triangles.length; f += 3) {
    const [a, b, c] = [3 * triangles[f], 3 * triangles[f + 1], 3 * triangles[f + 2]];
    const longest = Math.max(distance(a, b), distance(b, c), distance(c, a));
    const steps = Math.max(1, Math.ceil(longest / SPACING));
    for (let s = 0; s <= steps; s++)
      for (let t = 0; s + t <= steps; t++) {
        const [wa, wb] = [s / steps, t / steps];
        const wc = 1 - wa - wb;
        const i = Math.round(wa * points[a] + wb * points[b] + wc * points[c]);
        const j = Math.round(wa * points[a + 1] + wb * points[b + 1] + wc * points[c + 1]);
        const k = Math.round(wa * points[a + 2] + wb * points[b + 2] + wc * points[c + 2]);
        if (i >= 0 && j >= 0 && k >= 0 && i < nx && j < ny && k < nz) visit(i + nx * (j + ny * k));
      }
  }
}

/**
 * On which side of the edge from p to q, seen along x, a point lies: twice the signed area of the triangle it makes,
 * never zero. A point exactly on the edge counts as moved by next to nothing along y and still less along z, so that
 * each line of voxels meets exactly one of the triangles that share an edge or a corner.
 */
function side(points: Float64Array, p: number, q: number, y: number, z: number): number {
  const [y0, z0] = [points[3 * p + 1], points[3 * p + 2]];
  const [dy, dz] = [points[3 * q + 1] - y0, points[3 * q + 2] - z0];
  const area = dy * (z - z0) - dz * (y - y0);
  if (area !== 0) return area;
  return (dz !== 0 ? dz < 0 : dy > 0) ? Number.MIN_VALUE : -Number.MIN_VALUE;
}

function largestComponent(inside: Float32Array, dims: Dims): Float32Array {
  const { labels, sizes } = components(inside, dims);
  const foreground = new Uint8Array(sizes.length);
  for (let i = 0; i < labels.length; i++) foreground[labels[i]] = inside[i];
  let best = 0;
  for (let label = 1; label < sizes.length; label++)
    if (foreground[label] && (best === 0 || sizes[label] > sizes[best])) best = label;
  return inside.map((_, i) => (best > 0 && labels[i] === best ? 1 : 0));
}
