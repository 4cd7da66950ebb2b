/** Odd datasets and what is told of them: filter files, fieldmaps assigned in every way, runs, DICOMs, validators. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dicomRemedy } from '../../activities/bids/dicom.ts';
import { findSeries } from '../../activities/bids/find.ts';
import { initStudy } from '../../activities/bids/init.ts';
import { errorsIn } from '../../activities/bids/validator.ts';
import { selectOf } from '../../config/bids-filter.ts';
import type { Study } from '../../config/study.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'delta-md-input-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let n = 0;
/** A dataset of empty files with these sidecars: what names and sidecars tell needs no image. */
async function dataset(files: Readonly<Record<string, object | null>>): Promise<string> {
  const bids = join(root, `data-${n++}`);
  for (const [name, sidecar] of Object.entries(files)) {
    const path = join(bids, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, '');
    if (sidecar) await writeFile(path.replace(/\.nii(\.gz)?$/, '.json'), JSON.stringify(sidecar));
  }
  return bids;
}

const DWI = 'sub-01/ses-1/dwi/sub-01_ses-1';
const FMAP = 'sub-01/ses-1/fmap/sub-01_ses-1';

/** Which images of the session are used, by name without what all share. */
async function used(files: Readonly<Record<string, object | null>>, select: Study['select'] = {}) {
  const study = { bids: await dataset(files), select } as unknown as Study;
  const { dwi, fieldmaps, notes } = await findSeries(study, 'sub-01', '1');
  const short = (name: string) => name.replace('sub-01_ses-1_', '').replace(/\.nii.*/, '');
  return {
    dwi: dwi.map(({ name }) => short(name.name)),
    fmap: fieldmaps.map(({ series }) => short(series.name.name)),
    notes,
  };
}

describe('fieldmaps and runs', () => {
  it('IntendedFor: paths and BIDS URIs, one or many, with .gz or without', async () => {
    for (const IntendedFor of [
      'ses-1/dwi/sub-01_ses-1_dir-AP_dwi.nii.gz',
      ['bids::sub-01/ses-1/dwi/sub-01_ses-1_dir-AP_dwi.nii.gz'],
      'bids:raw:sub-01/ses-1/dwi/sub-01_ses-1_dir-AP_dwi.nii',
      ['ses-1/func/sub-01_ses-1_task-rest_bold.nii.gz', 'dwi/sub-01_ses-1_dir-AP_dwi.nii'],
    ])
      for (const extension of ['nii', 'nii.gz'])
        expect(
          await used({
            [`${DWI}_dir-AP_dwi.${extension}`]: {},
            [`${FMAP}_dir-PA_epi.nii.gz`]: { IntendedFor },
          }),
          JSON.stringify(IntendedFor),
        ).toMatchObject({ dwi: ['dir-AP_dwi'], fmap: ['dir-PA_epi'] });
  });

  it("IntendedFor another session's or run's image is not ours; the note names the fieldmap", async () => {
    const of = (IntendedFor: string) =>
      used({ [`${DWI}_dir-AP_run-1_dwi.nii.gz`]: {}, [`${FMAP}_dir-PA_epi.nii.gz`]: { IntendedFor } });
    for (const image of [
      'bids::sub-01/ses-2/dwi/sub-01_ses-2_dir-AP_run-1_dwi.nii.gz',
      'ses-1/dwi/sub-01_ses-1_dir-AP_run-2_dwi.nii.gz',
    ]) {
      const { fmap, notes } = await of(image);
      expect(fmap).toEqual([]);
      expect(notes.join()).toContain('dir-PA_epi.nii.gz is not used');
    }
  });

  it('B0FieldIdentifier goes before IntendedFor, as BIDS has it; lists of them on either side', async () => {
    const files = (fmap: object, dwi: object) => ({
      [`${DWI}_dir-AP_dwi.nii.gz`]: dwi,
      [`${FMAP}_acq-dwi_dir-PA_epi.nii.gz`]: fmap,
      [`${FMAP}_acq-bold_dir-PA_epi.nii.gz`]: { B0FieldIdentifier: 'pepolar_bold' },
    });
    expect(
      (
        await used(
          files(
            { B0FieldIdentifier: ['pepolar_dwi', 'other'], IntendedFor: 'ses-1/func/x_bold.nii.gz' },
            { B0FieldIdentifier: 'pepolar_dwi', B0FieldSource: ['pepolar_dwi', 'gre'] },
          ),
        )
      ).fmap,
    ).toEqual(['acq-dwi_dir-PA_epi']);
    // Without B0FieldSource on the series, IntendedFor decides.
    const intended = 'ses-1/dwi/sub-01_ses-1_dir-AP_dwi.nii.gz';
    expect((await used(files({ B0FieldIdentifier: 'a', IntendedFor: intended }, {}))).fmap).toEqual([
      'acq-bold_dir-PA_epi',
      'acq-dwi_dir-PA_epi',
    ]);
  });

  it('runs and acquisitions are all used, mixed .nii and .nii.gz, without any T1w', async () => {
    const files = {
      [`${DWI}_acq-b1000_dir-AP_run-1_dwi.nii.gz`]: null,
      [`${DWI}_acq-b1000_dir-AP_run-2_dwi.nii`]: null,
      [`${DWI}_acq-b1000_dir-PA_run-1_dwi.nii.gz`]: null,
      [`${DWI}_dir-PA_dwi.nii.gz`]: null,
    };
    expect((await used(files)).dwi).toEqual([
      'acq-b1000_dir-AP_run-1_dwi',
      'acq-b1000_dir-AP_run-2_dwi',
      'acq-b1000_dir-PA_run-1_dwi',
      'dir-PA_dwi',
    ]);
    expect((await used(files, { acq: ['b1000'], run: ['01'] })).dwi).toEqual([
      'acq-b1000_dir-AP_run-1_dwi',
      'acq-b1000_dir-PA_run-1_dwi',
    ]);
    // The empty label: names without the entity.
    expect((await used(files, { acq: [''] })).dwi).toEqual(['dir-PA_dwi']);
  });
});

