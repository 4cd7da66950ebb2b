import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convertwarp } from '../../containers/toolkit/convertwarp/index.ts';
import { writeMatrix } from '../../containers/toolkit/files.ts';
import { constrainField } from '../../containers/toolkit/invwarp/constrain.ts';
import { invwarp } from '../../containers/toolkit/invwarp/index.ts';
import { forLinearReading } from '../../containers/toolkit/invwarp/quasi.ts';
import { parseOptions, type Tool } from '../../containers/toolkit/tool.ts';
import { fieldJacobian } from '../../containers/toolkit/warp/field.ts';
import { chain, invert, rotation, scaling, transformPoint, translation } from '../../imaging/affine.ts';
import { type Grid, gridFromAffine, type Image, voxelToFsl } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';

let folder: string;
const at = (name: string) => join(folder, name);
const run = <K extends string>(tool: Tool<K>, ...argv: string[]) =>
  tool.run(parseOptions(tool, argv), () => {});

function grid(dims: [number, number, number], mm: number, neurological: boolean): Grid {
  const sx = neurological ? mm : -mm;
  return gridFromAffine(dims, Float64Array.of(sx, 0, 0, 5, 0, mm, 0, -9, 0, 0, mm, 2, 0, 0, 0, 1));
}

type Point = [number, number, number];
type Field = (x: number, y: number, z: number) => readonly number[];

/** Volumes from a function of the grid's FSL mm. */
function paint(on: Grid, f: Field): Image {
  const [nx, ny, nz] = on.dims;
  const n = nx * ny * nz;
  const volumes = f(0, 0, 0).length;
  const data = new Float32Array(n * volumes);
  const toFsl = voxelToFsl(on);
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++)
        for (const [t, v] of f(...transformPoint(toFsl, i, j, k)).entries()) data[o + t * n] = v;
  return { grid: on, volumes, data };
}

/** Largest distance of a relative field from `f`, at voxels that `counts`. */
function worst(field: Image, f: Field, counts: (x: number, y: number, z: number) => boolean = () => true) {
  const truth = paint(field.grid, f);
  const [nx, ny, nz] = field.grid.dims;
  const n = nx * ny * nz;
  const toFsl = voxelToFsl(field.grid);
  let [error, voxels] = [0, 0];
  for (let o = 0; o < n; o++) {
    const p = transformPoint(toFsl, o % nx, Math.floor(o / nx) % ny, Math.floor(o / (nx * ny)));
    if (!counts(...p)) continue;
    voxels++;
    const d = [0, 1, 2].map((c) => field.data[o + c * n] - truth.data[o + c * n]);
    error = Math.max(error, Math.hypot(...d));
  }
  expect(voxels).toBeGreaterThan(500);
  return error;
}

