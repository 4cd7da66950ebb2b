/** Twenty simulated subjects, two sessions each, at the size of the published trial, through the whole pipeline. */
import { execFile } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { roiValues } from '../../activities/rois.ts';
import { readTable } from '../../config/tables.ts';
import { invert, type Matrix4, transformPoint } from '../../imaging/affine.ts';
import type { Image } from '../../imaging/image.ts';
import { sampleLinear } from '../../imaging/interpolate.ts';
import { readImage } from '../../imaging/nifti.ts';
import { ROI_NAMES } from '../../imaging/phantom/index.ts';
import type { Figure, Group } from './figure.ts';
import { mean, median, standardError } from './measures.ts';
import { FULL_ARTEFACTS, FULL_PROTOCOL } from './scan.ts';

const PER_GROUP = 10;
const SESSIONS = ['baseline', '24h'];
/** Subjects run at a time: their intermediate files, about 1 GB a session, go before the next ones come. */
const BATCH = 4;

const execute = promisify(execFile);
const deltaMd = (...words: string[]) =>
  execute(process.execPath, [join(process.cwd(), 'dist/cli/main.js'), ...words], { maxBuffer: 1e9 });

/**
 * Finds where a point of the template lies in a scan, from the true template coordinates of the scan's voxels: Newton's
 * method with the map's mean slope, which a head's smooth anatomy lets converge.
 */
function locator(template: Image, slope: Matrix4): (point: readonly number[], at: Float64Array) => boolean {
  const { dims } = template.grid;
  const n = dims[0] * dims[1] * dims[2];
  const axes = [0, 1, 2].map((c) => template.data.subarray(c * n, (c + 1) * n));
  const back = invert(slope);
  return (point, at) => {
    at.set(transformPoint(back, point[0], point[1], point[2]));
    for (let pass = 0; pass < 30; pass++) {
      if (at.some((value, axis) => !(value >= 0 && value <= dims[axis] - 1))) return false;
      const off = axes.map((map, c) => point[c] - sampleLinear(map, dims, at[0], at[1], at[2]));
      if (Math.hypot(...off) < 0.01) return true;
      for (let r = 0; r < 3; r++)
        at[r] += back[4 * r] * off[0] + back[4 * r + 1] * off[1] + back[4 * r + 2] * off[2];
    }
    return false;
  };
}

/** Affine map, voxel to template mm, through the middle of the head. */
function meanSlope(template: Image): Matrix4 {
  const { dims } = template.grid;
  const n = dims[0] * dims[1] * dims[2];
  const c = dims.map((size) => size / 2);
  const at = (x: number, y: number, z: number) =>
    [0, 1, 2].map((axis) => sampleLinear(template.data.subarray(axis * n, (axis + 1) * n), dims, x, y, z));
  const origin = at(c[0], c[1], c[2]);
  const m = new Float64Array(16);
  m[15] = 1;
  for (let axis = 0; axis < 3; axis++) {
    const step = dims[axis] / 5;
    const [ahead, behind] = [1, -1].map((sign) =>
      at(...(c.map((v, i) => v + (i === axis ? sign * step : 0)) as [number, number, number])),
    );
    for (let r = 0; r < 3; r++) m[4 * r + axis] = (ahead[r] - behind[r]) / (2 * step);
  }
  for (let r = 0; r < 3; r++)
    m[4 * r + 3] = origin[r] - m[4 * r] * c[0] - m[4 * r + 1] * c[1] - m[4 * r + 2] * c[2];
  return m;
}

/**
 * Regional MD of a perfect scan: the true tensors at the scan's voxel size, free of noise, motion and distortion, taken
 * to the template by the true anatomy and the pipeline's interpolation.
 */
function perfectMd(md: Image, brain: Image, template: Image, labels: Image): Map<string, number> {
  const find = locator(template, meanSlope(template));
  const { dims } = md.grid;
  const [nx, ny] = labels.grid.dims;
  const map = new Float32Array(labels.data.length);
  const mask = new Float32Array(labels.data.length);
  const at = new Float64Array(3);
  for (let o = 0; o < labels.data.length; o++) {
    if (!(labels.data[o] > 0)) continue;
    const point = transformPoint(
      labels.grid.affine,
      o % nx,
      Math.floor(o / nx) % ny,
      Math.floor(o / (nx * ny)),
    );
    if (!find(point, at)) continue;
    map[o] = sampleLinear(md.data, dims, at[0], at[1], at[2]);
    const [i, j, k] = at.map(Math.round);
    mask[o] = brain.data[i + dims[0] * (j + dims[1] * k)];
  }
  const rois = ROI_NAMES.map((name, r) => ({ name, index: r + 1 }));
  return new Map(
    roiValues(map, mask, labels.data, rois).map(({ roi, mean: value }) => [roi, value ?? Number.NaN]),
  );
}

