/**
 * Neighbouring DWI correlation (Yeh 2019, NeuroImage 202:116131): each weighted volume against its nearest neighbour in
 * q space. Images that differ little in their weighting should look alike; noise, motion and lost slices make them differ.
 */
import { type Image, volumeOf } from '../image.ts';
import { correlation } from './numbers.ts';

/**
 * The nearest neighbour in q space (q = sqrt(b) g, g and -g being the same) of each weighted volume, among those of its
 * own group; undefined for b0s and where a volume has no neighbour.
 * @param bvals s/mm2  @param bvecs 3 per volume  @param groups phase encoding: distortion must not count as difference
 */
export function nearestNeighbours(
  bvals: ArrayLike<number>,
  bvecs: ArrayLike<number>,
  weighted: readonly number[],
  groups: readonly number[],
): (number | undefined)[] {
  const q = (t: number, c: number) => Math.sqrt(bvals[t]) * bvecs[3 * t + c];
  const distance = (a: number, b: number) =>
    Math.min(
      Math.hypot(q(a, 0) - q(b, 0), q(a, 1) - q(b, 1), q(a, 2) - q(b, 2)),
      Math.hypot(q(a, 0) + q(b, 0), q(a, 1) + q(b, 1), q(a, 2) + q(b, 2)),
    );
  const out = new Array<number | undefined>(bvals.length).fill(undefined);
  for (const t of weighted) {
    let nearest = Number.POSITIVE_INFINITY;
    for (const other of weighted) {
      if (other === t || groups[other] !== groups[t]) continue;
      const d = distance(t, other);
      if (d < nearest) {
        nearest = d;
        out[t] = other;
      }
    }
  }
  return out;
}

/** Correlation of each volume with its neighbour over some voxels (absent: all); null where it cannot be told. */
export function neighbourCorrelations(
  series: Image,
  neighbours: readonly (number | undefined)[],
  voxels?: Int32Array,
): (number | null)[] {
  const known = new Map<string, number | null>();
  return neighbours.map((other, t) => {
    if (other === undefined) return null;
    // Two volumes are often each other's nearest.
    const pair = `${Math.min(t, other)} ${Math.max(t, other)}`;
    if (!known.has(pair)) known.set(pair, correlation(volumeOf(series, t), volumeOf(series, other), voxels));
    return known.get(pair) ?? null;
  });
}
