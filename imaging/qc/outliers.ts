/** Slices that eddy found to have lost signal, from its `.eddy_outlier_report`. */
import { largest } from './numbers.ts';

/** A slice of a volume; both count from 0. */
export interface SlicePlace {
  readonly volume: number;
  readonly slice: number;
}

/** Reads the report: a sentence per outlier slice; an empty one means that there are none. */
export function parseOutlierReport(text: string): SlicePlace[] {
  return [...text.matchAll(/Slice\s+(\d+)\s+in scan\s+(\d+)/gi)].map(([, slice, volume]) => ({
    volume: Number(volume),
    slice: Number(slice),
  }));
}

/** How many outlier slices each volume has. */
export function perVolume(places: readonly SlicePlace[], volumes: number): Int32Array {
  const counts = new Int32Array(volumes);
  for (const { volume } of places) counts[volume]++;
  return counts;
}

/**
 * Shares of outlier slices in percent, as eddy_quad counts them: of all, per shell and per phase encoding.
 * @param counts outlier slices per volume
 * @param shells b of each volume's shell, rounded; 0 for b0s, which count in no shell  @param schemes row of acqparams
 */
export function outlierMetrics(
  counts: Int32Array,
  slices: number,
  shells: readonly number[],
  schemes: readonly number[],
): Record<string, number | null> {
  const share = (isIn: (t: number) => boolean) => {
    const members = [...counts.keys()].filter(isIn);
    const found = members.reduce((sum, t) => sum + counts[t], 0);
    return members.length === 0 ? null : (100 * found) / (members.length * slices);
  };
  const most = largest(counts);
  const distinct = (values: readonly number[]) => [...new Set(values)].sort((a, b) => a - b);
  return {
    qc_outliers_tot: share(() => true),
    max_outlier_slices: most === null ? null : (100 * most) / slices,
    ...Object.fromEntries(
      distinct(shells)
        .filter((b) => b > 0)
        .map((b) => [`qc_outliers_b${b}`, share((t) => shells[t] === b)]),
    ),
    ...Object.fromEntries(
      distinct(schemes).map((row) => [`qc_outliers_pe${row}`, share((t) => schemes[t] === row)]),
    ),
  };
}
