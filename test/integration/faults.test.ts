/** Faults: workers and servers are killed, cohorts cancelled; nothing is lost and nothing computed twice. */
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  computedTwice,
  delay,
  deltaMd,
  journal,
  makeStudy,
  type Running,
  removeStudy,
  type Study,
  setPath,
  start,
  toolsRunning,
  waitFor,
  waitForStep,
  writeSet,
} from './harness.ts';
import { startServer } from './server.ts';

const SLOW = { topup: 1500, eddy: 2500, fsl_reg: 1500 };

/** What failed, in full, so that a red test says why. */
const failed = (stdout: string) =>
  JSON.parse(stdout).subjects.filter((row: { status: string }) => row.status !== 'done');

describe('faults', () => {
  let study: Study;
  const processes: ChildProcess[] = [];
  const keep = (running: Running): Running => {
    processes.push(running.child);
    return running;
  };

  beforeEach(async () => {
    study = await makeStudy(3);
  });
  afterEach(async () => {
    for (const child of processes.splice(0)) child.kill('SIGKILL');
    const server = JSON.parse(
      await readFile(join(study.work, 'temporal', 'server.json'), 'utf8').catch(() => '{}'),
    );
    if (server.pid) process.kill(server.pid, 'SIGKILL');
    await removeStudy(study);
  });

  it('worker killed mid-step (SIGKILL): run again, the cohort completes, no finished step is computed twice', async () => {
    await delay(study, SLOW);
    const first = keep(start('run', study.file));
    await waitForStep(study, 'topup', first);
    await waitFor(async () => toolsRunning(study).length > 0);
    first.child.kill('SIGKILL');
    await first.ended;
    await delay(study, {});
    const { code, stdout } = await deltaMd('run', study.file, '--json');
    expect(failed(stdout)).toEqual([]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).counts).toMatchObject({ done: 3, failed: 0 });
    expect(await computedTwice(study)).toEqual([]);
    expect(toolsRunning(study)).toEqual([]);
  });

  it('Ctrl-C stops tools, worker and server; the same command resumes', async () => {
    await delay(study, SLOW);
    const first = keep(start('run', study.file));
    await waitForStep(study, 'topup', first);
    first.child.kill('SIGINT');
    const ended = await first.ended;
    expect(ended.code).toBe(130);
    expect(ended.stderr).toContain('resumes');
    expect(toolsRunning(study)).toEqual([]);
    await expect(readFile(join(study.work, 'temporal', 'server.json'))).rejects.toThrow();
    await delay(study, {});
    expect((await deltaMd('run', study.file)).code).toBe(0);
    expect(await computedTwice(study)).toEqual([]);
  });

  it('studies started at the same moment, each with its own server, do not take the ports of another', async () => {
    const others = await Promise.all([makeStudy(1), makeStudy(1), makeStudy(1)]);
    try {
      const runs = [study, ...others].map((one) => keep(start('run', one.file, '--json')));
      const ends = await Promise.all(runs.map((run) => run.ended));
      expect(ends.map(({ code, stderr }) => (code === 0 ? 'done' : stderr))).toEqual(ends.map(() => 'done'));
    } finally {
      await Promise.all(others.map(removeStudy));
    }
  });

  it('Temporal server killed (SIGKILL) and restarted on its database: the cohort completes', async () => {
    await delay(study, SLOW);
    const run = keep(start('run', study.file, '--json'));
    await waitForStep(study, 'topup', run);
    const before = JSON.parse(await readFile(join(study.work, 'temporal', 'server.json'), 'utf8'));
    process.kill(before.pid, 'SIGKILL');
    await delay(study, {});
    const { code, stdout } = await run.ended;
    expect(failed(stdout)).toEqual([]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).counts).toMatchObject({ done: 3, failed: 0 });
    expect(await computedTwice(study)).toEqual([]);
  });

  it('cancel ends the running tools and keeps what was finished', async () => {
    await delay(study, { ...SLOW, eddy: 60_000 });
    const run = keep(start('run', study.file));
    await waitForStep(study, 'bet', run);
    await waitFor(async () => toolsRunning(study).length > 0);
    const begun = Date.now();
    expect((await deltaMd('cancel', study.file)).code).toBe(0);
    expect(Date.now() - begun).toBeLessThan(40_000);
    const ended = await run.ended;
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain('cancelled');
    expect(toolsRunning(study)).toEqual([]);
    await delay(study, {});
    expect((await deltaMd('run', study.file)).code).toBe(0);
    expect(await computedTwice(study)).toEqual([]);
  });

  it('retry reaches a running cohort; another worker process does the work', async () => {
    const server = await startServer();
    processes.push(server.child);
    const address = ['--temporal-address', server.address];
    await writeSet(study, 'sub-01', 'post', 'AP', 666);
    await delay(study, { fsl_reg: 3000 });
    keep(start('worker', ...address));
    const run = keep(start('run', study.file, ...address, '--json'));
    await waitFor(async () => (await journal(study)).filter((e) => e.event === 'failed').length === 2);
    await writeSet(study, 'sub-01', 'post', 'AP');
    const again = await deltaMd('retry', study.file, 'sub-01', ...address, '--json');
    expect(again.code).toBe(0);
    const { code, stdout } = await run.ended;
    expect(failed(stdout)).toEqual([]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).counts).toMatchObject({ done: 3, failed: 0 });
    expect(await computedTwice(study)).toEqual([]);
    expect(setPath(study, 'sub-01', 'post', 'AP')).toContain(' ');
  });
});
