/** Colours of what is painted in the subject's pictures. */
import type { Image } from '../../../imaging/image.ts';
import { isNeurological, voxelCount } from '../../../imaging/image.ts';
import { type Rgb, share } from '../pictures.ts';

/** From below to above zero: blue, white, red (ColorBrewer RdBu, Harrower & Brewer 2003), apart for every colour vision. */
const DIVERGING: readonly Rgb[] = [
  [5, 48, 97],
  [33, 102, 172],
  [67, 147, 195],
  [146, 197, 222],
  [247, 247, 247],
  [244, 165, 130],
  [214, 96, 77],
  [178, 24, 43],
  [103, 0, 31],
];

const BLACK: Rgb = [0, 0, 0];

/** Colour of `value` on a scale whose ends are -`most` and `most`; beyond them, the end's. */
export function diverging(value: number, most: number): Rgb {
  const at = share(value, -most, most) * (DIVERGING.length - 1);
  const i = Math.min(DIVERGING.length - 2, Math.floor(at));
  const mix = (c: 0 | 1 | 2) =>
    Math.round(DIVERGING[i][c] + (at - i) * (DIVERGING[i + 1][c] - DIVERGING[i][c]));
  return [mix(0), mix(1), mix(2)];
}

/** The diverging scale for a legend: stops of a CSS gradient from left to right. */
export const DIVERGING_STOPS = DIVERGING.map((rgb) => `rgb(${rgb.join(' ')})`).join(', ');

/** The scale as NiiVue wants it: its first place is for what lies below the range, and clear. */
export const DIVERGING_MAP = {
  R: [0, ...DIVERGING.map(([r]) => r)],
  G: [0, ...DIVERGING.map(([, g]) => g)],
  B: [0, ...DIVERGING.map(([, , b]) => b)],
  A: [0, ...DIVERGING.map(() => 255)],
  I: [0, ...DIVERGING.map((_, i) => 1 + Math.round((254 * i) / (DIVERGING.length - 1)))],
};

/** Paints a difference; black where there are no data (exactly zero, or no number). */
export function paintDifference(data: ArrayLike<number>, most: number): (voxel: number) => Rgb {
  return (voxel) => (data[voxel] === 0 || Number.isNaN(data[voxel]) ? BLACK : diverging(data[voxel], most));
}

/**
 * Paints the main direction of diffusion (Pajevic & Pierpaoli 1999): red left-right, green front-back, blue up-down,
 * as bright as FA. Directions are turned from the voxels' axes to the world's, so that tilted slices keep their colours.
 * @param v1 three volumes, dtifit's: unit vectors along the voxel axes, x reversed for neurological storage (FSL)
 * @param fullFa FA that is drawn brightest
 */
export function paintDirection(fa: Image, v1: Image, fullFa = 0.8): (voxel: number) => Rgb {
  const { affine, voxelSizes } = fa.grid;
  const n = voxelCount(fa.grid);
  const signX = isNeurological(fa.grid) ? -1 : 1;
  return (voxel) => {
    const bright = 255 * share(fa.data[voxel], 0, fullFa);
    const along = [signX * v1.data[voxel], v1.data[voxel + n], v1.data[voxel + 2 * n]];
    const part = (row: number) => {
      let sum = 0;
      for (let c = 0; c < 3; c++) sum += (affine[4 * row + c] / voxelSizes[c]) * along[c];
      // A vector that is no number is black, not noise.
      return Math.round(bright * Math.min(1, Math.abs(sum) || 0));
    };
    return [part(0), part(1), part(2)];
  };
}
