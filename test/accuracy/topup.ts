/** topup: the field, the movement and the undistorted b0s, against truth and against FSL 5.0.9. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readTable } from '../../containers/toolkit/files.ts';
import { movementMatrix } from '../../containers/toolkit/topup/field.ts';
import { chain, type Matrix4, rotation, translation } from '../../imaging/affine.ts';
import { type Grid, type Image, volumeOf } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import type { Figure, Group, Laboratory } from './figure.ts';
import { correlation } from './measures.ts';
import { fullScan } from './scan.ts';

/** Voxels of a mask. */
function voxelsOf(mask: Image): number[] {
  return [...mask.data.keys()].filter((o) => mask.data[o] > 0);
}

function rms(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
}

/**
 * Where the head lay in a volume of `sim/`: voxels of the reference to voxels of the volume. Its file gives translations
 * in mm and rotations in degrees along voxel axes; the centre of rotation is that which fits FSL's and our results best.
 */
function trueMovement(motion: readonly number[], grid: Grid): Matrix4 {
  const [sx, sy, sz] = grid.voxelSizes;
  const [x, y, z] = grid.dims.map((n, a) => (n / 2) * grid.voxelSizes[a]);
  const [a, b, c] = motion.slice(3).map((degrees) => (degrees * Math.PI) / 180);
  const toMm = Float64Array.of(sx, 0, 0, 0, 0, sy, 0, 0, 0, 0, sz, 0, 0, 0, 0, 1);
  const toVoxels = Float64Array.of(1 / sx, 0, 0, 0, 0, 1 / sy, 0, 0, 0, 0, 1 / sz, 0, 0, 0, 0, 1);
  return chain(
    toVoxels,
    translation(x + motion[0], y + motion[1], z + motion[2]),
    rotation(a, b, c),
    translation(-x, -y, -z),
    toMm,
  );
}

/** Root mean square distance in mm between where two matrices take a grid's voxels. */
function displacement(a: Matrix4, b: Matrix4, grid: Grid, at: readonly number[]): number {
  const difference = a.map((v, i) => v - b[i]);
  const [nx, ny] = grid.dims;
  return rms(
    at.map((o) => {
      const [i, j, k] = [o % nx, Math.floor(o / nx) % ny, Math.floor(o / (nx * ny))];
      return Math.hypot(
        ...[0, 1, 2].map(
          (r) =>
            grid.voxelSizes[r] *
            (difference[4 * r] * i +
              difference[4 * r + 1] * j +
              difference[4 * r + 2] * k +
              difference[4 * r + 3]),
        ),
      );
    }),
  );
}

async function simulated({ folder, shared, run, say }: Laboratory): Promise<Figure[]> {
  const data = (name: string) => join(shared, 'reference/sim', name);
  say('8 b0s of the simulated scan with FSL results');
  const { seconds, peakMb } = await run(
    'topup',
    ...['--imain', data('b0s'), '--datain', data('acqparams.txt'), '--config=b02b0.cnf'],
    ...['--out', 'sim', '--fout=sim_hz', '--iout=sim_unwarped'],
  );
  const truth = await readImage(data('truth_field_voxels.nii.gz'));
  const { grid } = truth;
  const mask = await readImage(data('truth_mask.nii.gz'));
  const brain = voxelsOf(mask);
  const READOUT = 0.05;
  const field = await readImage(join(folder, 'sim_hz.nii.gz'));
  const unwarped = await readImage(join(folder, 'sim_unwarped.nii.gz'));
  const motion: { motion: number[] }[] = JSON.parse(await readFile(data('truth_motion.json'), 'utf8'));
  const movement = async (path: string) => {
    const rows = await readTable(path);
    return rms(
      rows
        .slice(1)
        .map((row, t) =>
          displacement(movementMatrix(row, grid), trueMovement(motion[t + 1].motion, grid), grid, brain),
        ),
    );
  };
  return [
    {
      what: 'simulated scan: field against truth, RMSE in the brain',
      value: rms(brain.map((o) => field.data[o] * READOUT - truth.data[o])),
      unit: 'voxel',
      bound: { atMost: 0.06 },
      fsl: 0.059,
    },
    {
      what: 'simulated scan: AP against PA undistorted, correlation in the brain',
      value: correlation(volumeOf(unwarped, 0), volumeOf(unwarped, 4), mask.data),
      unit: '',
      bound: { atLeast: 0.933 },
      fsl: 0.933,
    },
    {
      what: 'simulated scan: movement of volumes 1-7 against truth, RMS in the brain',
      value: await movement(join(folder, 'sim_movpar.txt')),
      unit: 'mm',
      bound: { atMost: 0.15 },
      fsl: await movement(data('fsl_topup_movpar.txt')),
    },
    { what: 'time for 8 b0s of 104 x 104 x 72', value: seconds, unit: 's', bound: { atMost: 90 }, fsl: 870 },
    { what: 'peak memory for 8 b0s of 104 x 104 x 72', value: peakMb, unit: 'MB', bound: { atMost: 3072 } },
  ];
}

