/** Which slices of which volumes lost signal or flashed: a picture of a whole series at a glance (carpet plot). */
import { type Image, volumeOf } from '../../../imaging/image.ts';
import { quantile } from '../../../statistics/descriptive.ts';
import { blank, type Picture } from '../pictures.ts';
import { diverging } from './colours.ts';

/** Deviations of slices, slice by slice, lowest first: `values[volume + volumes * slice]`; NaN: no brain there. */
export interface Carpet {
  readonly slices: number;
  readonly volumes: number;
  readonly values: Float64Array;
}

/** A slice with fewer voxels of brain tells nothing. */
const LEAST_VOXELS = 50;
/** Volumes whose b differs by less belong to one shell, s/mm2. */
const SHELL = 100;
/** The median absolute deviation of a normal distribution is so many standard deviations. */
const MAD_OF_SD = 0.6745;
/** Fewer volumes have no typical slice. */
const LEAST_VOLUMES = 4;

/**
 * How far the mean signal of each slice is from what its shell lets expect, in robust standard deviations of the shell.
 * Expected is the slice's median over the shell times the volume's own level, so that neither anisotropy nor drift of whole
 * volumes counts; what is left are dropped and flashing slices. Volumes of a shell of fewer than four are NaN.
 * @param mask brain, on the series' grid
 */
export function sliceDeviations(series: Image, mask: Image, bvals: readonly number[]): Carpet {
  const [nx, ny, slices] = series.grid.dims;
  const volumes = series.volumes;
  const values = new Float64Array(slices * volumes).fill(Number.NaN);
  const inPlane = nx * ny;
  const brain = Array.from({ length: slices }, (_, k) => {
    const voxels: number[] = [];
    for (let v = k * inPlane; v < (k + 1) * inPlane; v++) if (mask.data[v] > 0) voxels.push(v);
    return voxels;
  });
  for (let t = 0; t < volumes; t++) {
    const data = volumeOf(series, t);
    for (let k = 0; k < slices; k++) {
      if (brain[k].length < LEAST_VOXELS) continue;
      let sum = 0;
      for (const v of brain[k]) sum += data[v] || 0;
      // Of a slice without any signal the logarithm still has to be a number.
      values[t + volumes * k] = Math.log(Math.max(sum / brain[k].length, 1e-3));
    }
  }
  for (const shell of shellsOf(bvals.slice(0, volumes))) standardise(values, volumes, slices, shell);
  return { slices, volumes, values };
}

/** Volumes by shell. */
function shellsOf(bvals: readonly number[]): number[][] {
  const order = bvals.map((_, t) => t).sort((a, b) => bvals[a] - bvals[b]);
  const shells: number[][] = [];
  for (const [i, t] of order.entries()) {
    if (i === 0 || bvals[t] - bvals[order[i - 1]] >= SHELL) shells.push([]);
    shells[shells.length - 1].push(t);
  }
  return shells;
}

function standardise(values: Float64Array, volumes: number, slices: number, shell: readonly number[]): void {
  const known = Array.from({ length: slices }, (_, k) => k).filter(
    (k) => !Number.isNaN(values[shell[0] + volumes * k]),
  );
  if (shell.length < LEAST_VOLUMES) {
    for (const t of shell) for (const k of known) values[t + volumes * k] = Number.NaN;
    return;
  }
  if (known.length === 0) return;
  const all: number[] = [];
  for (const k of known) {
    const typical = quantile(
      shell.map((t) => values[t + volumes * k]),
      0.5,
    );
    for (const t of shell) values[t + volumes * k] -= typical;
  }
  for (const t of shell) {
    const level = quantile(
      known.map((k) => values[t + volumes * k]),
      0.5,
    );
    for (const k of known) all.push(Math.abs((values[t + volumes * k] -= level)));
  }
  const sd = quantile(all, 0.5) / MAD_OF_SD;
  for (const t of shell)
    for (const k of known) values[t + volumes * k] = sd > 0 ? values[t + volumes * k] / sd : 0;
}

/** Drawn fully coloured from here on, in standard deviations: eddy calls four an outlier. */
export const CARPET_MOST = 8;
const EMPTY = [128, 128, 128] as const;

/** The carpet as a heat map: volumes from left to right, the lowest slice at the bottom; grey where nothing is known. */
export function carpetPicture({ slices, volumes, values }: Carpet, width = 960, cellHeight = 4): Picture {
  const cell = Math.max(1, Math.min(12, Math.floor(width / volumes)));
  const picture = blank(cell * volumes, cellHeight * slices);
  for (let y = 0, out = 0; y < picture.height; y++)
    for (let x = 0; x < picture.width; x++, out += 3) {
      const slice = slices - 1 - Math.floor(y / cellHeight);
      const value = values[Math.floor(x / cell) + volumes * slice];
      picture.rgb.set(Number.isNaN(value) ? EMPTY : diverging(value, CARPET_MOST), out);
    }
  return picture;
}

/** Cells further from what is expected than `most` standard deviations, furthest first. */
export function farSlices(
  { slices, volumes, values }: Carpet,
  most = 4,
): { volume: number; slice: number; sd: number }[] {
  const far: { volume: number; slice: number; sd: number }[] = [];
  for (let slice = 0; slice < slices; slice++)
    for (let volume = 0; volume < volumes; volume++) {
      const sd = values[volume + volumes * slice];
      if (Math.abs(sd) > most) far.push({ volume, slice, sd });
    }
  return far.sort((a, b) => Math.abs(b.sd) - Math.abs(a.sd));
}
