/** What is inside a container image, found without running anything of it. */
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { extract } from 'tar-stream';
import { fslVersionWords } from '../pipeline/fsl-versions.ts';
import { answer, type EngineKind, statusOf } from './engine.ts';
import type { FslFiles } from './fsl-files.ts';

export interface ImageContent {
  /** Content of the image: the digest of its configuration, which names every layer. */
  readonly digest: string;
  /** Words for people: `FSL 6.0.4`, else the image's title, else its name. */
  readonly version: string;
  readonly bytes: number;
  /** Digests under which a registry knows it. */
  readonly registryDigests: readonly string[];
  readonly fslDir?: string;
  /** Of the programs asked for, those found on the image's PATH. */
  readonly programs: readonly string[];
}

/** The entries of a tar stream. */
function entriesOf(tar: Readable): ReturnType<typeof extract> {
  const reader = extract();
  tar.on('error', (error) => reader.destroy(error)).pipe(reader);
  return reader;
}

/** A container of an image that is never started, for `use`; removed after. @param labels of it while it exists */
async function besideContainer<T>(
  kind: EngineKind,
  docker: Docker,
  image: string,
  labels: Record<string, string>,
  use: (container: Docker.Container) => Promise<T>,
): Promise<T> {
  const container = await answer(
    kind,
    docker.createContainer({
      Image: image,
      Entrypoint: ['none'],
      Cmd: [],
      Labels: labels,
      NetworkDisabled: true,
    }),
  );
  try {
    return await use(container);
  } finally {
    await answer(kind, container.remove({ force: true, v: true }));
  }
}

/** Links that lead to links: more is a circle. */
const MOST_LINKS = 8;

/** Content of a file in a container, links followed; undefined where there is none. */
async function fileIn(
  kind: EngineKind,
  container: Docker.Container,
  path: string,
  links = MOST_LINKS,
): Promise<Buffer | undefined> {
  const tar = await archiveOf(kind, container, path);
  if (tar === undefined) return undefined;
  const chunks: Buffer[] = [];
  let target: string | undefined;
  for await (const entry of entriesOf(tar)) {
    if (entry.header.type === 'symlink') target = entry.header.linkname ?? undefined;
    for await (const chunk of entry) chunks.push(chunk as Buffer);
  }
  if (target === undefined) return Buffer.concat(chunks);
  return links === 0
    ? undefined
    : fileIn(kind, container, posix.resolve(posix.dirname(path), target), links - 1);
}

async function archiveOf(
  kind: EngineKind,
  container: Docker.Container,
  path: string,
): Promise<Readable | undefined> {
  try {
    return (await answer(kind, container.getArchive({ path }))) as unknown as Readable;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** The files of a folder of an image, without running anything of it. @param folder of FSL in the image */
export function filesIn(
  kind: EngineKind,
  docker: Docker,
  image: string,
  folder: string,
  labels: Record<string, string>,
): Pick<FslFiles, 'list' | 'read'> {
  const beside = <T>(use: (container: Docker.Container) => Promise<T>) =>
    besideContainer(kind, docker, image, labels, use);
  return {
    list: (below) =>
      beside(async (container) => {
        // The dot follows a folder that is itself a link.
        const tar = await archiveOf(kind, container, `${folder}/${below}/.`);
        const names: string[] = [];
        if (tar)
          for await (const entry of entriesOf(tar)) {
            if (entry.header.type !== 'directory') names.push(entry.header.name);
            entry.resume();
          }
        // Engines differ in what they put before the names: `./` or the folder's own.
        const own = `${posix.basename(below)}/`;
        const bare = names.map((name) => name.replace(/^\.\//, ''));
        return bare.map((name) => (name.startsWith(own) ? name.slice(own.length) : name)).sort();
      }),
    read: (file) => beside((container) => fileIn(kind, container, `${folder}/${file}`)),
  };
}

/**
 * Looks into an image through a container that is created, never started, and removed.
 * @param fslDir folder of FSL in the image; by default what the image sets as FSLDIR
 * @param programs names to look for on its PATH  @param labels of the container, for as long as it exists
 * @throws DeltaMdError RUNTIME_UNAVAILABLE; the engine's own 404 when the image is not there
 */
export async function lookInto(
  kind: EngineKind,
  docker: Docker,
  image: string,
  {
    fslDir,
    programs,
    labels,
  }: { fslDir?: string; programs: readonly string[]; labels: Record<string, string> },
): Promise<ImageContent> {
  const ask = <T>(call: Promise<T>) => answer(kind, call);
  const info = await ask(docker.getImage(image).inspect());
  const variables = Object.fromEntries(
    (info.Config?.Env ?? []).map((pair) => [
      pair.slice(0, pair.indexOf('=')),
      pair.slice(pair.indexOf('=') + 1),
    ]),
  );
  const folder = fslDir ?? variables['FSLDIR'];
  const path = [...(folder ? [`${folder}/bin`] : []), ...(variables['PATH'] ?? '/usr/bin:/bin').split(':')];
  return besideContainer(kind, docker, info.Id, labels, async (container) => {
    const has = async (file: string): Promise<boolean> => {
      try {
        // An answer that is not taken keeps its connection, and with it the process.
        const told = (await ask(container.infoArchive({ path: file }))) as unknown as Readable;
        told.destroy();
        return true;
      } catch (error) {
        if (statusOf(error) === 404) return false;
        throw error;
      }
    };
    const found: string[] = [];
    for (const name of programs)
      for (const place of new Set(path))
        if (!found.includes(name) && (await has(`${place}/${name}`))) found.push(name);
    const versionFile = `${folder}/etc/fslversion`;
    const version =
      folder && (await has(versionFile))
        ? fslVersionWords(((await fileIn(kind, container, versionFile)) ?? '').toString())
        : (info.Config?.Labels?.['org.opencontainers.image.title'] ?? image);
    return {
      digest: info.Id.startsWith('sha256:') ? info.Id : `sha256:${info.Id}`,
      version,
      bytes: info.Size,
      registryDigests: info.RepoDigests ?? [],
      ...(folder ? { fslDir: folder } : {}),
      programs: found,
    };
  });
}
