import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applytopup } from '../../containers/toolkit/applytopup/index.ts';
import { restore } from '../../containers/toolkit/applytopup/restore.ts';
import { parseOptions, type Tool } from '../../containers/toolkit/tool.ts';
import { bendingEnergy } from '../../containers/toolkit/topup/bending.ts';
import { curvature } from '../../containers/toolkit/topup/curvature.ts';
import { shiftDensity, unwarp } from '../../containers/toolkit/topup/distortion.ts';
import { evaluateField, readTopup, reverseX, writeTopup } from '../../containers/toolkit/topup/field.ts';
import { topup } from '../../containers/toolkit/topup/index.ts';
import { levelImage, signalMask } from '../../containers/toolkit/topup/sample.ts';
import { parseSchedule, readSchedule } from '../../containers/toolkit/topup/schedule.ts';
import {
  evaluateSpline,
  fitSpline,
  gridBases,
  partOfBasis,
  projectSpline,
} from '../../containers/toolkit/topup/spline.ts';
import { gridFromAffine, type Image } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';

const shared = fileURLToPath(new URL('../../../shared/', import.meta.url));
const sample = join(shared, 'data/fsl-topup');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'topup-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function run(tool: Tool, ...argv: string[]): Promise<void> {
  return tool.run(parseOptions(tool, argv), () => {});
}

