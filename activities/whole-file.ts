/** Files that appear whole or not at all: written aside under a name of their own, then renamed into place. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** True when there is something at a path, whatever it is. */
export function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** @param write puts the content at the path it is given; concurrent writers of one file never meet there */
export async function placeWhole(path: string, write: (aside: string) => Promise<unknown>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const aside = join(dirname(path), `.${basename(path)}.${randomUUID()}.part`);
  try {
    await write(aside);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
