import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeMatrix } from '../../containers/toolkit/files.ts';
import { fnirt } from '../../containers/toolkit/fnirt/index.ts';
import { smoothSubsample } from '../../containers/toolkit/fnirt/level.ts';
import { sampleLinearGradient } from '../../containers/toolkit/fnirt/linear.ts';
import { adaptTo, loadSettings, parseConfiguration } from '../../containers/toolkit/fnirt/settings.ts';
import { parseOptions } from '../../containers/toolkit/tool.ts';
import { resampleThrough } from '../../containers/toolkit/warp/apply.ts';
import { fieldJacobian } from '../../containers/toolkit/warp/field.ts';
import { pointMap, readWarp } from '../../containers/toolkit/warp/warp.ts';
import { chain, invert, rotation, scaling, transformPoint, translation } from '../../imaging/affine.ts';
import { type Grid, gridFromAffine, type Image, voxelToFsl } from '../../imaging/image.ts';
import { sampleLinear } from '../../imaging/interpolate.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import { smooth } from '../../imaging/smooth.ts';

let folder: string;
const at = (name: string) => join(folder, name);
const run = (...argv: string[]) => fnirt.run(parseOptions(fnirt, argv), () => {});

/** Radiological, so that FSL mm are voxel index x voxel size. */
function grid(n: number, mm: number): Grid {
  return gridFromAffine([n, n, n], Float64Array.of(-mm, 0, 0, 80, 0, mm, 0, -80, 0, 0, mm, -70, 0, 0, 0, 1));
}

function paint(on: Grid, f: (x: number, y: number, z: number) => number): Image {
  const [nx, ny, nz] = on.dims;
  const toFsl = voxelToFsl(on);
  const data = new Float32Array(nx * ny * nz);
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) data[o] = f(...transformPoint(toFsl, i, j, k));
  return { grid: on, volumes: 1, data };
}

/** A ball of 60 mm about (80, 80, 80) full of waves, 0 outside. */
function ball(x: number, y: number, z: number): number {
  if (Math.hypot(x - 80, y - 80, z - 80) > 60) return 0;
  return 3 + Math.sin(x / 6) + Math.sin(y / 7 + 1) + Math.sin(z / 6.5 + 2);
}

const REFERENCE = grid(54, 3);
const INPUT = grid(56, 3);
/** Reference FSL mm to input FSL mm. */
const LINEAR = chain(translation(5, -3, 4), rotation(0.05, -0.04, 0.06), scaling(1.02, 0.97, 1.03));
const warpAt = (x: number, y: number, z: number): [number, number, number] => [
  2.5 * Math.sin(y / 22) * Math.cos(z / 30),
  -2.5 * Math.sin(z / 25 + 1) * Math.cos(x / 27),
  2 * Math.cos(x / 24) * Math.sin(y / 28),
];
const toInput = (x: number, y: number, z: number): [number, number, number] => {
  const p = transformPoint(LINEAR, x, y, z);
  const w = warpAt(x, y, z);
  return [p[0] + w[0], p[1] + w[1], p[2] + w[2]];
};
/** Inverse of {@link toInput} by fixed-point iteration. */
const toReference = (x: number, y: number, z: number): [number, number, number] => {
  const back = invert(LINEAR);
  let p = transformPoint(back, x, y, z);
  for (let i = 0; i < 30; i++) {
    const w = warpAt(...p);
    p = transformPoint(back, x - w[0], y - w[1], z - w[2]);
  }
  return p;
};

