import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { multiply, rotation, scaling, translation } from '../../imaging/affine.ts';
import { ImagingError } from '../../imaging/errors.ts';
import { gridFromAffine, type Image } from '../../imaging/image.ts';
import { encodeNifti, readGrid, readImage, writeImage } from '../../imaging/nifti.ts';
import { qformAffine, quaternionOf } from '../../imaging/qform.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/nifti/', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nifti-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** An oblique image with left-handed axes, as scanners make them. */
function oblique(volumes = 2): Image {
  const affine = [translation(90, -126, -72), rotation(0.2, -0.1, 0.3), scaling(-2, 2.5, 3)].reduce(multiply);
  const grid = gridFromAffine([4, 3, 5], affine);
  const data = Float32Array.from({ length: 60 * volumes }, (_, i) => Math.sin(i) * 300 - 20);
  return { grid, volumes, data };
}

describe('what nibabel reads', async () => {
  const expected: Record<string, { shape: number[]; affine: number[]; zooms: number[]; values: number[] }> =
    JSON.parse(await readFile(join(FIXTURES, 'expected.json'), 'utf8'));

  it.each(Object.keys(expected))('%s', async (name) => {
    const { shape, affine, zooms, values } = expected[name];
    const image = await readImage(join(FIXTURES, name));
    expect([...image.grid.dims]).toEqual(shape.slice(0, 3));
    expect(image.volumes).toBe(shape[3] ?? 1);
    expect([...image.data]).toEqual(values);
    // The headers hold the forms in float32: 126 mm are kept to 8e-6.
    for (const [i, a] of image.grid.affine.entries()) expect(a).toBeCloseTo(affine[i], 5);
    for (const [i, size] of image.grid.voxelSizes.entries()) expect(size).toBeCloseTo(zooms[i], 6);
    const header = await readGrid(join(FIXTURES, name));
    expect(header).toEqual({ grid: image.grid, volumes: image.volumes });
  });

  it('covers the kinds of file that matter', () => {
    expect(Object.keys(expected)).toHaveLength(12);
  });
});

describe('round trips', () => {
  it.each(['x.nii', 'x.nii.gz'])('float32 is kept to the bit in %s', async (name) => {
    const image = oblique();
    await writeImage(join(folder, name), image);
    const back = await readImage(join(folder, name));
    expect(back.data).toEqual(image.data);
    expect(back.volumes).toBe(2);
    expect(back.grid.dims).toEqual([4, 3, 5]);
    for (const [i, a] of back.grid.affine.entries()) expect(a).toBeCloseTo(image.grid.affine[i], 5);
  });

  it('integers are rounded and clipped', async () => {
    const { grid } = oblique(1);
    const data = new Float32Array(60);
    data.set([-1, 0.4, 0.6, 254.6, 300, -40000, 40000, Number.NaN]);
    const read = async (type: 'uint8' | 'int16') => {
      await writeImage(join(folder, 'i.nii.gz'), { grid, volumes: 1, data }, { type });
      return [...(await readImage(join(folder, 'i.nii.gz'))).data.subarray(0, 8)];
    };
    expect(await read('uint8')).toEqual([0, 0, 1, 255, 255, 0, 255, 0]);
    expect(await read('int16')).toEqual([-1, 0, 1, 255, 300, -32768, 32767, 0]);
  });

  it('equal images give equal bytes', async () => {
    await writeImage(join(folder, 'a.nii.gz'), oblique());
    await writeImage(join(folder, 'b.nii.gz'), oblique());
    expect(await readFile(join(folder, 'a.nii.gz'))).toEqual(await readFile(join(folder, 'b.nii.gz')));
  });

  it('sform and qform say the same, however the axes lie', () => {
    const angles = [0, 0.7, 1.9, 3.1, -2.4];
    for (const a of angles)
      for (const b of angles)
        for (const c of angles)
          for (const flip of [-1, 1]) {
            const affine = [translation(5, 6, 7), rotation(a, b, c), scaling(flip * 2, 3, 4)].reduce(
              multiply,
            );
            const grid = gridFromAffine([1, 1, 1], affine);
            const { q, qfac } = quaternionOf(grid);
            const back = qformAffine(q, [qfac, ...grid.voxelSizes], [5, 6, 7]);
            for (const [i, x] of back.entries()) expect(x).toBeCloseTo(affine[i], 6);
          }
  });

  it('keeps the time between volumes', () => {
    const bytes = encodeNifti(oblique(), { volumeSeconds: 2.5 });
    expect(bytes.readFloatLE(76 + 16)).toBe(2.5);
  });
});

