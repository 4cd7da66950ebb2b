import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMatrix, writeMatrix } from '../../containers/toolkit/files.ts';
import { bendingEnergy } from '../../containers/toolkit/fnirt/bending.ts';
import { knotsFor, refine, SplineLattice } from '../../containers/toolkit/fnirt/lattice.ts';
import { fslReg } from '../../containers/toolkit/fsl_reg/index.ts';
import { parseOptions } from '../../containers/toolkit/tool.ts';
import { resampleThrough } from '../../containers/toolkit/warp/apply.ts';
import { fieldWarp, readWarp } from '../../containers/toolkit/warp/warp.ts';
import {
  chain,
  invert,
  multiply,
  rotation,
  scaling,
  transformPoint,
  translation,
} from '../../imaging/affine.ts';
import { type Dims, type Grid, gridFromAffine, type Image, regrid, voxelToFsl } from '../../imaging/image.ts';
import { resample } from '../../imaging/interpolate.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import { smooth } from '../../imaging/smooth.ts';

let folder: string;
const at = (name: string) => join(folder, name);
const run = (...argv: string[]) => fslReg.run(parseOptions(fslReg, argv), () => {});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fsl_reg-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Repeatable pseudo-random numbers, 0 to 1 (Park & Miller 1988). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** An FA-like head in world mm: a dim ellipsoid with bright tubes and sheets in it, 0 around. */
function faMap(x: number, y: number, z: number): number {
  const edge = Math.sqrt((x / 66) ** 2 + (y / 84) ** 2 + (z / 62) ** 2);
  if (edge > 1) return 0;
  const near = (d: number, width: number) => Math.exp(-0.5 * (d / width) ** 2);
  const callosum = near(Math.hypot(y / 1.6, z - 8) - 18, 4) * near(x, 25) * (z > 0 ? 1 : 0.3);
  const side = Math.abs(x);
  const tracts =
    0.9 * near(Math.hypot(side - 22 - 0.15 * z, y + 8 + 0.2 * z), 4.5) + // corticospinal
    0.8 * near(Math.hypot(side - 36 + 0.1 * y, z - 4 - 0.002 * y * y), 5) + // longitudinal
    0.7 * near(Math.hypot(side - 10, z - 30 + 0.006 * y * y), 4) + // cingulum
    0.6 * near(Math.hypot(z + 22, y + 20), 5) * near(side, 40) + // cerebellar peduncle
    0.6 * near(Math.hypot(side - 0.5 * (y - 20), z - 10), 4.5) * near(y - 45, 20); // forceps
  return Math.min(0.85, 0.12 + 0.7 * callosum + 0.75 * tracts) * Math.min(1, (1 - edge) * 12);
}

type Map3 = (x: number, y: number, z: number) => [number, number, number];

function paint(grid: Grid, f: (x: number, y: number, z: number) => number): Image {
  const [nx, ny, nz] = grid.dims;
  const data = new Float32Array(nx * ny * nz);
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) data[o] = f(...transformPoint(grid.affine, i, j, k));
  return { grid, volumes: 1, data };
}

function centred(dims: Dims, mm: number, neurological: boolean): Grid {
  const half = (a: number) => ((dims[a] - 1) * mm) / 2;
  const sx = neurological ? 1 : -1;
  const m = [sx * mm, 0, 0, -sx * half(0), 0, mm, 0, -half(1), 0, 0, mm, -half(2), 0, 0, 0, 1];
  return gridFromAffine(dims, Float64Array.from(m));
}

/** Truth: input world mm to reference world mm; 12 degrees of tilt, 6 % of scale and up to 5 mm of warp an axis. */
const TRUE_AFFINE = chain(translation(5, -4, 6), rotation(0.21, -0.06, 0.1), scaling(1.06, 0.95, 1.04));
const toReference: Map3 = (x, y, z) => {
  const wave = (v: number, period: number, phase: number) => Math.sin((2 * Math.PI * v) / period + phase);
  return transformPoint(
    TRUE_AFFINE,
    x + 5 * wave(y, 90, 0.4) * wave(z, 110, 1.2),
    y + 5 * wave(x, 100, 1.7) * wave(z, 85, 0.3),
    z + 4 * wave(x, 80, 0.9) * wave(y, 105, 2.1),
  );
};

