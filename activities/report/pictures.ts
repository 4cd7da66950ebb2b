/** Slices of volumes as PNG: grey values through a window, outlines of labels, before beside after. No I/O. */
import { encode } from 'fast-png';
import type { Grid } from '../../imaging/image.ts';
import { write } from './letters.ts';

/** Red, green, blue, 0 to 255. */
export type Rgb = readonly [number, number, number];

/** Pixels row by row from the top left, three bytes each. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** Voxels of one 3-D volume, x fastest. */
export interface Volume {
  readonly grid: Grid;
  readonly data: ArrayLike<number>;
}

/** Along which voxel axis one looks: i (sagittal), j (coronal) or k (axial), for images stored near RAS or LAS. */
export type Axis = 0 | 1 | 2;

/** Voxel indices from (in) to (out) along i, j, k. */
export type Box = readonly [readonly [number, number], readonly [number, number], readonly [number, number]];

export interface MosaicOptions {
  readonly axis: Axis;
  /** Voxel indices along the axis. */
  readonly slices: readonly number[];
  /** Pictures a row. */
  readonly columns: number;
  /** Values shown black and white. */
  readonly window: readonly [number, number];
  /** Pixels per mm. */
  readonly zoom: number;
  /** Outlined: label image on the same grid; colour n - 1 for label n, over again after the last. */
  readonly labels?: { readonly data: ArrayLike<number>; readonly colours: readonly Rgb[] };
  /** Colour of a voxel, by its index in the volume, in the place of grey through the window. */
  readonly paint?: (voxel: number) => Rgb;
  /** Shows these voxels only. */
  readonly box?: Box;
  /** Writes at the left edge of each slice which side of the subject is there. */
  readonly sides?: boolean;
}

/** Colours for labels, apart for every kind of colour vision and on grey (Okabe & Ito 2008). */
export const LABEL_COLOURS: readonly Rgb[] = [
  [230, 159, 0],
  [86, 180, 233],
  [0, 200, 140],
  [240, 228, 66],
  [255, 120, 60],
  [204, 121, 167],
  [120, 160, 255],
];

/**
 * A window from a low to a high quantile (0 to 1) of the values above zero; [0, 1] where there are none. Exact: sorts.
 */
export function robustWindow(data: ArrayLike<number>, low = 0.02, high = 0.98): [number, number] {
  const values = Float64Array.from(data)
    .filter((v) => v > 0 && Number.isFinite(v))
    .sort();
  if (values.length === 0) return [0, 1];
  const at = (p: number) => values[Math.round((values.length - 1) * p)];
  const [from, to] = [at(low), at(high)];
  return to > from ? [from, to] : [0, to];
}

/** The box around what is not zero, `margin` voxels wider where the image allows; the whole image where all is zero. */
export function boxAround({ grid, data }: Volume, margin = 0): Box {
  const [nx, ny, nz] = grid.dims;
  const low = [nx, ny, nz];
  const high = [0, 0, 0];
  const widen = (axis: Axis, at: number) => {
    if (at < low[axis]) low[axis] = at;
    if (at >= high[axis]) high[axis] = at + 1;
  };
  for (let k = 0, v = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, v++)
        if (data[v] !== 0) {
          widen(0, i);
          widen(1, j);
          widen(2, k);
        }
  const along = (axis: Axis): readonly [number, number] =>
    high[axis] === 0
      ? [0, grid.dims[axis]]
      : [Math.max(0, low[axis] - margin), Math.min(grid.dims[axis], high[axis] + margin)];
  return [along(0), along(1), along(2)];
}

/** `count` slices spread evenly, ends left out, over where the data are not zero; over the whole axis where all are. */
export function slicesThrough(volume: Volume, axis: Axis, count: number): number[] {
  const [first, end] = boxAround(volume)[axis];
  const step = (end - first) / (count + 1);
  return Array.from({ length: count }, (_, s) => Math.min(end - 1, Math.floor(first + (s + 1) * step)));
}

/**
 * Slices in rows, in radiological order (the subject's right on the left), anterior or superior up. Square pixels whatever
 * the voxels; nearest neighbour, so that nothing is shown that is not in the data. NaN is black.
 */
export function mosaic(volume: Volume, options: MosaicOptions): Picture {
  const tiles = options.slices.map((slice) => renderSlice(volume, slice, options));
  const rows: Picture[] = [];
  for (let start = 0; start < tiles.length; start += options.columns)
    rows.push(beside(tiles.slice(start, start + options.columns), 0));
  return above(rows);
}

/** Pictures side by side, tops aligned, `gap` black pixels between. */
export function beside(pictures: readonly Picture[], gap = 8): Picture {
  const height = Math.max(0, ...pictures.map((p) => p.height));
  const width = pictures.reduce((sum, p) => sum + p.width, 0) + gap * Math.max(0, pictures.length - 1);
  const result = blank(width, height);
  let x = 0;
  for (const picture of pictures) {
    paste(result, picture, x, 0);
    x += picture.width + gap;
  }
  return result;
}

