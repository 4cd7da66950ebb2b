/** A cohort from the command line: bad inputs fail alone, and once mended come in with every finished step reused. */
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import {
  computedTwice,
  deltaMd,
  type Ended,
  journal,
  makeStudy,
  removeStudy,
  type Study,
  setPath,
  writeSet,
} from './harness.ts';

interface Row {
  subject: string;
  status: string;
  why?: string;
  failure?: { code: string; message: string; remedy: string; step?: string; session?: string; log?: string };
}

const rowsOf = ({ stdout }: Ended): Map<string, Row> =>
  new Map((JSON.parse(stdout).subjects as Row[]).map((row) => [row.subject, row]));

describe('a cohort with broken subjects', () => {
  let study: Study;
  let first: Ended;
  let rows: Map<string, Row>;

  beforeAll(async () => {
    study = await makeStudy(10);
    const at = (subject: string, dir = 'PA') => setPath(study, subject, 'post', dir);
    for (const extension of ['nii.gz', 'json', 'bval', 'bvec']) await rm(`${at('sub-02')}.${extension}`);
    await writeFile(`${at('sub-03')}.bval`, '0 0 1000\n');
    await truncate(`${at('sub-04')}.nii.gz`, Math.floor((await stat(`${at('sub-04')}.nii.gz`)).size / 2));
    const image = await readImage(`${at('sub-05')}.nii.gz`);
    await writeImage(`${at('sub-05')}.nii.gz`, { ...image, data: image.data.fill(Number.NaN, 216, 432) });
    const other = await readImage(`${at('sub-06')}.nii.gz`);
    await writeImage(`${at('sub-06')}.nii.gz`, { ...other, data: other.data.fill(0, 3 * 216, 4 * 216) });
    await writeFile(`${at('sub-07')}.json`, '{"PhaseEncodingDirection":"j"}');
    await rm(join(study.bids, 'sub-08', 'ses-post'), { recursive: true });
    await writeSet(study, 'sub-09', 'post', 'AP', 666);
    // sub-10: a missing score; its images are fine.
    const table = join(study.bids, 'participants.tsv');
    await writeFile(table, (await readFile(table, 'utf8')).replace(/^(sub-10\t\w+\t)\d+/m, '$1n/a'));
    first = await deltaMd('run', study.file, '--json');
    rows = rowsOf(first);
  });
  afterAll(() => removeStudy(study));

  it('ends with exit code 1 and a table of everyone', () => {
    expect(first.code).toBe(1);
    expect(rows.size).toBe(10);
    expect(rows.get('sub-01')?.status).toBe('done');
    expect(rows.get('sub-10')?.status).toBe('done');
  });

  it.each([
    ['sub-02', 'INPUT_MISSING', /PA/],
    ['sub-03', 'INPUT_CONTRADICTS', /sub-03_ses-post_dir-PA_dwi\.bval/],
    ['sub-04', 'INPUT_DAMAGED', /sub-04_ses-post_dir-PA_dwi\.nii\.gz/],
    ['sub-05', 'INPUT_UNUSABLE', /volume 1/],
    ['sub-06', 'INPUT_UNUSABLE', /volume 3/],
    ['sub-07', 'INPUT_INCOMPLETE', /TotalReadoutTime/],
    ['sub-09', 'TOOL_FAILED', /this series cannot be corrected/],
  ])('%s fails alone with %s', (subject, code, message) => {
    const row = rows.get(subject);
    expect(row?.status).toBe('failed');
    expect(row?.failure?.code).toBe(code);
    expect(row?.failure?.message).toMatch(message);
    expect(row?.failure?.remedy.length).toBeGreaterThan(10);
  });

  it('excludes a subject with one session, with the reason', () => {
    expect(rows.get('sub-08')).toMatchObject({
      status: 'excluded',
      why: expect.stringContaining('ses-post'),
    });
  });

  it('tried the failing tool again as configured, and kept what it left', async () => {
    const failed = (await journal(study)).filter((entry) => entry.event === 'failed');
    expect(failed.map((entry) => entry.step)).toEqual(['eddy', 'eddy']);
    expect(rows.get('sub-09')?.failure?.log).toContain('this series cannot be corrected');
  });

  it('writes tables and statistics over who is there, and says who is not', async () => {
    const table = await readFile(join(study.output, 'group_dmd.tsv'), 'utf8');
    expect(table.trim().split('\n')).toHaveLength(1 + 2 * 2);
    const statistics = JSON.parse(await readFile(join(study.output, 'group_statistics.json'), 'utf8'));
    expect(JSON.stringify(statistics.outcomeTests)).toContain('sub-10');
    const report = await readFile(join(study.output, 'report.html'), 'utf8');
    for (const subject of rows.keys()) expect(report).toContain(subject);
  });

  it('status shows the same without a server', async () => {
    const status = await deltaMd('status', study.file, '--json');
    expect(status.code).toBe(1);
    expect(JSON.parse(status.stdout).counts).toMatchObject({ done: 2, failed: 7, excluded: 1 });
  });

  it('retry --failed brings a mended subject in and recomputes nothing', async () => {
    await writeSet(study, 'sub-04', 'post', 'PA');
    const before = (await journal(study)).filter((entry) => entry.event === 'computed').length;
    const again = await deltaMd('retry', study.file, '--failed', '--json');
    expect(again.code).toBe(1);
    const after = rowsOf(again);
    expect(after.get('sub-04')?.status).toBe('done');
    expect(after.get('sub-01')?.status).toBe('done');
    expect(after.get('sub-02')?.status).toBe('failed');
    expect(await computedTwice(study)).toEqual([]);
    // Its first session and the rest of the cohort were there already; a whole subject has 26 steps.
    const computed = (await journal(study)).filter((entry) => entry.event === 'computed').length - before;
    expect(computed).toBeGreaterThan(0);
    expect(computed).toBeLessThan(26);
    const table = await readFile(join(study.output, 'group_dmd.tsv'), 'utf8');
    expect(table).toContain('sub-04');
  });

  it('report makes the same tables again without processing', async () => {
    const before = await readFile(join(study.output, 'group_dmd.tsv'), 'utf8');
    await rm(join(study.output, 'group_dmd.tsv'));
    expect((await deltaMd('report', study.file)).code).toBe(0);
    expect(await readFile(join(study.output, 'group_dmd.tsv'), 'utf8')).toBe(before);
  });
});

