/** Figures of voxel values that say null where there is nothing to tell. */

type Values = ArrayLike<number>;

export function meanOf(values: Values): number | null {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return values.length > 0 ? sum / values.length : null;
}

/** Standard deviation with n - 1; null with fewer than two values. */
export function standardDeviation(values: Values): number | null {
  const mean = meanOf(values);
  if (mean === null || values.length < 2) return null;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i] - mean) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}

export function medianOf(values: Values): number | null {
  const sorted = Float64Array.from(values).sort();
  const n = sorted.length;
  return n === 0 ? null : (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
}

export function largest(values: Iterable<number>): number | null {
  let most: number | null = null;
  for (const value of values) if (most === null || value > most) most = value;
  return most;
}

export function smallest(values: Iterable<number>): number | null {
  let least: number | null = null;
  for (const value of values) if (least === null || value < least) least = value;
  return least;
}

/** Standard deviation of normal values by their median absolute distance from the median. */
export function robustDeviation(values: Values): number | null {
  const middle = medianOf(values);
  if (middle === null) return null;
  const distance = medianOf(Float64Array.from(values, (value) => Math.abs(value - middle)));
  return distance === null ? null : 1.4826 * distance;
}

/**
 * Pearson's correlation of two maps over some voxels; null where one of them does not vary.
 * @param voxels indices into both; absent: all
 */
export function correlation(a: Values, b: Values, voxels?: Int32Array): number | null {
  const n = voxels?.length ?? a.length;
  let [sa, sb, aa, bb, ab] = [0, 0, 0, 0, 0];
  // Distances from a value of each, so that large means cost no digits.
  const first = voxels ? voxels[0] : 0;
  const [a0, b0] = [a[first], b[first]];
  for (let v = 0; v < n; v++) {
    const o = voxels ? voxels[v] : v;
    const [x, y] = [a[o] - a0, b[o] - b0];
    sa += x;
    sb += y;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  const [va, vb] = [aa - (sa * sa) / n, bb - (sb * sb) / n];
  const tiny = 1e-12;
  if (!(n > 1) || !(va > tiny * aa) || !(vb > tiny * bb)) return null;
  return (ab - (sa * sb) / n) / Math.sqrt(va * vb);
}

/** Indices of the voxels of a mask, those above zero. */
export function voxelsOf(mask: Values): Int32Array {
  const out = new Int32Array(mask.length);
  let count = 0;
  for (let o = 0; o < mask.length; o++) if (mask[o] > 0) out[count++] = o;
  return out.slice(0, count);
}
