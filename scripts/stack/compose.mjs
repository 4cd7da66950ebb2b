// Docker Compose of version 2: the plugin, a program of that name, or else built from its Go module.
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cache } from './folder.mjs';

/** The last whose client still speaks to engines as old as Debian's (API 1.41). */
const VERSION = 'v2.40.3';
const MODULE = 'github.com/docker/compose/v2';

async function isCompose2(command) {
  try {
    const { stdout } = await execa(command[0], [...command.slice(1), 'version', '--short']);
    return Number(stdout.replace(/^v/, '').split('.')[0]) >= 2;
  } catch {
    return false;
  }
}

/** @returns the words that call it */
export async function findCompose(say) {
  const built = join(cache, `docker-compose-${VERSION}`);
  for (const command of [['docker', 'compose'], ['docker-compose'], [built]])
    if (await isCompose2(command)) return command;
  say(`Building Docker Compose ${VERSION} (once) ...`);
  const folder = join(cache, 'compose-build');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const go = (...words) => execa('go', words, { cwd: folder, env: { CGO_ENABLED: '0' } });
  // Its go.mod has exclusions, which `go install` refuses: it is required by a module of ours instead.
  await go('mod', 'init', 'compose');
  await go('get', `${MODULE}/cmd@${VERSION}`);
  await go(
    'build',
    '-ldflags',
    `-s -w -X ${MODULE}/internal.Version=${VERSION}`,
    '-o',
    'built',
    `${MODULE}/cmd`,
  );
  await rename(join(folder, 'built'), built);
  await rm(folder, { recursive: true });
  return [built];
}
