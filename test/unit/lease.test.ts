/** One holder at a time, whoever dies; seen by processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acquire } from '../../activities/lease.ts';

const never = new AbortController().signal;

describe('lease', () => {
  let folder: string;
  let module: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delta-md-lease-'));
    module = join(folder, 'lease.mjs');
    await build({
      entryPoints: ['activities/lease.ts'],
      outfile: module,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
    });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** A process that takes the lease, appends its name to a file, holds, appends again, and lets go. */
  function holder(path: string, name: string, holdMs: number): ChildProcess {
    const script = `
      const { acquire } = await import(${JSON.stringify(module)});
      const { appendFileSync } = await import('node:fs');
      const lease = await acquire(${JSON.stringify(path)}, new AbortController().signal);
      appendFileSync(${JSON.stringify(`${path}.log`)}, '${name} in\\n');
      await new Promise((done) => setTimeout(done, ${holdMs}));
      appendFileSync(${JSON.stringify(`${path}.log`)}, '${name} out\\n');
      await lease.release();`;
    return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  }

  it('is held by one process at a time', async () => {
    const path = join(folder, 'one');
    const processes = ['a', 'b', 'c'].map((name) => holder(path, name, 100));
    await Promise.all(processes.map((child) => once(child, 'exit')));
    const lines = (await readFile(`${path}.log`, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(6);
    for (let i = 0; i < 6; i += 2) expect(lines[i + 1]).toBe(lines[i].replace(' in', ' out'));
    expect(await readdir(folder)).not.toContain('one');
  });

  it('of a process that was killed goes to the next at once', async () => {
    const path = join(folder, 'killed');
    const child = holder(path, 'victim', 60_000);
    while (!(await readFile(`${path}.log`, 'utf8').catch(() => ''))) await sleep(20);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const begun = performance.now();
    const lease = await acquire(path, never);
    // Known dead by its process id: no waiting for the silence of another host.
    expect(performance.now() - begun).toBeLessThan(10_000);
    await lease.release();
  });

  it('of another host stays while it is touched', async () => {
    const path = join(folder, 'elsewhere');
    await writeFile(path, JSON.stringify({ token: 'x', host: 'another-host', pid: 1 }));
    const impatient = AbortSignal.timeout(700);
    await expect(acquire(path, impatient)).rejects.toThrow();
    expect(JSON.parse(await readFile(path, 'utf8')).token).toBe('x');
  });

  it('that another took is reported as lost', async () => {
    const path = join(folder, 'lost');
    const lease = await acquire(path, never);
    await writeFile(path, JSON.stringify({ token: 'y', host: 'another-host', pid: 1 }));
    await once(lease.lost, 'abort');
    await lease.release();
    expect(JSON.parse(await readFile(path, 'utf8')).token).toBe('y');
  });
});