describe('images without orientation', () => {
  it('are taken to run to the left, as FSL takes them', async () => {
    const bytes = encodeNifti(oblique(1));
    bytes.writeInt16LE(0, 252);
    bytes.writeInt16LE(0, 254);
    await writeFile(join(folder, 'none.nii'), bytes);
    const { grid } = await readImage(join(folder, 'none.nii'));
    expect([...grid.affine]).toEqual([-2, 0, 0, 0, 0, 2.5, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1]);
  });
});

describe('files that cannot be read', () => {
  const failure = async (name: string, bytes: Buffer) => {
    await writeFile(join(folder, name), bytes);
    const error = await readImage(join(folder, name)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ImagingError);
    expect((error as Error).message).toContain(join(folder, name));
    return (error as Error).message;
  };

  it('missing', async () => {
    await expect(readImage(join(folder, 'absent.nii.gz'))).rejects.toThrow(/absent.nii.gz: no such file/);
    await expect(readGrid(join(folder, 'absent.nii.gz'))).rejects.toThrow(/absent.nii.gz: no such file/);
  });

  it('gzip cut short, at every tenth of its length', async () => {
    const whole = gzipSync(encodeNifti(oblique(40)));
    for (let tenth = 1; tenth < 10; tenth++)
      expect(await failure('cut.nii.gz', whole.subarray(0, Math.floor((whole.length * tenth) / 10)))).toMatch(
        /gzip stream is cut short|not a NIfTI image/,
      );
    expect(await failure('cut.nii.gz', whole.subarray(0, whole.length - 1))).toMatch(/cut short/);
  });

  it('gzip damaged in the middle', async () => {
    const whole = gzipSync(encodeNifti(oblique(40)));
    whole[whole.length >> 1] ^= 0xff;
    expect(await failure('damaged.nii.gz', whole)).toMatch(/damaged/);
  });

  it.each(['short.nii', 'short.nii.gz'])('fewer voxels than the header promises: %s', async (name) => {
    const bytes = encodeNifti(oblique()).subarray(0, -1);
    const stored = name.endsWith('.gz') ? gzipSync(bytes) : bytes;
    expect(await failure(name, stored)).toMatch(/holds 479 bytes of voxels where 480 are due/);
  });

  it('no NIfTI at all', async () => {
    expect(await failure('text.nii', Buffer.from('not an image'))).toMatch(/not a NIfTI image/);
    expect(await failure('text.nii.gz', gzipSync(Buffer.alloc(5000, 'x')))).toMatch(/not a NIfTI image/);
    expect(await failure('empty.nii', Buffer.alloc(0))).toMatch(/not a NIfTI image/);
  });

  it('a header that lies', async () => {
    const bytes = encodeNifti(oblique());
    const complex = Buffer.from(bytes);
    complex.writeInt16LE(32, 70);
    expect(await failure('complex.nii', complex)).toMatch(/datatype 32 is not supported/);
    const flat = Buffer.from(bytes);
    flat.writeInt16LE(0, 42);
    expect(await failure('flat.nii', flat)).toMatch(/impossible dimensions 0 x 3 x 5/);
    const huge = Buffer.from(bytes);
    for (const o of [42, 44, 46, 48]) huge.writeInt16LE(32767, o);
    expect(await failure('huge.nii.gz', gzipSync(huge))).toMatch(/bytes of voxels where/);
    const singular = Buffer.from(bytes);
    singular.fill(0, 280, 328);
    expect(await failure('singular.nii', singular)).toMatch(/orientation .* singular/);
  });
});

describe('files that cannot be written', () => {
  it('name the folder, and leave nothing behind', async () => {
    await expect(writeImage(join(folder, 'no', 'x.nii.gz'), oblique())).rejects.toThrow(
      /x.nii.gz: cannot be written.*Check that its folder exists/,
    );
    await writeFile(join(folder, 'blocked'), '');
    await expect(writeImage(join(folder, 'blocked', 'x.nii'), oblique())).rejects.toBeInstanceOf(
      ImagingError,
    );
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('more volumes than NIfTI-1 can count', () => {
    const { grid } = oblique();
    const image = {
      grid: { ...grid, dims: [1, 1, 1] as const },
      volumes: 40000,
      data: new Float32Array(40000),
    };
    expect(() => encodeNifti(image)).toThrow(RangeError);
  });
});