describe('filter files', () => {
  it('select diffusion series by the long names of entities; other images are of no concern', () => {
    const content = {
      dwi: {
        datatype: 'dwi',
        suffix: 'dwi',
        extension: ['.nii', '.nii.gz'],
        session: ['1', 'ses-2'],
        acquisition: 'b1000',
        direction: ['AP', 'PA'],
        run: 1,
        reconstruction: null,
      },
      fmap: { datatype: 'fmap' },
      t1w: { acquisition: 'mprage' },
    };
    // fMRIPrep's own default for fieldmaps says no more than that they are fieldmaps.
    expect(selectOf(content, ['1', '2'])).toEqual({
      select: { acq: ['b1000'], dir: ['AP', 'PA'], run: ['1'], rec: [''] },
      problems: [],
    });
    expect(selectOf({}, [null])).toEqual({ select: {}, problems: [] });
  });

  it.each([
    [[], /no JSON object/],
    [{ dwi: 'b1000' }, /dwi: it is no JSON object/],
    [{ dwi: { directon: 'AP' } }, /dwi\.directon: .*direction/],
    [{ dwi: { session: '1' } }, /leaves out 2 of the study.*--session-label/],
    [{ dwi: { subject: '01' } }, /--participant-label/],
    [{ dwi: { suffix: 'bold' } }, /bold is no diffusion series/],
    [{ dwi: { run: 'Query.ANY' } }, /neither a label/],
    [{ dwi: { run: [] } }, /neither a label/],
    [{ fmap: { acquisition: 'dwi' } }, /B0FieldIdentifier and IntendedFor/],
  ])('%j is not followed, and says why', (content, why) => {
    expect(selectOf(content, ['1', '2']).problems.join('; ')).toMatch(why);
  });
});

describe('DICOMs where BIDS is due', () => {
  it('are known by name or by their prefix; the remedy names converters', async () => {
    const named = await dataset({ 'sub-01/IM_0001.dcm': null });
    expect(await dicomRemedy(named)).toMatch(/dcm2bids.*heudiconv.*dcm2niix -b y/);
    const bare = await dataset({ 'DICOMDIR.txt': null });
    await mkdir(join(bare, 'scans', '1'), { recursive: true });
    await writeFile(
      join(bare, 'scans', '1', 'IM0001'),
      Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]),
    );
    expect(await dicomRemedy(bare)).toMatch(/DICOMs/);
    await expect(initStudy(named)).rejects.toMatchObject({
      failure: { code: 'INPUT_MISSING', remedy: expect.stringContaining('dcm2bids') },
    });
    await expect(initStudy(bare)).rejects.toMatchObject({
      failure: { remedy: expect.stringContaining('heudiconv') },
    });
  });

  it('are no matter beside NIfTI images, and other files are none', async () => {
    const both = { 'sub-01/a.dcm': null, 'sub-01/anat/sub-01_T1w.nii.gz': null };
    expect(await dicomRemedy(await dataset(both))).toBeUndefined();
    expect(await dicomRemedy(await dataset({ 'notes.txt': null, README: null }))).toBeUndefined();
    expect(await dicomRemedy(join(root, 'nowhere'))).toBeUndefined();
  });
});

describe("the official validator's answer", () => {
  it('is counted by code, today’s form and that before version 2; warnings are left out', () => {
    const issue = (code: string, location: string, severity = 'error', subCode?: string) => ({
      code,
      location,
      severity,
      subCode,
    });
    const now = {
      issues: {
        issues: [
          issue('NOT_INCLUDED', '/a.txt'),
          issue('SIDECAR_KEY_REQUIRED', '/b.nii', 'error', 'SpatialReference'),
          issue('SIDECAR_KEY_REQUIRED', '/c.nii', 'error', 'SpatialReference'),
          issue('NO_AUTHORS', '/dataset_description.json', 'warning'),
        ],
      },
    };
    expect(errorsIn(JSON.stringify(now))).toEqual([
      { code: 'SIDECAR_KEY_REQUIRED SpatialReference', count: 2, first: '/b.nii' },
      { code: 'NOT_INCLUDED', count: 1, first: '/a.txt' },
    ]);
    const before = {
      issues: {
        errors: [
          { key: 'NOT_INCLUDED', files: [{ file: { relativePath: '/a.txt' } }, { file: null }] },
          { key: 'MISSING', files: [] },
        ],
        warnings: [{ key: 'README', files: [] }],
      },
    };
    expect(errorsIn(JSON.stringify(before))).toEqual([
      { code: 'NOT_INCLUDED', count: 2, first: '/a.txt' },
      { code: 'MISSING', count: 1, first: '' },
    ]);
    expect(errorsIn('{"issues":{"issues":[]}}')).toEqual([]);
    for (const text of ['', 'usage: ...', 'null', '{}']) expect(errorsIn(text)).toBeUndefined();
  });
});