/** Inverse of {@link toReference} by fixed-point iteration: the warp is a contraction. */
const toInput: Map3 = (x, y, z) => {
  const inverse = invert(TRUE_AFFINE);
  let p = transformPoint(inverse, x, y, z);
  for (let i = 0; i < 40; i++) {
    const q = toReference(...p);
    const d = transformPoint(
      inverse,
      x - q[0] + TRUE_AFFINE[3],
      y - q[1] + TRUE_AFFINE[7],
      z - q[2] + TRUE_AFFINE[11],
    );
    p = [p[0] + d[0], p[1] + d[1], p[2] + d[2]];
  }
  return p;
};

function correlation(a: ArrayLike<number>, b: ArrayLike<number>, counts: (o: number) => boolean): number {
  let [n, x, y, xx, yy, xy] = [0, 0, 0, 0, 0, 0];
  for (let o = 0; o < a.length; o++) {
    if (!counts(o)) continue;
    n++;
    x += a[o];
    y += b[o];
    xx += a[o] * a[o];
    yy += b[o] * b[o];
    xy += a[o] * b[o];
  }
  return (xy - (x * y) / n) / Math.sqrt((xx - (x * x) / n) * (yy - (y * y) / n));
}

/** Least Jacobian determinant, by differences between voxels, of a relative field. */
function leastDeterminant(field: Image): number {
  const [nx, ny, nz] = field.grid.dims;
  const n = nx * ny * nz;
  const strides = [1, nx, nx * ny];
  let least = Number.POSITIVE_INFINITY;
  for (let k = 0; k < nz - 1; k++)
    for (let j = 0; j < ny - 1; j++)
      for (let i = 0; i < nx - 1; i++) {
        const o = i + nx * (j + ny * k);
        const d = (c: number, a: number) =>
          (c === a ? 1 : 0) +
          (field.data[c * n + o + strides[a]] - field.data[c * n + o]) / field.grid.voxelSizes[a];
        least = Math.min(
          least,
          d(0, 0) * (d(1, 1) * d(2, 2) - d(1, 2) * d(2, 1)) -
            d(0, 1) * (d(1, 0) * d(2, 2) - d(1, 2) * d(2, 0)) +
            d(0, 2) * (d(1, 0) * d(2, 1) - d(1, 1) * d(2, 0)),
        );
      }
  return least;
}

describe('spline lattice', () => {
  const spacing = [6, 5, 7] as const;
  const half = [3, 2.5, 3.5] as const;
  const extent = [36, 30, 42]; // All of it between the second knot and the last but one, at both spacings.
  const knotsAt = (mm: readonly number[]) => extent.map((e, a) => knotsFor(e + 1, mm[a])) as unknown as Dims;
  const knots = knotsAt(spacing);
  const positions = extent.map((e) => Float64Array.from({ length: 11 }, (_, i) => (i * e) / 10));
  const random = generator(7);
  const coefficients = Float64Array.from({ length: knots[0] * knots[1] * knots[2] }, () => random() - 0.5);

  it('has as many knots as the file that FSL made', () => {
    // ses-1_to_template_warpcoef: 39 x 46 x 39 knots, 5 voxels apart, for 182 x 218 x 182 voxels.
    expect([182, 218, 182].map((n) => knotsFor(n, 5))).toEqual([39, 46, 39]);
  });

  it('gather is the transpose of expand', () => {
    const lattice = new SplineLattice(positions, spacing, knots);
    const values = Float32Array.from({ length: 11 ** 3 }, () => random() - 0.5);
    const [expanded, gathered] = [new Float32Array(11 ** 3), new Float64Array(coefficients.length)];
    lattice.expand(coefficients, expanded);
    lattice.gather(values, gathered);
    const left = expanded.reduce((s, v, i) => s + v * values[i], 0);
    const right = gathered.reduce((s, v, i) => s + v * coefficients[i], 0);
    expect(left).toBeCloseTo(right, 4); // The values are single precision.
  });

  it('refining the knots keeps the function', () => {
    const [before, after] = [new Float32Array(11 ** 3), new Float32Array(11 ** 3)];
    new SplineLattice(positions, spacing, knots).expand(coefficients, before);
    const fine = knotsAt(half);
    new SplineLattice(positions, half, fine).expand(refine(coefficients, knots, fine), after);
    for (let i = 0; i < before.length; i++) expect(after[i]).toBeCloseTo(before[i], 5);
  });

  it('bending costs nothing for linear functions; gradient and diagonal are those of the energy', () => {
    const { addTo, energy, diagonal } = bendingEnergy(knots, spacing);
    const linear = coefficients.map((_, o) => {
      const [i, j] = [o % knots[0], Math.floor(o / knots[0]) % knots[1]];
      return 3 + 2 * i - j + 0.5 * Math.floor(o / (knots[0] * knots[1]));
    });
    expect(energy(linear)).toBeCloseTo(0, 9);
    const gradient = new Float64Array(coefficients.length);
    addTo(gradient, coefficients, 1);
    // A quadratic form: the energy is half of x . gradient.
    expect(coefficients.reduce((s, v, i) => s + v * gradient[i], 0) / 2).toBeCloseTo(energy(coefficients), 9);
    for (const o of [0, 57, 200]) {
      const unit = new Float64Array(coefficients.length);
      const column = new Float64Array(coefficients.length);
      unit[o] = 1;
      addTo(column, unit, 1);
      expect(diagonal[o]).toBeCloseTo(column[o], 12);
    }
  });

  it('bending is half the integral of the squared second derivatives', () => {
    // x^2 / 2 + 3 x y: its Hessian is 1, 3, 3, 0 everywhere. The spline's coefficients of x^2 are those of its knots - 1/3 spacing^2.
    const at = (o: number) => {
      const [i, j] = [o % knots[0], Math.floor(o / knots[0]) % knots[1]];
      return [(i - 1) * spacing[0], (j - 1) * spacing[1]];
    };
    const quadratic = coefficients.map((_, o) => {
      const [x, y] = at(o);
      return 0.5 * (x * x - spacing[0] ** 2 / 3) + 3 * x * y;
    });
    const volume = knots.reduce((v, n, a) => v * (n - 3) * spacing[a], 1);
    expect(bendingEnergy(knots, spacing).energy(quadratic) / (0.5 * volume)).toBeCloseTo(1 + 9 + 9, 9);
  });
});

