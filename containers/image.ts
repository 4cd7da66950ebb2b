/** What is inside a container image, found without running anything of it. */
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { extract } from 'tar-stream';
import { fslVersionWords } from '../pipeline/fsl-versions.ts';
import { answer, type EngineKind, statusOf } from './engine.ts';

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

/** Text of the first file in a tar stream. */
async function firstFile(tar: Readable): Promise<string> {
  const reader = extract();
  tar.on('error', (error) => reader.destroy(error)).pipe(reader);
  const chunks: Buffer[] = [];
  for await (const entry of reader) for await (const chunk of entry) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
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
  const container = await ask(
    docker.createContainer({
      Image: info.Id,
      Entrypoint: ['none'],
      Cmd: [],
      Labels: labels,
      NetworkDisabled: true,
    }),
  );
  try {
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
        ? fslVersionWords(
            await firstFile((await ask(container.getArchive({ path: versionFile }))) as unknown as Readable),
          )
        : (info.Config?.Labels?.['org.opencontainers.image.title'] ?? image);
    return {
      digest: info.Id.startsWith('sha256:') ? info.Id : `sha256:${info.Id}`,
      version,
      bytes: info.Size,
      registryDigests: info.RepoDigests ?? [],
      ...(folder ? { fslDir: folder } : {}),
      programs: found,
    };
  } finally {
    await ask(container.remove({ force: true, v: true }));
  }
}