const REFERENCE = grid([24, 22, 20], 3, false);
const INPUT = grid([26, 24, 22], 3, true);
// Displacements linear in space: exact under a field's linear interpolation.
const first: Field = (x, y, z) => [2 + 0.05 * x - 0.02 * y, -1 + 0.03 * z, 1.5 - 0.04 * y + 0.02 * z];
const second: Field = (x, y, z) => [-1 + 0.02 * z, 1 - 0.03 * x + 0.01 * y, 0.5 + 0.02 * x];
const moved = (f: Field, [x, y, z]: Point): Point => {
  const d = f(x, y, z);
  return [x + d[0], y + d[1], z + d[2]];
};
const PREMAT = chain(translation(4, -3, 2), rotation(0.1, -0.05, 0.08));
const MIDMAT = chain(translation(-1, 2, 1), rotation(0.03, 0.05, -0.04), scaling(1.05, 0.95, 1));
const POSTMAT = chain(translation(-2, 1.5, 1), rotation(-0.04, 0.06, 0.02));
/** Away from where the displacement of a field's edge holds on. */
const inner = (x: number, y: number, z: number) => x > 12 && y > 12 && z > 12 && x < 55 && y < 50 && z < 45;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convertwarp-'));
  await writeImage(
    at('ref.nii.gz'),
    paint(REFERENCE, () => [1]),
  );
  await writeImage(
    at('in.nii.gz'),
    paint(INPUT, () => [1]),
  );
  await writeImage(at('first.nii.gz'), paint(REFERENCE, first));
  await writeImage(at('second.nii.gz'), paint(REFERENCE, second));
  await writeMatrix(at('pre.mat'), PREMAT);
  await writeMatrix(at('mid.mat'), MIDMAT);
  await writeMatrix(at('post.mat'), POSTMAT);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('convertwarp', () => {
  const matrices = () => [
    `--premat=${at('pre.mat')}`,
    `--midmat=${at('mid.mat')}`,
    `--postmat=${at('post.mat')}`,
  ];
  const warps = () => [`--warp1=${at('first')}`, `--warp2=${at('second')}`];
  const truth: Field = (x, y, z) => {
    let p = transformPoint(invert(POSTMAT), x, y, z);
    p = moved(first, transformPoint(invert(MIDMAT), ...moved(second, p)));
    p = transformPoint(invert(PREMAT), ...p);
    return [p[0] - x, p[1] - y, p[2] - z];
  };

  it('chains premat, warp1, midmat, warp2 and postmat in this order', async () => {
    await run(convertwarp, '-r', at('ref'), '-o', at('chain'), ...matrices(), ...warps());
    expect(worst(await readImage(at('chain.nii.gz')), truth, inner)).toBeLessThan(1e-4);
  });

  it('coordinates in (--abs) and out (--absout) are displacements plus the position', async () => {
    for (const [name, f] of [
      ['first', first],
      ['second', second],
    ] as const)
      await writeImage(
        at(`${name}_abs.nii.gz`),
        paint(REFERENCE, (x, y, z) => moved(f, [x, y, z])),
      );
    const absolute = [`--warp1=${at('first_abs')}`, `--warp2=${at('second_abs')}`, '--abs', '--absout'];
    await run(convertwarp, '-r', at('ref'), '-o', at('absolute'), ...matrices(), ...absolute);
    const coordinates: Field = (x, y, z) => moved(truth, [x, y, z]);
    expect(worst(await readImage(at('absolute.nii.gz')), coordinates, inner)).toBeLessThan(1e-4);
  });

  it('a shift map moves by its voxels along the axis, whichever way x is stored', async () => {
    await writeImage(
      at('shift.nii.gz'),
      paint(INPUT, (_x, y) => [0.5 + 0.01 * y]),
    );
    for (const [direction, axis, sign] of [
      ['y', 1, 3],
      ['y-', 1, -3],
      ['x', 0, -3], // The input is neurological: FSL's x runs against its voxels.
    ] as const) {
      const shift = ['-s', at('shift'), '-d', direction];
      await run(convertwarp, '-r', at('ref'), '-o', at('shifted'), ...shift);
      const field = await readImage(at('shifted.nii.gz'));
      const expected: Field = (_x, y) => [0, 1, 2].map((c) => (c === axis ? sign * (0.5 + 0.01 * y) : 0));
      expect(worst(field, expected, inner)).toBeLessThan(1e-4);
    }
  });

  it('writes the Jacobian of the whole field', async () => {
    await run(convertwarp, '-r', at('ref'), '-o', at('j_field'), `--warp1=${at('first')}`, '-j', at('j'));
    const jacobian = await readImage(at('j.nii.gz'));
    // By hand, of the linear displacement `first`.
    const determinant =
      1.05 * (1 * 1.02 - 0.03 * -0.04) - -0.02 * (0 * 1.02 - 0.03 * 0) + 0 * (0 * -0.04 - 1 * 0);
    for (const value of jacobian.data) expect(value).toBeCloseTo(determinant, 4);
  });

  it('says what is wrong with its input', async () => {
    const base = ['-r', at('ref'), '-o', at('bad')];
    await expect(run(convertwarp, ...base)).rejects.toThrow(/nothing to convert/);
    await expect(run(convertwarp, ...base, '-s', at('ref'))).rejects.toThrow(/--shiftmap needs --shiftdir/);
    await expect(run(convertwarp, ...base, '-s', at('ref'), '-d', 'w')).rejects.toThrow(/--shiftdir=w/);
    await expect(run(convertwarp, ...base, ...warps(), '--abs', '--rel')).rejects.toThrow(
      /exclude each other/,
    );
    await expect(run(convertwarp, ...base, `--warp1=${at('ref')}`)).rejects.toThrow(
      /a warp has three volumes/,
    );
    expect(existsSync(at('bad.nii.gz'))).toBe(false);
  });
});