/** Numbers that look random and are the same each time. */
function noise(n: number, seed = 1): Float32Array {
  let s = seed;
  return Float32Array.from({ length: n }, () => {
    s = (s * 48271) % 2147483647;
    return s / 2147483647 - 0.5;
  });
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

const DIMS = [27, 32, 15] as const; // odd sizes on purpose
const MM = 4;
const READOUT = 0.05;
const SIZE = DIMS[0] * DIMS[1] * DIMS[2];

/** A head-like object, known at any point (voxels): bright ellipsoid with folds and ventricles. */
function anatomy(x: number, y: number, z: number): number {
  const r = Math.hypot((x - 13) / 10, (y - 15.5) / 12, (z - 7) / 9);
  const inside = 1 / (1 + Math.exp((r - 1) * 14));
  return (
    inside * (600 + 220 * Math.sin(0.9 * x) * Math.cos(0.75 * y + 0.4 * z) + 150 * Math.cos(0.55 * y - z))
  );
}

/** Field in Hz: up to 2 voxels at the front, smooth. */
function trueField(x: number, y: number, z: number): number {
  return 40 * Math.exp(-((x - 13) ** 2 + (y - 24) ** 2 + (z - 4) ** 2) / 60) - 12 * Math.cos(0.15 * y);
}

function fill(f: (x: number, y: number, z: number) => number): Float32Array {
  const out = new Float32Array(SIZE);
  let o = 0;
  for (let z = 0; z < DIMS[2]; z++)
    for (let y = 0; y < DIMS[1]; y++) for (let x = 0; x < DIMS[0]; x++) out[o++] = f(x, y, z);
  return out;
}

/** What a scanner would see: every 1/8 voxel of the object lands where the field puts it (signal is kept). */
function acquire(
  sign: 1 | -1,
  moved: readonly number[] = [0, 0, 0],
  axis: 0 | 1 = 1,
  readout = READOUT,
): Float32Array {
  const out = new Float32Array(SIZE);
  const n = DIMS[axis];
  const at = [0, 0, 0];
  for (let z = 0; z < DIMS[2]; z++)
    for (let other = 0; other < DIMS[1 - axis]; other++)
      for (let s = 0; s < 8 * n; s++) {
        at[axis] = (s + 0.5) / 8 - 0.5;
        at[1 - axis] = other;
        at[2] = z;
        const [p, q, r] = at.map((v, a) => v - moved[a]);
        const to = Math.round(at[axis] + sign * readout * trueField(p, q, r));
        if (to < 0 || to >= n) continue;
        at[axis] = to;
        out[at[0] + DIMS[0] * (at[1] + DIMS[1] * z)] += anatomy(p, q, r) / 8;
      }
  return out;
}

function image(volumes: Float32Array[], neurological = false): Image {
  const affine = Float64Array.of(neurological ? MM : -MM, 0, 0, 0, 0, MM, 0, 0, 0, 0, MM, 0, 0, 0, 0, 1);
  const data = new Float32Array(SIZE * volumes.length);
  for (const [t, v] of volumes.entries()) {
    const stored = v.slice();
    if (neurological) reverseX(stored, DIMS[0]);
    data.set(stored, t * SIZE);
  }
  return { grid: gridFromAffine(DIMS, affine), volumes: volumes.length, data };
}

/** Root mean square of a - b (minus its mean where `centred`) where the object is. */
function rms(a: Float32Array, b: Float32Array, centred = false): number {
  const object = fill(anatomy);
  const at = [...object.keys()].filter((o) => object[o] > 300);
  const mean = centred ? at.reduce((s, o) => s + a[o] - b[o], 0) / at.length : 0;
  return Math.sqrt(at.reduce((s, o) => s + (a[o] - b[o] - mean) ** 2, 0) / at.length);
}

describe('spline fields', () => {
  const bases = gridBases(DIMS, [3, 5, 2], [0, 1, 0]);
  const count = bases.reduce((p, b) => p * b.knots, 1);

  it('projection is the transpose of evaluation', () => {
    const [c, v] = [noise(count), noise(SIZE, 7)];
    // Float32 sums of some 1e4 terms.
    expect(dot(evaluateSpline(c, bases), v)).toBeCloseTo(dot(c, projectSpline(v, bases)), 2);
  });

  it('fitting gives back a field that a spline made', () => {
    const plain = gridBases(DIMS, [3, 5, 2]);
    const field = evaluateSpline(noise(count, 3), plain);
    const again = evaluateSpline(fitSpline(field, plain), plain);
    // The ridge that keeps unseen knots at 0 costs about 1e-4 of the field.
    expect(Math.sqrt(dot(field, field) / SIZE)).toBeGreaterThan(0.05);
    expect(Math.max(...again.map((v, i) => Math.abs(v - field[i])))).toBeLessThan(2e-3);
  });

  it('curvature is symmetric and equals evaluate, weigh, project', () => {
    const all = [gridBases(DIMS, [3, 5, 2]), bases] as const;
    const weights = [[noise(SIZE, 2), noise(SIZE, 3)], [noise(SIZE, 4)]];
    const shared = [all[0], [all[0][0], all[1][1], all[0][2]] as const] as const;
    const applyTo = curvature(shared, weights);
    const apply = (v: Float64Array) => {
      const out = new Float64Array(count);
      applyTo(v, out);
      return out;
    };
    const [a, b] = [new Float64Array(noise(count, 5)), new Float64Array(noise(count, 6))];
    const product = apply(a);
    expect(dot(product, b)).toBeCloseTo(dot(a, apply(b)), 2);
    const fields = shared.map((s) => evaluateSpline(new Float32Array(a), s));
    const expected = new Float64Array(count);
    for (const k of [0, 1]) {
      const image = fields[0].map(
        (f, o) =>
          (k === 0 ? weights[0][0] : weights[0][1])[o] * f +
          (k === 0 ? weights[0][1] : weights[1][0])[o] * fields[1][o],
      );
      projectSpline(image, shared[k]).forEach((v, o) => {
        expected[o] += v;
      });
    }
    const worst = Math.max(...product.map((v, o) => Math.abs(v - expected[o])));
    expect(worst).toBeLessThan(1e-4);
  });

  it('a slab of samples is evaluated from the knots that it touches', () => {
    const plain = gridBases(DIMS, [3, 5, 2]);
    const c = noise(count, 8);
    const whole = evaluateSpline(c, plain);
    const plane = DIMS[0] * DIMS[1];
    const knots = plain[0].knots * plain[1].knots;
    for (const [from, end] of [
      [0, 4],
      [5, 6],
      [9, 15],
    ]) {
      const { basis, firstKnot } = partOfBasis(plain[2], from, end);
      const own = c.subarray(firstKnot * knots, (firstKnot + basis.knots) * knots);
      expect(evaluateSpline(own, [plain[0], plain[1], basis])).toEqual(
        whole.subarray(from * plane, end * plane),
      );
    }
  });

  it('bending costs nothing for a slope and as the calculus says for a parabola', () => {
    const dims = [9, 8, 7] as const;
    const mm = [4, 5, 6] as const;
    const bending = bendingEnergy(dims, mm);
    const at = (f: (x: number, y: number, z: number) => number) => {
      const c = new Float64Array(9 * 8 * 7);
      for (let o = 0; o < c.length; o++)
        c[o] = f((o % 9) * mm[0], (Math.floor(o / 9) % 8) * mm[1], Math.floor(o / 72) * mm[2]);
      return bending.energy(c);
    };
    expect(at((x, y, z) => 3 + x - 2 * y + 0.5 * z)).toBeCloseTo(0, 10);
    // d2/dx2 of x^2 is 2 on the 7 of 9 knots that have two neighbours.
    expect(at((x) => x * x)).toBeCloseTo((4 * 7) / 9, 8);
    // xy: mixed derivative 1, counted twice, on 8/9 and 7/8 of the knots.
    expect(at((x, y) => x * y)).toBeCloseTo((2 * 8 * 7) / (9 * 8), 8);
  });
});

describe('the mask of signal', () => {
  it('reaches as far from signal as asked, along each axis, from any volume', () => {
    const dims = [12, 11, 10] as const;
    const at = (x: number, y: number, z: number) => x + 12 * (y + 11 * z);
    const [a, b] = [new Float32Array(1320).fill(1), new Float32Array(1320).fill(1)];
    a[at(3, 4, 5)] = 1e4;
    b[at(11, 0, 9)] = 1e4;
    const mask = signalMask([a, b], dims, [2, 1, 0]);
    const near = (x: number, y: number, z: number, p: number, q: number, r: number) =>
      Math.abs(x - p) <= 2 && Math.abs(y - q) <= 1 && z === r;
    const expected = Uint8Array.from(mask, (_, o) => {
      const [x, y, z] = [o % 12, Math.floor(o / 12) % 11, Math.floor(o / 132)];
      return near(x, y, z, 3, 4, 5) || near(x, y, z, 11, 0, 9) ? 1 : 0;
    });
    expect(mask).toEqual(expected);
  });
});

describe('the images of a level', () => {
  it('are thinned from voxel 0 on, and a slope stays a slope up to the edges', () => {
    const slope = fill((x, y, z) => 5 + x - 2 * y + 3 * z);
    const { data, dims } = levelImage(slope, DIMS, [2, 2, 2], [6, 5, 4], 2);
    expect(dims).toEqual([14, 16, 8]);
    // Float32 sums of values up to 70.
    data.forEach((v, o) => {
      const [x, y, z] = [o % 14, Math.floor(o / 14) % 16, Math.floor(o / 224)];
      expect(Math.abs(v - (5 + 2 * x - 4 * y + 6 * z))).toBeLessThan(1e-3);
    });
  });
});

describe('field files', () => {
  it.skipIf(!existsSync(sample))(
    'reads coefficients of FSL 5.0 as FSL does (needs shared/data)',
    async () => {
      await copyFile(join(sample, 'topup-coeff.nii.gz'), join(folder, 'fsl_fieldcoef.nii.gz'));
      await writeFile(join(folder, 'fsl_movpar.txt'), '0  0  0  0  0  0  \n');
      const field = await readImage(join(sample, 'topup-field.nii.gz'));
      const ours = evaluateField(await readTopup(join(folder, 'fsl')), field.grid);
      // This file's field was stored x-reversed against the coefficients (its run had a neurological image).
      reverseX(ours, field.grid.dims[0]);
      // Float32 rounding of values up to 141 Hz.
      expect(ours.reduce((worst, v, i) => Math.max(worst, Math.abs(v - field.data[i])), 0)).toBeLessThan(
        1e-4,
      );
    },
  );

  it('writes what it reads', async () => {
    const { grid } = image([new Float32Array(SIZE)]);
    const spacing = [3, 5, 2] as const;
    const count = gridBases(DIMS, spacing).reduce((p, b) => p * b.knots, 1);
    const result = {
      field: { imageDims: DIMS, spacing, coefficients: noise(count) },
      movement: [new Float64Array(6), Float64Array.of(1, -0.25, 0, 0.001, 0, -0.002)],
    };
    await writeTopup(join(folder, 'again'), result, grid);
    const read = await readTopup(join(folder, 'again'));
    expect(read.movement).toEqual(result.movement);
    expect(read.field.coefficients).toEqual(result.field.coefficients);
    expect([...read.field.spacing]).toEqual([...spacing]);
    expect([...read.field.imageDims]).toEqual([...DIMS]);
  });

  it('refuses an image that is no coefficient file, by name', async () => {
    await writeImage(join(folder, 'odd_fieldcoef.nii.gz'), image([fill(anatomy)]));
    await expect(readTopup(join(folder, 'odd'))).rejects.toThrow(
      /odd_fieldcoef\.nii\.gz: is no field of topup/,
    );
  });
});

describe('schedules', () => {
  it('knows b02b0.cnf by name, with or without a path', async () => {
    const schedule = await readSchedule('/usr/local/fsl/etc/flirtsch/b02b0.cnf');
    expect(schedule.levels).toHaveLength(9);
    expect(schedule.levels[0]).toEqual({
      warpres: 20,
      subsamp: 2,
      fwhm: 8,
      miter: 5,
      lambda: 5e-3,
      estmov: true,
    });
    expect(schedule.levels[8].estmov).toBe(false);
  });

  it('reads FSL-style files and says what is wrong with others', () => {
    const text = '# levels\n--warpres=20,10\nsubsamp=2,1\nfwhm=8,0\nmiter=5\nlambda=1e-3,1e-5\n';
    expect(parseSchedule(text, 'a.cnf').levels[1]).toMatchObject({
      warpres: 10,
      subsamp: 1,
      miter: 5,
      estmov: true,
    });
    expect(() => parseSchedule(`${text}fwhm=1,2,3\n`, 'a.cnf')).toThrow(
      /a\.cnf: \w+ has 2 values where other keys have 3/,
    );
    expect(() => parseSchedule(`${text}regmod=membrane_energy\n`, 'a.cnf')).toThrow(/regmod/);
    expect(() => parseSchedule('warpres=20\n', 'a.cnf')).toThrow(/lacks subsamp/);
  });
});

describe('topup and applytopup on a simulated acquisition', () => {
  const acqparams = `0 1 0 ${READOUT}\n0 -1 0 ${READOUT}\n0 -1 0 ${READOUT}\n`;
  // Volume 2: the head 0.3 voxels along x and -0.4 along z from where it lay.
  const moved = [0.3, 0, -0.4] as const;
  const acquired = [acquire(1), acquire(-1), acquire(-1, moved)];
  const truth = fill(trueField);

  beforeAll(async () => {
    await writeFile(join(folder, 'acq.txt'), acqparams);
    await writeImage(join(folder, 'b0s.nii.gz'), image(acquired));
    await run(
      topup,
      '--imain',
      join(folder, 'b0s'),
      '--datain',
      join(folder, 'acq.txt'),
      '--out',
      join(folder, 'tu'),
      '--fout',
      join(folder, 'field'),
      '--iout',
      join(folder, 'unwarped'),
    );
  }, 60_000);

  it('finds the field', async () => {
    const field = (await readImage(join(folder, 'field.nii.gz'))).data;
    const error = rms(field, truth) * READOUT;
    // In voxels. The shift itself is 1 voxel rms; acquire() rounds to 1/8 voxel, 4 mm knots are a voxel.
    expect(rms(truth, new Float32Array(SIZE)) * READOUT).toBeGreaterThan(0.5);
    expect(error).toBeLessThan(0.1);
  });

  it('finds the movement, in the signs of FSL', async () => {
    const { movement } = await readTopup(join(folder, 'tu'));
    expect([...movement[0]]).toEqual([0, 0, 0, 0, 0, 0]);
    // Back to the reference, in mm, x counted radiologically. Movement is estimated on every other voxel (8 mm): a
    // tenth of a 4 mm voxel is what that can be asked for.
    expect(Math.abs(movement[2][0] + moved[0] * MM)).toBeLessThan(0.4);
    expect(Math.abs(movement[2][2] + moved[2] * MM)).toBeLessThan(0.4);
    expect(Math.max(...movement[1].map(Math.abs))).toBeLessThan(0.4);
  });

  it('makes the volumes alike', async () => {
    const unwarped = (await readImage(join(folder, 'unwarped.nii.gz'))).data;
    const [before, after] = [
      rms(acquired[0], acquired[1]),
      rms(unwarped.subarray(0, SIZE), unwarped.subarray(SIZE, 2 * SIZE)),
    ];
    expect(after).toBeLessThan(before / 3);
  });

  it('shows nothing of the undistorted volumes where any of them has no data', async () => {
    const unwarped = (await readImage(join(folder, 'unwarped.nii.gz'))).data;
    const shown = [0, 1, 2].map((t) =>
      unwarped.subarray(t * SIZE, (t + 1) * SIZE).map((v) => (v === 0 ? 0 : 1)),
    );
    expect(shown[1]).toEqual(shown[0]);
    expect(shown[2]).toEqual(shown[0]);
    const slices = Array.from({ length: DIMS[2] }, (_, z) =>
      shown[0].subarray(z * DIMS[0] * DIMS[1], (z + 1) * DIMS[0] * DIMS[1]).some((v) => v === 1),
    );
    // Volume 2 lies 0.4 voxel lower: its slice 0 is the reference's 0.4, and FSL counts the last plane of any as outside.
    expect(slices.map((seen, z) => (seen ? z : -1)).filter((z) => z >= 0)).toEqual(
      Array.from({ length: 13 }, (_, z) => z + 1),
    );
  });

  it('gives equal bytes for equal input', async () => {
    await run(
      topup,
      '--imain',
      join(folder, 'b0s'),
      '--datain',
      join(folder, 'acq.txt'),
      '--out',
      join(folder, 'tu2'),
    );
    expect(await readFile(join(folder, 'tu2_fieldcoef.nii.gz'))).toEqual(
      await readFile(join(folder, 'tu_fieldcoef.nii.gz')),
    );
  });

  it('gives the same field for an image stored neurologically', async () => {
    await writeImage(join(folder, 'neuro.nii.gz'), image(acquired, true));
    await run(
      topup,
      '--imain',
      join(folder, 'neuro'),
      '--datain',
      join(folder, 'acq.txt'),
      '--out',
      join(folder, 'tn'),
      '--fout',
      join(folder, 'nfield'),
    );
    const field = (await readImage(join(folder, 'nfield.nii.gz'))).data;
    reverseX(field, DIMS[0]);
    expect(field).toEqual((await readImage(join(folder, 'field.nii.gz'))).data);
  });

  it.each(['jac', 'lsr'])('applytopup --method=%s restores the object', async (method) => {
    await writeImage(join(folder, 'up.nii.gz'), image([acquired[0]]));
    await writeImage(join(folder, 'down.nii.gz'), image([acquired[1]]));
    await run(
      applytopup,
      `--imain=${join(folder, 'up')},${join(folder, 'down')}`,
      '--inindex=1,2',
      '--datain',
      join(folder, 'acq.txt'),
      '--topup',
      join(folder, 'tu'),
      '--out',
      join(folder, method),
      '--method',
      method,
    );
    const restored = (await readImage(join(folder, `${method}.nii.gz`))).data;
    const object = fill(anatomy);
    expect(rms(restored, object)).toBeLessThan(0.4 * rms(acquired[0], object));
  });

  it('finds the field from two axes, in either storage of x', async () => {
    await writeFile(join(folder, 'xy.txt'), `0 1 0 ${READOUT}\n-1 0 0 ${READOUT}\n`);
    // The phase-encode vector is in voxel axes: stored the other way round, -1 becomes 1.
    await writeFile(join(folder, 'xyn.txt'), `0 1 0 ${READOUT}\n1 0 0 ${READOUT}\n`);
    const volumes = [acquired[0], acquire(-1, [0, 0, 0], 0)];
    for (const [name, neurological] of [
      ['xy', false],
      ['xyn', true],
    ] as const) {
      await writeImage(join(folder, `${name}.nii.gz`), image(volumes, neurological));
      await run(
        topup,
        '--imain',
        join(folder, name),
        '--datain',
        join(folder, `${name}.txt`),
        '--out',
        join(folder, name),
        '--fout',
        join(folder, `${name}_hz`),
      );
      const field = (await readImage(join(folder, `${name}_hz.nii.gz`))).data;
      if (neurological) reverseX(field, DIMS[0]);
      // Without reversed polarity there is less to compare: 0.2 voxel of 1 rms.
      expect(rms(field, truth) * READOUT).toBeLessThan(0.2);
    }
  });

  it.each([
    ['LR and RL', ['1 0 0', '-1 0 0'], [READOUT, READOUT], 0.1],
    ['all four ways', ['0 1 0', '0 -1 0', '1 0 0', '-1 0 0'], [READOUT, READOUT, READOUT, READOUT], 0.1],
    ['opposed ways with different readout times', ['0 1 0', '0 -1 0'], [READOUT, READOUT / 2], 0.1],
    // Half the distortion is all that there is to compare.
    ['one way with different readout times', ['0 1 0', '0 1 0'], [READOUT, READOUT / 2], 0.2],
  ] as const)('finds the field from %s', async (name, ways, readouts, bound) => {
    const at = (file: string) => join(folder, `${name.replaceAll(' ', '_')}${file}`);
    const volumes = ways.map((way, t) => {
      const [x, y] = way.split(' ').map(Number);
      return acquire((x + y) as 1 | -1, [0, 0, 0], x !== 0 ? 0 : 1, readouts[t]);
    });
    await writeFile(at('.txt'), ways.map((way, t) => `${way} ${readouts[t]}\n`).join(''));
    await writeImage(at('.nii.gz'), image(volumes));
    await run(topup, '--imain', at('.nii.gz'), '--datain', at('.txt'), '--out', at(''), '--fout', at('_hz'));
    const field = (await readImage(at('_hz.nii.gz'))).data;
    expect(rms(field, truth) * READOUT).toBeLessThan(bound);
  });

  it('takes the first PA volume to lie along y where the AP volume before it lay', async () => {
    // The head moves by half a voxel along y between the two AP volumes, and then keeps still.
    const along = [0, 0.5, 0] as const;
    await writeFile(join(folder, 'y.txt'), `0 1 0 ${READOUT}\n0 1 0 ${READOUT}\n0 -1 0 ${READOUT}\n`);
    await writeImage(join(folder, 'y.nii.gz'), image([acquired[0], acquire(1, along), acquire(-1, along)]));
    const at = (file: string) => join(folder, file);
    await run(topup, '--imain', at('y'), '--datain', at('y.txt'), '--out', at('y'), '--fout', at('y_hz'));
    const { movement } = await readTopup(at('y'));
    expect(Math.abs(movement[1][1] + along[1] * MM)).toBeLessThan(0.2);
    expect(Math.abs(movement[2][1] + along[1] * MM)).toBeLessThan(0.2);
    // Held where volume 0 lay, the field would be off by half of it: 0.25 voxel.
    expect(rms((await readImage(at('y_hz.nii.gz'))).data, truth) * READOUT).toBeLessThan(0.1);
  });

  it('says which file is wrong and what to do', async () => {
    await writeFile(join(folder, 'two.txt'), `0 1 0 ${READOUT}\n0 -1 0 ${READOUT}\n`);
    await writeFile(join(folder, 'same.txt'), `0 1 0 ${READOUT}\n`.repeat(3));
    const attempt = (datain: string, ...more: string[]) =>
      run(
        topup,
        '--imain',
        join(folder, 'b0s'),
        '--datain',
        join(folder, datain),
        '--out',
        join(folder, 'no'),
        ...more,
      );
    await expect(attempt('two.txt')).rejects.toThrow(
      /two\.txt: has 2 rows, but .*b0s\.nii\.gz has 3 volumes/,
    );
    await expect(attempt('same.txt')).rejects.toThrow(/same phase encoding/);
    await expect(attempt('acq.txt', '--nthr=0')).rejects.toThrow(/--nthr=0/);
    const broken = image(acquired.map((v) => v.slice()));
    broken.data[SIZE + 5] = Number.NaN;
    await writeImage(join(folder, 'nan.nii.gz'), broken);
    await expect(attempt('acq.txt', '--imain', join(folder, 'nan'))).rejects.toThrow(
      /nan\.nii\.gz: volume 1 .*not numbers/,
    );
  });
});

describe('restoration', () => {
  const n = 32;
  const object = Float64Array.from(
    { length: n },
    (_, i) => 100 + 50 * Math.sin(0.7 * i) + (i === 15 ? 200 : 0),
  );
  const shift = Float32Array.from({ length: n }, (_, i) => 2 * Math.exp(-((i - 16) ** 2) / 20));
  // Forward model by counting 1/1000 voxels.
  const forward = (sign: number) => {
    const out = new Float32Array(n);
    const edge = (i: number) => (i <= 0 ? shift[0] : i >= n ? shift[n - 1] : (shift[i - 1] + shift[i]) / 2);
    for (let i = 0; i < n; i++)
      for (let s = 0; s < 1000; s++) {
        const u = (s + 0.5) / 1000;
        const to = Math.round(i - 0.5 + u + sign * (edge(i) * (1 - u) + edge(i + 1) * u));
        if (to >= 0 && to < n) out[to] += object[i] / 1000;
      }
    return out;
  };
  const images = [1, -1].map((sign) => ({ volume: forward(sign), shift: shift.map((v) => sign * v) }));
  const restored = restore(images, [1, n, 1], 1);

  it('undoes known distortion exactly where both images tell', () => {
    // Smoothness weight 1e-3 pulls the spike of 200 by under 1 %.
    for (let i = 2; i < n - 2; i++) expect(Math.abs(restored[i] - object[i])).toBeLessThan(2.5);
  });

  it('recovers what the mean of the images undistorted by themselves has lost', () => {
    const dims = [1, n, 1] as const;
    const alone = images.map(({ volume, shift: own }) =>
      unwarp(volume, dims, {
        shift: own,
        axis: 1,
        density: shiftDensity(own, dims, 1),
        interpolation: 'spline',
      }),
    );
    const mean = alone[0].map((v, i) => (v + alone[1][i]) / 2);
    const error = (values: Float32Array) =>
      Math.sqrt(values.reduce((sum, v, i) => sum + (v - object[i]) ** 2, 0) / n);
    expect(error(restored)).toBeLessThan(0.1 * error(mean));
  });

  it('density is the derivative of where voxels go', () => {
    const shift = Float32Array.from({ length: 5 }, (_, i) => 0.1 * i * i);
    const expected = [1.1, 1.2, 1.4, 1.6, 1.7];
    shiftDensity(shift, [1, 5, 1], 1).forEach((v, i) => {
      expect(v).toBeCloseTo(expected[i], 5);
    });
  });
});
