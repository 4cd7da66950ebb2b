/** Quality control's files of a subject, read back: names, dictionary, figures known beforehand. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { groupQc } from '../../activities/qc/group.ts';
import { publishQc, readSubjectQc } from '../../activities/qc/publish.ts';
import type { Study } from '../../config/study.ts';
import { readTable } from '../../config/tables.ts';
import { fitMaps } from '../../containers/toolkit/dtifit/maps.ts';
import { formatMatrix } from '../../containers/toolkit/files.ts';
import { Threads } from '../../containers/toolkit/threads.ts';
import { identity } from '../../imaging/affine.ts';
import { formatBvals, formatBvecs } from '../../imaging/gradients.ts';
import { voxelCount } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import { buildPhantom, simulateSession } from '../../imaging/phantom/index.ts';
import type { SessionInTemplate, SubjectMaps } from '../../pipeline/protocol.ts';
import { CONFOUNDS } from '../../pipeline/qc/dictionary.ts';
import type { SubjectQc } from '../../pipeline/qc/types.ts';

let folder: string;
let study: Study;
let maps: SubjectMaps;
let written: SubjectQc;

const at = (name: string) => ({ path: join(folder, name), sha256: name });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delta-md-qc-'));
  const { grid, ap, pa, truth } = simulateSession({
    phantom: buildPhantom(),
    seed: 5,
    subject: '01',
    session: '1',
    protocol: { voxelMm: 6, directions: 10, b0s: 2 },
  });
  const n = voxelCount(grid);
  const volumes = ap.image.volumes + pa.image.volumes;
  const data = new Float32Array(n * volumes);
  data.set(ap.image.data);
  data.set(pa.image.data, ap.image.data.length);
  const gradients = {
    bvals: Float64Array.of(...ap.gradients.bvals, ...pa.gradients.bvals),
    bvecs: Float64Array.of(...ap.gradients.bvecs, ...pa.gradients.bvecs),
  };
  const signals = new Float32Array(data.length);
  for (let t = 0; t < volumes; t++) for (let o = 0; o < n; o++) signals[o * volumes + t] = data[t * n + o];
  const tensor = (await fitMaps({ signals, gradients, estimator: 'ols' }, new Threads(1))).maps;
  const write = (name: string, values: Float32Array) =>
    writeImage(at(name).path, { grid, volumes: values.length / n, data: values });
  const brain = truth.brain.data;
  const inBrain = (map: Float32Array) => map.map((value, o) => (brain[o % n] > 0 ? value : 0));
  const b0s = [...gradients.bvals.keys()].filter((t) => gradients.bvals[t] === 0);
  await write('dwi.nii.gz', data);
  await write('fa.nii.gz', inBrain(tensor.FA));
  await write('md.nii.gz', inBrain(tensor.MD));
  await write('v1.nii.gz', inBrain(tensor.V1));
  await write('mask.nii.gz', brain);
  await write('b0s.nii.gz', Float32Array.from(b0s.flatMap((t) => [...data.subarray(t * n, (t + 1) * n)])));
  await write('field.nii.gz', truth.fieldHz.data);
  await write('warp.nii.gz', new Float32Array(3 * n));
  await write(
    'labels.nii.gz',
    brain.map((value, o) => (value > 0 ? 1 + (o % 2) : 0)),
  );
  const text = (name: string, content: string) => writeFile(at(name).path, content);
  await text('bvals', formatBvals(gradients.bvals));
  await text('bvecs', formatBvecs(gradients.bvecs));
  await text('acqparams', '0 -1 0 0.05\n0 1 0 0.05\n');
  await text('acqparams_b0', '0 -1 0 0.05\n0 -1 0 0.05\n0 1 0 0.05\n0 1 0 0.05\n');
  await text('index', [...gradients.bvals].map((_, t) => (t < ap.image.volumes ? 1 : 2)).join(' '));
  const rows = (of: (t: number) => readonly number[]) =>
    Array.from({ length: volumes }, (_, t) => `${of(t).join('  ')}\n`).join('');
  await text(
    'parameters',
    rows((t) => [0.1 * t, 0, 0, 0, 0, 0, t % 2, 0, 0]),
  );
  await text(
    'movement',
    rows((t) => [0.1 * t, 0.1]),
  );
  await text('report', 'Slice 3 in scan 5 is an outlier with mean -5 standard deviations off.\n');
  await text('matrix', formatMatrix(identity()));
  const one: SessionInTemplate = {
    session: '1',
    fa: at('fa.nii.gz'),
    md: at('md.nii.gz'),
    v1: at('v1.nii.gz'),
    s0: at('md.nii.gz'),
    mask: at('mask.nii.gz'),
    dwi: at('dwi.nii.gz'),
    bvals: at('bvals'),
    bvecs: at('bvecs'),
    movement: at('movement'),
    parameters: at('parameters'),
    outlierReport: at('report'),
    rawDwi: at('dwi.nii.gz'),
    rawBvecs: at('bvecs'),
    acqparams: at('acqparams'),
    index: at('index'),
    acqparamsB0: at('acqparams_b0'),
    b0s: at('b0s.nii.gz'),
    unwarped: at('b0s.nii.gz'),
    fieldHz: at('field.nii.gz'),
    notes: [],
    mdInTemplate: at('md.nii.gz'),
    maskInTemplate: at('mask.nii.gz'),
  };
  // The follow-up as a run of an earlier version left it: without what quality control came to need.
  const { parameters, outlierReport, rawDwi, rawBvecs, acqparams, index, acqparamsB0, ...old } = one;
  maps = {
    sessions: [one, { ...old, session: '2' }],
    faInTemplate: at('fa.nii.gz'),
    warp: at('warp.nii.gz'),
    affine: at('matrix'),
    followupToBaseline: at('matrix'),
  };
  study = {
    output: join(folder, 'out'),
    sessions: [
      { role: 'baseline', label: '1' },
      { role: 'followup', label: '2' },
    ],
    rois: {
      image: at('labels.nii.gz').path,
      labels: [
        { index: 1, name: 'a' },
        { index: 2, name: 'b' },
      ],
      minimumCoverage: 0.5,
    },
  } as unknown as Study;
  written = await publishQc(
    study,
    'sub-01',
    maps,
    { template: await readImage(at('fa.nii.gz').path), labels: await readImage(study.rois.image) },
    () => {},
  );
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

const path = (name: string) => join(folder, 'out', 'sub-01', name);
const stem = 'ses-1/dwi/sub-01_ses-1_desc-';

describe('a session', () => {
  it('has QSIPrep’s row under its name, every column described', async () => {
    const { table, problems } = await readTable(path(`${stem}image_qc.tsv`));
    expect(problems).toEqual([]);
    expect(table.rows).toHaveLength(1);
    for (const name of [
      'raw_neighbor_corr',
      't1_neighbor_corr',
      'mean_fd',
      'CNR0_median',
      'fieldmap_hz_mean',
    ])
      expect(table.columns, name).toContain(name);
    const dictionary = JSON.parse(await readFile(path(`${stem}image_qc.json`), 'utf8'));
    for (const column of table.columns) expect(dictionary[column].Description, column).toBeTruthy();
  });

  it('tells what is known beforehand', () => {
    const { metrics, notes } = written.sessions[0];
    expect(notes).toEqual([]);
    // A template that is the subject's own FA, a warp that moves nothing.
    expect(metrics).toMatchObject({ warp_jacobian_min: 1, warp_jacobian_max: 1, warp_folds: 0 });
    expect(metrics['template_corr']).toBeCloseTo(1, 6);
    expect(metrics['roi_coverage_min']).toBe(1);
    expect(metrics['mean_fd']).toBeCloseTo(0.1, 9);
    expect(metrics['qc_mot_abs']).toBeCloseTo(1.15, 9);
    expect(metrics['raw_num_directions']).toBe(20);
    expect(metrics['ap_pa_gain']).toBe(0);
    expect(metrics['bvec_margin']).toBeGreaterThan(1);
    expect(metrics['brain_volume']).toBeGreaterThan(1000);
    // White matter of the phantom has 0.75e-3 mm2/s; voxels of 6 mm mix it with cortex.
    expect(Math.abs(metrics['md_wm_mean']! / 0.78e-3 - 1)).toBeLessThan(0.08);
  });

  it('has a row per volume, the first without displacement', async () => {
    const { table } = await readTable(path('ses-1/dwi/sub-01_ses-1_desc-confounds_timeseries.tsv'));
    expect(table.columns).toEqual(Object.keys(CONFOUNDS));
    expect(table.rows).toHaveLength(24);
    expect(table.rows[0].cells['framewise_displacement']).toBe('n/a');
    expect(table.rows[5].cells).toMatchObject({ outlier_slices: '1', pe: '1', trans_x: '0.5' });
  });

  it('has its slices and eddy_quad’s figures', async () => {
    const slices = JSON.parse(await readFile(path(`${stem}slice_qc.json`), 'utf8'));
    expect(slices.Outliers).toEqual([[5, 3]]);
    expect(slices.Deviation).toHaveLength(24);
    const quad = JSON.parse(await readFile(path(`${stem}eddy_qc.json`), 'utf8'));
    expect(quad).toMatchObject({ data_no_dw_vols: 20, data_protocol: [2, 10, 2, 10], qc_ol_flag: true });
  });

  it('made by an earlier version: says what is not known, and tells the rest', () => {
    const { metrics, notes } = written.sessions[1];
    expect(notes.join(' ')).toMatch(/before the raw series was kept.*Outlier slices are not known/);
    expect(metrics).toMatchObject({ raw_neighbor_corr: null, qc_outliers_tot: null, mean_fd: null });
    expect(metrics['qc_mot_abs']).toBeCloseTo(1.15, 9);
    expect(metrics['t1_masked_neighbor_corr']).toBeGreaterThan(0.5);
  });
});

it('the same session twice does not differ', () => {
  const { metrics } = written.longitudinal!;
  expect(metrics['coregistration_corr']).toBeCloseTo(1, 6);
  expect(metrics).toMatchObject({
    coregistration_dice: 1,
    md_wm_difference: 0,
    md_wm_cv: 0,
    csf_md_ratio: 1,
  });
  expect(metrics['md_icc']).toBeCloseTo(1, 6);
});

it('reads back what was written, and gathers it for the group', async () => {
  const read = await readSubjectQc(study, 'sub-01');
  expect(read).toEqual(written);
  const { table, dictionary } = groupQc(study, [read]);
  const [header, first, second] = table
    .trim()
    .split('\n')
    .map((line) => line.split('\t'));
  expect(header.slice(0, 2)).toEqual(['participant_id', 'session_id']);
  expect(Object.keys(dictionary)).toEqual(header);
  const column = header.indexOf('coregistration_dice');
  expect([first[column], second[column]]).toEqual(['n/a', '1']);
});
