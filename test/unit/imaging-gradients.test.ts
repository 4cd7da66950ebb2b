import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImagingError } from '../../imaging/errors.ts';
import { formatBvals, formatBvecs, readBvals, readBvecs, readGradients } from '../../imaging/gradients.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gradients-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(text: string): Promise<string> {
  const path = join(folder, 'table.txt');
  await writeFile(path, text);
  return path;
}

describe('bvals', () => {
  it.each(['0 1000 2000\n', '0\t1000  2000', '0\n1000\n2000\n', '0,1000,2000\r\n', '\n 0 1e3 2000 \n\n'])(
    'reads %j',
    async (text) => {
      expect([...(await readBvals(await file(text)))]).toEqual([0, 1000, 2000]);
    },
  );

  it.each([
    ['', /not one row/],
    ['0 1000\n0 1000\n', /not one row/],
    ['0 -5', /negative/],
    ['0 nan', /"nan" is not a number/],
    ['0 1000 x', /"x" is not a number/],
  ])('refuses %j', async (text, message) => {
    await expect(readBvals(await file(text))).rejects.toThrow(message);
    await expect(readBvals(await file(text))).rejects.toBeInstanceOf(ImagingError);
  });

  it('names a file that is not there', async () => {
    await expect(readBvals(join(folder, 'absent.bval'))).rejects.toThrow(/absent.bval: no such file/);
  });
});

describe('bvecs', () => {
  const vectors = [0, 0, 0, 1, 0, 0, 0, 0.6, 0.8, 0, 0, -1];

  it('reads three rows', async () => {
    expect([...(await readBvecs(await file('0 1 0 0\n0 0 .6 0\n0 0 .8 -1\n')))]).toEqual(vectors);
  });

  it('reads one row per volume', async () => {
    expect([...(await readBvecs(await file('0 0 0\n1 0 0\n0 .6 .8\n0 0 -1\n')))]).toEqual(vectors);
  });

  it('takes three volumes as three rows', async () => {
    expect([...(await readBvecs(await file('1 2 3\n4 5 6\n7 8 9\n')))]).toEqual([1, 4, 7, 2, 5, 8, 3, 6, 9]);
  });

  it.each(['', '1 0\n0 1\n', '1 2 3 4\n1 2 3 4\n1 2 3\n'])('refuses %j', async (text) => {
    await expect(readBvecs(await file(text))).rejects.toThrow(/three rows/);
  });

  it('survives writing and reading', async () => {
    const table = Float64Array.from({ length: 12 }, (_, i) => Math.fround(Math.sin(i)));
    const back = await readBvecs(await file(formatBvecs(table)));
    for (const [i, x] of back.entries()) expect(Math.abs(x - table[i])).toBeLessThanOrEqual(5e-8);
    expect(formatBvals([0, 1000, 5.5])).toBe('0 1000 5.5\n');
    expect(formatBvecs(Float64Array.of(1, 0, 0, 0, 1, 0))).toBe('1 0\n0 1\n0 0\n');
  });
});

describe('both', () => {
  const pair = async (bvals: string, bvecs: string) => {
    const paths = [join(folder, 'x.bval'), join(folder, 'x.bvec')] as const;
    await writeFile(paths[0], bvals);
    await writeFile(paths[1], bvecs);
    return paths;
  };

  it('agree with the image', async () => {
    const [bval, bvec] = await pair('0 1000', '0 1\n0 0\n0 0');
    const { bvals, bvecs } = await readGradients(bval, bvec, 2, 'dwi.nii.gz');
    expect([[...bvals], [...bvecs]]).toEqual([
      [0, 1000],
      [0, 0, 0, 1, 0, 0],
    ]);
  });

  it('say which file has the wrong count', async () => {
    const [bval, bvec] = await pair('0 1000', '0 1 0\n0 0 1\n0 0 0');
    await expect(readGradients(bval, bvec, 2, 'dwi.nii.gz')).rejects.toThrow(
      /x.bvec: has 3 b vectors. dwi.nii.gz has 2 volumes/,
    );
    await expect(readGradients(bval, bvec, 3, 'dwi.nii.gz')).rejects.toThrow(/x.bval: has 2 b values/);
  });

  it('refuse a diffusion-weighted volume without direction, but not a b0 of b = 5', async () => {
    const [bval, bvec] = await pair('5 1000', '0 0\n0 0\n0 0.5');
    await expect(readGradients(bval, bvec, 2, 'dwi.nii.gz')).rejects.toThrow(
      /x.bvec: volume 1 has b = 1000 but a vector of length 0.500/,
    );
    const [b5] = await pair('5 5', '0 0\n0 0\n0 0.5');
    expect((await readGradients(b5, bvec, 2, 'dwi.nii.gz')).bvals[0]).toBe(5);
  });
});