describe('fsl_reg on a simulated FA map', () => {
  const referenceGrid = centred([72, 86, 72], 2.5, false);
  const inputGrid = centred([64, 76, 60], 3, true);
  let reference: Image;
  let seconds: number;

  beforeAll(async () => {
    reference = paint(referenceGrid, faMap);
    const random = generator(11);
    const noisy = paint(inputGrid, (x, y, z) => {
      const v = faMap(...toReference(x, y, z));
      // Sum of four uniforms: near enough to Gaussian noise of SD 0.03.
      return v === 0 ? 0 : Math.max(0, v + 0.052 * (random() + random() + random() + random() - 2));
    });
    // The template is 0 outside the inner brain, as FMRIB58_FA is.
    reference.data.forEach((v, o) => {
      if (v < 0.1) reference.data[o] = 0;
    });
    await writeImage(at('fa.nii.gz'), noisy);
    await writeImage(at('template.nii.gz'), reference);
    const start = process.cpuUsage();
    await run(at('fa'), at('template'), at('out'), '-FA');
    const { user, system } = process.cpuUsage(start);
    seconds = (user + system) / 1e6;
  });

  it('recovers the displacement where there is contrast, without folding', async () => {
    const field = await readImage(at('out_warp.nii.gz'));
    expect(field.volumes).toBe(3);
    expect(field.grid.dims).toEqual(referenceGrid.dims);
    const [nx, ny, nz] = referenceGrid.dims;
    const n = nx * ny * nz;
    const toFsl = voxelToFsl(referenceGrid);
    const worldToInputFsl = multiply(voxelToFsl(inputGrid), invert(inputGrid.affine));
    const strides = [1, nx, nx * ny];
    let [squares, worst, count] = [0, 0, 0];
    for (let k = 1; k < nz - 1; k++)
      for (let j = 1; j < ny - 1; j++)
        for (let i = 1; i < nx - 1; i++) {
          const o = i + nx * (j + ny * k);
          const slope = Math.hypot(...strides.map((s) => reference.data[o + s] - reference.data[o - s])) / 5;
          if (reference.data[o] === 0 || slope < 0.02) continue; // FA per mm
          const x = transformPoint(toFsl, i, j, k);
          const truth = transformPoint(
            worldToInputFsl,
            ...toInput(...transformPoint(referenceGrid.affine, i, j, k)),
          );
          let error = 0;
          for (let c = 0; c < 3; c++) error += (x[c] + field.data[c * n + o] - truth[c]) ** 2;
          squares += error;
          worst = Math.max(worst, Math.sqrt(error));
          count++;
        }
    console.log(
      `fsl_reg phantom: ${count} voxels, RMS ${Math.sqrt(squares / count).toFixed(3)} mm, worst ${worst.toFixed(2)} mm, ${seconds.toFixed(1)} s of CPU`,
    );
    expect(count).toBeGreaterThan(20_000);
    expect(Math.sqrt(squares / count)).toBeLessThan(1.5); // Half a voxel of the input.
    expect(leastDeterminant(field)).toBeGreaterThan(0);
  });

  it('makes the input look like the template', async () => {
    const warped = await readImage(at('out.nii.gz'));
    expect(correlation(warped.data, reference.data, (o) => reference.data[o] > 0)).toBeGreaterThan(0.97);
    // The image is the input through the written field, so applywarp on other maps agrees with it.
    const again = await resampleThrough(
      await readImage(at('fa.nii.gz')),
      referenceGrid,
      { warp: await readWarp(at('out_warp'), 'relative') },
      'linear',
    );
    expect(warped.data).toEqual(again.data);
  });

  it('the matrix is the affine part of the truth', async () => {
    const own = await readMatrix(at('out.mat'));
    const truth = chain(
      voxelToFsl(referenceGrid),
      invert(referenceGrid.affine),
      TRUE_AFFINE,
      inputGrid.affine,
      invert(voxelToFsl(inputGrid)),
    );
    // The warp has an affine part of its own, of the order of a millimetre over the head.
    for (const corner of [
      [60, 60, 60],
      [130, 60, 60],
      [60, 170, 60],
      [95, 113, 130],
    ] as [number, number, number][]) {
      const [a, b] = [transformPoint(own, ...corner), transformPoint(truth, ...corner)];
      expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeLessThan(6);
    }
  });
});

