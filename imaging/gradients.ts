/**
 * Diffusion gradient tables in FSL's files: bvals, one row of b in s/mm2; bvecs, three rows of unit vectors in image
 * axes (x flipped where the image is stored neurologically, see `isNeurological`).
 */
import { readFile } from 'node:fs/promises';
import { ImagingError } from './errors.ts';

export interface GradientTable {
  /** b in s/mm2 per volume. */
  readonly bvals: Float64Array;
  /** Per volume x, y, z: component c of volume t is at `3 * t + c`. b0 volumes may be zero vectors. */
  readonly bvecs: Float64Array;
}

/** Volumes at or below this b (s/mm2) count as b0: some scanners write 2 or 5 for none. */
export const B0_MAX = 50;

async function readRows(path: string): Promise<number[][]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new ImagingError(
      path,
      'no such file or not readable',
      'Put it beside the image, or check its name',
    );
  }
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) =>
      line.split(/[\s,]+/).map((word) => {
        const value = Number(word);
        if (!Number.isFinite(value))
          throw new ImagingError(path, `"${word}" is not a number`, 'Export the gradient table again');
        return value;
      }),
    );
}

/** Reads b values: one row, or one column. */
export async function readBvals(path: string): Promise<Float64Array> {
  const rows = await readRows(path);
  const flat = rows.length === 1 || rows.every((r) => r.length === 1) ? rows.flat() : undefined;
  if (!flat || flat.length === 0)
    throw new ImagingError(
      path,
      'is not one row of b values',
      'Write one number per volume, separated by spaces',
    );
  if (flat.some((b) => b < 0))
    throw new ImagingError(path, 'has a negative b value', 'Check the gradient table');
  return Float64Array.from(flat);
}

/** Reads b vectors: three rows of n, or n rows of three (n x 3 is transposed; 3 x 3 is taken as three rows). */
export async function readBvecs(path: string): Promise<Float64Array> {
  const rows = await readRows(path);
  const byRow = rows.length === 3 && rows.every((r) => r.length === rows[0].length);
  const byColumn = !byRow && rows.length > 0 && rows.every((r) => r.length === 3);
  if (!byRow && !byColumn)
    throw new ImagingError(
      path,
      `has rows of ${rows.map((r) => r.length).join(', ')} numbers`,
      'Write three rows with one number per volume',
    );
  const n = byRow ? rows[0].length : rows.length;
  const out = new Float64Array(3 * n);
  for (let t = 0; t < n; t++) for (let c = 0; c < 3; c++) out[3 * t + c] = byRow ? rows[c][t] : rows[t][c];
  return out;
}

/** Reads both files and checks that they describe `volumes` volumes. */
export async function readGradients(
  bvalPath: string,
  bvecPath: string,
  volumes: number,
  imagePath: string,
): Promise<GradientTable> {
  const [bvals, bvecs] = [await readBvals(bvalPath), await readBvecs(bvecPath)];
  const remedy = `${imagePath} has ${volumes} volumes; export image and gradient table again together`;
  if (bvals.length !== volumes) throw new ImagingError(bvalPath, `has ${bvals.length} b values`, remedy);
  if (bvecs.length !== 3 * volumes)
    throw new ImagingError(bvecPath, `has ${bvecs.length / 3} b vectors`, remedy);
  for (let t = 0; t < volumes; t++) {
    const norm = Math.hypot(bvecs[3 * t], bvecs[3 * t + 1], bvecs[3 * t + 2]);
    if (bvals[t] > B0_MAX && Math.abs(norm - 1) > 0.1)
      throw new ImagingError(
        bvecPath,
        `volume ${t} has b = ${bvals[t]} but a vector of length ${norm.toFixed(3)}`,
        'Vectors of diffusion-weighted volumes have length 1: export the gradient table again',
      );
  }
  return { bvals, bvecs };
}

/** Text of a bvals file. */
export function formatBvals(bvals: ArrayLike<number>): string {
  return `${Array.from(bvals, (b) => String(b)).join(' ')}\n`;
}

/** Text of a bvecs file: three rows. */
export function formatBvecs(bvecs: Float64Array): string {
  const rows = [0, 1, 2].map((c) =>
    Array.from({ length: bvecs.length / 3 }, (_, t) => Number(bvecs[3 * t + c].toFixed(7))).join(' '),
  );
  return `${rows.join('\n')}\n`;
}
