import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applywarp } from '../../containers/toolkit/applywarp/index.ts';
import { writeMatrix } from '../../containers/toolkit/files.ts';
import { parseOptions, ToolError } from '../../containers/toolkit/tool.ts';
import { chain, invert, type Matrix4, rotation, transformPoint, translation } from '../../imaging/affine.ts';
import { type Grid, gridFromAffine, type Image, voxelToFsl } from '../../imaging/image.ts';
import { encodeNifti, readImage, writeImage } from '../../imaging/nifti.ts';

let folder: string;
const at = (name: string) => join(folder, name);
const run = (...argv: string[]) => applywarp.run(parseOptions(applywarp, argv), () => {});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'applywarp-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A grid stored radiologically (x from right to left), as dcm2niix leaves most scans, or neurologically. */
function grid(dims: [number, number, number], mm: number, neurological: boolean): Grid {
  const sx = neurological ? mm : -mm;
  return gridFromAffine(dims, Float64Array.of(sx, 0, 0, 5, 0, mm, 0, -9, 0, 0, mm, 2, 0, 0, 0, 1));
}

/** Volumes made voxel by voxel from functions of the grid's FSL mm. */
function paint(on: Grid, ...functions: ((x: number, y: number, z: number) => number)[]): Image {
  const [nx, ny, nz] = on.dims;
  const n = nx * ny * nz;
  const data = new Float32Array(n * functions.length);
  const toFsl = voxelToFsl(on);
  functions.forEach((f, t) => {
    for (let k = 0, o = t * n; k < nz; k++)
      for (let j = 0; j < ny; j++)
        for (let i = 0; i < nx; i++, o++) data[o] = f(...transformPoint(toFsl, i, j, k));
  });
  return { grid: on, volumes: functions.length, data };
}

// Linear in space, so that trilinear interpolation of it is exact, and different along each axis.
const ramp = (x: number, y: number, z: number) => 100 + 1.5 * x - 0.7 * y + 0.4 * z;

const INPUT = grid([24, 20, 22], 3, true);
const WARP_GRID = grid([18, 19, 17], 3, false);
const REFERENCE = grid([20, 21, 22], 2, false);
const PREMAT = chain(translation(4, -3, 2), rotation(0.1, -0.05, 0.08)) as Matrix4;
const POSTMAT = chain(translation(-2, 1.5, 1), rotation(-0.04, 0.06, 0.02)) as Matrix4;
// Displacement linear in space: exact under the field's own trilinear interpolation.
const SHIFT = [
  (x: number, y: number, _z: number) => 2 + 0.05 * x - 0.02 * y,
  (x: number, _y: number, z: number) => -1 + 0.03 * z + 0.01 * x,
  (_x: number, y: number, z: number) => 1.5 - 0.04 * y + 0.02 * z,
] as const;

/** Largest error against the chain of transforms done on paper, over voxels well inside the input. */
function worstError(out: Image, interior = 3): { error: number; voxels: number } {
  const toFsl = voxelToFsl(REFERENCE);
  const [beforeWarp, afterWarp] = [invert(POSTMAT), invert(PREMAT)];
  const extent = INPUT.dims.map((n) => (n - 1) * 3);
  const warpExtent = WARP_GRID.dims.map((n) => (n - 1) * 3);
  let [error, voxels, o] = [0, 0, 0];
  for (let k = 0; k < REFERENCE.dims[2]; k++)
    for (let j = 0; j < REFERENCE.dims[1]; j++)
      for (let i = 0; i < REFERENCE.dims[0]; i++, o++) {
        const p = transformPoint(beforeWarp, ...transformPoint(toFsl, i, j, k));
        if (p.some((v, a) => v < 0 || v > warpExtent[a])) continue;
        const q = transformPoint(
          afterWarp,
          p[0] + SHIFT[0](...p),
          p[1] + SHIFT[1](...p),
          p[2] + SHIFT[2](...p),
        );
        if (q.some((v, a) => v < interior || v > extent[a] - interior)) continue;
        voxels++;
        error = Math.max(error, Math.abs(out.data[o] - ramp(...q)));
      }
  return { error, voxels };
}