describe('invwarp', () => {
  /** Up to 3 mm, and an affine of 8 degrees and 10 %. */
  const AFFINE = chain(translation(6, -2, 3), rotation(0.1, -0.14, 0.05), scaling(1.1, 0.92, 1.05));
  const curved: Field = (x, y, z) => {
    const p = transformPoint(AFFINE, x, y, z);
    return [
      p[0] - x + 3 * Math.sin(y / 12),
      p[1] - y + 3 * Math.cos(z / 13),
      p[2] - z + 2.5 * Math.sin(x / 11),
    ];
  };

  it('the warp takes what the inverse gives back to where it came from', async () => {
    await writeImage(at('curved.nii.gz'), paint(grid([60, 55, 50], 1.2, false), curved));
    await run(invwarp, '-w', at('curved'), '-r', at('ref'), '-o', at('inverse'));
    const inverse = await readImage(at('inverse.nii.gz'));
    const [nx, ny, nz] = REFERENCE.dims;
    const n = nx * ny * nz;
    let [squares, worstError, count] = [0, 0, 0];
    for (let o = 0; o < n; o++) {
      const y: Point = [3 * (o % nx), 3 * (Math.floor(o / nx) % ny), 3 * Math.floor(o / (nx * ny))];
      const x = y.map((v, c) => v + inverse.data[o + c * n]) as Point;
      if (x.some((v, c) => v < 0 || v > 1.2 * [59, 54, 49][c])) continue;
      const back = moved(curved, x);
      const error = Math.hypot(...back.map((v, c) => v - y[c]));
      squares += error ** 2;
      worstError = Math.max(worstError, error);
      count++;
    }
    expect(count).toBeGreaterThan(3000);
    expect(Math.sqrt(squares / count)).toBeLessThan(0.1);
    expect(worstError).toBeLessThan(0.4);
  });

  it('coordinates in give coordinates out', async () => {
    const grid60 = grid([60, 55, 50], 1.2, false);
    await writeImage(
      at('curved_abs.nii.gz'),
      paint(grid60, (x, y, z) => moved(curved, [x, y, z])),
    );
    await run(invwarp, '-w', at('curved_abs'), '-r', at('ref'), '-o', at('inverse_abs'), '--abs');
    const [absolute, relative] = [
      await readImage(at('inverse_abs.nii.gz')),
      await readImage(at('inverse.nii.gz')),
    ];
    const expected: number[] = [];
    const [nx, ny, nz] = REFERENCE.dims;
    const n = nx * ny * nz;
    for (let o = 0; o < n; o += 331) {
      const x = 3 * (o % nx);
      expected.push(absolute.data[o] - x - relative.data[o]);
    }
    for (const difference of expected) expect(Math.abs(difference)).toBeLessThan(0.01);
  });

  it('keeps the Jacobian of the inverse within bounds, unless told not to', async () => {
    // Stretches the reference by up to 2.5 along x, so that its inverse shrinks by as much.
    const stretched: Field = (x) => [9 * Math.sin(x / 6), 0, 0];
    await writeImage(at('stretched.nii.gz'), paint(grid([60, 20, 20], 1.2, false), stretched));
    const least = async (name: string) => {
      await run(convertwarp, '-r', at('ref'), '-o', at('x'), `--warp1=${at(name)}`, '-j', at('jacobian'));
      return (await readImage(at('jacobian.nii.gz'))).data.reduce((low, v) => Math.min(low, v), 9);
    };
    const base = ['-w', at('stretched'), '-r', at('ref'), '--jmin=0.4'];
    await run(invwarp, ...base, '-o', at('mended'));
    expect(await least('mended')).toBeGreaterThan(0.399);
    await run(invwarp, ...base, '-o', at('free'), '--noconstraint');
    expect(await least('free')).toBeLessThan(0.35);
  });

  it('a field that folds is mended', () => {
    const folded = paint(REFERENCE, (x) => [9 * Math.sin(x / 6), 0, 0]);
    expect(fieldJacobian(folded).reduce((low, v) => Math.min(low, v), 9)).toBeLessThan(0);
    expect(constrainField(folded, 0.01, 100)).toBe(0);
    expect(fieldJacobian(folded).reduce((low, v) => Math.min(low, v), 9)).toBeGreaterThan(0.0099);
  });

  it('says what is wrong with its input', async () => {
    const base = ['-r', at('ref'), '-o', at('bad')];
    await expect(run(invwarp, ...base, '-w', at('ref'))).rejects.toThrow(/a warp has three volumes/);
    await writeImage(
      at('flat.nii.gz'),
      paint(REFERENCE, (x, y, z) => [5 - x, 5 - y, 5 - z]),
    );
    await expect(run(invwarp, ...base, '-w', at('flat'))).rejects.toThrow(/flat: .*has no inverse/);
    const jacobians = ['--jmin=2', '--jmax=1'];
    await expect(run(invwarp, ...base, '-w', at('first'), ...jacobians)).rejects.toThrow(/must be below/);
    expect(existsSync(at('bad.nii.gz'))).toBe(false);
  });
});

it('a field for linear reading errs half as much between its voxels, and not at all where it is linear', () => {
  const curve: Field = (x) => [Math.sin(x / 8), 0, 0];
  const field = paint(REFERENCE, curve);
  const error = ({ data }: Image) => {
    let squares = 0;
    for (let i = 2; i < 21; i++)
      for (let t = 0.05; t < 1; t += 0.1) {
        const o = i + 24 * (10 + 22 * 10);
        squares += (data[o] + t * (data[o + 1] - data[o]) - Math.sin((3 * (i + t)) / 8)) ** 2;
      }
    return Math.sqrt(squares);
  };
  expect(error(forLinearReading(field))).toBeLessThan(0.5 * error(field));
  const linear = paint(REFERENCE, first);
  const same = forLinearReading(linear);
  for (let o = 0; o < same.data.length; o++) expect(same.data[o]).toBeCloseTo(linear.data[o], 4);
});
