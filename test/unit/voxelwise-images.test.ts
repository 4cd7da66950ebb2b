/** Voxel-wise tests on images: which voxels are looked at, what is written, and what is refused. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { analyseVoxels } from '../../activities/voxelwise.ts';
import { scaling } from '../../imaging/affine.ts';
import { gridFromAffine } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import { randomStream } from '../../statistics/random.ts';

const N = 20;
const SIDE = 8;
const grid = gridFromAffine([SIDE, SIDE, SIDE], scaling(2, 2, 2));
const group = Array.from({ length: N }, (_, i) => i % 2);
/** Ketamine lowers MD where i < 4; subject 3 has no data where k = 7. */
const planted = (v: number) => v % SIDE < 4;
const covered = (v: number) => v < 7 * SIDE * SIDE;

let folder: string;
const at = (name: string) => join(folder, name);
const request = () => ({
  maps: group.map((_, i) => at(`sub-${i}.nii.gz`)),
  mask: at('mask.nii.gz'),
  tested: { name: 'group', values: group },
  nuisance: [],
  permutations: 99,
  seed: 1,
  out: at('out/group_dmd'),
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'voxelwise-'));
  const random = randomStream(6);
  for (const [i, g] of group.entries()) {
    const data = Float32Array.from({ length: SIDE ** 3 }, (_, v) =>
      i === 3 && !covered(v) ? 0 : 2e-5 * random.normal() + (planted(v) ? 5e-5 * g : 0),
    );
    await writeImage(at(`sub-${i}.nii.gz`), { grid, volumes: 1, data });
  }
  const write = (name: string, of: (v: number) => number, on = grid) =>
    writeImage(at(name), {
      grid: on,
      volumes: 1,
      data: Float32Array.from({ length: SIDE ** 3 }, (_, v) => of(v)),
    });
  await write('mask.nii.gz', (v) => (v === 0 ? 0 : 1));
  await write('volume.nii.gz', (v) => (planted(v) ? 1 : 0));
  await write('top.nii.gz', (v) => (covered(v) ? 0 : 1));
  await write('elsewhere.nii.gz', () => 1, gridFromAffine([SIDE, SIDE, SIDE], scaling(3, 3, 3)));
});
afterAll(() => rm(folder, { recursive: true }));

test('finds what was planted, where all subjects have data', async () => {
  const shares: number[] = [];
  const result = await analyseVoxels(request(), (share) => shares.push(share));
  expect(shares).toEqual([0.25, 0.5, 0.75, 1]);
  expect([result.voxels, result.leftOut]).toEqual([7 * 64 - 1, 64]);
  expect(result.tfce.smallestP).toBeCloseTo(0.01, 6);
  const read = async (path: string) => (await readImage(path)).data;
  const [b, t, p] = [
    await read(result.images.b),
    await read(result.images.t),
    await read(result.images.tfce_corrp),
  ];
  expect((await readImage(result.images.t)).grid).toEqual(grid);
  expect([b[0], t[0], p[0], t[SIDE ** 3 - 1]]).toEqual([0, 0, 0, 0]);
  const inside = [...p.keys()].filter((v) => planted(v) && covered(v) && v > 0);
  const found = inside.filter((v) => p[v] > 0.95);
  expect(found.length).toBeGreaterThan(0.9 * inside.length);
  const slope = inside.reduce((sum, v) => sum + b[v], 0) / inside.length;
  // Noise of 2e-5 over 224 voxels and two groups of 10: 4 standard errors.
  expect(Math.abs(slope - 5e-5)).toBeLessThan(2.4e-6);
  expect([...p.keys()].filter((v) => v % SIDE > 5).every((v) => p[v] < 0.95)).toBe(true);
  const told = JSON.parse(await readFile(at('out/group_dmd.json'), 'utf8'));
  expect(told).toMatchObject({ Subjects: N, Permutations: 99, voxels: result.voxels });
  expect((await readdir(at('out'))).sort()).toEqual([
    'group_dmd.json',
    ...['b', 't', 't_corrp', 'tfce', 'tfce_corrp'].map((name) => `group_dmd_${name}.nii.gz`),
  ]);
});

test('a smaller volume is all that p values are given for', async () => {
  const result = await analyseVoxels({ ...request(), volume: at('volume.nii.gz'), out: at('small') });
  const p = (await readImage(result.images.t_corrp)).data;
  expect([...p.keys()].every((v) => planted(v) || p[v] === 0)).toBe(true);
  expect(p.some((value) => value > 0.95)).toBe(true);
});

test('what does not fit is named, and nothing is written', async () => {
  const fails = (change: object, message: string) =>
    expect(analyseVoxels({ ...request(), out: at('none'), ...change })).rejects.toThrow(message);
  await fails({ mask: at('elsewhere.nii.gz') }, 'lie on different grids');
  await fails({ mask: at('top.nii.gz') }, 'no voxel has data of all 20 subjects');
  await fails({ tested: { name: 'age', values: [1, 2] } }, '20 maps, but 2 values of age');
  await fails({ tested: { name: 'age', values: group.map(() => 1) } }, 'age does not vary');
  const stop = () => {
    throw new Error('cancelled');
  };
  await expect(analyseVoxels({ ...request(), out: at('none') }, stop)).rejects.toThrow('cancelled');
  expect((await readdir(folder)).some((name) => name.includes('none'))).toBe(false);
});
