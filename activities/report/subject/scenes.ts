/** Which slices of which volumes a picture shows. No I/O. */
import { type Image, volumeOf } from '../../../imaging/image.ts';
import {
  type Axis,
  above,
  type Box,
  beside,
  boxAround,
  LABEL_COLOURS,
  type MosaicOptions,
  mosaic,
  type Picture,
  type Rgb,
  robustWindow,
  slicesThrough,
  type Volume,
} from '../pictures.ts';

/** Height or width of a slice, whichever is longer, in pixels: screens show pictures one to one. */
const TILE = 190;
/** Room left around the brain, so that what a distortion moved outwards is seen, mm. */
const MARGIN_MM = 8;

/** What a volume is looked at through: the same slices and scale for pictures that are compared. */
export interface View {
  readonly box: Box;
  readonly zoom: number;
  /** Rows of slices: an axis, and voxel indices along it. */
  readonly rows: readonly (readonly { readonly axis: Axis; readonly slices: readonly number[] }[])[];
}

function scaleOf(around: Volume): Pick<View, 'box' | 'zoom'> {
  const { voxelSizes } = around.grid;
  const box = boxAround(around, Math.ceil(MARGIN_MM / Math.min(...voxelSizes)));
  const longest = Math.max(...box.map(([from, to], axis) => (to - from) * voxelSizes[axis]));
  return { box, zoom: TILE / longest };
}

/** One sagittal, one coronal and one axial slice through a brain; the sagittal one beside the fissure of the midline. */
export function threePlanes(brain: Volume): View {
  const at = (axis: Axis) => slicesThrough(brain, axis, axis === 0 ? 2 : 1).slice(0, 1);
  return {
    ...scaleOf(brain),
    rows: [([0, 1, 2] as const).map((axis) => ({ axis, slices: at(axis) }))],
  };
}

/** A row of axial and a row of coronal slices. @param through what the slices are spread over, such as regions */
export function axialAndCoronal(brain: Volume, through: Volume, count = 5): View {
  return {
    ...scaleOf(brain),
    rows: ([2, 1] as const).map((axis) => [{ axis, slices: slicesThrough(through, axis, count) }]),
  };
}

/** A volume through a view. */
export function look(
  volume: Volume,
  { box, zoom, rows }: View,
  options: Pick<MosaicOptions, 'window' | 'labels' | 'paint'>,
): Picture {
  return above(
    rows.map((row) =>
      beside(
        row.map(({ axis, slices }) =>
          mosaic(volume, { ...options, box, zoom, axis, slices, columns: slices.length, sides: true }),
        ),
        0,
      ),
    ),
  );
}

/** One volume of a series. */
export function volumeAt(image: Image, t: number): Volume {
  return { grid: image.grid, data: volumeOf(image, t) };
}

const OUTLINE: readonly Rgb[] = [[255, 90, 60]];
/** The edge of what lies above a level: of a mask, or of tissue. */
export function edgeOf(values: ArrayLike<number>, level = 0): Required<Pick<MosaicOptions, 'labels'>> {
  const data = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i++) if (values[i] > level) data[i] = 1;
  return { labels: { data, colours: OUTLINE } };
}
/** Every 16th value: as good as all for a window, and sorted in no time. */
export const thinned = (values: Float32Array): Float32Array => values.filter((_, i) => i % 16 === 0);
/** The edges of regions. */
export const regionsOf = (data: ArrayLike<number>, colours: readonly Rgb[] = LABEL_COLOURS) => ({
  labels: { data, colours },
});

/** The level that best parts two kinds of values above zero (Otsu 1979, 128 bins): for FA, white matter from the rest. */
export function otsuLevel(data: ArrayLike<number>): number {
  const [, most] = robustWindow(data, 0, 0.999);
  const bins = new Float64Array(128);
  let n = 0;
  for (let i = 0; i < data.length; i++) {
    if (!(data[i] > 0)) continue;
    bins[Math.min(bins.length - 1, Math.floor((data[i] / most) * bins.length))]++;
    n++;
  }
  const total = bins.reduce((sum, count, bin) => sum + count * bin, 0);
  let [best, level, below, sumBelow] = [-1, 0, 0, 0];
  for (const [bin, count] of bins.entries()) {
    below += count;
    sumBelow += count * bin;
    if (below === 0 || below === n) continue;
    const apart = sumBelow / below - (total - sumBelow) / (n - below);
    const between = below * (n - below) * apart ** 2;
    if (between > best) [best, level] = [between, bin + 1];
  }
  return (level / bins.length) * most;
}

/** First and last b0, one above the other. */
export function bothDirections(b0s: Image, view: View, window: readonly [number, number]): Picture {
  return above([0, b0s.volumes - 1].map((t) => look(volumeAt(b0s, t), view, { window })));
}
