/** One suite for every runtime: what the interface promises must hold for each. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerRuntime, LABEL } from '../../containers/docker.ts';
import { ProcessRuntime } from '../../containers/process.ts';
import type { Execution, Outcome, Runtime } from '../../containers/runtime.ts';
import { buildToolkitImage } from '../../containers/toolkit-image.ts';
import { dockerEngine } from './docker.ts';

const PROBE = fileURLToPath(new URL('../fixtures/probe', import.meta.url));
const IMAGE = 'delta-md-test-probe:1';
const docker = await dockerEngine();

const runtimes: [string, () => Promise<Runtime>][] = [
  ['process', async () => new ProcessRuntime({ bin: join(PROBE, 'bin'), version: 'probe 1' })],
];
if (docker)
  runtimes.push([
    'docker',
    async () => {
      await buildToolkitImage(docker, IMAGE, PROBE, 'probe 1');
      return new DockerRuntime(IMAGE, docker);
    },
  ]);

/** Command lines of processes on this machine that hold a word. */
async function processesWith(word: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(word) && !line.includes('vitest')) found.push(line.replaceAll('\0', ' '));
  }
  return found;
}

describe.each(runtimes)('runtime %s', (_, make) => {
  let runtime: Runtime;
  let root: string;
  let count = 0;

  beforeAll(async () => {
    runtime = await make();
    // Spaces and letters beyond ASCII in every host path.
    root = await mkdtemp(join(tmpdir(), 'delta md ünï-'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  async function execution(
    argv: string[],
    change: Partial<Execution> = {},
  ): Promise<Execution & { lines: string[] }> {
    const folder = join(root, `work ${count++}`);
    await mkdir(folder);
    const lines: string[] = [];
    return {
      id: `delta-md-test-${process.pid}-${count}`,
      argv: ['probe', ...argv],
      folder,
      inputs: {},
      cpus: 1,
      memoryMiB: 512,
      seconds: 60,
      log: join(folder, 'log.txt'),
      onLine: (line) => lines.push(line),
      lines,
      ...change,
    };
  }
  const run = (e: Execution, signal = new AbortController().signal): Promise<Outcome> =>
    runtime.run(e, signal);

  it('names the tool by its content', async () => {
    const identity = await runtime.identify('probe');
    expect(identity.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(identity.version).toContain('probe 1');
    expect(await runtime.identify('probe')).toEqual(identity);
  });

  it('passes argv untouched: spaces, quotes, dollar signs, unicode', async () => {
    const words = ['a b', '"quoted"', "it's", '$HOME', '`id`', '*', 'ü→β', ''];
    const e = await execution(['echo', ...words]);
    expect((await run(e)).exitCode).toBe(0);
    expect(JSON.parse(e.lines[0])).toEqual(words);
    expect(await readFile(join(e.folder, 'out.txt'), 'utf8')).toBe(words.join('\n'));
  });

  it('gives outputs to the caller', async () => {
    const e = await execution(['echo', 'x']);
    await run(e);
    expect((await stat(join(e.folder, 'out.txt'))).uid).toBe(userInfo().uid);
  });

  it('stages inputs under their names, whatever the host calls them', async () => {
    const source = join(root, 'söurce "1" $x.nii.gz');
    await writeFile(source, 'content');
    const e = await execution(['copy', 'in/data.nii.gz'], { inputs: { 'in/data.nii.gz': source } });
    expect((await run(e)).exitCode).toBe(0);
    expect(await readFile(join(e.folder, 'out.txt'), 'utf8')).toBe('content');
  });

  it('reports the exit code and keeps the log', async () => {
    const e = await execution(['exit', '7']);
    expect(await run(e)).toMatchObject({ exitCode: 7, outOfMemory: false, timedOut: false });
    expect(e.lines).toContain('about to fail');
    expect(await readFile(e.log, 'utf8')).toContain('about to fail');
  });

  it('streams a long log whole', async () => {
    const e = await execution(['log', '50000']);
    expect((await run(e)).exitCode).toBe(0);
    const lines = (await readFile(e.log, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(50_000);
    expect(lines.at(-1)).toMatch(/^line 49999 /);
    expect(e.lines).toHaveLength(50_000);
  });

  it('ends a tool at its time limit', async () => {
    const e = await execution(['sleep'], { seconds: 1.5 });
    const outcome = await run(e);
    expect(outcome).toMatchObject({ timedOut: true, outOfMemory: false });
    expect(outcome.seconds).toBeLessThan(20);
  });

  it('ends a tool at its memory limit, and says so', async () => {
    const outcome = await run(await execution(['eat'], { memoryMiB: 200 }));
    expect(outcome.outOfMemory).toBe(true);
    expect(outcome.exitCode).not.toBe(0);
  });

  it('ends the whole tree when aborted', async () => {
    const abort = new AbortController();
    const e = await execution(['sleep']);
    const running = run(e, abort.signal);
    running.catch(() => {});
    while (e.lines.length === 0) await sleep(20);
    abort.abort(new Error('stop'));
    await expect(running).rejects.toThrow('stop');
    await sleep(200);
    expect(await processesWith('setTimeout(() => {}, 60_000)')).toEqual([]);
  });

  it('ends a leftover of the same name first: never two writers', async () => {
    const abort = new AbortController();
    const first = await execution(['sleep']);
    const lost = run(first, abort.signal);
    lost.catch(() => {});
    while (first.lines.length === 0) await sleep(20);
    const second = { ...(await execution(['echo', 'mine'])), id: first.id, folder: first.folder };
    expect((await run(second)).exitCode).toBe(0);
    await lost.catch(() => {});
    expect(await processesWith('setTimeout(() => {}, 60_000)')).toEqual([]);
  });

  it('names a tool that is not there', async () => {
    const e = await execution([]);
    await expect(run({ ...e, argv: ['no-such-tool'] })).rejects.toMatchObject({
      failure: { code: 'TOOL_MISSING', remedy: expect.stringContaining('doctor') },
    });
  });
});

describe.skipIf(!docker)('docker runtime, locked down', () => {
  const runtime = docker && new DockerRuntime(IMAGE, docker);
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delta-md-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const write = async (path: string, inputs: Record<string, string> = {}) => {
    const lines: string[] = [];
    await runtime?.run(
      {
        id: `delta-md-test-${process.pid}-lock`,
        argv: ['probe', 'write', path],
        folder,
        inputs,
        cpus: 1,
        memoryMiB: 256,
        seconds: 60,
        log: join(folder, 'log.txt'),
        onLine: (line) => lines.push(line),
      },
      new AbortController().signal,
    );
    return lines[0];
  };

  it('has a read-only root and read-only inputs', async () => {
    const source = join(folder, 'source.txt');
    await writeFile(source, 'keep');
    expect(await write('/opt/x')).toBe('EROFS');
    expect(await write('in/source.txt', { 'in/source.txt': source })).toBe('EROFS');
    expect(await readFile(source, 'utf8')).toBe('keep');
    expect(await write('fine.txt')).toBe('written');
  });

  it('leaves no container behind', async () => {
    const left = await docker?.listContainers({ all: true, filters: { label: [LABEL] } });
    expect(left?.filter((c) => c.Names.some((name) => name.startsWith('/delta-md-test')))).toEqual([]);
  });
});
