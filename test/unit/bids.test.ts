import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { discoverCohort } from '../../activities/bids/cohort.ts';
import { readSidecars } from '../../activities/bids/files.ts';
import { directionLabel, parseName } from '../../activities/bids/names.ts';
import { polarityProblem, resolvePhase } from '../../activities/bids/phase.ts';
import { discoverSession } from '../../activities/bids/session.ts';
import { toFailure } from '../../activities/failures.ts';
import { PROFILES } from '../../config/profiles.ts';
import type { Study } from '../../config/study.ts';
import { ImagingError } from '../../imaging/errors.ts';
import { formatBvals, formatBvecs, readGradients } from '../../imaging/gradients.ts';
import { gridFromAffine } from '../../imaging/image.ts';
import { writeImage } from '../../imaging/nifti.ts';
import { eddyTexts, gradientTexts, type SessionInput, topupInput } from '../../pipeline/acquisition.ts';
import type { FailureCode } from '../../pipeline/failures.ts';

const SHARED = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
const withShared = describe.skipIf(!existsSync(SHARED));

let root: string;
let n = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'delta-md bids ñ '));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** A study over a BIDS folder; only what discovery looks at matters. */
function studyOf(bids: string, settings: Partial<Study> = {}): Study {
  return {
    study: 'test',
    file: join(bids, 'study.yaml'),
    bids,
    output: join(bids, 'derivatives'),
    work: join(bids, 'work'),
    sessions: [
      { role: 'baseline', label: '1' },
      { role: 'followup', label: '2' },
    ],
    select: {},
    acquisition: {},
    exclude: {},
    profile: PROFILES.toolkit,
    template: '',
    rois: { image: '', labels: [], minimumCoverage: 0.5 },
    runtime: { kind: 'process' },
    resources: { cpus: 1, memoryMiB: 512, memoryLimitMiB: 512, subjectsAtOnce: 1, timeFactor: 1 },
    retries: { tool: 0 },
    arrivals: { everyMinutes: 15, settledMinutes: 5, followupWithinDays: 30 },
    qc: { thresholds: {}, outliers: { mad: 3.5 }, gate: 'none', exclude: 'automatic' },
    ...settings,
  };
}

interface SetOptions {
  bvals?: readonly number[];
  sidecar?: object | null;
  dims?: [number, number, number];
  /** mm added to the origin. */
  shift?: number;
  /** Applied to the voxels before writing. */
  spoil?: (data: Float32Array, perVolume: number) => void;
}

const BVALS = [0, 1000, 1000, 1000, 5, 1000, 1000, 1000];

/** Writes one series with its gradient table and sidecar; `stem` is relative to the BIDS folder. */
async function writeSet(bids: string, stem: string, options: SetOptions = {}): Promise<void> {
  const { bvals = BVALS, dims = [4, 4, 3], shift = 0 } = options;
  const path = join(bids, stem);
  await mkdir(dirname(path), { recursive: true });
  const affine = Float64Array.of(-2, 0, 0, 4 + shift, 0, 2, 0, -4, 0, 0, 2, 0, 0, 0, 0, 1);
  const perVolume = dims[0] * dims[1] * dims[2];
  const data = Float32Array.from({ length: perVolume * bvals.length }, (_, i) => 100 + ((i * 37) % 91));
  options.spoil?.(data, perVolume);
  await writeImage(`${path}.nii.gz`, { grid: gridFromAffine(dims, affine), volumes: bvals.length, data });
  if (!stem.endsWith('_epi')) {
    await writeFile(`${path}.bval`, formatBvals(bvals));
    const bvecs = Float64Array.from({ length: 3 * bvals.length }, (_, i) => (i % 3 === 0 ? 1 : 0));
    await writeFile(`${path}.bvec`, formatBvecs(bvecs));
  }
  const reversed = stem.includes('dir-PA');
  const sidecar =
    options.sidecar === undefined
      ? { PhaseEncodingDirection: reversed ? 'j' : 'j-', TotalReadoutTime: 0.05, EchoTime: 0.08 }
      : options.sidecar;
  if (sidecar) await writeFile(`${path}.json`, JSON.stringify(sidecar));
}