/** MD by `sub-01 ses-baseline lBA10` from a table of participant_id, session, roi, md. */
async function regionalMd(path: string): Promise<Map<string, number>> {
  const { table } = await readTable(path);
  return new Map(
    table.rows.map(({ cells }) => [
      `${cells['participant_id']} ses-${cells['session'].replace(/^ses-/, '')} ${cells['roi']}`,
      Number(cells['md']),
    ]),
  );
}

export const cohort: Group = {
  name: 'cohort',
  title: 'A simulated trial of twenty, the whole pipeline',
  method: `Twenty subjects, two sessions each, scanned as the published trial was (2 mm, AP and PA sets of 4 b0 and 30 b = 1000 volumes), SNR 20, fields to +-6
voxels, motion to 3 mm and 3 degrees, eddy currents to 2 voxels; planted regional changes of MD. Truth is what a perfect scan of the same head holds: true tensors at the
same voxel size, taken to the template by the true anatomy and the same interpolation. Voxels of 2 mm mix tissue with fluid, so both this truth and every measurement differ
from the tissue's own MD; that difference belongs to the voxel size, not to the processing. The change of the tissue itself, as it was planted, is the truth of the last rows.`,
  async measure({ folder, say }) {
    const flags = {
      seed: 11,
      vehicle: PER_GROUP,
      ketamine: PER_GROUP,
      'voxel-size': FULL_PROTOCOL.voxelMm,
      directions: FULL_PROTOCOL.directions,
      b0s: FULL_PROTOCOL.b0s,
      snr: FULL_ARTEFACTS.snr,
      motion: FULL_ARTEFACTS.motion,
      'eddy-currents': FULL_ARTEFACTS.eddyCurrents,
      susceptibility: FULL_ARTEFACTS.susceptibility,
    };
    await deltaMd(
      'simulate',
      join(folder, 'trial'),
      '--truth-maps',
      ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]),
    );
    const study = join(folder, 'trial', 'study.yaml');
    const bids = join(folder, 'trial', 'bids');
    const subjects = (await readdir(bids)).filter((name) => name.startsWith('sub-')).sort();
    const measured = new Map<string, number>();
    for (let first = 0; first < subjects.length; first += BATCH) {
      say(`subjects ${first + 1} to ${Math.min(first + BATCH, subjects.length)} of ${subjects.length}`);
      const labels = subjects.slice(first, first + BATCH).map((name) => name.slice(4));
      await deltaMd('run', study, '--participant-label', ...labels);
      for (const [key, value] of await regionalMd(join(bids, 'derivatives', 'delta-md', 'group_roi_md.tsv')))
        measured.set(key, value);
      await rm(join(folder, 'trial', 'work'), { recursive: true, force: true });
    }

    const truth = join(bids, 'derivatives', 'truth');
    const labels = await readImage(join(bids, 'derivatives', 'template', 'rois.nii.gz'));
    const perfect = new Map<string, number>();
    for (const subject of subjects)
      for (const session of SESSIONS) {
        const [md, brain, template] = await Promise.all(
          ['MD', 'mask', 'template'].map((name) =>
            readImage(join(truth, `${subject}_ses-${session}_${name}.nii.gz`)),
          ),
        );
        for (const [roi, value] of perfectMd(md, brain, template, labels))
          perfect.set(`${subject} ses-${session} ${roi}`, value);
      }
    const tissue = await regionalMd(join(truth, 'truth_roi_md.tsv'));

    const figures: Figure[] = [];
    const change = (values: Map<string, number>, subject: string, roi: string) =>
      (values.get(`${subject} ses-${SESSIONS[0]} ${roi}`) ?? Number.NaN) -
      (values.get(`${subject} ses-${SESSIONS[1]} ${roi}`) ?? Number.NaN);
    for (const roi of ROI_NAMES) {
      const relative = subjects.flatMap((subject) =>
        SESSIONS.map((session) => {
          const key = `${subject} ses-${session} ${roi}`;
          return 100 * ((measured.get(key) ?? Number.NaN) / (perfect.get(key) ?? Number.NaN) - 1);
        }),
      );
      figures.push({
        what: `MD of ${roi}, median difference from a perfect scan`,
        value: Math.abs(median(relative)),
        unit: '%',
        bound: { atMost: 1.5 },
      });
    }
    const against = [
      ['a perfect scan', perfect],
      ["the tissue's own change", tissue],
    ] as const;
    for (const [name, expected] of against)
      for (const roi of ROI_NAMES) {
        const errors = subjects.map(
          (subject) => 1e5 * (change(measured, subject, roi) - change(expected, subject, roi)),
        );
        figures.push(
          {
            what: `dMD of ${roi} against ${name}, RMSE`,
            value: Math.sqrt(mean(errors.map((error) => error * error))),
            unit: '1e-5 mm2/s',
            bound: { atMost: 1 },
          },
          {
            what: `dMD of ${roi} against ${name}, bias over its standard error`,
            value: Math.abs(mean(errors)) / standardError(errors),
            unit: 'SE',
            bound: { atMost: 2 },
          },
        );
      }
    return figures;
  },
};