const SCHEDULE = ['--subsamp=4,2,1,1', '--infwhm=12,6,3,3', '--reffwhm=12,6,3,3'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fnirt-'));
  await writeImage(at('ref.nii.gz'), paint(REFERENCE, ball));
  await writeImage(
    at('in.nii.gz'),
    paint(INPUT, (x, y, z) => 2 * ball(...toReference(x, y, z))),
  );
  await writeMatrix(at('aff.mat'), invert(LINEAR));
  const outputs = ['cout', 'iout', 'fout', 'jout'].map((name) => `--${name}=${at(name)}`);
  await run(`--ref=${at('ref')}`, `--in=${at('in')}`, `--aff=${at('aff.mat')}`, ...SCHEDULE, ...outputs);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('fnirt', () => {
  it('finds a known warp from its affine on', async () => {
    const field = await readImage(at('fout.nii.gz'));
    const [nx, ny, nz] = REFERENCE.dims;
    const n = nx * ny * nz;
    let [squares, before, count] = [0, 0, 0];
    for (let k = 0, o = 0; k < nz; k++)
      for (let j = 0; j < ny; j++)
        for (let i = 0; i < nx; i++, o++) {
          const p = [3 * i, 3 * j, 3 * k] as const;
          if (Math.hypot(p[0] - 80, p[1] - 80, p[2] - 80) > 50) continue;
          const truth = toInput(...p);
          const w = warpAt(...p);
          count++;
          for (let c = 0; c < 3; c++) {
            squares += (p[c] + field.data[o + c * n] - truth[c]) ** 2;
            before += w[c] ** 2;
          }
        }
    expect(Math.sqrt(before / count)).toBeGreaterThan(2); // What the affine leaves.
    expect(Math.sqrt(squares / count)).toBeLessThan(0.6); // A fifth of a voxel.
  });

  it('writes coefficients and a field of the same warp, and the input through it', async () => {
    const [byCoefficients, byField] = [
      pointMap(await readWarp(at('cout'), 'relative')),
      pointMap(await readWarp(at('fout'), 'relative')),
    ];
    const [p, q] = [new Float64Array(3), new Float64Array(3)];
    for (const [x, y, z] of [
      [30, 60, 90],
      [81, 81, 81],
      [120, 99, 42],
    ]) {
      byCoefficients.sourceAt(x, y, z, p);
      byField.sourceAt(x, y, z, q);
      for (let c = 0; c < 3; c++) expect(p[c]).toBeCloseTo(q[c], 2); // The field is rounded to a micrometre.
    }
    const image = await readImage(at('in.nii.gz'));
    const warp = await readWarp(at('fout'), 'relative');
    expect((await readImage(at('iout.nii.gz'))).data).toEqual(
      (await resampleThrough(image, REFERENCE, { warp }, 'linear')).data,
    );
  });

  it("writes coefficients as FSL's file has them", async () => {
    const coefficients = await readImage(at('cout.nii.gz'));
    // Knots of 10 mm are 3 voxels of 3 mm apart: (54 + 1) / 3 and two more.
    expect(coefficients.grid.dims).toEqual([21, 21, 21]);
    expect(coefficients.volumes).toBe(3);
    expect(coefficients.grid.voxelSizes).toEqual([3, 3, 3]); // Voxels of the reference.
    coefficients.grid.affine.forEach((v, i) => {
      expect(v).toBeCloseTo(invert(LINEAR)[i], 5);
    });
  });

  it('Jacobians are those of the warp without its affine', async () => {
    const jacobian = await readImage(at('jout.nii.gz'));
    const numerical = fieldJacobian(await readImage(at('fout.nii.gz')));
    const [nx, ny] = REFERENCE.dims;
    const determinant = 1.02 * 0.97 * 1.03;
    for (const [i, j, k] of [
      [20, 25, 30],
      [27, 27, 27],
      [35, 20, 25],
    ]) {
      const o = i + nx * (j + ny * k);
      expect(Math.abs(jacobian.data[o] - numerical[o] / determinant)).toBeLessThan(0.01);
    }
    expect(jacobian.data.reduce((least, v) => Math.min(least, v), 9)).toBeGreaterThan(0.01);
  });

  it('--jacrange holds: the warp is made stiffer until it does', async () => {
    const range = async (...more: string[]) => {
      const files = [`--ref=${at('ref')}`, `--in=${at('in')}`, `--aff=${at('aff.mat')}`, `--cout=${at('c')}`];
      const settings = [
        '--subsamp=4,2',
        '--miter=3',
        '--infwhm=6',
        '--reffwhm=6',
        '--lambda=30',
        '--estint=1',
      ];
      await run(...files, ...settings, `--jout=${at('range')}`, ...more);
      const { data } = await readImage(at('range.nii.gz'));
      return [data.reduce((low, v) => Math.min(low, v), 9), data.reduce((high, v) => Math.max(high, v), 0)];
    };
    const [low, high] = await range();
    expect(low).toBeLessThan(0.8);
    expect(high).toBeGreaterThan(1.2);
    const held = await range('--jacrange=0.8,1.2');
    expect(held[0]).toBeGreaterThan(0.795);
    expect(held[1]).toBeLessThan(1.205);
  });

  it('what the mask of the input leaves out does not count', async () => {
    // A bright block that the reference lacks, masked out: the warp beside it is as it was.
    const spoilt = await readImage(at('in.nii.gz'));
    const mask = { ...spoilt, data: new Float32Array(spoilt.data.length).fill(1) };
    const [nx, ny] = INPUT.dims;
    const inside = (v: number, low: number, high: number, margin: number) =>
      v >= low - margin && v < high + margin;
    for (let o = 0; o < mask.data.length; o++) {
      const [i, j, k] = [o % nx, Math.floor(o / nx) % ny, Math.floor(o / (nx * ny))];
      const within = (margin: number) =>
        inside(i, 12, 18, margin) && inside(j, 24, 30, margin) && inside(k, 24, 30, margin);
      if (within(0)) spoilt.data[o] = 40;
      if (within(2)) mask.data[o] = 0; // As far as smoothing carries the block.
    }
    await writeImage(at('spoilt.nii.gz'), spoilt);
    await writeImage(at('inmask.nii.gz'), mask);
    const difference = async (name: string, ...more: string[]) => {
      const settings = [
        `--aff=${at('aff.mat')}`,
        '--subsamp=2',
        '--miter=3',
        '--infwhm=3',
        '--reffwhm=3',
        '--lambda=75',
        '--estint=1',
      ];
      const files = [
        `--ref=${at('ref')}`,
        `--in=${at(name)}`,
        `--cout=${at('c')}`,
        `--fout=${at(`f_${name}`)}`,
      ];
      await run(...files, ...settings, ...more);
      return readImage(at(`f_${name}.nii.gz`));
    };
    const clean = await difference('in', `--inmask=${at('inmask')}`);
    const rms = (a: Image) =>
      Math.sqrt(a.data.reduce((s, v, o) => s + (v - clean.data[o]) ** 2, 0) / a.data.length);
    const masked = rms(await difference('spoilt', `--inmask=${at('inmask')}`));
    const ignored = rms(await difference('spoilt', `--inmask=${at('inmask')}`, '--applyinmask=0'));
    expect(masked).toBeLessThan(0.15 * ignored);
  });

  it('says what is wrong with its input', async () => {
    const base = [`--ref=${at('ref')}`, `--in=${at('in')}`, `--cout=${at('none')}`];
    await expect(run(...base, '--config=nowhere')).rejects.toThrow(/nowhere: no such configuration file/);
    await expect(run(...base, '--subsamp=3,2')).rejects.toThrow(/--subsamp=3,2: each must be/);
    await expect(run(...base, '--miter=5,5')).rejects.toThrow(/--miter has 2 numbers where --subsamp has 4/);
    await expect(run(...base, '--intmod=none')).rejects.toThrow(/--intmod=none is not supported/);
    await expect(run(...base, '--jacrange=2,3')).rejects.toThrow(/one below and one above 1/);
    await expect(run(...base, `--refmask=${at('in')}`)).rejects.toThrow(/has not the grid of its image/);
    await writeMatrix(at('far.mat'), translation(900, 0, 0));
    await expect(run(...base, `--aff=${at('far.mat')}`)).rejects.toThrow(/the images do not overlap/);
    await expect(run(...base, '--nthr=0')).rejects.toThrow(/--nthr=0 is not a number of threads/);
    expect(existsSync(at('none.nii.gz'))).toBe(false);
  });
});

describe("fnirt's settings", () => {
  const none = () => undefined;

  it('the FA configuration is as FSL documents it', async () => {
    const { schedule, inputNothing, referenceNothing } = await loadSettings('FA_2_FMRIB58_1mm', none);
    expect(schedule.stages.map((stage) => stage.subsample)).toEqual([8, 4, 2, 2]);
    expect(schedule.stages.map((stage) => stage.lambda)).toEqual([300, 75, 30, 30]);
    expect(schedule.stages.map((stage) => stage.inputFwhm)).toEqual([12, 6, 2, 2]);
    expect(schedule.stages.map((stage) => stage.fitScale)).toEqual([true, true, true, false]);
    expect(schedule.warpMm).toEqual([10, 10, 10]);
    expect([inputNothing, referenceNothing]).toEqual([0, 0]);
  });

  it('a file goes before the defaults, the command line before the file', async () => {
    await writeFile(
      at('own.cnf'),
      '# mine\n--subsamp=4,2 # two levels\n--miter=7\n--numprec=float\n--imprefm=0\n',
    );
    const { schedule, referenceNothing } = await loadSettings(at('own.cnf'), (name) =>
      name === 'warpres'
        ? '8'
        : name === 'lambda'
          ? '5,4'
          : name.endsWith('fwhm')
            ? '1'
            : name === 'estint'
              ? '1'
              : undefined,
    );
    expect(
      schedule.stages.map(({ subsample, iterations, lambda }) => [subsample, iterations, lambda]),
    ).toEqual([
      [4, 7, 5],
      [2, 7, 4],
    ]);
    expect(schedule.warpMm).toEqual([8, 8, 8]);
    expect(referenceNothing).toBeUndefined();
    expect(() => parseConfiguration('--nonsense=1', 'x.cnf')).toThrow(/x.cnf: --nonsense is not supported/);
    expect(() => parseConfiguration('subsamp 4', 'x.cnf')).toThrow(/is not of the form/);
  });

  it('levels keep their mm on references of other voxels', async () => {
    const { schedule } = await loadSettings('FA_2_FMRIB58_1mm', none);
    const at2 = adaptTo(schedule, 2).stages.map((stage) => stage.subsample);
    expect(at2).toEqual([4, 2, 1, 1]);
    expect(adaptTo(schedule, 3).stages.map((stage) => stage.subsample)).toEqual([4, 2, 1, 1]);
  });
});

describe('samples of a level', () => {
  const image = paint(grid(12, 3), (x, y, z) => Math.sin(x) + Math.cos(2 * y) * z);

  it('smoothing and subsampling at once is smoothing, then every so manieth voxel', () => {
    const { data, dims } = smoothSubsample(image.data, image.grid.dims, [1.2, 0.9, 0], [2, 3, 4]);
    expect(dims).toEqual([6, 4, 3]);
    const whole = smooth(image.data, image.grid.dims, [1.2, 0.9, 0]);
    for (let o = 0; o < data.length; o++) {
      const [i, j, k] = [o % 6, Math.floor(o / 6) % 4, Math.floor(o / 24)];
      expect(data[o]).toBeCloseTo(whole[2 * i + 12 * (3 * j + 12 * 4 * k)], 4);
    }
  });

  it('trilinear values and their gradients', () => {
    const out = new Float64Array(4);
    for (const [x, y, z] of [
      [3.3, 4.6, 5.2],
      [0, 10.5, 11],
    ]) {
      expect(sampleLinearGradient(image.data, image.grid.dims, x, y, z, out)).toBe(true);
      const value = (dx: number, dy: number, dz: number) =>
        sampleLinear(image.data, image.grid.dims, x + dx, y + dy, z + dz);
      expect(out[0]).toBeCloseTo(value(0, 0, 0), 9);
      if (x === 0) continue; // At the edge the gradient is one-sided.
      const h = 1e-3;
      expect(out[1]).toBeCloseTo((value(h, 0, 0) - value(-h, 0, 0)) / (2 * h), 6);
      expect(out[2]).toBeCloseTo((value(0, h, 0) - value(0, -h, 0)) / (2 * h), 6);
      expect(out[3]).toBeCloseTo((value(0, 0, h) - value(0, 0, -h)) / (2 * h), 6);
    }
    expect(sampleLinearGradient(image.data, image.grid.dims, -0.1, 5, 5, out)).toBe(false);
  });
});

it('gives equal bytes for equal input', async () => {
  for (const name of ['one', 'two'])
    await run(
      `--ref=${at('ref')}`,
      `--in=${at('in')}`,
      `--aff=${at('aff.mat')}`,
      `--cout=${at(name)}`,
      '--subsamp=4,2',
      '--miter=2',
      '--infwhm=6',
      '--reffwhm=6',
      '--lambda=300,75',
      '--estint=1',
    );
  expect((await readFile(at('one.nii.gz'))).equals(await readFile(at('two.nii.gz')))).toBe(true);
});