const AP = 'sub-01/ses-1/dwi/sub-01_ses-1_dir-AP_dwi';
const PA = 'sub-01/ses-1/dwi/sub-01_ses-1_dir-PA_dwi';

/** A dataset with one subject and its sets; undefined leaves a set out. */
async function dataset(ap: SetOptions | undefined = {}, pa: SetOptions | null = {}): Promise<string> {
  const bids = join(root, `data ${n++}`);
  await writeSet(bids, AP, ap);
  if (pa) await writeSet(bids, PA, pa);
  return bids;
}

async function failureOf(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (error === undefined) throw new Error('it did not fail');
  return toFailure(error);
}

async function expectFailure(
  bids: string,
  code: FailureCode,
  message: RegExp,
  settings: Partial<Study> = {},
  expected: string[] = [],
) {
  const failure = await failureOf(discoverSession(studyOf(bids, settings), 'sub-01', '1', expected));
  expect(failure).toMatchObject({ code, subject: 'sub-01', session: '1' });
  expect(failure.message).toMatch(message);
  return failure;
}

const discover = (bids: string, settings: Partial<Study> = {}): Promise<SessionInput> =>
  discoverSession(studyOf(bids, settings), 'sub-01', '1');

describe('names', () => {
  it('come apart into entities, suffix and extension', () => {
    expect(parseName('sub-01_ses-1_acq-b1000_dir-AP_run-2_dwi.nii.gz')).toMatchObject({
      entities: { sub: '01', ses: '1', acq: 'b1000', dir: 'AP', run: '2' },
      suffix: 'dwi',
      extension: '.nii.gz',
    });
    expect(parseName('participants.tsv')).toMatchObject({ entities: {}, suffix: 'participants' });
    expect(parseName('.bidsignore')).toBeUndefined();
    expect(parseName('notes_on_sub-01.txt')).toBeUndefined();
  });

  it('give the direction from dir-, else from an acq- that names one', () => {
    const dir = (name: string) => directionLabel(parseName(name)!);
    expect(dir('sub-01_acq-AP_dir-PA_dwi.nii')).toBe('PA');
    expect(dir('sub-01_acq-PA_dwi.nii')).toBe('PA');
    expect(dir('sub-01_acq-b1000AP_dwi.nii')).toBe('AP');
    expect(dir('sub-01_acq-MAP_dwi.nii')).toBeUndefined();
    expect(dir('sub-01_dwi.nii')).toBeUndefined();
  });
});