describe('usage and study file', () => {
  let study: Study;
  beforeAll(async () => {
    study = await makeStudy(2);
  });
  afterAll(() => removeStudy(study));

  it('an unknown key is an error with line, column and suggestion', async () => {
    const text = await readFile(study.file, 'utf8');
    const wrong = join(study.root, 'wrong.yaml');
    await writeFile(wrong, text.replace('template:', 'tempalte:'));
    const { code, stderr } = await deltaMd('run', wrong);
    expect(code).toBe(2);
    expect(stderr).toMatch(/wrong\.yaml:\d+:\d+/);
    expect(stderr).toContain('template');
  });

  it('regions on another grid are refused before anything runs', async () => {
    const image = await readImage(join(study.root, 'rois.nii.gz'));
    const affine = Float64Array.from(image.grid.affine);
    affine[3] += 5;
    const other = join(study.root, 'other.nii.gz');
    await writeImage(other, { ...image, grid: { ...image.grid, affine } }, { type: 'uint8' });
    const wrong = join(study.root, 'grid.yaml');
    await writeFile(wrong, (await readFile(study.file, 'utf8')).replace('rois.nii.gz', 'other.nii.gz'));
    const { code, stderr } = await deltaMd('run', wrong);
    expect(code).toBe(2);
    expect(stderr).toContain('other.nii.gz');
    expect(stderr).toContain('Resample');
  });

  it.each([
    [['run'], 2],
    [['run', '/no/such/study.yaml'], 2],
    [['no-such-command'], 2],
    [['run', 'x.yaml', '--n-cpus', 'many'], 2],
    [['status', 'STUDY'], 2],
    [['retry', 'STUDY', 'sub-77'], 2],
    [['cancel', 'STUDY', '--temporal-address', '127.0.0.1:1'], 3],
    [['run', 'STUDY', '--participant_label', '77'], 2],
    [['--help'], 0],
    [['run', '--help'], 0],
  ])('%j ends with exit code %i', async (words, expected) => {
    const { code } = await deltaMd(...words.map((word) => (word === 'STUDY' ? study.file : word)));
    expect(code).toBe(expected);
  });

  it('every command has a help text with examples', async () => {
    const { stdout } = await deltaMd('--help');
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)]
      .map((match) => match[1])
      .filter((name) => name !== 'help');
    expect(commands.length).toBeGreaterThanOrEqual(12);
    for (const command of commands)
      expect((await deltaMd(command, '--help')).stdout, command).toContain('Examples:\n  delta-md');
  });
});
