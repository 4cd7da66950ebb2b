/** Files every tool of the toolkit reads and writes: images by FSL's rules of naming, matrices, rows of numbers. */
import { access, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Matrix4 } from '../../imaging/affine.ts';
import type { Image } from '../../imaging/image.ts';
import { readImage } from '../../imaging/nifti.ts';
import { ToolError } from './tool.ts';

/** Finds an image by name as FSL does: the name as it is, else with `.nii.gz` or `.nii`. */
export async function findImage(name: string): Promise<string> {
  for (const path of [name, `${name}.nii.gz`, `${name}.nii`]) {
    try {
      await access(path);
      if (path !== name || /\.nii(\.gz)?$/.test(name)) return path;
    } catch {
      // Try the next spelling.
    }
  }
  throw new ToolError(`${name}: no such image (also tried .nii.gz and .nii). Check the path.`);
}

/** Reads an image by FSL's rules of naming. */
export async function loadImage(name: string): Promise<Image> {
  return readImage(await findImage(name));
}

/** Reads rows of whitespace-separated numbers, all of one width. */
export async function readTable(path: string): Promise<number[][]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new ToolError(`${path}: no such file. Check the path.`);
  }
  const rows = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/).map(Number));
  if (rows.length === 0) throw new ToolError(`${path}: is empty.`);
  for (const [i, row] of rows.entries())
    if (row.length !== rows[0].length || !row.every(Number.isFinite))
      throw new ToolError(`${path}: row ${i + 1} is not ${rows[0].length} numbers.`);
  return rows;
}

/** Reads a 4 x 4 FLIRT matrix. */
export async function readMatrix(path: string): Promise<Matrix4> {
  const rows = await readTable(path);
  if (rows.length !== 4 || rows[0].length !== 4)
    throw new ToolError(`${path}: is not a 4 x 4 matrix but ${rows.length} x ${rows[0].length}.`);
  return Float64Array.from(rows.flat());
}

/** Text of a FLIRT matrix: four rows, two spaces between numbers. */
export function formatMatrix(m: Matrix4): string {
  return [0, 1, 2, 3]
    .map(
      (r) => `${Array.from(m.subarray(4 * r, 4 * r + 4), (v) => Number(v.toPrecision(12))).join('  ')}  \n`,
    )
    .join('');
}

/** Writes a text file, whole or not at all: aside, then renamed. */
export async function writeText(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}.part`;
  try {
    await writeFile(aside, text);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => {});
    throw new ToolError(
      `${path}: cannot be written (${(error as Error).message}). Check that its folder exists, is writable and has space.`,
    );
  }
}

/** Writes a 4 x 4 FLIRT matrix, whole or not at all. */
export async function writeMatrix(path: string, m: Matrix4): Promise<void> {
  await writeText(path, formatMatrix(m));
}

/** One row of acqparams.txt: what topup and eddy must know of an acquisition. */
export interface Acquisition {
  /** Unit vector of the phase-encode axis in voxel axes; exactly one component is +1 or -1. */
  readonly direction: readonly [number, number, number];
  /** Total readout time in seconds: Hz of off-resonance x this = voxels of shift. */
  readonly readoutSeconds: number;
}

/** Reads `acqparams.txt` (topup `--datain`, eddy `--acqp`): rows of a unit vector and seconds. */
export async function readAcquisitions(path: string): Promise<Acquisition[]> {
  const rows = await readTable(path);
  return rows.map((row, i) => {
    const where = `${path}: row ${i + 1}`;
    if (row.length !== 4)
      throw new ToolError(`${where} has ${row.length} numbers; four are due: x y z seconds.`);
    const [x, y, z, seconds] = row;
    if (z !== 0 || Math.abs(x) + Math.abs(y) !== 1)
      throw new ToolError(`${where}: the phase-encode vector must be 1 or -1 along x or y.`);
    if (!(seconds > 0 && seconds < 1))
      throw new ToolError(`${where}: readout time ${seconds} s is not credible.`);
    return { direction: [x, y, z], readoutSeconds: seconds };
  });
}