describe('a complete session', () => {
  it('is found with content hashes, directions, b0s and roles; spaces, letters and links do not matter', async () => {
    const bids = await dataset();
    const moved = join(root, 'elsewhere é');
    await rename(join(bids, 'sub-01'), moved);
    await symlink(moved, join(bids, 'sub-01'));
    const cohort = await discoverCohort(studyOf(bids, { sessions: [{ role: 'only', label: '1' }] }));
    expect(cohort).toEqual({ subjects: [{ subject: 'sub-01', sessions: ['1'] }], directions: ['AP', 'PA'] });
    const input = await discover(bids);
    expect(input.topup).toBe(true);
    expect(input.notes).toEqual([]);
    expect(input.sets).toHaveLength(2);
    expect(input.sets[0]).toMatchObject({
      dir: 'AP',
      phaseEncoding: 'j-',
      readoutSeconds: 0.05,
      readoutSource: 'TotalReadoutTime',
      volumes: 8,
      dims: [4, 4, 3],
      voxelSizes: [2, 2, 2],
      b0Volumes: [0, 4],
      role: 'dwi',
    });
    const { image } = input.sets[0];
    const bytes = await readFile(join(bids, `${AP}.nii.gz`));
    const digest = await crypto.subtle.digest('SHA-256', bytes);
    expect(image).toEqual({
      path: join(bids, `${AP}.nii.gz`),
      bytes: bytes.length,
      sha256: Buffer.from(digest).toString('hex'),
    });
    expect(JSON.parse(JSON.stringify(input))).toEqual(input);
  });

  it('inherits sidecars and gradient tables from the levels above; the nearest wins', async () => {
    const bids = await dataset({ sidecar: null }, { sidecar: { PhaseEncodingDirection: 'j' } });
    await writeFile(join(bids, 'dwi.json'), '{"TotalReadoutTime": 0.09, "PhaseEncodingDirection": "i"}');
    await writeFile(join(bids, 'dir-AP_dwi.json'), '{"PhaseEncodingDirection": "j-"}');
    await writeFile(join(bids, 'sub-01', 'sub-01_dwi.json'), '\uFEFF{"TotalReadoutTime": 0.04}');
    for (const kind of ['bval', 'bvec']) {
      await rename(join(bids, `${AP}.${kind}`), join(bids, `dwi.${kind}`));
      await rm(join(bids, `${PA}.${kind}`));
    }
    const { sets } = await discover(bids);
    expect(sets.map((s) => [s.phaseEncoding, s.readoutSeconds])).toEqual([
      ['j-', 0.04],
      ['j', 0.04],
    ]);
    expect(sets[1].bval?.path).toBe(join(bids, 'dwi.bval'));
    expect(sets[0].sidecars.map((s) => s.path.slice(bids.length + 1))).toEqual([
      'dwi.json',
      'dir-AP_dwi.json',
      join('sub-01', 'sub-01_dwi.json'),
    ]);
  });

  it('takes reversed b0s from fmap, all volumes as b0s, for topup only', async () => {
    const bids = await dataset({}, null);
    await writeSet(bids, 'sub-01/ses-1/fmap/sub-01_ses-1_dir-PA_epi', { bvals: [0, 0, 0] });
    const { sets, topup } = await discover(bids);
    expect(topup).toBe(true);
    expect(sets.map((s) => [s.role, s.b0Volumes])).toEqual([
      ['dwi', [0, 4]],
      ['fieldmap', [0, 1, 2]],
    ]);
    expect(sets[1].bval).toBeUndefined();
  });

  it('puts series for the tensor first, whatever their names: eddy and topup share the first b0', async () => {
    const { sets } = await discover(await dataset({ bvals: [0, 0] }, {}));
    expect(sets.map((s) => [s.dir, s.role])).toEqual([
      ['PA', 'dwi'],
      ['AP', 'fieldmap'],
    ]);
  });

  it('leaves out fieldmaps assigned to other images, by IntendedFor and by B0FieldIdentifier', async () => {
    const fmap = 'sub-01/ses-1/fmap/sub-01_ses-1_dir-PA_epi';
    const base = { PhaseEncodingDirection: 'j', TotalReadoutTime: 0.05 };
    const used = async (sidecar: object, ap: object = {}) => {
      const bids = await dataset({ sidecar: { ...base, PhaseEncodingDirection: 'j-', ...ap } }, null);
      await writeSet(bids, fmap, { bvals: [0], sidecar: { ...base, ...sidecar } });
      return (await discover(bids)).sets.length === 2;
    };
    const image = 'ses-1/dwi/sub-01_ses-1_dir-AP_dwi.nii.gz';
    expect(await used({ IntendedFor: ['ses-1/func/x_bold.nii.gz', `bids::sub-01/${image}`] })).toBe(true);
    expect(await used({ IntendedFor: image })).toBe(true);
    expect(await used({ IntendedFor: 'ses-1/func/sub-01_ses-1_bold.nii.gz' })).toBe(false);
    expect(await used({ B0FieldIdentifier: 'a' }, { B0FieldSource: ['a'] })).toBe(true);
    expect(await used({ B0FieldIdentifier: 'b' }, { B0FieldSource: 'a' })).toBe(false);
  });

  it('uses only the series the study file selects', async () => {
    const bids = await dataset();
    await writeSet(bids, 'sub-01/ses-1/dwi/sub-01_ses-1_acq-b2000_dir-AP_run-02_dwi');
    expect((await discover(bids)).sets).toHaveLength(3);
    const { sets } = await discover(bids, { select: { run: ['2'] } });
    expect(sets.map((s) => s.run)).toEqual(['02']);
    await expectFailure(bids, 'INPUT_MISSING', /study file selects/, { select: { acq: ['b700'] } });
  });

  it('without a reversed set goes on without topup, and says so', async () => {
    const { topup, notes } = await discover(await dataset({}, null));
    expect(topup).toMatchObject({ skippedBecause: expect.stringMatching(/all are j-/) });
    expect(notes.join()).toMatch(/distortion is not corrected/);
  });
});