describe('fsl_reg as a command', () => {
  beforeAll(async () => {
    await writeImage(at('small_ref.nii.gz'), paint(centred([28, 35, 27], 6, false), faMap));
    await writeImage(
      at('small_in.nii.gz'),
      paint(centred([28, 35, 27], 6, true), (x, y, z) => faMap(...toReference(x, y, z))),
    );
  });

  it('gives equal bytes for equal input', async () => {
    for (const name of ['one', 'two'])
      await run(at('small_in'), at('small_ref'), at(name), '-FA', '-fnirt', '--miter=2 --warpres=12');
    for (const end of ['.nii.gz', '.mat', '_warp.nii.gz'])
      expect((await readFile(at(`one${end}`))).equals(await readFile(at(`two${end}`)))).toBe(true);
  });

  it('-a writes no warp; -e keeps what is there; without -e it is made anew', async () => {
    await run(at('small_in'), at('small_ref'), at('affine.nii.gz'), '-a');
    expect(existsSync(at('affine.nii.gz')) && existsSync(at('affine.mat'))).toBe(true);
    expect(existsSync(at('affine_warp.nii.gz'))).toBe(false);
    const before = (await stat(at('affine.mat'))).mtimeMs;
    await run(at('small_in'), at('small_ref'), at('affine'), '-a', '-e');
    expect((await stat(at('affine.mat'))).mtimeMs).toBe(before);
    await run(at('small_in'), at('small_ref'), at('affine'), '-a');
    expect((await stat(at('affine.mat'))).mtimeMs).toBeGreaterThan(before);
  });

  it('-flirt limits the degrees of freedom and takes a start', async () => {
    await run(at('small_in'), at('small_ref'), at('rigid'), '-a', '-flirt', '-dof 6');
    const m = await readMatrix(at('rigid.mat'));
    for (const c of [0, 1, 2]) expect(Math.hypot(m[c], m[4 + c], m[8 + c])).toBeCloseTo(1, 6);
    // Started at the solution, the descent stays: within 1 mm and 0.6 degrees, a sixth of a voxel.
    await writeMatrix(at('start.mat'), m);
    await run(
      at('small_in'),
      at('small_ref'),
      at('started'),
      '-a',
      '-flirt',
      `-dof 6 -init ${at('start.mat')}`,
    );
    const s = await readMatrix(at('started.mat'));
    for (let i = 0; i < 12; i++) expect(Math.abs(s[i] - m[i])).toBeLessThan(i % 4 === 3 ? 1 : 0.01);
  });

  it('says what is wrong with its input', async () => {
    await expect(run(at('small_in'), at('small_ref'))).rejects.toThrow(
      /give an input, a reference and an output/,
    );
    await expect(run(at('nowhere'), at('small_ref'), at('x'))).rejects.toThrow(/nowhere: no such image/);
    await writeImage(
      at('empty.nii.gz'),
      paint(centred([10, 10, 10], 5, true), () => 0),
    );
    await expect(run(at('empty'), at('small_ref'), at('x'))).rejects.toThrow(
      /empty\.nii\.gz: holds no image/,
    );
    await expect(run(at('one_warp'), at('small_ref'), at('x'))).rejects.toThrow(/has 3 volumes/);
    const fnirt = (words: string) => run(at('small_in'), at('small_ref'), at('x'), '-fnirt', words);
    await expect(fnirt('--biasres=50')).rejects.toThrow(/--biasres is not supported/);
    await expect(fnirt('--miter')).rejects.toThrow(/--miter needs a value/);
    const flirt = (words: string) => run(at('small_in'), at('small_ref'), at('x'), '-flirt', words);
    await expect(flirt('-bins 256')).rejects.toThrow(/-bins is not supported/);
    await expect(flirt('-cost nothing')).rejects.toThrow(/-cost nothing is unknown/);
    expect(existsSync(at('x.nii.gz'))).toBe(false);
  });
});

