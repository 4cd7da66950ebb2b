/** What lies behind results: tracing a number to its scans, and the store they rest on. */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashFile } from '../../activities/store.ts';
import type { Trace } from '../../activities/trace.ts';
import {
  delay,
  deltaMd,
  journal,
  makeStudy,
  removeStudy,
  type Study,
  setPath,
  start,
  waitForStep,
} from './harness.ts';

describe('a finished cohort', () => {
  let study: Study;
  beforeAll(async () => {
    study = await makeStudy(2);
    expect((await deltaMd('run', study.file)).code).toBe(0);
  });
  afterAll(() => removeStudy(study));

  const json = async <T>(...words: string[]): Promise<{ code: number | null; value: T }> => {
    const { code, stdout } = await deltaMd(...words, '--json');
    return { code, value: JSON.parse(stdout) };
  };

  it('trace names every scan and command behind a number, and no others', async () => {
    const { code, value: traces } = await json<Trace[]>('trace', study.file, '01', 'left');
    expect(code).toBe(0);
    expect(traces.map(({ session }) => session)).toEqual(['pre', 'post']);
    const [baseline, followup] = traces;
    expect(baseline.steps.map(({ step }) => step)).toEqual(
      expect.arrayContaining(['topup', 'bet', 'eddy', 'dtifit', 'fsl_reg', 'applywarp']),
    );
    expect(baseline.steps.map(({ step }) => step)).not.toContain('flirt');
    expect(followup.steps.map(({ step }) => step)).toContain('flirt');
    const scan = `${setPath(study, 'sub-01', 'pre', 'AP')}.nii.gz`;
    expect(baseline.scans).toContainEqual({ path: scan, sha256: await hashFile(scan) });
    expect(JSON.stringify(traces)).not.toContain('sub-02');
    // Each step's inputs are scans or were made by a step before it.
    const known = new Set(followup.scans.map(({ sha256 }) => sha256));
    for (const step of followup.steps) {
      for (const { sha256 } of Object.values(step.inputs)) expect(known).toContain(sha256);
      for (const { sha256 } of Object.values(step.outputs)) known.add(sha256);
    }
  });

  it('trace refuses a map that is not the one that was published', async () => {
    const { value } = await json<Trace[]>('trace', study.file, '02', 'left');
    const kept = await readFile(value[0].map);
    await appendFile(value[0].map, 'x');
    const { code, stderr } = await deltaMd('trace', study.file, '02', 'left');
    expect(code).toBe(2);
    expect(stderr).toContain('not the file that was published');
    await writeFile(value[0].map, kept);
    expect((await deltaMd('trace', study.file, '02', 'nowhere')).stderr).toContain('Regions: left right');
  });

  it('logs prints what a step has printed, after the run', async () => {
    const { code, stdout } = await deltaMd('logs', study.file, '01', 'eddy');
    expect(code).toBe(0);
    expect(stdout.match(/\[ {2}0 %\] eddy/g)).toHaveLength(2);
    const { code: none, stderr } = await deltaMd('logs', study.file, '01', 'melodic');
    expect(none).toBe(2);
    expect(stderr).toContain('It has: ');
  });

  it('cache ls adds up, gc leaves what outputs rest on', async () => {
    const { value: held } = await json<{ bytes: number; steps: { step: string; results: number }[] }>(
      'cache',
      'ls',
      study.file,
    );
    expect(held.bytes).toBeGreaterThan(0);
    expect(held.steps.find(({ step }) => step === 'eddy')?.results).toBe(4);
    const { value: gone } = await json('cache', 'gc', study.file, '--older-than', '0');
    expect(gone).toMatchObject({ results: 0, failed: 0 });
  });

  it('verify finds a file that rotted on disk; the next run computes that step again, and only what is missing', async () => {
    const before = (await journal(study)).length;
    const { value: traces } = await json<Trace[]>('trace', study.file, '01', 'left');
    const eddy = traces[0].steps.find(({ step }) => step === 'eddy');
    if (!eddy) throw new Error('no eddy');
    const path = join(study.work, 'store', eddy.key.slice(0, 2), eddy.key, eddy.outputs['dwi'].file);
    const rotten = await readFile(path);
    rotten[rotten.length - 1] ^= 1;
    await writeFile(path, rotten);
    const { code, value } = await json<{ unsound: { step: string; problem: string }[] }>(
      'cache',
      'verify',
      study.file,
    );
    expect(code).toBe(1);
    expect(value.unsound).toMatchObject([{ step: 'eddy', problem: 'changed' }]);
    expect((await json('cache', 'verify', study.file)).code).toBe(0);
    expect((await deltaMd('run', study.file)).code).toBe(0);
    expect((await journal(study)).slice(before).map(({ event, step }) => `${event} ${step}`)).toEqual([
      'computed eddy',
    ]);
  });
});

it('logs --follow prints a running step to its end; status --watch follows the cohort; throttle and pause reach it', async () => {
  const study = await makeStudy(3);
  await delay(study, { topup: 4000 });
  const run = start('run', study.file, '--n-cpus', '1');
  await waitForStep(study, 'fslmerge', run);
  const following = start('logs', study.file, 'sub-01', 'topup', '--session', 'pre', '--follow');
  const watching = start('status', study.file, '--watch');
  const throttled = await deltaMd('throttle', study.file, '--subjects-at-once', '1', '--json');
  expect(JSON.parse(throttled.stdout)).toMatchObject({ window: 1, paused: false });
  expect((await deltaMd('throttle', study.file, '--subjects-at-once', '5000')).stderr).toContain('Refused');
  const paused = await deltaMd('pause', study.file, '--json');
  expect(JSON.parse(paused.stdout)).toMatchObject({ paused: true });
  expect(JSON.parse((await deltaMd('resume', study.file, '--json')).stdout)).toMatchObject({ paused: false });
  expect((await run.ended).code).toBe(0);
  const { code, stdout } = await following.ended;
  expect(code).toBe(0);
  expect(stdout).toContain('==> ses-pre topup');
  expect(stdout).toContain('[  0 %] topup');
  const { stdout: watched } = await watching.ended;
  expect(watched).toContain('3 of 3 done');
  expect((await deltaMd('pause', study.file)).code).toBe(3);
  await removeStudy(study);
});
