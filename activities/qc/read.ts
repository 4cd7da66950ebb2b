/** The small text files of eddy and topup. */
import { readFile } from 'node:fs/promises';
import type { FileRef } from '../../pipeline/step.ts';

/** Rows of numbers of a text; empty lines are left out. */
export async function readRows({ path }: FileRef): Promise<number[][]> {
  return (await readFile(path, 'utf8'))
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/).map(Number));
}

/** A phase encoding as acqparams has it. */
export interface Scheme {
  /** Voxel axis: 0, 1 or 2. */
  readonly axis: number;
  readonly sign: number;
  readonly readoutSeconds: number;
}

/** Schemes of the rows of acqparams. */
export function schemesOf(rows: readonly (readonly number[])[]): Scheme[] {
  return rows.map((row) => {
    const axis = row.slice(0, 3).findIndex((value) => value !== 0);
    return { axis: Math.max(0, axis), sign: Math.sign(row[Math.max(0, axis)]), readoutSeconds: row[3] };
  });
}
