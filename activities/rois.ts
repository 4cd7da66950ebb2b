/** Mean diffusivity by region. */

/** What one region of one map holds; MD in mm2/s. */
export interface RoiValue {
  readonly roi: string;
  readonly index: number;
  /** NaN-free: null where no voxel of the region has data. */
  readonly mean: number | null;
  readonly stdev: number | null;
  readonly median: number | null;
  /** Voxels of the region in the label image. */
  readonly voxels: number;
  readonly voxelsWithData: number;
  /** voxelsWithData / voxels, 0 to 1; 0 for a region without voxels. */
  readonly coverage: number;
}

/**
 * Averages a map over the regions of a label image on the same grid. Only voxels with data count; how many there are is
 * reported as coverage, since a template's cortex often reaches beyond a subject's mask. A voxel has data where the
 * subject's brain mask, taken to the same grid by nearest neighbour, is set: at its rim an interpolated map mixes tissue
 * with the nothing outside, and taking every value above zero would count that too (it lowers BA10 by 10 %).
 * @param map values of one volume  @param mask above zero where there are data  @param labels whole numbers; all on one grid
 */
export function roiValues(
  map: Float32Array,
  mask: Float32Array,
  labels: Float32Array,
  rois: readonly { index: number; name: string }[],
): RoiValue[] {
  return rois.map(({ index, name }) => {
    const values: number[] = [];
    let voxels = 0;
    let sum = 0;
    for (let i = 0; i < labels.length; i++) {
      if (Math.round(labels[i]) !== index) continue;
      voxels++;
      const value = map[i];
      if (!(mask[i] > 0 && value > 0 && Number.isFinite(value))) continue;
      values.push(value);
      sum += value;
    }
    const n = values.length;
    const shared = { roi: name, index, voxels, voxelsWithData: n, coverage: voxels > 0 ? n / voxels : 0 };
    if (n === 0) return { ...shared, mean: null, stdev: null, median: null };
    const mean = sum / n;
    let squares = 0;
    for (const value of values) squares += (value - mean) ** 2;
    values.sort((a, b) => a - b);
    const median = (values[(n - 1) >> 1] + values[n >> 1]) / 2;
    return { ...shared, mean, stdev: n > 1 ? Math.sqrt(squares / (n - 1)) : 0, median };
  });
}
