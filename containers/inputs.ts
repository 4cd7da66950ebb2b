/** Which files of the host a container is given: real files inside the study's folders, and nothing they may point to. */
import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { DeltaMdError } from '../pipeline/failures.ts';

/** True when `path` is `folder` or lies in it; both absolute and without links. */
function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    throw new DeltaMdError('INPUT_MISSING', `${path} is gone`);
  }
}

/**
 * The real files behind staged inputs. A link is followed here, once, so that what is mounted is what was checked.
 * @param roots folders a file must lie in, links resolved; without any, every file is accepted
 * @throws DeltaMdError INPUT_MISSING; CONFIG_INVALID for a file that lies, or leads, out of every root
 */
export async function realInputs(
  inputs: Readonly<Record<string, string>>,
  roots: readonly string[] = [],
): Promise<[staged: string, source: string][]> {
  // A root that does not exist holds no file.
  const folders = await Promise.all(roots.map((root) => realpath(root).catch(() => root)));
  return Promise.all(
    Object.entries(inputs).map(async ([staged, path]): Promise<[string, string]> => {
      const source = await realPathOf(path);
      if (folders.length > 0 && !folders.some((folder) => isInside(source, folder)))
        throw new DeltaMdError(
          'CONFIG_INVALID',
          source === path
            ? `${path} is outside the study's folders`
            : `${path} is a link to ${source}, outside the study's folders`,
          { remedy: 'If the file may be read, name its folder under runtime.roots in the study file' },
        );
      return [staged, source];
    }),
  );
}
