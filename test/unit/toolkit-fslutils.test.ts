import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fslmaths } from '../../containers/toolkit/fslmaths/index.ts';
import { components, dilateMean, erode, fillHoles } from '../../containers/toolkit/fslmaths/morphology.ts';
import { robustRange } from '../../containers/toolkit/fslmaths/statistics.ts';
import { fslmerge } from '../../containers/toolkit/fslmerge/index.ts';
import { fslroi } from '../../containers/toolkit/fslroi/index.ts';
import { parseOptions, type Tool, ToolError } from '../../containers/toolkit/tool.ts';
import { transformPoint } from '../../imaging/affine.ts';
import { type Dims, gridFromAffine, type Image } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fslutils-'));
});
afterAll(() => rm(folder, { recursive: true }));

const AFFINE = Float64Array.of(-2, 0.1, 0, 50, 0.1, 3, 0, -60, 0, 0, 4, -70, 0, 0, 0, 1);
const at = (name: string) => join(folder, name);

async function save(name: string, dims: Dims, data: ArrayLike<number>, affine = AFFINE): Promise<void> {
  const volumes = data.length / (dims[0] * dims[1] * dims[2]);
  await writeImage(at(name), { grid: gridFromAffine(dims, affine), volumes, data: Float32Array.from(data) });
}

/** Runs a command line whose words that name images lie in the test's folder. */
async function run(tool: Tool, line: string): Promise<void> {
  const argv = line
    .split(' ')
    .map((word) => (word.includes('.nii') || /^[a-z]+\d?$/.test(word) ? at(word) : word));
  await tool.run(parseOptions(tool, argv), () => {});
}

/** Result of `fslmaths x.nii <operations> out.nii` on one row of voxels. */
async function maths(row: readonly number[], operations: string, volumes = 1): Promise<number[]> {
  await save('x.nii', [row.length / volumes, 1, 1], row);
  await run(fslmaths, `x.nii ${operations} out.nii`);
  return [...(await readImage(at('out.nii'))).data];
}

describe('fslmaths on numbers', () => {
  it.each<[string, number[], number[]]>([
    ['-add 2', [1, -3], [3, -1]],
    ['-sub 2', [1, -3], [-1, -5]],
    ['-mul -2', [1, -3], [-2, 6]],
    ['-div 2', [1, -3], [0.5, -1.5]],
    ['-div 0', [1, 0], [0, 0]],
    ['-max 0', [1, -3], [1, 0]],
    ['-min 0', [1, -3], [0, -3]],
    ['-thr 2', [1, 2, 3], [0, 2, 3]],
    ['-uthr 2', [1, 2, 3], [1, 2, 0]],
    ['-bin', [-1, 0, 0.1], [0, 0, 1]],
    ['-binv', [-1, 0, 0.1], [1, 1, 0]],
    ['-abs', [-1, 2], [1, 2]],
    ['-sqr', [-3, 2], [9, 4]],
    ['-sqrt', [9, -4], [3, 0]],
    ['-exp', [0, 1000], [1, 0]],
    ['-log', [1, 0, -1], [0, 0, 0]],
    ['-recip', [4, 0], [0.25, 0]],
    ['-nan', [Number.NaN, 2], [0, 2]],
    ['-add 1', [Number.NaN, Number.POSITIVE_INFINITY], [1, 1]],
  ])('%s of %j', async (operation, input, output) => {
    expect(await maths(input, operation)).toEqual(output);
  });

  it('goes from left to right', async () => {
    expect(await maths([3], '-add 1 -mul 2')).toEqual([8]);
    expect(await maths([3], '-mul 2 -add 1')).toEqual([7]);
    expect(await maths([3, -3], '-sub -1 -thr 0 -bin')).toEqual([1, 0]);
  });
});

describe('fslmaths on volumes', () => {
  const series = [1, 10, 2, 10, 9, 40]; // two voxels, three volumes

  it.each<[string, number[]]>([
    ['-Tmean', [4, 20]],
    ['-Tmedian', [2, 10]],
    ['-Tmax', [9, 40]],
    ['-Tstd', [Math.fround(Math.sqrt(19)), Math.fround(Math.sqrt(300))]],
  ])('%s', async (operation, output) => {
    expect(await maths(series, operation, 3)).toEqual(output);
  });

  it('-Tmedian of an even number is the middle of two, -Tstd of one volume 0', async () => {
    expect(await maths([1, 2, 8, 9], '-Tmedian', 4)).toEqual([5]);
    expect(await maths([5], '-Tstd')).toEqual([0]);
  });

  it('-thrp takes a share of the robust range', async () => {
    const row = Array.from({ length: 101 }, (_, i) => i);
    const out = await maths(row, '-thrp 50');
    // 2 % to 98 % of 0 ... 100: half of the way is 50.
    expect(out.findIndex((x) => x > 0)).toBe(50);
    expect(robustRange(Float32Array.from(row))).toEqual({ low: 2, high: 98 });
  });

  it('-s smooths by millimetres', async () => {
    const row = Array.from({ length: 41 }, (_, i) => (i === 20 ? 1000 : 0));
    const out = await maths(row, '-s 4'); // voxels of 2.0025 mm along x
    const variance = out.reduce((sum, x, i) => sum + x * (i - 20) ** 2, 0) / 1000;
    expect(Math.sqrt(variance) * 2.0025).toBeCloseTo(4, 1);
  });
});

