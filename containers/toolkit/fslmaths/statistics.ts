/** Order statistics of voxel values. */

/** The values at the given shares (0 to 1) of the sorted finite values, by nearest rank. Empty input gives zeros. */
export function quantiles(values: Float32Array, shares: readonly number[]): number[] {
  const finite = values.filter(Number.isFinite);
  return shares.map((share) => select(finite, finite.length, Math.round(share * (finite.length - 1))) ?? 0);
}

/** Intensities below which 2 % and 98 % of the voxels lie: the range without its long, thin tails. */
export function robustRange(values: Float32Array): { low: number; high: number } {
  const [low, high] = quantiles(values, [0.02, 0.98]);
  return { low, high };
}

/** The value of rank k (from 0) among the first `count`, which change their order (Hoare's quickselect). */
export function select(values: Float32Array | Float64Array, count: number, k: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) {
        const held = values[i];
        values[i++] = values[j];
        values[j--] = held;
      }
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k];
}
