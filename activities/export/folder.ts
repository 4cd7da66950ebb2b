/** A folder that appears whole or not at all, and replaces an earlier one of its kind only when told to. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DeltaMdError } from '../../pipeline/failures.ts';

/**
 * Has `write` fill a folder aside, then puts it in place.
 * @param marker name of a file that only such folders hold: a folder without it is never replaced
 * @throws DeltaMdError CONFIG_INVALID where there is something at `folder` already
 */
export async function placeFolder(
  folder: string,
  marker: string,
  force: boolean,
  write: (aside: string) => Promise<void>,
): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw new DeltaMdError('CONFIG_INVALID', `${folder} cannot be written to (${error.code})`, {
      remedy: 'Name another folder',
    });
  });
  if (names.length > 0 && !names.includes(marker))
    throw new DeltaMdError('CONFIG_INVALID', `${folder} holds other files`, {
      remedy: 'Name a new folder; only an earlier export is ever replaced',
    });
  if (names.length > 0 && !force)
    throw new DeltaMdError('CONFIG_INVALID', `${folder} holds an export already`, {
      remedy: 'Name another folder, or replace it with --force',
    });
  const beside = (word: string) => join(dirname(folder), `.${basename(folder)}.${word}`);
  const [aside, before] = [beside('partial'), beside('before')];
  await rm(aside, { recursive: true, force: true });
  try {
    await mkdir(aside, { recursive: true });
    await write(aside);
    if (names.length > 0) await rename(folder, before);
    await rename(aside, folder);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
  await rm(before, { recursive: true, force: true });
}
