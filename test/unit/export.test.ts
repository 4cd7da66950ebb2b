/** An export read back with our own reader: stacks, design, tables, RO-Crate and PROV. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tsv, writeInto, writeJsonInto } from '../../activities/derivatives.ts';
import { conText, groupDesign, matText } from '../../activities/export/design.ts';
import { placeFolder } from '../../activities/export/folder.ts';
import { exportStudy } from '../../activities/export/index.ts';
import { csv, spssReader, wideTable } from '../../activities/export/tables.ts';
import { changeOutput, sessionOutputs } from '../../activities/outputs.ts';
import { hashFile, type StepRecord } from '../../activities/store.ts';
import { PROFILES } from '../../config/profiles.ts';
import type { Study } from '../../config/study.ts';
import { gridFromAffine } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import { writeStack } from '../../imaging/nifti-stack.ts';

const GRID = gridFromAffine(
  [3, 4, 5],
  Float64Array.of(-2, 0, 0, 90, 0, 2, 0, -126, 0, 0, 2, -72, 0, 0, 0, 1),
);
const VOXELS = 60;
const SUBJECTS = ['sub-01', 'sub-02', 'sub-03'];
const GROUPS = ['drug', 'placebo', 'drug'];

let root: string;
let study: Study;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'delta-md export '));
  const bids = join(root, 'bids');
  study = {
    study: 'trial',
    bids,
    output: join(bids, 'derivatives', 'delta-md'),
    sessions: [
      { role: 'baseline', label: 'pre' },
      { role: 'followup', label: 'post' },
    ],
    participants: {
      file: join(bids, 'participants.tsv'),
      id: 'participant_id',
      group: { column: 'arm', reference: 'placebo', treatment: 'drug' },
    },
    profile: PROFILES.toolkit,
    template: join(root, 'template.nii.gz'),
    rois: { image: join(root, 'rois.nii.gz'), labels: [], minimumCoverage: 0.5 },
    runtime: { kind: 'process' },
  } as unknown as Study;
  await mkdir(bids, { recursive: true });
  await writeImage(study.template, { grid: GRID, volumes: 1, data: new Float32Array(VOXELS) });
  await writeFile(join(bids, 'dataset_description.json'), '{"Name":"A trial","License":"CC0"}');
  await writeFile(
    study.participants!.file,
    'participant_id\tarm\tage\tsex\tnote\nsub-01\tdrug\t20\tF\ta, "b"\nsub-02\tplacebo\t30\tM\tn/a\nsub-03\tdrug\t40\tF\tc\n',
  );
  const put = async (path: string, data: Float32Array) => {
    await mkdir(dirname(path), { recursive: true });
    await writeImage(path, { grid: GRID, volumes: 1, data });
  };
  for (const [s, subject] of SUBJECTS.entries()) {
    for (const [t, session] of ['pre', 'post'].entries()) {
      const at = sessionOutputs(study, subject, session);
      await put(at.mdInTemplate, mapOf(s, t));
      // Subject s lacks voxel s, and everyone voxel 10 at follow-up.
      const mask = new Float32Array(VOXELS).fill(1);
      mask[s] = 0;
      if (t === 1) mask[10] = 0;
      await put(at.maskInTemplate, mask);
    }
    await put(changeOutput(study, subject), mapOf(s, 2));
    await writeJsonInto(join(study.output, 'logs', `${subject}_steps.json`), [stepOf(subject)]);
  }
  const rows = SUBJECTS.flatMap((participant_id, s) =>
    ['ses-pre', 'ses-post'].map((session, t) => ({
      participant_id,
      session,
      roi: 'left-1',
      md: 0.0007 + s * 1e-5 + t * 1e-6,
      voxels: 12,
      coverage: s === 1 && t === 1 ? 0.2 : 1,
      flagged: s === 1 && t === 1,
    })),
  );
  await writeInto(join(study.output, 'group_roi_md.tsv'), tsv(Object.keys(rows[0]), rows));
  const changes = SUBJECTS.map((participant_id, s) => ({
    participant_id,
    roi: 'left-1',
    md_baseline: 0.0007 + s * 1e-5,
    md_followup: s === 1 ? null : 0.000701 + s * 1e-5,
    dmd: s === 1 ? null : -1e-6,
  }));
  await writeInto(join(study.output, 'group_dmd.tsv'), tsv(Object.keys(changes[0]), changes));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const mapOf = (subject: number, kind: number) =>
  Float32Array.from({ length: VOXELS }, (_, i) => 1e-3 * (1 + kind) + 1e-5 * subject + 1e-7 * i);

const stepOf = (subject: string): StepRecord => ({
  key: `key-${subject}`,
  step: 'dtifit',
  argv: ['dtifit', '-k', 'in/data.nii.gz'],
  tool: { digest: 'sha256:abc', version: 'FSL 6.0.7' },
  runtime: 'process',
  inputs: { 'in/data.nii.gz': { path: `/scans/${subject}.nii.gz`, sha256: `scan-${subject}` } },
  outputs: { md: { file: 'dti_MD.nii.gz', sha256: `md-${subject}`, bytes: 1 } },
  host: 'node7',
  started: '2026-01-02T03:04:05.000Z',
  seconds: 61.5,
  exitCode: 0,
});

const ALL = { maps: true, tables: true, crate: true };
const options = (to: string) => ({ to, parts: ALL, covariates: ['age', 'sex'], spm: true, force: false });

describe('an export', () => {
  let to: string;
  beforeAll(async () => {
    to = join(root, 'export');
    await exportStudy(study, SUBJECTS, options(to), '1.2.3');
  });

  it('stacks a volume per subject, in order, on the grid of the template', async () => {
    expect(await readFile(join(to, 'maps', 'subjects.txt'), 'utf8')).toBe('sub-01\nsub-02\nsub-03\n');
    for (const [kind, name] of ['md_ses-pre', 'md_ses-post', 'dmd'].entries()) {
      const { grid, volumes, data } = await readImage(join(to, 'maps', `${name}.nii.gz`));
      expect(volumes).toBe(3);
      expect(grid).toEqual(GRID);
      for (const s of SUBJECTS.keys())
        expect(data.slice(s * VOXELS, (s + 1) * VOXELS)).toEqual(mapOf(s, kind));
      const list = (await readFile(join(to, 'maps', 'spm', `${name}.txt`), 'utf8')).trim().split('\n');
      for (const [s, line] of list.entries()) {
        const [path, volume] = line.split(',');
        expect(volume).toBe('1');
        expect((await readImage(join(to, 'maps', 'spm', path))).data).toEqual(mapOf(s, kind));
      }
    }
    const mask = (await readImage(join(to, 'maps', 'mask.nii.gz'))).data;
    expect([...mask.keys()].filter((i) => mask[i] === 0)).toEqual([0, 1, 2, 10]);
  });

  it('has a design of its subjects', async () => {
    const lines = (await readFile(join(to, 'maps', 'design.mat'), 'utf8')).split('\n');
    expect(lines.slice(0, 2)).toEqual(['/NumWaves\t4', '/NumPoints\t3']);
    const matrix = lines.slice(lines.indexOf('/Matrix') + 1, -1).map((line) => line.split('\t').map(Number));
    // placebo, drug, age and sex M less their means of 30 and 1/3; six digits are written.
    const expected = [
      [0, 1, -10, -1 / 3],
      [1, 0, 0, 2 / 3],
      [0, 1, 10, -1 / 3],
    ];
    for (const [i, row] of expected.entries())
      for (const [c, value] of row.entries()) expect(matrix[i][c]).toBeCloseTo(value, 6);
  });

  it('has tables with flagged values empty where the statistics leave them out', async () => {
    const read = async (name: string) =>
      (await readFile(join(to, 'tables', name), 'utf8')).trim().split('\n');
    const wide = await read('roi_wide.csv');
    expect(wide[0]).toBe('participant_id,group,age,sex,note,md_pre_left_1,md_post_left_1,dmd_left_1');
    expect(wide[1]).toBe('sub-01,drug,20,F,"a, ""b""",0.0007,0.000701,-0.000001');
    expect(wide[2]).toBe('sub-02,placebo,30,M,,0.00071,,');
    const long = await read('roi_md_long.csv');
    expect(long).toHaveLength(1 + 6);
    expect(long[4]).toBe('sub-02,placebo,ses-post,left-1,0.000711,12,0.2,1');
    const codebook = await read('codebook.csv');
    for (const name of ['roi_wide', 'roi_md_long', 'roi_dmd_long'])
      for (const column of (await read(`${name}.csv`))[0].split(','))
        expect(codebook.some((line) => line.startsWith(`${name}.csv,${column},`))).toBe(true);
  });

  it('is an RO-Crate 1.1 that lists every file with its content', async () => {
    const crate = JSON.parse(await readFile(join(to, 'ro-crate-metadata.json'), 'utf8'));
    const by = new Map<string, Record<string, unknown>>(
      crate['@graph'].map((entity: Record<string, unknown>) => [entity['@id'], entity]),
    );
    expect(crate['@context'][0]).toBe('https://w3id.org/ro/crate/1.1/context');
    expect(by.get('ro-crate-metadata.json')).toMatchObject({
      '@type': 'CreativeWork',
      conformsTo: { '@id': 'https://w3id.org/ro/crate/1.1' },
      about: { '@id': './' },
    });
    const dataset = by.get('./')!;
    expect(dataset).toMatchObject({ '@type': 'Dataset', license: 'CC0' });
    for (const field of ['name', 'description']) expect(dataset[field]).toBeTypeOf('string');
    expect(Date.parse(dataset['datePublished'] as string)).toBeGreaterThan(Date.parse('2020'));
    const parts = (dataset['hasPart'] as { '@id': string }[]).map((part) => part['@id']);
    const written = (await readdir(to, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(to.length + 1))
      .filter((name) => name !== 'ro-crate-metadata.json' && name !== 'export.json');
    expect(parts.toSorted()).toEqual(written.toSorted());
    for (const part of parts) {
      const path = join(to, decodeURI(part));
      expect(by.get(part), part).toMatchObject({
        '@type': 'File',
        sha256: await hashFile(path),
        contentSize: String((await stat(path)).size),
      });
    }
    // Whatever is referred to is there.
    const refs = JSON.stringify(crate['@graph']).matchAll(/\{"@id":"([^"]+)"\}/g);
    for (const [, id] of refs) if (!id.startsWith('https:')) expect(by.has(id), id).toBe(true);
    expect(by.get('#tool-1')).toMatchObject({
      name: 'dtifit',
      version: 'FSL 6.0.7',
      identifier: 'sha256:abc',
    });
    expect(by.get('#delta-md')).toMatchObject({ version: '1.2.3' });
  });

  it('tells every step, and from which files each exported one was made', async () => {
    const prov = JSON.parse(await readFile(join(to, 'prov.jsonld'), 'utf8'));
    const by = new Map<string, Record<string, unknown>>(
      prov['@graph'].map((node: Record<string, unknown>) => [node['@id'], node]),
    );
    expect(by.get('#step-key-sub-02')).toMatchObject({
      '@type': 'Activity',
      command: 'dtifit -k in/data.nii.gz',
      host: 'node7',
      startedAtTime: '2026-01-02T03:04:05.000Z',
      endedAtTime: '2026-01-02T03:05:06.500Z',
      used: ['hash://sha256/scan-sub-02'],
    });
    expect(by.get('hash://sha256/md-sub-02')).toMatchObject({ wasGeneratedBy: '#step-key-sub-02' });
    const stack = await hashFile(join(to, 'maps', 'dmd.nii.gz'));
    const maps = await Promise.all(SUBJECTS.map((subject) => hashFile(changeOutput(study, subject))));
    expect(by.get(`hash://sha256/${stack}`)).toMatchObject({
      label: 'maps/dmd.nii.gz',
      wasDerivedFrom: maps.map((sha256) => `hash://sha256/${sha256}`),
    });
  });

  it.skipIf(!hasR())('read.R reads it (needs R)', () => {
    const script =
      'source("read.R"); cat(levels(roi_wide$group), nrow(roi_md_long), roi_wide$dmd_left_1, roi_wide$note[1])';
    const said = execFileSync('Rscript', ['-e', script], { cwd: join(to, 'tables'), encoding: 'utf8' });
    expect(said).toBe('placebo drug 6 -1e-06 NA -1e-06 a, "b"');
  });

  it('leaves nothing where it fails, and names what is missing', async () => {
    const gone = join(root, 'gone');
    await expect(
      exportStudy(study, [...SUBJECTS.slice(0, 2), 'sub-04'], { ...options(gone), covariates: [] }, '1'),
    ).rejects.toThrow('no group for sub-04');
    const other = { ...study, participants: undefined };
    await expect(
      exportStudy(other, ['sub-01', 'sub-04'], { ...options(gone), covariates: [] }, '1'),
    ).rejects.toThrow(/sub-04.*no such file/);
    await expect(
      exportStudy(study, SUBJECTS, { ...options(gone), covariates: ['weight'] }, '1'),
    ).rejects.toMatchObject({ failure: { remedy: 'Its columns: age, sex, note' } });
    expect((await readdir(root)).filter((name) => name.includes('gone'))).toEqual([]);
  });
});

function hasR(): boolean {
  try {
    execFileSync('Rscript', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a folder placed whole', () => {
  it('replaces only one of its kind, and only when told to', async () => {
    const folder = join(root, 'placed');
    const place = (force: boolean, text: string) =>
      placeFolder(folder, 'marker', force, (aside) => writeFile(join(aside, 'marker'), text));
    const held = () => readFile(join(folder, 'marker'), 'utf8');
    await place(false, 'one');
    await expect(place(false, 'two')).rejects.toThrow('holds an export already');
    await place(true, 'two');
    expect(await held()).toBe('two');
    const fails = placeFolder(folder, 'marker', true, () => Promise.reject(new Error('disk full')));
    await expect(fails).rejects.toThrow('disk full');
    expect(await held()).toBe('two');
    await rm(join(folder, 'marker'));
    await writeFile(join(folder, 'thesis.doc'), '');
    await expect(place(true, 'three')).rejects.toThrow('holds other files');
    expect((await readdir(root)).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('a stack', () => {
  it('asks for a volume only when the one before has been taken', async () => {
    // Enough data that the stream's own buffers cannot hold it: 40 volumes of 1 MiB.
    const grid = gridFromAffine(
      [64, 64, 64],
      Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1),
    );
    const path = join(root, 'stack.nii');
    let most = 0;
    async function* volumes() {
      for (let t = 0; t < 40; t++) {
        const written = (await stat(path).catch(() => ({ size: 0 }))).size / 2 ** 20;
        most = Math.max(most, t - written);
        yield new Float32Array(64 ** 3).fill(t);
      }
    }
    await writeStack(path, grid, 40, volumes());
    // A few wait in the stages of the pipeline: never all.
    expect(most).toBeLessThan(10);
    const { data } = await readImage(path);
    for (let t = 0; t < 40; t++) expect(data[t * 64 ** 3 + 5]).toBe(t);
  });

  it('refuses volumes of another size, and a wrong number of them', async () => {
    async function* volumes(...sizes: number[]) {
      for (const size of sizes) yield new Float32Array(size);
    }
    const path = join(root, 'wrong.nii.gz');
    await expect(writeStack(path, GRID, 2, volumes(60, 59))).rejects.toThrow('volume 1 has 59 voxels');
    await expect(writeStack(path, GRID, 2, volumes(60))).rejects.toThrow('1 volumes where 2 are due');
  });
});

describe('a design', () => {
  it('of one group is its mean', () => {
    const design = groupDesign(SUBJECTS, undefined);
    expect(matText(design)).toBe(
      '/NumWaves\t1\n/NumPoints\t3\n/PPheights\t1.000000e+0\n\n/Matrix\n1.000000e+0\n1.000000e+0\n1.000000e+0\n',
    );
    expect(design.contrasts.map(({ name }) => name)).toEqual(['mean > 0', 'mean < 0']);
  });

  it('of two compares them both ways; the difference of means is what its contrast estimates', () => {
    const groups = { reference: 'placebo', treatment: 'drug', of: GROUPS };
    const design = groupDesign(SUBJECTS, groups, [{ name: 'age', values: ['20', '30', '40'] }]);
    const text = conText(design);
    expect(text).toContain('/ContrastName1\tplacebo > drug\n/ContrastName2\tdrug > placebo\n');
    expect(text).toContain('/NumWaves\t3\n/NumContrasts\t8\n');
    expect(design.contrasts[0].weights).toEqual([1, -1, 0]);
    expect(design.contrasts.at(-1)).toEqual({ name: 'age < 0', weights: [0, 0, -1] });
  });

  it('refuses covariates that are missing for someone or do not vary', () => {
    const of = (values: (string | null)[]) => () =>
      groupDesign(SUBJECTS, undefined, [{ name: 'age', values }]);
    expect(of(['1', null, '3'])).toThrow('age is missing for sub-02');
    expect(of(['1', '1', '1'])).toThrow('age is 1 for everyone');
  });
});

describe('tables', () => {
  it('names are SPSS’s and unique to it', () => {
    const md = ['A-b', 'a_B'].map((roi) => ({
      subject: 'sub-01',
      session: 'ses-1',
      roi,
      md: 1,
      voxels: 1,
      coverage: 1,
      flagged: false,
    }));
    const table = wideTable([{ subject: 'sub-01', group: 'x', others: { '24h score': '1' } }], md, []);
    expect(table.variables.map(({ name }) => name)).toEqual([
      'participant_id',
      'group',
      'v24h_score',
      'md_1_A_b',
      'md_1_a_B_2',
    ]);
    expect(Object.values(table.rows[0])).toEqual(['sub-01', 'x', '1', 1, 1]);
    const syntax = spssReader([table]);
    expect(syntax).toContain('  participant_id A8\n  group A8\n  v24h_score F16.8\n');
    expect(csv(['a'], [{ a: 'x\ny' }])).toBe('a\n"x\ny"\n');
  });
});