describe('readout time and direction', () => {
  const PA_FULL = { PhaseEncodingDirection: 'j', TotalReadoutTime: 0.05 };
  const ask = (sidecar: object, acquisition: Study['acquisition'] = {}) =>
    resolvePhase(
      { image: 'x_dwi.nii.gz', sidecarPath: '/d/x_dwi.json', sidecar: { ...sidecar }, dir: 'PA' },
      acquisition,
    );
  const codeOf = async (work: () => unknown) => (await failureOf(Promise.resolve().then(work))).code;

  it('come from the best field there is, and the source is recorded', () => {
    const direction = { PhaseEncodingDirection: 'j' };
    const spacing = { EffectiveEchoSpacing: 0.0005, ReconMatrixPE: 101 };
    const estimate = { EstimatedTotalReadoutTime: 0.03 };
    expect(ask({ ...direction, TotalReadoutTime: 0.02, ...spacing, ...estimate })).toMatchObject({
      readoutSeconds: 0.02,
      readoutSource: 'TotalReadoutTime',
      notes: [],
    });
    // 100 gaps between 101 lines.
    expect(ask({ ...direction, ...spacing, ...estimate })).toMatchObject({
      readoutSeconds: 0.05,
      readoutSource: 'EffectiveEchoSpacing',
    });
    expect(ask({ ...direction, ...estimate }).notes).toEqual([
      expect.stringMatching(/EstimatedTotalReadoutTime/),
    ]);
    const given = ask(direction, { PA: { totalReadoutTime: 0.07, override: false } });
    expect(given).toMatchObject({ readoutSeconds: 0.07, readoutSource: 'study file' });
    expect(given.notes).toEqual([expect.stringMatching(/from the study file \(acquisition.PA\)/)]);
  });

  it('of the study file fill gaps by label, else by default', () => {
    const acquisition = {
      PA: { phaseEncodingDirection: 'j', override: false },
      default: { phaseEncodingDirection: 'i', totalReadoutTime: 0.06, override: false },
    } as const;
    expect(() => ask({}, acquisition)).toThrow(/TotalReadoutTime/);
    expect(ask({}, { default: acquisition.default })).toMatchObject({
      phaseEncoding: 'i',
      readoutSeconds: 0.06,
    });
  });

  it('unknown: the failure names file, field and remedy; the axis alone does not tell the polarity', async () => {
    const failure = await failureOf(
      Promise.resolve().then(() => ask({ PhaseEncodingAxis: 'j', TotalReadoutTime: 0.05 })),
    );
    expect(failure).toMatchObject({
      code: 'INPUT_INCOMPLETE',
      message: expect.stringMatching(/x_dwi.json has no PhaseEncodingDirection.*polarity/),
      remedy: expect.stringMatching(/phaseEncodingDirection in the study file under acquisition.PA/),
    });
    expect(await codeOf(() => ask({ PhaseEncodingDirection: 'j' }))).toBe('INPUT_INCOMPLETE');
    expect(await codeOf(() => ask({ ...PA_FULL, PhaseEncodingDirection: 'k' }))).toBe('INPUT_INCOMPLETE');
  });

  it('out of range is not believed', async () => {
    for (const TotalReadoutTime of [50, 0.0004, 0])
      expect(await codeOf(() => ask({ ...PA_FULL, TotalReadoutTime }))).toBe('INPUT_INCOMPLETE');
    expect(ask({ ...PA_FULL, TotalReadoutTime: 0.126134 }).readoutSeconds).toBe(0.126134);
  });

  it('study file against sidecar is an error, unless it says override', async () => {
    const entry = { phaseEncodingDirection: 'j-', totalReadoutTime: 0.0502 } as const;
    expect(await codeOf(() => ask(PA_FULL, { PA: { ...entry, override: false } }))).toBe('INPUT_CONTRADICTS');
    const overridden = ask(PA_FULL, { PA: { ...entry, override: true } });
    expect(overridden.phaseEncoding).toBe('j-');
    // 0.4 % apart: rounding, so the sidecar's value stays.
    expect(overridden).toMatchObject({ readoutSeconds: 0.05, readoutSource: 'TotalReadoutTime' });
    expect(overridden.notes).toEqual([expect.stringMatching(/overrides the sidecar's j\./)]);
    const milliseconds = ask(
      { ...PA_FULL, TotalReadoutTime: 50 },
      { PA: { totalReadoutTime: 0.05, override: true } },
    );
    expect(milliseconds.readoutSeconds).toBe(0.05);
  });

  it('names that contradict phase encodings are noticed', () => {
    const problem = (a: [string, 'i' | 'i-' | 'j' | 'j-'], b: [string, 'i' | 'i-' | 'j' | 'j-']) =>
      polarityProblem([a, b].map(([dir, phaseEncoding]) => ({ name: `${dir}.nii`, dir, phaseEncoding })));
    expect(problem(['AP', 'j-'], ['PA', 'j'])).toBeUndefined();
    expect(problem(['A', 'j'], ['P', 'j-'])).toBeUndefined();
    expect(problem(['AP', 'j-'], ['LR', 'i'])).toBeUndefined();
    expect(problem(['AP', 'j-'], ['PA', 'i-'])).toMatch(/opposite/);
    expect(problem(['AP', 'j-'], ['pa', 'j-'])).toMatch(/opposite/);
    expect(problem(['AP', 'j-'], ['AP', 'j'])).toMatch(/both are named AP/);
  });
});

describe('a wrong session fails by name', () => {
  it('missing files', async () => {
    for (const [kind, pattern] of [
      ['bval', /has no bval/],
      ['bvec', /has no bvec/],
      ['nii.gz', /dir-PA_dwi\.bval has no image/],
    ] as const) {
      const bids = await dataset();
      await rm(join(bids, `${PA}.${kind}`));
      await expectFailure(bids, 'INPUT_MISSING', pattern);
    }
    const empty = join(root, 'empty');
    await mkdir(join(empty, 'sub-01/ses-1/dwi'), { recursive: true });
    await expectFailure(empty, 'INPUT_MISSING', /no diffusion image/);
  });

  it('an image that was never fetched (a link to nothing)', async () => {
    const bids = await dataset();
    await rm(join(bids, `${PA}.nii.gz`));
    await symlink('../.git/annex/objects/nothing', join(bids, `${PA}.nii.gz`));
    const failure = await expectFailure(bids, 'INPUT_MISSING', /link to a file that is not there/);
    expect(failure.remedy).toMatch(/datalad get/);
  });

  it('a missing PA set, where other sessions or the study file have one', async () => {
    const bids = await dataset({}, null);
    await expectFailure(bids, 'INPUT_MISSING', /missing PA set.*other sessions/, {}, ['AP', 'PA']);
    const acquisition = { AP: { override: false }, PA: { override: false } };
    await expectFailure(bids, 'INPUT_MISSING', /missing PA set.*acquisition/, { acquisition });
  });

  it('a gzip stream cut short, an empty file, a sidecar that is no JSON', async () => {
    const bids = await dataset();
    const whole = await readFile(join(bids, `${PA}.nii.gz`));
    await writeFile(join(bids, `${PA}.nii.gz`), whole.subarray(0, whole.length - 20));
    await expectFailure(bids, 'INPUT_DAMAGED', /dir-PA_dwi\.nii\.gz/);
    await truncate(join(bids, `${PA}.nii.gz`), 0);
    await expectFailure(bids, 'INPUT_DAMAGED', /not a NIfTI image/);
    await writeFile(join(bids, `${AP}.json`), '{"EchoTime": NaN}');
    await expectFailure(bids, 'INPUT_DAMAGED', /dir-AP_dwi\.json is not JSON/);
  });

  it('gradient tables that are not numbers, or of another length', async () => {
    const bids = await dataset();
    await writeFile(join(bids, `${PA}.bval`), '0 1000 x');
    await expectFailure(bids, 'INPUT_DAMAGED', /"x" is not a number/);
    await writeFile(join(bids, `${PA}.bval`), '0 1000 1000\n');
    await expectFailure(bids, 'INPUT_CONTRADICTS', /dir-PA_dwi\.bval: has 3 b values/);
    await writeFile(join(bids, `${PA}.bval`), formatBvals(BVALS));
    await writeFile(join(bids, `${PA}.bvec`), formatBvecs(new Float64Array(3 * BVALS.length)));
    await expectFailure(bids, 'INPUT_CONTRADICTS', /volume 1 .*length 0/);
  });

  it('volumes without data', async () => {
    const zero = await dataset({}, { spoil: (data, size) => data.fill(0, 2 * size, 3 * size) });
    await expectFailure(zero, 'INPUT_UNUSABLE', /dir-PA_dwi\.nii\.gz: volume 2 .*empty/);
    const nan = await dataset({
      spoil: (data, size) => {
        data[5 * size + 3] = Number.NaN;
        data[5 * size + 9] = Number.POSITIVE_INFINITY;
      },
    });
    await expectFailure(nan, 'INPUT_UNUSABLE', /dir-AP_dwi\.nii\.gz: volume 5 .* 2 voxels/);
  });

  it('grids that disagree; a millimetre is a note', async () => {
    await expectFailure(await dataset({}, { dims: [4, 4, 4] }), 'INPUT_CONTRADICTS', /4 x 4 x 4 voxels/);
    await expectFailure(await dataset({}, { shift: 2.5 }), 'INPUT_CONTRADICTS', /2\.5 mm elsewhere/);
    expect((await discover(await dataset({}, { shift: 1 }))).notes).toEqual([
      expect.stringMatching(/1\.0 mm/),
    ]);
    // A fieldmap nobody assigned to the set is left out instead.
    const bids = await dataset({}, null);
    await writeSet(bids, 'sub-01/ses-1/fmap/sub-01_ses-1_dir-PA_epi', { bvals: [0], dims: [5, 4, 3] });
    const { sets, topup, notes } = await discover(bids);
    expect([sets.length, topup === true, notes.some((note) => /is not used: 5 x 4 x 3/.test(note))]).toEqual([
      1,
      false,
      true,
    ]);
  });

  it('AP and PA with one phase encoding', async () => {
    const bids = await dataset({}, { sidecar: { PhaseEncodingDirection: 'j-', TotalReadoutTime: 0.05 } });
    await expectFailure(bids, 'INPUT_CONTRADICTS', /AP and PA are opposite/);
  });

  it('too few directions, or no b0', async () => {
    await expectFailure(await dataset({ bvals: [0, 1000] }, null), 'INPUT_UNUSABLE', /6 diffusion-weighted/);
    const weighted = new Array<number>(7).fill(1000);
    await expectFailure(await dataset({ bvals: weighted }), 'INPUT_UNUSABLE', /dir-AP.* no b0/);
  });

  it('the same image with and without .gz', async () => {
    const bids = await dataset();
    await cp(join(bids, `${PA}.nii.gz`), join(bids, `${PA}.nii`));
    await expectFailure(bids, 'INPUT_CONTRADICTS', /with and without \.gz/);
  });
});

describe('a cohort', () => {
  it('lists everyone once, with the reason where one is left out', async () => {
    const bids = join(root, 'cohort');
    const touch = async (subject: string, session: string, dir: string) => {
      const path = join(
        bids,
        subject,
        `ses-${session}`,
        'dwi',
        `${subject}_ses-${session}_dir-${dir}_dwi.nii.gz`,
      );
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, '');
    };
    for (const subject of ['sub-01', 'sub-02', 'sub-03', 'sub-04', 'sub-06'])
      for (const session of ['1', '2']) {
        if (subject === 'sub-03' && session === '2') continue;
        await touch(subject, session, 'AP');
        if (subject !== 'sub-06') await touch(subject, session, 'PA');
      }
    await writeFile(
      join(bids, 'participants.tsv'),
      [
        'participant_id\tarm',
        'sub-01\tdrug',
        'sub-02\tplacebo',
        'sub-03\tdrug',
        'sub-05\tdrug',
        'sub-06\tn/a',
      ].join('\n'),
    );
    const study = studyOf(bids, {
      exclude: { 'sub-02': 'scanner upgrade' },
      participants: {
        file: join(bids, 'participants.tsv'),
        id: 'participant_id',
        group: { column: 'arm', reference: 'placebo', treatment: 'drug' },
      },
    });
    const { subjects, directions } = await discoverCohort(study);
    expect(subjects.map((s) => [s.subject, s.group, s.excluded?.reason])).toEqual([
      ['sub-01', 'drug', undefined],
      ['sub-02', 'placebo', 'scanner upgrade'],
      ['sub-03', 'drug', 'no diffusion images in ses-2'],
      ['sub-04', undefined, 'not in the participants table'],
      ['sub-05', 'drug', 'in the participants table, but without a folder in the dataset'],
      ['sub-06', undefined, 'no group in the participants table'],
    ]);
    // sub-06 has no PA; most have, so PA is expected of everyone.
    expect(directions).toEqual(['AP', 'PA']);
  });
});

describe('texts for FSL', () => {
  const sets = [
    { phaseEncoding: 'j-', readoutSeconds: 0.05, volumes: 3, b0Volumes: [0, 2] },
    { phaseEncoding: 'j', readoutSeconds: 0.05, volumes: 2, b0Volumes: [0, 1] },
    { phaseEncoding: 'j-', readoutSeconds: 0.05, volumes: 1, b0Volumes: [] },
    { phaseEncoding: 'i', readoutSeconds: 0.0383107, volumes: 1, b0Volumes: [0] },
  ] as const;

  it('acqparams has a row per scheme, index a number per volume', () => {
    expect(eddyTexts(sets)).toEqual({
      acqparams: '0 -1 0 0.05\n0 1 0 0.05\n1 0 0 0.0383107\n',
      index: '1 1 1 2 2 1 3\n',
    });
  });

  it('topup gets a row per b0, cut in runs', () => {
    expect(topupInput(sets)).toEqual({
      ranges: [
        { set: 0, first: 0, count: 1 },
        { set: 0, first: 2, count: 1 },
        { set: 1, first: 0, count: 2 },
        { set: 3, first: 0, count: 1 },
      ],
      acqparams: '0 -1 0 0.05\n0 -1 0 0.05\n0 1 0 0.05\n0 1 0 0.05\n1 0 0 0.0383107\n',
    });
  });

  it('merged gradients read back as their parts', async () => {
    const a = { bvals: [0, 1000], bvecs: [0, 0, 0, 0.6, -0.8, 0] };
    const b = { bvals: [2000], bvecs: [0, 0, 1] };
    const { bvals, bvecs } = gradientTexts([a, b]);
    const [x, y] = [join(root, 'bvals'), join(root, 'bvecs')];
    await writeFile(x, bvals);
    await writeFile(y, bvecs);
    const read = await readGradients(x, y, 3, 'image');
    expect([...read.bvals]).toEqual([0, 1000, 2000]);
    expect([...read.bvecs]).toEqual([...a.bvecs, ...b.bvecs]);
  });
});

describe('toFailure', () => {
  it('knows the errors of the floors below', () => {
    const damaged = toFailure(new ImagingError('a.nii', 'is short', 'Copy it'), {
      subject: 'sub-01',
      step: 'roi',
    });
    expect(damaged).toEqual({
      subject: 'sub-01',
      step: 'roi',
      code: 'INPUT_DAMAGED',
      message: 'a.nii: is short',
      remedy: 'Copy it',
    });
    expect(toFailure(new ImagingError('a.nii', 'no such file', 'Check')).code).toBe('INPUT_MISSING');
    expect(toFailure(Object.assign(new Error('full'), { code: 'ENOSPC' })).code).toBe('DISK_FULL');
    expect(toFailure(new DOMException('stop', 'AbortError')).code).toBe('CANCELLED');
    expect(toFailure('what').code).toBe('INTERNAL');
  });
});

withShared('real scans (shared/data; skipped where it is not there)', () => {
  const acquisition = (a: string, p: string, entry: object = {}) =>
    ({
      [a]: { phaseEncodingDirection: a === 'AP' ? 'j-' : 'j', override: false, ...entry },
      [p]: { phaseEncodingDirection: a === 'AP' ? 'j' : 'j-', override: false, ...entry },
    }) as Study['acquisition'];

  it('canon: nothing in the sidecars but an axis; the study file fills in and is named for it', async () => {
    const bids = join(SHARED, 'canon');
    expect(await discoverCohort(studyOf(bids))).toEqual({
      subjects: [{ subject: 'sub-01', sessions: ['1', '2'] }],
      directions: ['AP', 'PA'],
    });
    await expectFailure(bids, 'INPUT_INCOMPLETE', /dir-AP_dwi\.json has no PhaseEncodingDirection/);
    for (const session of ['1', '2']) {
      const study = studyOf(bids, { acquisition: acquisition('AP', 'PA', { totalReadoutTime: 0.05 }) });
      const input = await discoverSession(study, 'sub-01', session, ['AP', 'PA']);
      expect(input.topup).toBe(true);
      expect(input.sets.map((s) => [s.phaseEncoding, s.volumes, s.b0Volumes, s.readoutSource])).toEqual([
        ['j-', 13, [0], 'study file'],
        ['j', 13, [0], 'study file'],
      ]);
      expect(input.notes).toHaveLength(4);
    }
  });

  it('philips: dir-P serves topup with its five b = 2 volumes; estimates and echo times are noted', async () => {
    const study = studyOf(join(SHARED, 'philips'), { acquisition: acquisition('A', 'P') });
    const input = await discoverSession(study, 'sub-01', null);
    expect(input).toMatchObject({ session: null, topup: true });
    expect(input.sets.map((s) => [s.dir, s.role, s.b0Volumes, s.readoutSeconds])).toEqual([
      ['A', 'dwi', [0], 0.0383107],
      ['P', 'fieldmap', [0, 2, 3, 4, 5, 6], 0.0383037],
    ]);
    const notes = input.notes.join('\n');
    expect(notes).toMatch(/dir-P_dwi\.nii\.gz serves topup only: it has 1 diffusion-weighted/);
    expect(notes).toMatch(/Echo times differ between sets \(72, 86 ms\)/);
    expect(notes).toMatch(/0\.0383107 s is from EstimatedTotalReadoutTime/);
  });

  it('philips-32dir: one direction without a label, no topup', async () => {
    const study = studyOf(join(SHARED, 'philips-32dir'), {
      acquisition: { default: { phaseEncodingDirection: 'j', override: false } },
    });
    const { topup, sets } = await discoverSession(study, 'sub-01', null);
    expect(topup).toMatchObject({ skippedBecause: expect.any(String) });
    expect(sets[0]).toMatchObject({ volumes: 33, b0Volumes: [0], role: 'dwi', phaseEncoding: 'j' });
    expect(sets[0].dir).toBeUndefined();
  });

  it('sidecars: the wrong PA sidecar of ds001226 is noticed; ds002080 is well', async () => {
    const problemIn = async (folder: string, session: string) => {
      const sets = [];
      for (const acq of ['AP', 'PA']) {
        const name = parseName(`sub-CON02_ses-${session}_acq-${acq}_dwi.json`)!;
        const path = join(SHARED, 'sidecars', folder, 'sub-CON02', `ses-${session}`, 'dwi', name.name);
        const dir = directionLabel(name);
        const sidecar = await readSidecars([path]);
        const answer = resolvePhase({ image: name.name, sidecarPath: path, sidecar, dir }, {});
        expect(answer).toMatchObject({ readoutSeconds: 0.0266003, readoutSource: 'TotalReadoutTime' });
        sets.push({ name: name.name, dir, phaseEncoding: answer.phaseEncoding });
      }
      return polarityProblem(sets);
    };
    expect(await problemIn('ds002080', 'postop')).toBeUndefined();
    expect(await problemIn('ds001226', 'preop')).toMatch(/acq-PA_dwi\.json along i-.*opposite/);
  });
});
