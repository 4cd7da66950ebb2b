/**
 * The toolkit's own image, made without a registry: Node of this machine with the libraries it links, and the bundle.
 * Nothing else is in it: no shell, no package manager. For Linux hosts; elsewhere containers/toolkit/Dockerfile builds
 * the same on a public Node image.
 */
import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { execa } from 'execa';
import { type Pack, pack } from 'tar-stream';
import { DeltaMdError } from '../pipeline/failures.ts';

const NODE = '/usr/local/bin/node';
const TOOLKIT = '/opt/toolkit';

/** Equal content gives an equal image digest: no times, no owners. */
const FIXED = { mtime: new Date(0), uid: 0, gid: 0 } as const;

async function addFile(tar: Pack, name: string, content: Buffer, mode: number): Promise<void> {
  await new Promise<void>((resolve, reject) =>
    tar.entry({ ...FIXED, name, mode, size: content.length }, content, (error) =>
      error ? reject(error) : resolve(),
    ),
  );
}

async function addLink(tar: Pack, name: string, linkname: string): Promise<void> {
  await new Promise<void>((resolve, reject) =>
    tar.entry({ ...FIXED, name, type: 'symlink', linkname, mode: 0o777 }, (error) =>
      error ? reject(error) : resolve(),
    ),
  );
}

/** Shared libraries a program links, and its loader, under the paths it looks for them. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await execa('ldd', [program]);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]);
}

/** The image's file system as a tar stream. */
export function toolkitFileSystem(bundle: string): Readable {
  const tar = pack();
  void (async () => {
    try {
      await addFile(tar, NODE.slice(1), await readFile(await realpath(process.execPath)), 0o755);
      for (const library of await librariesOf(process.execPath))
        await addFile(tar, library.slice(1), await readFile(await realpath(library)), 0o755);
      for (const entry of (await readdir(bundle, { withFileTypes: true, recursive: true })).sort((a, b) =>
        join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
      )) {
        const path = join(entry.parentPath, entry.name);
        const name = join(TOOLKIT, path.slice(bundle.length)).slice(1);
        if (entry.isSymbolicLink()) await addLink(tar, name, await readlink(path));
        else if (entry.isFile()) {
          let content = await readFile(path);
          // There is no /usr/bin/env in the image; the program names its interpreter itself.
          if (content.subarray(0, 19).toString() === '#!/usr/bin/env node')
            content = Buffer.concat([Buffer.from(`#!${NODE}`), content.subarray(19)]);
          await addFile(tar, name, content, 0o755);
        }
      }
      // What a container's user may write to is mounted; these only have to be there.
      for (const name of ['tmp/', 'work/'])
        await new Promise<void>((resolve) =>
          tar.entry({ ...FIXED, name, type: 'directory', mode: 0o1777 }, () => resolve()),
        );
      tar.finalize();
    } catch (error) {
      tar.destroy(error as Error);
    }
  })();
  return tar as unknown as Readable;
}

/**
 * Makes the image on the engine.
 * @param image name and tag, such as `delta-md-toolkit:0.1.0`  @param bundle folder with the built toolkit
 * @throws DeltaMdError RUNTIME_UNAVAILABLE
 */
export async function buildToolkitImage(
  docker: Docker,
  image: string,
  bundle: string,
  title: string,
): Promise<void> {
  if (process.platform !== 'linux')
    throw new DeltaMdError('RUNTIME_UNAVAILABLE', 'the image can be made from this machine on Linux only', {
      remedy: 'docker build -f containers/toolkit/Dockerfile .',
    });
  const [repo, tag = 'latest'] = image.split(':');
  try {
    const stream = await docker.importImage(toolkitFileSystem(bundle) as unknown as string, {
      changes: [`ENV PATH=${TOOLKIT}/bin:/usr/local/bin`, `LABEL org.opencontainers.image.title="${title}"`],
    });
    const said = await new Promise<{ status?: string }[]>((resolve, reject) =>
      docker.modem.followProgress(stream, (error, events) => (error ? reject(error) : resolve(events))),
    );
    const id = said.map(({ status }) => /sha256:[0-9a-f]{64}/.exec(status ?? '')?.[0]).find(Boolean);
    if (id === undefined) throw new Error('the engine names no image');
    // Named in a second call: Podman 4 leaves the tag out when it imports.
    await docker.getImage(id).tag({ repo, tag });
  } catch (error) {
    throw new DeltaMdError(
      'RUNTIME_UNAVAILABLE',
      `the toolkit image cannot be made: ${(error as Error).message}`,
    );
  }
}