const shared = fileURLToPath(new URL('../../../shared/', import.meta.url));
const canon = join(shared, 'reference/canon');
const standard = join(shared, 'standard');
const there = existsSync(canon) && existsSync(standard);

describe.skipIf(!there)(`fsl_reg on a human FA map against FSL 5.0.9 (needs ${shared})`, () => {
  it('warps onto FMRIB58_FA as well as FSL, with its regional MD', async () => {
    // The template at 3 mm: a fifth of the time that 1 mm takes.
    const full = await readImage(join(standard, 'FMRIB58_FA_1mm.nii.gz'));
    const grid = regrid(full.grid, 3);
    const map = multiply(invert(full.grid.affine), grid.affine);
    const data = resample(smooth(full.data, full.grid.dims, [1, 1, 1]), full.grid.dims, grid, map);
    const counts = resample(full.data, full.grid.dims, grid, map, 'nearest');
    data.forEach((_, o) => {
      if (counts[o] === 0) data[o] = 0;
    });
    await writeImage(at('fmrib58.nii.gz'), { grid, volumes: 1, data });
    await run(join(canon, 'ses-1_dtifit_wls_FA'), at('fmrib58'), at('canon'), '-FA');

    const fa = (await readImage(at('canon.nii.gz'))).data;
    const field = await readImage(at('canon_warp.nii.gz'));
    const md = await readImage(join(canon, 'ses-1_dtifit_wls_MD.nii.gz'));
    const warp = fieldWarp(field);
    const own = (await resampleThrough(md, grid, { warp }, 'linear')).data;
    const mask = { ...md, data: md.data.map((v) => (v > 0 ? 1 : 0)) };
    const covered = (await resampleThrough(mask, grid, { warp }, 'nearest')).data;
    expect(correlation(fa, data, (o) => data[o] > 0)).toBeGreaterThan(0.9); // FSL at 1 mm: 0.923
    expect(leastDeterminant(field)).toBeGreaterThan(0);
    const white = own.filter((_, o) => fa[o] > 0.35).sort();
    const median = white[white.length >> 1];
    expect(Math.abs(median / 0.663e-3 - 1)).toBeLessThan(0.03);

    const rois = await readImage(join(standard, 'rois_1mm.nii.gz'));
    const labels = resample(
      rois.data,
      rois.grid.dims,
      grid,
      multiply(invert(rois.grid.affine), grid.affine),
      'nearest',
    );
    const table = (await readFile(join(canon, 'roi_md.tsv'), 'utf8')).trim().split('\n').slice(1);
    const fsl = table.map((row) => row.split('\t')).filter(([session]) => session === '1');
    expect(fsl).toHaveLength(7);
    fsl.forEach((row, r) => {
      let [sum, n] = [0, 0];
      for (let o = 0; o < own.length; o++)
        if (labels[o] === r + 1 && covered[o] > 0) {
          sum += own[o];
          n++;
        }
      expect(Math.abs(sum / n / Number(row[5]) - 1), row[1]).toBeLessThan(0.05);
    });
  });
});
