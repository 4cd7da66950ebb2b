/**
 * Do the gradient directions fit the image? Fibres go on from voxel to voxel only where the directions have the axes
 * and signs of the image (fibre coherence: Schilling 2019, Magn Reson Imaging 58:82; Jeurissen 2014, Med Image Anal
 * 18:953). A table with axes swapped or negated turns every fitted tensor alike, so the 24 possible tables are compared
 * without fitting again.
 */
import { type Grid, isNeurological } from '../image.ts';

/** A table made of another: component c is `signs[c]` times component `order[c]`. */
export interface AxisChange {
  readonly order: readonly [number, number, number];
  readonly signs: readonly [number, number, number];
}

export interface GradientCheck {
  /** Coherence of the table as given over the best of all; 1: it is the best. */
  readonly coherence: number;
  /** Coherence of the table as given over the best other. */
  readonly margin: number;
  /** What makes the best table of the given one. */
  readonly best: AxisChange;
}

/** Two directions within 30 degrees run along each other. */
const ALONG = Math.cos(Math.PI / 6);
/** White matter with one fibre direction. */
const LEAST_FA = 0.3;
/** With fewer coherent pairs nothing can be said. */
const FEWEST_PAIRS = 100;

/** Every order of axes with every sign that matters: a direction and its opposite are one. Fewest signs first. */
const CHANGES: readonly AxisChange[] = (
  [
    [0, 1, 2],
    [1, 0, 2],
    [2, 1, 0],
    [0, 2, 1],
    [1, 2, 0],
    [2, 0, 1],
  ] as const
).flatMap((order) =>
  (
    [
      [1, 1, 1],
      [-1, 1, 1],
      [1, -1, 1],
      [1, 1, -1],
    ] as const
  ).map((signs) => ({ order, signs })),
);

/**
 * @param fa  @param v1 principal direction in the frame of the bvecs, three volumes, as dtifit writes it
 * @param voxels of the brain
 * @returns undefined where too little white matter is seen
 */
export function checkGradients(
  fa: ArrayLike<number>,
  v1: ArrayLike<number>,
  voxels: Int32Array,
  grid: Grid,
): GradientCheck | undefined {
  const [nx, ny, nz] = grid.dims;
  const n = nx * ny * nz;
  const inside = new Uint8Array(n);
  for (const o of voxels) if (fa[o] > LEAST_FA && fa[o] < 1) inside[o] = 1;
  const scores = new Float64Array(CHANGES.length);
  const flip = isNeurological(grid) ? -1 : 1;
  for (let dk = 0; dk <= 1; dk++)
    for (let dj = dk === 0 ? 0 : -1; dj <= 1; dj++)
      for (let di = dk === 0 && dj === 0 ? 1 : -1; di <= 1; di++) {
        const step = [flip * di * grid.voxelSizes[0], dj * grid.voxelSizes[1], dk * grid.voxelSizes[2]];
        const length = Math.hypot(...step);
        // (F v) . u = v . (F' u)
        const turned = CHANGES.map(({ order, signs }) => {
          const out = [0, 0, 0];
          for (let c = 0; c < 3; c++) out[order[c]] = (signs[c] * step[c]) / length;
          return out;
        });
        const stride = di + nx * (dj + ny * dk);
        for (const o of voxels) {
          if (inside[o] === 0) continue;
          const i = (o % nx) + di;
          const j = (Math.floor(o / nx) % ny) + dj;
          if (i < 0 || i >= nx || j < 0 || j >= ny || o + stride >= n || inside[o + stride] === 0) continue;
          const p = o + stride;
          for (let c = 0; c < turned.length; c++) {
            const [x, y, z] = turned[c];
            const here = Math.abs(v1[o] * x + v1[n + o] * y + v1[2 * n + o] * z);
            if (here < ALONG) continue;
            const there = Math.abs(v1[p] * x + v1[n + p] * y + v1[2 * n + p] * z);
            if (there >= ALONG) scores[c]++;
          }
        }
      }
  let best = 0;
  let other = 1;
  for (let c = 1; c < scores.length; c++) {
    if (scores[c] > scores[best]) best = c;
    if (scores[c] > scores[other]) other = c;
  }
  if (scores[best] < FEWEST_PAIRS) return undefined;
  return {
    coherence: scores[0] / scores[best],
    margin: scores[0] / Math.max(1, scores[other]),
    best: CHANGES[best],
  };
}

/** What to do with the bvecs, in words: `swap x and y, negate z`; undefined where nothing is to be done. */
export function axisWords({ order, signs }: AxisChange): string | undefined {
  const names = ['x', 'y', 'z'];
  const moved = [0, 1, 2].filter((c) => order[c] !== c);
  const words: string[] = [];
  if (moved.length === 2) words.push(`swap ${moved.map((c) => names[c]).join(' and ')}`);
  if (moved.length === 3) words.push(`take ${order.map((c) => names[c]).join(', ')} as x, y, z`);
  const negated = [0, 1, 2].filter((c) => signs[c] < 0).map((c) => names[c]);
  if (negated.length > 0) words.push(`${moved.length > 0 ? 'then ' : ''}negate ${negated.join(' and ')}`);
  return words.length === 0 ? undefined : words.join(', ');
}
