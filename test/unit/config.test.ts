import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initStudy } from '../../activities/bids/init.ts';
import { guessOutcomes, guessSessions } from '../../config/init.ts';
import { loadStudy } from '../../config/load.ts';
import { readParticipants } from '../../config/participants.ts';
import type { Problem } from '../../config/problems.ts';
import { type JsonSchema, studyJsonSchema } from '../../config/schema.ts';
import type { WrittenStudy } from '../../config/study.ts';

let root: string;
let n = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'delta-md config ü '));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

const PARTICIPANTS = [
  'participant_id\tgroup\tage\tsex\tmadrs_baseline\tmadrs_24h\tqids_delta',
  'sub-01\tketamine\t41\tF\t30\t12\t-3',
  '02\tvehicle\t38\tM\t28\tn/a\t1.5',
].join('\n');

/** A study folder of its own: files by relative path. A trailing slash makes a folder. */
async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = join(root, `study ${n++}`);
  const all: Record<string, string> = {
    'bids/sub-01/ses-baseline/dwi/': '',
    'bids/sub-02/ses-24h/dwi/': '',
    'bids/participants.tsv': PARTICIPANTS,
    'template/fa.nii.gz': 'x',
    'rois.nii.gz': 'x',
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    const full = join(folder, path);
    await mkdir(path.endsWith('/') ? full : dirname(full), { recursive: true });
    if (!path.endsWith('/')) await writeFile(full, text);
  }
  return folder;
}

const MINIMAL = `study: ketamine
bids: ./bids
sessions: { baseline: baseline, followup: 24h }
template: ./template/fa.nii.gz
rois: { image: ./rois.nii.gz, labels: { 2: rBA10, 1: lBA10 } }
`;

const TRIAL = `${MINIMAL}participants:
  group: { column: group, reference: vehicle, treatment: ketamine }
statistics:
  outcomes:
    - { name: MADRS, baseline: madrs_baseline, followup: madrs_24h }
    - { name: QIDS, change: qids_delta }
  covariates: [age, sex]
`;

async function load(text: string, files: Record<string, string> = {}) {
  const folder = await folderWith({ 'study.yaml': text, ...files });
  return { folder, result: await loadStudy(join(folder, 'study.yaml')) };
}

async function loaded(text: string, files: Record<string, string> = {}): Promise<WrittenStudy> {
  const { result } = await load(text, files);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 1));
  return result.study;
}

async function problemsOf(text: string, files: Record<string, string> = {}): Promise<Problem[]> {
  const { result } = await load(text, files);
  return result.ok ? [] : result.problems;
}

