/** Permutations in threads of the built product: the same bytes with one and with three. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scaling } from '../../imaging/affine.ts';
import { gridFromAffine } from '../../imaging/image.ts';
import { writeImage } from '../../imaging/nifti.ts';
import { randomStream } from '../../statistics/random.ts';

test('voxel-wise results do not depend on the number of threads', async () => {
  // A variable keeps the type checker from following it: dist/ is not there before the build.
  const built = new URL('../../dist/activities/voxelwise.js', import.meta.url).href;
  const { analyseVoxels }: typeof import('../../activities/voxelwise.ts') = await import(built);
  const folder = await mkdtemp(join(tmpdir(), 'voxelwise-threads-'));
  try {
    const side = 16;
    const grid = gridFromAffine([side, side, side], scaling(2, 2, 2));
    const random = randomStream(1);
    const maps: string[] = [];
    for (let i = 0; i < 12; i++) {
      maps.push(join(folder, `sub-${i}.nii.gz`));
      const data = Float32Array.from({ length: side ** 3 }, () => 2e-5 * random.normal());
      await writeImage(maps[i], { grid, volumes: 1, data });
    }
    const run = async (threads: number) => {
      const out = join(folder, `threads-${threads}`);
      const { images } = await analyseVoxels({
        maps,
        mask: maps[0],
        tested: { name: 'group', values: maps.map((_, i) => i % 2) },
        nuisance: [],
        permutations: 110,
        seed: 7,
        threads,
        out,
      });
      return Promise.all(Object.values(images).map((path) => readFile(path)));
    };
    expect(await run(3)).toEqual(await run(1));
  } finally {
    await rm(folder, { recursive: true });
  }
});