describe('applywarp', () => {
  beforeAll(async () => {
    await writeImage(
      at('in.nii.gz'),
      paint(INPUT, ramp, (x, y, z) => 2 * ramp(x, y, z)),
    );
    await writeImage(
      at('ref.nii.gz'),
      paint(REFERENCE, () => 1),
    );
    await writeImage(at('warp.nii.gz'), paint(WARP_GRID, ...SHIFT));
    await writeMatrix(at('pre.mat'), PREMAT);
    await writeMatrix(at('post.mat'), POSTMAT);
  });
  const chainArgs = () => [
    '-i',
    at('in'),
    '-r',
    at('ref'),
    `--premat=${at('pre.mat')}`,
    `--postmat=${at('post.mat')}`,
  ];

  it('goes through premat, warp and postmat in FSL mm, whatever way x is stored, for every volume', async () => {
    await run(...chainArgs(), '-w', at('warp'), '-o', at('out'));
    const out = await readImage(at('out.nii.gz'));
    expect(out.volumes).toBe(2);
    const { error, voxels } = worstError(out);
    expect(voxels).toBeGreaterThan(3000);
    expect(error).toBeLessThan(2e-3); // Float32 storage of values up to 250 and of displacements.
    const n = out.data.length / 2;
    for (let o = 0; o < n; o += 97) expect(out.data[n + o]).toBeCloseTo(2 * out.data[o], 2);
  });

  it('splines reproduce a linear function away from the edge', async () => {
    await run(...chainArgs(), `--warp=${at('warp')}`, '--interp=spline', `--out=${at('spline')}`);
    // Mirror boundaries bend a ramp near its ends; 12 mm = 4 voxels in, that has died away to 1 %.
    expect(worstError(await readImage(at('spline.nii.gz')), 12).error).toBeLessThan(0.05);
  });

  it('--abs of a field of coordinates equals --rel of displacements', async () => {
    const absolute = paint(
      WARP_GRID,
      (x, y, z) => x + SHIFT[0](x, y, z),
      (x, y, z) => y + SHIFT[1](x, y, z),
      (x, y, z) => z + SHIFT[2](x, y, z),
    );
    await writeImage(at('abs.nii.gz'), absolute);
    await run(...chainArgs(), '-w', at('abs'), '--abs', '-o', at('by_abs'));
    await run(...chainArgs(), '-w', at('warp'), '--rel', '-o', at('by_rel'));
    const [a, r] = [await readImage(at('by_abs.nii.gz')), await readImage(at('by_rel.nii.gz'))];
    // Away from the input's edge, where a rounding may decide between inside and outside.
    expect(worstError(a).error).toBeLessThan(2e-3);
    expect(worstError(r).error).toBeLessThan(2e-3);
  });

  it('without transforms on its own grid changes nothing; nn keeps labels; the mask blanks the rest', async () => {
    const labels = paint(REFERENCE, (x, y, z) => Math.round((x + 2 * y + z) / 9) % 5);
    const mask = paint(REFERENCE, (x) => (x > 20 ? 1 : 0));
    await writeImage(at('labels.nii.gz'), labels);
    await writeImage(at('mask.nii.gz'), mask);
    await run('-i', at('labels'), '-r', at('ref'), '-o', at('same'));
    expect((await readImage(at('same.nii.gz'))).data).toEqual(labels.data);
    const moved = ['-i', at('labels'), '-r', at('ref'), '--premat', at('post.mat'), '--interp=nn'];
    await run(...moved, '--mask', at('mask'), '-o', at('nn'));
    const nn = await readImage(at('nn.nii.gz'));
    expect([...new Set(nn.data)].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(nn.data.every((v, o) => v === 0 || mask.data[o] > 0)).toBe(true);
  });

  it('--super averages samples within each output voxel', async () => {
    // Of a ramp the mean is the value at the centre; of stripes as wide as a sample it is their mean.
    await run(...chainArgs(), '-w', at('warp'), '--super', '-o', at('super'));
    // Half a millimetre beyond the warp's last voxels, where their displacement holds on, samples err by 0.5 x its slope.
    expect(worstError(await readImage(at('super.nii.gz'))).error).toBeLessThan(0.02);
    const fine = grid([80, 42, 44], 1, false);
    await writeImage(
      at('stripes.nii.gz'),
      paint(fine, (x) => Math.round(x) % 2),
    );
    const half = paint(REFERENCE, (x) => (x > 20 ? 1 : 0));
    await writeImage(at('half.nii.gz'), half);
    const stripes = ['-i', at('stripes'), '-r', at('ref'), '--interp=nn', '--super', '-m', at('half')];
    // Voxels of 2 mm from x = 0 on hold samples at -0.5 and 0.5, 1.5 and 2.5 ...: one of each stripe.
    await run(...stripes, '--superlevel=2', '-o', at('grey'));
    const grey = await readImage(at('grey.nii.gz'));
    grey.data.forEach((v, o) => {
      expect(v).toBe(half.data[o] > 0 ? 0.5 : 0);
    });
    await run(...stripes, '--superlevel=a', '-o', at('automatic'));
    expect((await readImage(at('automatic.nii.gz'))).data).toEqual(grey.data);
    await expect(run(...stripes, '--superlevel=0', '-o', at('x'))).rejects.toThrow(/--superlevel=0 must be/);
  });

  it('voxels that are no numbers do not spread', async () => {
    const holed = paint(INPUT, ramp);
    holed.data[3000] = Number.NaN;
    await writeImage(at('holed.nii.gz'), holed);
    await run('-i', at('holed'), '-r', at('ref'), '-w', at('warp'), '--interp=spline', '-o', at('whole'));
    expect((await readImage(at('whole.nii.gz'))).data.every(Number.isFinite)).toBe(true);
  });

  it('says what is wrong with its input', async () => {
    const base = ['-i', at('in'), '-r', at('ref'), '-o', at('bad')];
    await expect(run(...base, '-w', at('in'))).rejects.toThrow(
      /in\.nii\.gz: a warp has three volumes.*has 2/,
    );
    await expect(run(...base, '--interp=sinc')).rejects.toThrow(/sinc is not supported. Use trilinear/);
    await expect(run(...base, '--abs', '--rel')).rejects.toThrow(/exclude each other/);
    await expect(run(...base, '-m', at('in'))).rejects.toThrow(/has not the grid of/);
    await expect(run(...base, '-w', at('nowhere'))).rejects.toThrow(ToolError);
    const quadratic = encodeNifti(paint(WARP_GRID, ...SHIFT));
    quadratic.writeInt16LE(2009, 68);
    await writeFile(at('quadratic.nii'), quadratic);
    await expect(run(...base, '-w', at('quadratic'))).rejects.toThrow(/quadratic or cosine coefficients/);
    expect(existsSync(at('bad.nii.gz'))).toBe(false);
  });

  it('gives equal bytes for equal input', async () => {
    for (const name of ['one', 'two']) await run(...chainArgs(), '-w', at('warp'), '-o', at(name));
    expect((await readFile(at('one.nii.gz'))).equals(await readFile(at('two.nii.gz')))).toBe(true);
  });
});

const shared = fileURLToPath(new URL('../../../shared/', import.meta.url));
const canon = join(shared, 'reference/canon');
const template = join(shared, 'standard/FMRIB58_FA_1mm.nii.gz');
const there = existsSync(canon) && existsSync(template);

describe.skipIf(!there)(`applywarp against FSL 5.0.9 (needs ${canon})`, () => {
  it("reads FNIRT's coefficients as FSL's applywarp does", async () => {
    const coefficients = join(canon, 'ses-1_to_template_warpcoef');
    await run('-i', join(canon, 'ses-1_dtifit_wls_FA'), '-r', template, '-w', coefficients, '-o', at('fa'));
    const [own, fsl] = [
      await readImage(at('fa.nii.gz')),
      await readImage(join(canon, 'ses-1_FA_template.nii.gz')),
    ];
    // FSL writes 0 in the half voxel beyond the outermost centres, where we still have data: compare where it has any.
    let [worst, compared] = [0, 0];
    for (let o = 0; o < fsl.data.length; o++) {
      if (fsl.data[o] === 0) continue;
      compared++;
      worst = Math.max(worst, Math.abs(own.data[o] - fsl.data[o]));
    }
    expect(compared).toBeGreaterThan(1e6);
    expect(worst).toBeLessThan(1e-4); // Both work in single precision.
  });
});