describe('fslmaths with images', () => {
  beforeAll(async () => {
    await save('a.nii', [2, 1, 1], [1, 2, 3, 4]);
    await save('b.nii', [2, 1, 1], [0, 5]);
    await save('c.nii.gz', [2, 1, 1], [1, 1, 2, 2, 3, 3]);
    await save(
      'far.nii',
      [2, 1, 1],
      [0, 5],
      AFFINE.map((x, i) => (i === 7 ? x + 5 : x)),
    );
  });
  const result = async (line: string) => {
    await run(fslmaths, line);
    return [...(await readImage(at('out.nii.gz'))).data];
  };

  it('one volume meets each of many, on either side', async () => {
    expect(await result('a.nii -add b.nii out')).toEqual([1, 7, 3, 9]);
    expect(await result('b.nii -sub a.nii out')).toEqual([-1, 3, -3, 1]);
    expect(await result('a -mas b out')).toEqual([0, 2, 0, 4]);
    expect(await result('a -div b out')).toEqual([0, Math.fround(0.4), 0, Math.fround(0.8)]);
  });

  it('refuses images that do not fit, by name', async () => {
    await expect(result('a -add c out')).rejects.toThrow(/c: has 3 volumes where -add meets 2/);
    await expect(result('a -add far out')).rejects.toThrow(/far: is not on the grid/);
    await expect(result('a -add none out')).rejects.toThrow(/none: no such image/);
  });

  it.each([
    ['a', /an input and an output are due/],
    ['a -add out', /-add needs an operand/],
    ['a -thr b out', /-thr needs a number/],
    ['a -frob out', /no operation -frob/],
    ['a toString out', /no operation/],
    ['a -s 0 out', /-s 0 must be above 0/],
    ['a -bin out -odt int', /-odt .*int: choose float, short, char/],
    ['-dt short a -bin out', /-dt .*short: arithmetic here is in floats/],
  ])('refuses %j', async (line, message) => {
    await expect(run(fslmaths, line)).rejects.toThrow(message);
    await expect(run(fslmaths, line)).rejects.toBeInstanceOf(ToolError);
  });

  it('stores what -odt says', async () => {
    const words = (type: string) => ['-dt', 'float', at('a'), '-mul', '1.4', at('out'), '-odt', type];
    const stored = async (type: string) => {
      await fslmaths.run(parseOptions(fslmaths, words(type)), () => {});
      return [...(await readImage(at('out.nii.gz'))).data];
    };
    expect(await stored('char')).toEqual([1, 3, 4, 6]);
    expect(await stored('short')).toEqual([1, 3, 4, 6]);
    expect(await stored('float')).toEqual([1.4, 2.8, 4.2, 5.6].map(Math.fround));
  });
});

describe('morphology', () => {
  const dims: Dims = [9, 9, 9];
  const at3 = (i: number, j: number, k: number) => i + 9 * (j + 9 * k);
  const cube = (from: number, to: number) => {
    const out = new Float32Array(729);
    for (let k = from; k <= to; k++)
      for (let j = from; j <= to; j++) for (let i = from; i <= to; i++) out[at3(i, j, k)] = 1;
    return out;
  };

  it('erodes a cube by one voxel, and nothing at the edge of the grid', () => {
    expect(erode(cube(2, 6), dims)).toEqual(cube(3, 5));
    expect(erode(cube(0, 8), dims)).toEqual(cube(0, 8));
  });

  it('dilates a cube by one voxel, with the mean of what is near', () => {
    expect(dilateMean(cube(3, 5), dims)).toEqual(cube(2, 6));
    const two = new Float32Array(729);
    two[at3(4, 4, 4)] = 2;
    two[at3(6, 4, 4)] = 4;
    const out = dilateMean(two, dims);
    expect([out[at3(5, 4, 4)], out[at3(4, 4, 4)], out[at3(7, 5, 5)]]).toEqual([3, 2, 4]);
  });

  it('fills what is closed, not what opens to the edge', () => {
    const hollow = cube(2, 6);
    hollow[at3(4, 4, 4)] = 0;
    expect(fillHoles(hollow, dims)).toEqual(cube(2, 6));
    for (let k = 4; k < 9; k++) hollow[at3(4, 4, k)] = 0;
    expect(fillHoles(hollow, dims)).toEqual(hollow);
  });

  it('counts components', () => {
    const two = cube(1, 2);
    two[at3(7, 7, 7)] = 1;
    const { sizes, touchesEdge } = components(two, dims);
    expect(sizes).toEqual([0, 720, 8, 1]);
    expect(touchesEdge.slice(1)).toEqual([true, false, false]);
  });
});