/** Place of the first `part` in a text, 1-based, as an editor counts. */
function placeOf(text: string, part: string): { line: number; column: number } {
  const before = text.slice(0, text.indexOf(part)).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

describe('a good study file', () => {
  it('needs only five settings; the rest are defaults, and paths become absolute', async () => {
    const { folder, result } = await load(MINIMAL);
    expect(result).toMatchObject({ ok: true });
    const { study } = result as { study: WrittenStudy };
    expect(study).toMatchObject({
      bids: join(folder, 'bids'),
      output: join(folder, 'bids', 'derivatives', 'delta-md'),
      work: join(folder, 'work'),
      template: join(folder, 'template', 'fa.nii.gz'),
      sessions: [
        { role: 'baseline', label: 'baseline' },
        { role: 'followup', label: '24h' },
      ],
      rois: {
        minimumCoverage: 0.5,
        labels: [
          { index: 1, name: 'lBA10' },
          { index: 2, name: 'rBA10' },
        ],
      },
      runtime: { kind: 'process' },
      resources: { cpus: 2, memoryMiB: 4096, memoryLimitMiB: 16384, timeFactor: 1 },
      retries: { tool: 1 },
      profile: { name: 'toolkit', motion: 'estimate' },
    });
    expect(study.participants).toBeUndefined();
    expect(study.statistics).toBeUndefined();
    // It travels as a Temporal payload: nothing may be lost in JSON.
    expect(JSON.parse(JSON.stringify(study))).toEqual(study);
  });

  it('keeps labels that look like numbers as they are written', async () => {
    const text = MINIMAL.replace('{ baseline: baseline, followup: 24h }', '{ baseline: 01, followup: 2 }');
    const files = { 'bids/sub-01/ses-01/dwi/': '', 'bids/sub-01/ses-2/dwi/': '' };
    expect((await loaded(text, files)).sessions.map((s) => s.label)).toEqual(['01', '2']);
  });

  it('represents one session, with and without a label', async () => {
    const only = await loaded(MINIMAL.replace('{ baseline: baseline, followup: 24h }', '{ only: baseline }'));
    expect(only.sessions).toEqual([{ role: 'only', label: 'baseline' }]);
    const none = await loaded(MINIMAL.replace('{ baseline: baseline, followup: 24h }', 'none'));
    expect(none.sessions).toEqual([{ role: 'only', label: null }]);
  });

  it('says where containers are, and which folders they may be given files from', async () => {
    const withRuntime = (runtime: string, files = {}) => loaded(`${MINIMAL}runtime: ${runtime}\n`, files);
    const image = 'x@sha256:0123';
    const podman = await withRuntime(
      `{ kind: podman, image: "${image}", socket: ./p.sock, fslDir: /opt/fsl, gpu: true, roots: [./archive] }`,
      { 'archive/a.txt': '' },
    );
    const folder = join(podman.file, '..');
    const roots = ['bids', 'work', 'template/fa.nii.gz'].map((name) => join(folder, name));
    expect(podman.runtime).toEqual({
      kind: 'podman',
      image,
      socket: join(folder, 'p.sock'),
      fslDir: '/opt/fsl',
      gpu: true,
      roots: [...roots, join(folder, 'archive')],
    });
    const apptainer = await withRuntime('{ kind: apptainer, image: ./fsl.sif }', { 'fsl.sif': '' });
    expect(apptainer.runtime).toMatchObject({
      kind: 'apptainer',
      image: join(apptainer.file, '..', 'fsl.sif'),
    });
    const [gone] = await problemsOf(
      `${MINIMAL}runtime: { kind: apptainer, image: ./gone.sif, roots: [./no] }\n`,
    );
    expect(gone).toMatchObject({
      path: 'runtime.image',
      message: expect.stringContaining('there is no file'),
    });
  });

  it('reads region names from a table, without the background', async () => {
    const text = MINIMAL.replace('{ 2: rBA10, 1: lBA10 }', './rois.tsv');
    const study = await loaded(text, { 'rois.tsv': 'index\tname\n0\tBackground\n7\tvACC\n3\tlAmygdala\n' });
    expect(study.rois.labels).toEqual([
      { index: 3, name: 'lAmygdala' },
      { index: 7, name: 'vACC' },
    ]);
  });
});

describe('problems', () => {
  it('are told all at once, each at its place, with what to write instead', async () => {
    const text = `study: keta mine
bids: ./bids
sesions: none
sessions: { baseline: baseline, followup: 24hours }
acquisition: { AP: { phaseEncodingDirection: y, totalReadoutTime: 50 } }
profil: toolkit
profile: toolkitt
template: ./template/fa.nii
rois: { image: ./nowhere.nii.gz }
runtime: { kind: docker }
resources: { cpus: two }
exclude: { sub-1: typo }
statistics: { outcomes: [ { name: MADRS, baseline: a } ] }
`;
    const problems = await problemsOf(text);
    const at = (path: string) => problems.filter((p) => p.path === path);
    const expectAt = (path: string, part: string, remedy: RegExp, message = /./) => {
      expect(at(path), path).toHaveLength(1);
      expect(at(path)[0], path).toMatchObject(placeOf(text, part));
      expect(at(path)[0].remedy, path).toMatch(remedy);
      expect(at(path)[0].message, path).toMatch(message);
    };
    expectAt('study', 'keta mine', /letters, digits/);
    expectAt('sesions', 'sesions', /Did you mean "sessions"\?/);
    expectAt('sessions.followup', '24hours', /24h/);
    expectAt('acquisition.AP.phaseEncodingDirection', 'y,', /i, i-, j or j-/);
    expectAt('acquisition.AP.totalReadoutTime', '50', /seconds/, /at most 0.2/);
    expectAt('profil', 'profil', /Did you mean "profile"\?/);
    expectAt('profile', 'toolkitt', /Did you mean "toolkit"\?/);
    expectAt('template', './template/fa.nii', /Did you mean "fa.nii.gz"\?/);
    expectAt('rois.image', './nowhere', /relative paths/, /there is no file/);
    expectAt('rois.labels', 'rois', /index and name/, /missing/);
    expectAt('runtime.image', 'runtime', /delta-md-toolkit/, /missing/);
    expectAt('resources.cpus', 'two', /cores/, /whole number|number/);
    expectAt('exclude.sub-1', 'sub-1', /Did you mean "sub-0[12]"\?/);
    expectAt('statistics.outcomes[0]', '{ name: MADRS', /./, /either the columns baseline and followup/);
    expectAt('statistics', '{ outcomes', /./, /needs participants/);
    expect(problems).toHaveLength(15);
    expect(problems.map((p) => p.line)).toEqual(problems.map((p) => p.line).sort((a, b) => a - b));
  });

  it('of syntax point at the line', async () => {
    const [problem] = await problemsOf('study: a\nbids: [./bids\ntemplate: x\n');
    expect(problem.line).toBeGreaterThanOrEqual(2);
    expect(problem.remedy).toMatch(/YAML/);
    expect(await problemsOf('study: *name\n')).toMatchObject([
      { line: 1, message: expect.stringMatching(/alias/) },
    ]);
    const [twice] = await problemsOf(`${MINIMAL}study: again\n`);
    expect(twice).toMatchObject({ line: 6, message: expect.stringMatching(/unique/) });
  });

  it('of a file that is not there or empty are problems too, not exceptions', async () => {
    expect(await loadStudy(join(root, 'no.yaml'))).toMatchObject({ ok: false, problems: [{ line: 1 }] });
    const missing = (await problemsOf('')).map((p) => p.path);
    expect(missing).toEqual(['study', 'bids', 'sessions', 'template', 'rois']);
    expect(await problemsOf('- a\n- b\n')).toMatchObject([{ path: '', line: 1 }]);
  });

  it('of sessions name the sessions there are, and datasets without any', async () => {
    const wrong = MINIMAL.replace('24h }', 'ses-24h }');
    // The dash is refused by form, and by the disk with the better remedy.
    expect((await problemsOf(wrong)).map((p) => p.remedy).join()).toMatch(/without ses-: 24h/);
    const none = await problemsOf(
      MINIMAL.replace(/sessions.*/, 'sessions: { only: day1 }').replace('./bids', './flat'),
      {
        'flat/sub-01/dwi/': '',
      },
    );
    expect(none).toMatchObject([{ path: 'sessions.only', remedy: expect.stringMatching(/sessions: none/) }]);
    const both = await problemsOf(MINIMAL.replace('24h }', '24h, only: 24h }'));
    expect(both).toMatchObject([{ path: 'sessions', message: expect.stringMatching(/"only" beside/) }]);
    const same = await problemsOf(MINIMAL.replace('followup: 24h', 'followup: baseline'));
    expect(same).toMatchObject([{ message: expect.stringMatching(/same session/) }]);
  });

  it('of a table of regions carry its file and line', async () => {
    const text = MINIMAL.replace('{ 2: rBA10, 1: lBA10 }', './rois.tsv');
    const problems = await problemsOf(text, { 'rois.tsv': 'index\tname\n1\tlBA10\nx\trBA10\n1\tvACC\n' });
    expect(problems.map((p) => [p.file.endsWith('rois.tsv'), p.line])).toEqual([
      [true, 3],
      [true, 4],
    ]);
  });
});

describe('participants', () => {
  it('are read with groups and scores; missing values are null', async () => {
    expect(await readParticipants(await loaded(TRIAL))).toEqual([
      {
        subject: 'sub-01',
        group: 'ketamine',
        values: { age: 41, sex: 'F', madrs_baseline: 30, madrs_24h: 12, qids_delta: -3 },
      },
      {
        subject: 'sub-02',
        group: 'vehicle',
        values: { age: 38, sex: 'M', madrs_baseline: 28, madrs_24h: null, qids_delta: 1.5 },
      },
    ]);
    expect(await readParticipants(await loaded(MINIMAL))).toEqual([]);
  });

  it('columns that do not exist are problems of the study file, with the nearest name', async () => {
    const text = TRIAL.replace('madrs_24h', 'madrs_24').replace('column: group', 'column: grup');
    const problems = await problemsOf(text);
    expect(problems).toMatchObject([
      { path: 'participants.group.column', ...placeOf(text, 'grup'), remedy: 'Did you mean "group"?' },
      {
        path: 'statistics.outcomes[0].followup',
        ...placeOf(text, 'madrs_24 '),
        remedy: 'Did you mean "madrs_24h"?',
      },
    ]);
  });

  it('a subject twice, an unknown group, a score in words, a short line: each by its line', async () => {
    const table = `${PARTICIPANTS}\nsub-01\tvehicle\t1\tF\t1\t1\t1\nsub-03\tvehicel\t50\tM\thigh\t2\t1\nsub-04\tvehicle\n`;
    const problems = await problemsOf(TRIAL, { 'bids/participants.tsv': table });
    expect(problems).toMatchObject([{ line: 6, message: expect.stringMatching(/2 values for 7 columns/) }]);
    const rest = await problemsOf(TRIAL, { 'bids/participants.tsv': table.replace('sub-04\tvehicle\n', '') });
    expect(rest.map((p) => [p.line, p.message.replace(/^.*line \d+: /, '')])).toEqual([
      [4, 'sub-01 is already in line 2'],
      [5, 'sub-03 has the group "vehicel", which is neither "vehicle" nor "ketamine"'],
      [5, 'sub-03 has "high" for madrs_baseline'],
    ]);
    expect(rest[1].remedy).toBe('Did you mean "vehicle"?');
  });

  it('of excluded subjects are not judged; readParticipants throws what validation tells', async () => {
    const table = `${PARTICIPANTS}\nsub-03\tother\t50\tM\thigh\t2\t1\n`;
    const files = { 'bids/participants.tsv': table, 'bids/sub-03/': '' };
    const study = await loaded(`${TRIAL}exclude: { sub-03: third arm }\n`, files);
    expect(await readParticipants(study)).toHaveLength(3);
    await expect(readParticipants({ ...study, exclude: {} })).rejects.toMatchObject({
      failure: { code: 'CONFIG_INVALID', message: expect.stringMatching(/"other".*"high"/) },
    });
  });
});

describe('the schema for editors', () => {
  it('documents every setting', () => {
    const undocumented: string[] = [];
    const walk = (schema: JsonSchema, path: string) => {
      for (const [key, child] of Object.entries(schema.properties ?? {})) {
        if (child.description === undefined && child['const'] === undefined)
          undocumented.push(`${path}.${key}`);
        walk(child, `${path}.${key}`);
      }
      for (const child of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) walk(child, path);
      if (schema.items) walk(schema.items, `${path}[]`);
      if (typeof schema.additionalProperties === 'object') walk(schema.additionalProperties, `${path}.*`);
    };
    const schema = studyJsonSchema();
    walk(schema, '');
    expect(undocumented).toEqual([]);
    expect(schema['required']).toEqual(['study', 'bids', 'sessions', 'template', 'rois']);
    expect(schema.additionalProperties).toBe(false);
  });
});

describe('init', () => {
  it('guesses sessions by name, else by natural order', () => {
    expect(guessSessions(['24h', 'baseline'])).toEqual({ baseline: 'baseline', followup: '24h' });
    expect(guessSessions(['post', 'pre'])).toEqual({ baseline: 'pre', followup: 'post' });
    expect(guessSessions(['10', '9'])).toEqual({ baseline: '9', followup: '10' });
    expect(guessSessions([])).toEqual({});
  });

  it('guesses score pairs from numeric columns only', () => {
    const column = (name: string, ...values: string[]) => ({ name, values });
    const columns = [
      column('madrs_baseline', '30'),
      column('madrs_24h', '12'),
      column('qids_pre', '3'),
      column('qids_day1', '3'),
      column('note_baseline', 'calm'),
      column('note_24h', 'calm'),
      column('age', '3'),
      column('bdi_baseline', '1'),
      column('bdi_V2', '1'),
    ];
    expect(guessOutcomes(columns, 'V2').map((o) => [o.name, o.followup])).toEqual([
      ['MADRS', 'madrs_24h'],
      ['QIDS', 'qids_day1'],
      ['BDI', 'bdi_V2'],
    ]);
  });

  it('writes a file that loads once its TODO lines are filled in', async () => {
    const sidecar = JSON.stringify({ PhaseEncodingAxis: 'j', TotalReadoutTime: 0.04 });
    const files: Record<string, string> = {
      'bids/dataset_description.json': '{"Name": "Ketamine & MD: 2020"}',
    };
    for (const session of ['baseline', '24h'])
      for (const dir of ['AP', 'PA']) {
        const stem = `bids/sub-01/ses-${session}/dwi/sub-01_ses-${session}_dir-${dir}_dwi`;
        files[`${stem}.nii.gz`] = '';
        files[`${stem}.json`] = sidecar;
      }
    const folder = await folderWith(files);
    const text = await initStudy(join(folder, 'bids'), folder);
    expect(text).toContain('bids: ./bids\n');
    expect(text).toMatch(
      /# acquisition:\n#\s+AP: \{ phaseEncodingDirection: j- \} .*2 sidecars.*\n#\s+PA: \{ phaseEncodingDirection: j \}/,
    );
    await writeFile(join(folder, 'study.yaml'), text);
    const result = await loadStudy(join(folder, 'study.yaml'));
    // The placeholders happen to be the paths of this test's folder, so nothing is left to fill in.
    expect(result).toMatchObject({
      ok: true,
      study: {
        study: 'Ketamine-MD-2020',
        sessions: [{ label: 'baseline' }, { label: '24h' }],
        participants: { group: { column: 'group', reference: 'vehicle', treatment: 'ketamine' } },
        statistics: {
          outcomes: [{ name: 'MADRS', baseline: 'madrs_baseline', followup: 'madrs_24h' }],
          covariates: ['age'],
          winsorize: 'tukey',
        },
      },
    });
    await expect(initStudy(join(folder, 'template'))).rejects.toMatchObject({
      failure: { code: 'INPUT_MISSING' },
    });
  });
});
