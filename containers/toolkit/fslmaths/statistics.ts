/** Order statistics of voxel values. */

/** The values at the given shares (0 to 1) of the sorted finite values, by nearest rank. Empty input gives zeros. */
export function quantiles(values: Float32Array, shares: readonly number[]): number[] {
  const sorted = values.filter(Number.isFinite).sort();
  return shares.map((share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0);
}

/** Intensities below which 2 % and 98 % of the voxels lie: the range without its long, thin tails. */
export function robustRange(values: Float32Array): { low: number; high: number } {
  const [low, high] = quantiles(values, [0.02, 0.98]);
  return { low, high };
}
