/** The files of an FSL, wherever it is: templates and atlases are read from there. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface FslFiles {
  /** Words for people: where it is. */
  readonly place: string;
  /** Its folder on this machine, for an FSL that is installed here. */
  readonly folder?: string;
  /** Digest of the image it is in, for an FSL that is not. */
  readonly digest?: string;
  /** Files in and below a folder, relative to it, sorted; none where there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** Content of a file; undefined where there is none. */
  read(file: string): Promise<Buffer | undefined>;
}

/** An FSL that is installed on this machine. */
export function installedFsl(folder: string): FslFiles {
  return {
    place: folder,
    folder,
    async list(below) {
      const walk = async (path: string, prefix: string): Promise<string[]> => {
        const entries = await readdir(join(folder, path), { withFileTypes: true }).catch(() => []);
        const found = await Promise.all(
          entries.map((entry) =>
            entry.isDirectory()
              ? walk(join(path, entry.name), `${prefix}${entry.name}/`)
              : [`${prefix}${entry.name}`],
          ),
        );
        return found.flat();
      };
      return (await walk(below, '')).sort();
    },
    read: (file) => readFile(join(folder, file)).catch(() => undefined),
  };
}