async function full({ folder, run, say }: Laboratory): Promise<Figure[]> {
  say('8 b0s of the full-size scan');
  const scan = await fullScan(join(folder, 'scan'));
  await run('topup', '--imain', scan.b0s, '--datain', scan.b0Acqparams, '--out=full', '--fout=full_hz');
  const { truth, ap } = scan.session;
  const field = await readImage(join(folder, 'full_hz.nii.gz'));
  const { readoutSeconds } = ap.acquisition;
  return [
    {
      what: 'full-size scan (fields to 6 voxels, motion to 3 mm): field, RMSE in the brain',
      value: rms(voxelsOf(truth.brain).map((o) => (field.data[o] - truth.fieldHz.data[o]) * readoutSeconds)),
      unit: 'voxel',
      bound: { atMost: 0.2 },
    },
  ];
}

async function canon({ folder, shared, run, say }: Laboratory, session: 1 | 2): Promise<Figure> {
  say(`session ${session} of canon`);
  const dwi = (direction: string) =>
    join(shared, `data/canon/sub-01/ses-${session}/dwi/sub-01_ses-${session}_dir-${direction}_dwi.nii.gz`);
  const reference = (name: string) => join(shared, 'reference/canon', name);
  const [ap, pa] = [await readImage(dwi('AP')), await readImage(dwi('PA'))];
  const first = [volumeOf(ap, 0), volumeOf(pa, 0)];
  const data = new Float32Array(first[0].length * 2);
  for (const [t, volume] of first.entries()) data.set(volume, t * volume.length);
  const name = `ses-${session}`;
  await writeImage(join(folder, `${name}_b0s.nii.gz`), { grid: ap.grid, volumes: 2, data });
  await run(
    'topup',
    ...[`--imain=${name}_b0s`, '--datain', reference('acqparams.txt')],
    ...[`--out=${name}`, `--fout=${name}_hz`],
  );
  const field = await readImage(join(folder, `${name}_hz.nii.gz`));
  const theirs = await readImage(reference(`${name}_topup_field_hz.nii.gz`));
  const mask = await readImage(reference(`${name}_bet_mask.nii.gz`));
  return {
    what: `canon session ${session}: field against FSL's, correlation in the brain`,
    value: correlation(field.data, theirs.data, mask.data),
    unit: '',
    bound: { atLeast: 0.97 },
  };
}

export const topup: Group = {
  name: 'topup',
  title: 'topup',
  method: `Two simulated scans with known field and movement (4 AP and 4 PA b0s of 2 mm with noise, 0.05 s of readout; on the
first, with shifts of -2 to +3 voxels, FSL 5.0.9 was run too) and a real one of 3 mm (one AP and one PA b0 a session), where
FSL's field is the reference. Errors of the field are in voxels of shift. No image tells a constant field from a translation
between AP and PA along the phase-encode axis: FSL takes the first PA volume to lie where the first AP volume lay, the
toolkit where the AP volume just before it lay, which was acquired nearest in time; what the head moved meanwhile is in the
errors of field and movement of both. As in FSL's results (measured on them), undistorted b0s are 0 in all volumes where any
volume has no data (which are equal values in both, and raise the correlation), and smoothed lightly: neighbours weigh 0.09
and -0.03 of a voxel along each axis. The estimation smooths by a FWHM of 1.2 voxels at least.`,
  async measure(laboratory) {
    return [
      ...(await simulated(laboratory)),
      ...(await full(laboratory)),
      await canon(laboratory, 1),
      await canon(laboratory, 2),
    ];
  },
};
