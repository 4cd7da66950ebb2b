/** What lies behind results: tracing a number to its scans, and the store they rest on. */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashFile } from '../../activities/store.ts';
import type { Trace } from '../../activities/trace.ts';
import { deltaMd, journal, makeStudy, removeStudy, type Study, setPath } from './harness.ts';

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
