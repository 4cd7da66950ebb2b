/**
 * The seven regions of the trial on the phantom, and where a planted change of diffusivity acts: fully over the whole
 * region and a few millimetres beyond, so that the interpolations of a pipeline do not dilute it, then fading out.
 */
import { type Grid, voxelCount } from '../image.ts';
import { AMYGDALA, HIPPOCAMPUS, HIPPOCAMPUS_RADII } from './anatomy.ts';
import { ellipsoid, tube } from './shapes.ts';

/** Label names in order: label image value 1 is the first. */
export const ROI_NAMES = [
  'lBA10',
  'rBA10',
  'lAmygdala',
  'rAmygdala',
  'lHippocampus',
  'rHippocampus',
  'vACC',
] as const;
export type RoiName = (typeof ROI_NAMES)[number];

/** Regions on the phantom's lattice. */
export interface Regions {
  /** 0 or the 1-based index into {@link ROI_NAMES}. */
  readonly labels: Float32Array;
  /** Voxels where planted changes act. */
  readonly voxels: Int32Array;
  /** Per entry of `voxels`, the share of each region's change: entry v, region r at `7 * v + r`. */
  readonly shares: Float32Array;
}

/** Regions keep this far from the nearest fluid, in mm. */
const CLEARANCE_MM = 2;
/** A change acts in full within this distance of its region, in mm ... */
const FULL_MM = 4;
/** ... and no more at this one. */
const FADE_MM = 10;

function labelAt(x: number, y: number, z: number, depth: number): number {
  const ax = Math.abs(x);
  const side = x < 0 ? 0 : 1;
  if (tube(ax, y, z, HIPPOCAMPUS, HIPPOCAMPUS_RADII[0] - 0.7, HIPPOCAMPUS_RADII[1] - 0.7) < 0)
    return 5 + side;
  if (ellipsoid(ax, y, z, AMYGDALA.centre, AMYGDALA.radii) < -0.7) return 3 + side;
  if (ax < 13 && ellipsoid(x, y, z, [0, 33, -9], [15, 11, 10]) < 0) return 7;
  if (y > 50 && depth < 14 && ax > 4 && ellipsoid(ax, y, z, [22, 60, 2], [21, 20, 22]) < 0) return 1 + side;
  return 0;
}

/**
 * @param solid fraction of grey and white matter  @param depth mm below the brain's hull
 * @param fromCsf mm from the nearest fluid; regions keep clear of it, as partial volume would swamp their diffusivity
 */
export function buildRegions(
  grid: Grid,
  solid: Float32Array,
  depth: Float32Array,
  fromCsf: Float32Array,
): Regions {
  const [nx, ny, nz] = grid.dims;
  const m = grid.affine;
  const labels = new Float32Array(voxelCount(grid));
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++)
        if (solid[o] > 0.95 && fromCsf[o] > CLEARANCE_MM)
          labels[o] = labelAt(m[0] * i + m[3], m[5] * j + m[7], m[10] * k + m[11], depth[o]);

  const distances = ROI_NAMES.map((_, r) => distanceTo(labels, r + 1, grid));
  const voxels: number[] = [];
  const shares: number[] = [];
  for (let o = 0; o < labels.length; o++) {
    let nearest = Infinity;
    for (const d of distances) nearest = Math.min(nearest, d[o]);
    if (nearest >= FADE_MM) continue;
    const fade = Math.max(0, (nearest - FULL_MM) / (FADE_MM - FULL_MM));
    const strength = 0.5 * (1 + Math.cos(Math.PI * fade));
    // Between neighbours, blend by inverse distance (Shepard): exactly its own change inside a region.
    const closeness = distances.map((d) => 1 / (d[o] + 1e-6) ** 4);
    const total = closeness.reduce((a, b) => a + b);
    voxels.push(o);
    for (const c of closeness) shares.push(labels[o] > 0 ? 0 : (strength * c) / total);
    if (labels[o] > 0) shares[shares.length - ROI_NAMES.length + labels[o] - 1] = 1;
  }
  return { labels, voxels: Int32Array.from(voxels), shares: Float32Array.from(shares) };
}

/** Distance in mm to the nearest voxel of `label`; Infinity beyond {@link FADE_MM}. Isotropic lattice. */
function distanceTo(labels: Float32Array, label: number, grid: Grid): Float32Array {
  const [nx, ny] = grid.dims;
  const mm = grid.voxelSizes[0];
  const reach = Math.floor(FADE_MM / mm);
  const ball: { shift: number; distance: number }[] = [];
  for (let k = -reach; k <= reach; k++)
    for (let j = -reach; j <= reach; j++)
      for (let i = -reach; i <= reach; i++) {
        const distance = mm * Math.hypot(i, j, k);
        if (distance < FADE_MM) ball.push({ shift: i + nx * (j + ny * k), distance });
      }
  const out = new Float32Array(labels.length).fill(Infinity);
  for (let o = 0; o < labels.length; o++)
    if (labels[o] === label)
      // Regions lie far from the lattice's edges: no shift leaves it.
      for (const { shift, distance } of ball) if (distance < out[o + shift]) out[o + shift] = distance;
  return out;
}
