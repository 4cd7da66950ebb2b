/** Running again: what is there is seen beforehand, reused, computed anew by order, and mended where it was damaged. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computedTwice, deltaMd, journal, makeStudy, removeStudy, type Study, start } from './harness.ts';

/** Steps of one subject with two sessions of two sets each. */
const STEPS = 2 * (2 + 2 + 1 + 1 + 1 + 1 + 1 + 1) + 2 + 4;

describe('running again', () => {
  let study: Study;
  beforeAll(async () => {
    study = await makeStudy(3);
  });
  afterAll(() => removeStudy(study));

  const plan = async () => {
    const { code, stdout } = await deltaMd('run', study.file, '--plan', '--json');
    expect(code).toBe(0);
    const { subjects, steps } = JSON.parse(stdout);
    const sum = (what: string) =>
      steps.reduce((total: number, step: Record<string, number>) => total + step[what], 0);
    return { subjects, steps, there: sum('there'), toCompute: sum('toCompute') };
  };
  const computed = async (event = 'computed') =>
    (await journal(study)).filter((entry) => entry.event === event).map(({ step }) => step);

  const auditFolder = () => join(study.output, 'logs', 'audit');
  /** What the audit trail of one run says of sub-01. */
  const audited = async (run: string) => {
    const files = await readdir(join(auditFolder(), run));
    const table = files.find((name) => /^sub-01_.*_steps\.tsv$/.test(name)) as string;
    const [head, ...rows] = (await readFile(join(auditFolder(), run, table), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    return {
      files,
      rows: rows.map((row) => Object.fromEntries(head.map((column, i) => [column, row[i]]))),
    };
  };
  const events = async (run: string, whose: string) => {
    const { files } = await audited(run);
    const history = files.find((name) => name.startsWith(whose) && name.endsWith('.gz')) as string;
    return JSON.parse(gunzipSync(await readFile(join(auditFolder(), run, history))).toString()).events;
  };

  it('--plan says beforehand that everything is to be computed, and computes nothing', async () => {
    const { there, toCompute, subjects } = await plan();
    expect([there, toCompute]).toEqual([0, 3 * STEPS]);
    expect(subjects).toHaveLength(3);
    expect(await computed()).toEqual([]);
  });

  it('two runs of the same study at once are one', async () => {
    const runs = [start('run', study.file, '--json'), start('run', study.file, '--json')];
    const ends = await Promise.all(runs.map((run) => run.ended));
    for (const { code, stderr, stdout } of ends) {
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout).counts).toMatchObject({ done: 3, failed: 0 });
    }
    expect(await computed()).toHaveLength(3 * STEPS);
    expect(await computedTwice(study)).toEqual([]);
  });

  it('leaves an audit trail: histories, a table of steps per subject, and decisions', async () => {
    const [run] = await readdir(auditFolder());
    const { files, rows } = await audited(run);
    // A look for what is there, two sessions prepared, the steps, and the publication.
    expect(rows).toHaveLength(1 + 2 + STEPS + 1);
    expect(new Set(rows.map((row) => row['outcome']))).toEqual(new Set(['done']));
    const eddy = rows.find((row) => row['place'] === 'ses-pre eddy');
    expect(eddy?.['command']).toContain('"--imain=in/dwi.nii.gz"');
    expect(eddy?.['digest']).toMatch(/^sha256:/);
    const [first] = await events(run, 'cohort_');
    expect(first.workflowExecutionStartedEventAttributes.workflowType.name).toBe('cohortWorkflow');
    expect(files.some((name) => name.endsWith('_decisions.tsv'))).toBe(true);
  });

  it('finds subjects done at one look, each result verified', async () => {
    const before = await readdir(auditFolder());
    expect((await deltaMd('run', study.file, '--json')).code).toBe(0);
    const [run] = (await readdir(auditFolder())).filter((name) => !before.includes(name));
    const asked = (await events(run, 'sub-01_')).filter(
      (event: Record<string, unknown>) => 'activityTaskScheduledEventAttributes' in event,
    );
    expect(asked).toHaveLength(1);
    const { rows } = await audited(run);
    expect(rows.filter((row) => row['reused'] === 'true')).toHaveLength(STEPS);
    expect(rows.find((row) => row['place'] === 'ses-pre eddy')?.['digest']).toMatch(/^sha256:/);
    expect(await computed()).toHaveLength(3 * STEPS);
  });

  it('--plan then finds everything there, and --rerun-changed starts nobody', async () => {
    const { there, toCompute } = await plan();
    expect([there, toCompute]).toEqual([3 * STEPS, 0]);
    const before = (await journal(study)).length;
    const { code, stderr } = await deltaMd('run', study.file, '--rerun-changed', '--json');
    expect(code).toBe(0);
    expect(stderr).toContain('3 unchanged');
    expect(stderr).not.toContain('sub-01 running');
    expect(await journal(study)).toHaveLength(before);
  });

  it('a changed region image changes publications only', async () => {
    const text = await readFile(study.file, 'utf8');
    await writeFile(study.file, text.replace('1: left', '1: leftmost'));
    const { subjects, toCompute } = await plan();
    expect(toCompute).toBe(0);
    expect(subjects.every((one: { publish: boolean }) => one.publish)).toBe(true);
    const before = (await computed()).length;
    expect((await deltaMd('run', study.file, '--rerun-changed')).code).toBe(0);
    expect(await computed()).toHaveLength(before);
    expect(await readFile(join(study.output, 'group_roi_md.tsv'), 'utf8')).toContain('leftmost');
  });

  it('a deleted output is written again from the results', async () => {
    const page = join(study.output, 'sub-02', 'figures');
    await rm(page, { recursive: true });
    expect((await deltaMd('run', study.file, '--rerun-changed')).code).toBe(0);
    expect(await readdir(page)).not.toEqual([]);
  });

  it('retry --from computes a step and all that rests on it anew, for that subject alone', async () => {
    const { code, stderr } = await deltaMd('retry', study.file, 'sub-02', '--from', 'dtifit', '--json');
    expect(code, stderr).toBe(0);
    const anew = (await computed('computed anew')).sort();
    expect(anew).toEqual(['dtifit', 'dtifit', 'flirt', 'fsl_reg', ...Array(4).fill('applywarp')].sort());
    expect(await computedTwice(study)).toEqual([]);
  });

  it('a result corrupted on disk is noticed when it is read, and made again', async () => {
    const [eddy] = (await journal(study)).filter((entry) => entry.step === 'eddy');
    const file = join(study.work, 'store', eddy.key.slice(0, 2), eddy.key, 'eddy.nii.gz');
    const bytes = await readFile(file);
    bytes[bytes.length - 20] ^= 1;
    await rm(file);
    await writeFile(file, bytes);
    // The published files know nothing of it; one of them is lost, too, so that its subject is processed.
    for (const subject of ['sub-01', 'sub-02', 'sub-03'])
      await rm(join(study.output, 'logs', `${subject}_published.json`));
    expect((await deltaMd('run', study.file)).code).toBe(0);
    expect((await journal(study)).filter((entry) => entry.event === 'damaged')).toHaveLength(1);
    expect(await computedTwice(study)).toEqual([`eddy ${eddy.key}`]);
  });
});
