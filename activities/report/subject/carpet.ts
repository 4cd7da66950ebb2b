/** Which slices of which volumes lost signal or flashed: a picture of a whole series at a glance (carpet plot). */
import { blank, type Picture, type Rgb } from '../pictures.ts';
import { diverging } from './colours.ts';

/** A slice of a volume, both from 0. */
export type Cell = readonly [volume: number, slice: number];

/** What `_desc-slice_qc.json` holds. */
export interface SliceQuality {
  /** Slices eddy replaced; null where it kept no report. */
  readonly Outliers: readonly Cell[] | null;
  /** Slices of the raw series without signal, and with stripes or flashes. */
  readonly Dropped: readonly Cell[];
  readonly Spiked: readonly Cell[];
  /** Logarithm of a raw slice's signal over what is expected: a row per volume; null where it cannot be told. */
  readonly Deviation: readonly (readonly (number | null)[])[];
}

/** Drawn in full colour from here on: signal down by a third, or up by half. */
export const CARPET_MOST = 0.4;
const UNKNOWN: Rgb = [128, 128, 128];
const MARK: Rgb = [0, 0, 0];
const CELL = { widest: 14, height: 6 };

/** All slices that are called bad by anybody. */
export function badSlices({ Outliers, Dropped, Spiked }: SliceQuality): Cell[] {
  const cells = new Map([...(Outliers ?? []), ...Dropped, ...Spiked].map((cell) => [cell.join(), cell]));
  return [...cells.values()].sort(([a, b], [c, d]) => a - c || b - d);
}

/** Heat map: volumes from left to right, the lowest slice at the bottom; bad slices framed in black, unknown ones grey. */
export function carpetPicture(slices: SliceQuality, width = 960): Picture {
  const volumes = slices.Deviation.length;
  const count = Math.max(0, ...slices.Deviation.map((row) => row.length));
  const cell = Math.max(1, Math.min(CELL.widest, Math.floor(width / Math.max(1, volumes))));
  const picture = blank(cell * volumes, CELL.height * count);
  const fill = ([volume, slice]: Cell, colour: Rgb, frame: boolean) => {
    const [left, top] = [volume * cell, (count - 1 - slice) * CELL.height];
    for (let y = 0; y < CELL.height; y++)
      for (let x = 0; x < cell; x++)
        if (!frame || x === 0 || y === 0 || x === cell - 1 || y === CELL.height - 1)
          picture.rgb.set(colour, 3 * ((top + y) * picture.width + left + x));
  };
  for (const [volume, row] of slices.Deviation.entries())
    for (const [slice, value] of row.entries())
      fill([volume, slice], value === null ? UNKNOWN : diverging(value, CARPET_MOST), false);
  for (const bad of badSlices(slices)) if (bad[0] < volumes && bad[1] < count) fill(bad, MARK, true);
  return picture;
}