/** Pictures one above the other, left edges aligned. */
export function above(pictures: readonly Picture[]): Picture {
  const width = Math.max(0, ...pictures.map((p) => p.width));
  const result = blank(
    width,
    pictures.reduce((sum, p) => sum + p.height, 0),
  );
  let y = 0;
  for (const picture of pictures) {
    paste(result, picture, 0, y);
    y += picture.height;
  }
  return result;
}

/** The file's bytes; equal pictures give equal bytes. A picture without colours is stored as grey. */
export function png({ width, height, rgb }: Picture): Uint8Array {
  const options = { zlib: { level: 6 } } as const;
  for (let i = 0; i < rgb.length; i += 3)
    if (rgb[i] !== rgb[i + 1] || rgb[i] !== rgb[i + 2])
      return encode({ width, height, data: rgb, channels: 3, depth: 8 }, options);
  const grey = Uint8Array.from({ length: width * height }, (_, i) => rgb[3 * i]);
  return encode({ width, height, data: grey, channels: 1, depth: 8 }, options);
}

/** As `<img src="data:image/png;base64,...">` wants it. */
export function pngBase64(picture: Picture): string {
  return Buffer.from(png(picture)).toString('base64');
}

function renderSlice({ grid, data }: Volume, slice: number, options: MosaicOptions): Picture {
  const { axis, zoom, labels } = options;
  const [low, high] = options.window;
  // Across the picture, and down it.
  const [u, v] = axis === 0 ? [1, 2] : axis === 1 ? [0, 2] : [0, 1];
  const stride = [1, grid.dims[0], grid.dims[0] * grid.dims[1]];
  const box = options.box ?? grid.dims.map((n): [number, number] => [0, n]);
  const pixels = (d: number) => Math.max(1, Math.round((box[d][1] - box[d][0]) * grid.voxelSizes[d] * zoom));
  const [width, height] = [pixels(u), pixels(v)];
  const ascends = (dimension: number) => grid.affine[5 * dimension] >= 0;
  // Left-right: world x grows to the picture's left. Up-down: world y or z grows upwards. Sagittal: the nose looks left.
  const column = voxelsOf(width, box[u], ascends(u));
  const row = voxelsOf(height, box[v], ascends(v));
  const base = slice * stride[axis];
  const at = (x: number, y: number) => base + column[x] * stride[u] + row[y] * stride[v];

  const picture = blank(width, height);
  for (let y = 0, out = 0; y < height; y++)
    for (let x = 0; x < width; x++, out += 3) {
      const voxel = at(x, y);
      if (options.paint) picture.rgb.set(options.paint(voxel), out);
      else picture.rgb.fill(Math.round(255 * share(data[voxel], low, high)), out, out + 3);
    }
  if (labels !== undefined) outline(picture, labels, at);
  if (options.sides) write(picture, axis === 0 ? 'A' : 'R', 3, Math.round(height / 2) - 3);
  return picture;
}

/** Where a value lies in a window, 0 to 1; 0 for what is no number. */
export function share(value: number, low: number, high: number): number {
  const part = (value - low) / (high - low);
  return part > 0 ? Math.min(1, part) : 0;
}

/** Colours the pixels of labels that have a neighbour of another label. @param at voxel under a pixel */
function outline(
  picture: Picture,
  labels: NonNullable<MosaicOptions['labels']>,
  at: (x: number, y: number) => number,
): void {
  const { width, height } = picture;
  for (let y = 0, out = 0; y < height; y++)
    for (let x = 0; x < width; x++, out += 3) {
      const label = labels.data[at(x, y)];
      if (label < 1) continue;
      const differs = (x2: number, y2: number) =>
        x2 < 0 || y2 < 0 || x2 >= width || y2 >= height || labels.data[at(x2, y2)] !== label;
      if (differs(x - 1, y) || differs(x + 1, y) || differs(x, y - 1) || differs(x, y + 1))
        picture.rgb.set(labels.colours[(label - 1) % labels.colours.length], out);
    }
}

/** For each pixel the voxel under its centre, backwards where asked. */
function voxelsOf(pixels: number, [from, to]: readonly [number, number], backwards: boolean): Int32Array {
  return Int32Array.from({ length: pixels }, (_, p) => {
    const voxel = Math.min(to - from - 1, Math.floor(((p + 0.5) * (to - from)) / pixels));
    return backwards ? to - 1 - voxel : from + voxel;
  });
}

/** A black picture. */
export function blank(width: number, height: number): Picture {
  return { width, height, rgb: new Uint8Array(3 * width * height) };
}

function paste(target: Picture, source: Picture, left: number, top: number): void {
  for (let y = 0; y < source.height; y++) {
    const line = source.rgb.subarray(3 * y * source.width, 3 * (y + 1) * source.width);
    target.rgb.set(line, 3 * ((top + y) * target.width + left));
  }
}
