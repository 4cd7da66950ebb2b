/** What bet learns from an image before it starts: thresholds, and where the head is (Smith 2002, section "overview"). */
import type { Image } from '../../../imaging/image.ts';
import { quantiles, robustRange } from '../fslmaths/statistics.ts';

export type Point = readonly [x: number, y: number, z: number];

/** Intensities and geometry of a head; points in mm = voxel index x voxel size. */
export interface Head {
  /** Robust minimum: 2 % of voxels are darker. */
  readonly t2: number;
  /** Separates head from background: a tenth of the way from t2 to the robust maximum. */
  readonly t: number;
  /** Median inside the initial sphere: what brain looks like. */
  readonly tm: number;
  /** Centre of gravity. */
  readonly centre: Point;
  /** Radius in mm of a sphere with the head's volume. */
  readonly radius: number;
}

/**
 * Estimates a head's position and intensities from one volume.
 * @param known overrides the centre (mm) and the radius (mm)
 * @returns undefined where the volume has no contrast
 */
export function measureHead(
  { grid: { dims, voxelSizes }, data }: Pick<Image, 'grid' | 'data'>,
  known: { centre?: Point; radius?: number } = {},
): Head | undefined {
  const { low: t2, high: t98 } = robustRange(data);
  if (!(t98 > t2)) return undefined;
  const t = t2 + 0.1 * (t98 - t2);
  const [nx, ny, nz] = dims;
  const [dx, dy, dz] = voxelSizes;
  let [mass, x, y, z, count] = [0, 0, 0, 0, 0];
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (!(data[o] > t)) continue;
        // Cut at the robust maximum, so that bright eyes and fat do not pull.
        const m = Math.min(data[o], t98) - t2;
        mass += m;
        x += m * i;
        y += m * j;
        z += m * k;
        count++;
      }
  if (count === 0) return undefined;
  const centre = known.centre ?? [(x / mass) * dx, (y / mass) * dy, (z / mass) * dz];
  const radius = known.radius ?? Math.cbrt((3 * count * dx * dy * dz) / (4 * Math.PI));
  const within: number[] = [];
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        if (!(data[o] > t2 && data[o] < t98)) continue;
        const distance = Math.hypot(i * dx - centre[0], j * dy - centre[1], k * dz - centre[2]);
        if (distance < radius) within.push(data[o]);
      }
  if (within.length === 0) return undefined;
  const [tm] = quantiles(Float32Array.from(within), [0.5]);
  return { t2, t, tm, centre, radius };
}
