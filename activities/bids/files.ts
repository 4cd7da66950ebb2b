/** Files of a BIDS folder: listing, hashing, and which sidecars apply to an image (the inheritance principle). */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { InputFile } from '../../pipeline/acquisition.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { applies, type BidsName, parseName } from './names.ts';

/** Names in a folder, sorted; none where there is no such folder. Links to folders count as folders. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new DeltaMdError('INPUT_MISSING', `${folder} cannot be read (${code})`, {
      remedy: 'Give the user who runs delta-md leave to read it, then: delta-md retry',
    });
  }
}

/** Names of the folders (or links to folders) in a folder that begin with a prefix, sorted. */
export async function foldersIn(folder: string, prefix: string): Promise<string[]> {
  const names = (await namesIn(folder)).filter((name) => name.startsWith(prefix));
  const kept = await Promise.all(
    names.map(async (name) => {
      try {
        return (await stat(join(folder, name))).isDirectory();
      } catch {
        return false;
      }
    }),
  );
  return names.filter((_, i) => kept[i]);
}

/**
 * A file by content.
 * @throws DeltaMdError INPUT_MISSING where it is not there, or is a link to content that was never fetched
 */
export async function inputFile(path: string): Promise<InputFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && (await lstat(path).catch(() => undefined))?.isSymbolicLink())
      throw new DeltaMdError('INPUT_MISSING', `${path} is a link to a file that is not there`, {
        remedy: 'Fetch its content (DataLad: datalad get), then: delta-md retry',
      });
    throw new DeltaMdError(
      'INPUT_MISSING',
      code === 'ENOENT' ? `${path} is not there` : `${path} cannot be read (${code})`,
    );
  }
  return { path, sha256: hash.digest('hex'), bytes };
}

/** A folder whose files can apply to a session's images, with the BIDS names in it. */
export interface Level {
  readonly folder: string;
  readonly names: readonly BidsName[];
}

/** The levels of inheritance down to the folder `datatype` (`dwi` or `fmap`), general to special. */
export async function inheritanceLevels(
  bids: string,
  subject: string,
  session: string | null,
  datatype: 'dwi' | 'fmap',
): Promise<Level[]> {
  const folders = [bids, join(bids, subject)];
  if (session !== null) folders.push(join(bids, subject, `ses-${session}`));
  folders.push(join(folders.at(-1)!, datatype));
  return Promise.all(
    folders.map(async (folder) => ({
      folder,
      names: (await namesIn(folder)).flatMap((name) => parseName(name) ?? []),
    })),
  );
}

/** Paths of the files that apply to an image, the most general first, the most special last. */
export function applicable(levels: readonly Level[], image: BidsName, extension: string): string[] {
  return levels.flatMap(({ folder, names }) =>
    names
      .filter((n) => n.extension === extension && n.suffix === image.suffix && applies(n, image))
      .sort((a, b) => Object.keys(a.entities).length - Object.keys(b.entities).length)
      .map((n) => join(folder, n.name)),
  );
}

/** Fields of an image's sidecar. */
export type Sidecar = Readonly<Record<string, unknown>>;

/** Reads and merges sidecars; later ones win. */
export async function readSidecars(paths: readonly string[]): Promise<Sidecar> {
  const merged: Record<string, unknown> = {};
  for (const path of paths) {
    let content: unknown;
    try {
      content = JSON.parse((await readFile(path, 'utf8')).replace(/^\uFEFF/, ''));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') await inputFile(path);
      throw new DeltaMdError('INPUT_DAMAGED', `${path} is not JSON (${(error as Error).message})`, {
        remedy: 'Mend the sidecar or convert the scan again, then: delta-md retry',
      });
    }
    if (typeof content !== 'object' || content === null || Array.isArray(content))
      throw new DeltaMdError('INPUT_DAMAGED', `${path} holds no JSON object`);
    Object.assign(merged, content);
  }
  return merged;
}