describe('fslroi', () => {
  const dims: Dims = [4, 3, 5];
  const value = (i: number, j: number, k: number, t: number) => i + 10 * j + 100 * k + 1000 * t;
  beforeAll(async () => {
    const data: number[] = [];
    for (let t = 0; t < 6; t++)
      for (let k = 0; k < 5; k++)
        for (let j = 0; j < 3; j++) for (let i = 0; i < 4; i++) data.push(value(i, j, k, t));
    await save('series.nii.gz', dims, data);
  });
  const cut = async (numbers: string): Promise<Image> => {
    await run(fslroi, `series cut ${numbers}`);
    return readImage(at('cut.nii.gz'));
  };

  it('cuts volumes', async () => {
    const out = await cut('2 3');
    expect([...out.grid.dims, out.volumes]).toEqual([4, 3, 5, 3]);
    expect([out.data[0], out.data[179]]).toEqual([2000, value(3, 2, 4, 4)]);
  });

  it('cuts a box, which stays where it was in the world', async () => {
    const out = await cut('1 2 0 -1 2 3');
    expect([...out.grid.dims, out.volumes]).toEqual([2, 3, 3, 6]);
    expect([out.data[0], out.data[out.data.length - 1]]).toEqual([value(1, 0, 2, 0), value(2, 2, 4, 5)]);
    const [before, after] = [transformPoint(AFFINE, 2, 1, 3), transformPoint(out.grid.affine, 1, 1, 1)];
    for (const [i, x] of after.entries()) expect(x).toBeCloseTo(before[i], 4);
  });

  it('cuts both', async () => {
    const out = await cut('3 1 2 1 4 1 5 1');
    expect([...out.data]).toEqual([value(3, 2, 4, 5)]);
  });

  it.each(['4 3', '-1 2', '0 0', '0 2 0 9 0 1', '1.5 1', 'x1 1'])('refuses %s', async (numbers) => {
    await expect(cut(numbers)).rejects.toThrow(/lies outside .*series/);
  });

  it('refuses three numbers', async () => {
    await expect(cut('1 2 3')).rejects.toThrow(/3 numbers given; 2, 6 or 8 are due/);
  });
});

describe('fslmerge', () => {
  beforeAll(async () => {
    await save('p.nii', [2, 2, 1], [1, 2, 3, 4]);
    await save('q.nii', [2, 2, 1], [5, 6, 7, 8]);
    await save('r.nii', [2, 2, 1], [1, 2, 3, 4, 5, 6, 7, 8]);
    await save('wide.nii', [3, 2, 1], [1, 2, 3, 4, 5, 6]);
    await save(
      'moved.nii',
      [2, 2, 1],
      [1, 2, 3, 4],
      AFFINE.map((x, i) => (i === 11 ? x + 2 : x)),
    );
  });
  const joined = async (line: string) => {
    await run(fslmerge, line);
    const { grid, volumes, data } = await readImage(at('out.nii.gz'));
    return { shape: [...grid.dims, volumes], data: [...data] };
  };

  it('joins in time', async () => {
    expect(await joined('-t out p q')).toEqual({ shape: [2, 2, 1, 2], data: [1, 2, 3, 4, 5, 6, 7, 8] });
    expect((await joined('-t out r p r')).shape).toEqual([2, 2, 1, 5]);
  });

  it('joins along axes', async () => {
    expect(await joined('-x out p q')).toEqual({ shape: [4, 2, 1, 1], data: [1, 2, 5, 6, 3, 4, 7, 8] });
    expect(await joined('-y out p q')).toEqual({ shape: [2, 4, 1, 1], data: [1, 2, 3, 4, 5, 6, 7, 8] });
    expect(await joined('-x out p wide')).toEqual({
      shape: [5, 2, 1, 1],
      data: [1, 2, 1, 2, 3, 3, 4, 4, 5, 6],
    });
    expect(await joined('-z out r r')).toEqual({
      shape: [2, 2, 2, 2],
      data: [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8],
    });
  });

  it('-a takes slices for a volume', async () => {
    expect((await joined('-a out p q')).shape).toEqual([2, 2, 2, 1]);
  });

  it('-tr stores the seconds', async () => {
    await run(fslmerge, '-tr out.nii p q 2.5');
    const { readFile } = await import('node:fs/promises');
    expect((await readFile(at('out.nii'))).readFloatLE(92)).toBe(2.5);
    await expect(run(fslmerge, '-tr out p q')).rejects.toThrow(/-tr needs the seconds/);
  });

  it.each([
    ['-t out p wide', /wide: 3 x 2 x 1 x 1 voxels do not join .*p, 2 x 2 x 1 x 1, along t/],
    ['-y out p wide', /wide: .*along y/],
    ['-t out p moved', /moved: lies elsewhere in space than .*p/],
    ['-t out', /at least one input/],
    ['-q out p', /-q is none of/],
  ])('refuses %j', async (line, message) => {
    await expect(joined(line)).rejects.toThrow(message);
  });
});
