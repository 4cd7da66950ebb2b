/**
 * The output folder: BIDS derivatives. Files appear whole or not at all, and are copies (shared blocks where the file
 * system can), so nothing done to them reaches the results by content.
 */
import { constants, copyFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { placeWhole } from './whole-file.ts';

/** Value of a BIDS entity from any text: letters and digits only. */
export function entityLabel(text: string): string {
  return text.replace(/[^A-Za-z0-9]/g, '');
}

/** Entity value from an image's file name: `FMRIB58_FA_1mm.nii.gz` -> `FMRIB58FA1mm`. */
export function labelOf(path: string): string {
  return entityLabel(basename(path).replace(/\.nii(\.gz)?$/, ''));
}

/** Name of a file of one session: entities in BIDS order, then suffix and extension. */
export interface Entities {
  /** With `sub-`. */
  readonly subject: string;
  /** Without `ses-`; null or undefined: no session entity. */
  readonly session?: string | null;
  readonly space?: string;
  readonly segmentation?: string;
  readonly model?: string;
  readonly param?: string;
  readonly desc?: string;
  readonly from?: string;
  readonly to?: string;
  readonly mode?: string;
  readonly suffix: string;
  readonly extension: string;
}

const ORDER = [
  ['session', 'ses'],
  ['space', 'space'],
  ['segmentation', 'seg'],
  ['from', 'from'],
  ['to', 'to'],
  ['mode', 'mode'],
  ['model', 'model'],
  ['param', 'param'],
  ['desc', 'desc'],
] as const;

/** Path of a derivative below the output folder: `sub-01/ses-1/dwi/sub-01_ses-1_..._dwimap.nii.gz`. */
export function derivativePath(output: string, entities: Entities): string {
  const { subject, session, suffix, extension } = entities;
  const words = ORDER.flatMap(([key, name]) => (entities[key] ? [`${name}-${entities[key]}`] : []));
  const folder = join(output, subject, ...(session ? [`ses-${session}`] : []), 'dwi');
  return join(folder, `${[subject, ...words, suffix].join('_')}${extension}`);
}

/** Copies a file into the outputs. */
export async function copyInto(path: string, source: string): Promise<void> {
  await placeWhole(path, (aside) => copyFile(source, aside, constants.COPYFILE_FICLONE));
}

/** Writes a text or bytes into the outputs. */
export async function writeInto(path: string, content: string | Uint8Array): Promise<void> {
  await placeWhole(path, (aside) => writeFile(aside, content));
}

/** Writes JSON into the outputs, two spaces, newline at the end. */
export async function writeJsonInto(path: string, value: unknown): Promise<void> {
  await writeInto(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** The sidecar's path beside an image. */
export function sidecarOf(path: string): string {
  return path.replace(/\.nii(\.gz)?$/, '.json');
}

/** Text of a TSV; null and undefined become `n/a`. */
export function tsv(columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): string {
  const cell = (value: unknown) =>
    value === null || value === undefined || value === '' ? 'n/a' : String(value);
  return `${[columns.join('\t'), ...rows.map((row) => columns.map((c) => cell(row[c])).join('\t'))].join('\n')}\n`;
}
