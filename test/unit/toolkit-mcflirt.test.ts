import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMatrix, readTable } from '../../containers/toolkit/files.ts';
import { pyramid } from '../../containers/toolkit/flirt/pyramid.ts';
import {
  centreOfMass,
  perturb,
  rigidParameters,
  rmsDeviation,
} from '../../containers/toolkit/flirt/transform.ts';
import { estimateMotion } from '../../containers/toolkit/mcflirt/correct.ts';
import { even } from '../../containers/toolkit/mcflirt/even.ts';
import { mcflirt } from '../../containers/toolkit/mcflirt/index.ts';
import { Threads } from '../../containers/toolkit/threads.ts';
import { parseOptions } from '../../containers/toolkit/tool.ts';
import { chain, identity, invert, type Matrix4, transformPoint } from '../../imaging/affine.ts';
import {
  type Grid,
  gridFromAffine,
  type Image,
  volumeOf,
  voxelCount,
  voxelToFsl,
} from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';

const canon = fileURLToPath(
  new URL('../../../shared/data/canon/sub-01/ses-1/dwi/sub-01_ses-1_dir-AP_dwi.nii.gz', import.meta.url),
);
const DEGREE = Math.PI / 180;
const GRID: Grid = gridFromAffine(
  [48, 56, 42],
  Float64Array.of(-4, 0, 0, 94, 0, 4, 0, -110, 0, 0, 4, -82, 0, 0, 0, 1),
);
const VOLUMES = 7;

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

const blobs = (() => {
  const uniform = random(3);
  return Array.from({ length: 150 }, () => ({
    at: [110, 140, 100].map((size) => (uniform() - 0.5) * size),
    sigma: 3 + 5 * uniform(),
    height: uniform() < 0.5 ? -0.5 : 0.7,
  }));
})();

function head(x: number, y: number, z: number): number {
  const radius = Math.hypot(x / 66, y / 82, (z + 0.1 * y) / 60);
  if (radius > 1.2) return 0;
  let sum = 1;
  for (const { at, sigma, height } of blobs) {
    const d = ((x - at[0]) ** 2 + (y - at[1]) ** 2 + (z - at[2]) ** 2) / (2 * sigma * sigma);
    if (d < 12) sum += height * Math.exp(-d);
  }
  return sum / (1 + Math.exp((radius - 1) * 25));
}

/** A series whose head drifts and nods; volume 3, the middle, lies straight. */
function simulate(noise: number): { series: Image; truth: Matrix4[] } {
  const n = voxelCount(GRID);
  const data = new Float32Array(n * VOLUMES);
  const uniform = random(8);
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const truth: Matrix4[] = [];
  for (let t = 0; t < VOLUMES; t++) {
    const s = t - 3;
    const turn = [0.9 * s, -0.4 * s * s, 0.6 * s].map((a) => a * DEGREE * 80);
    const moved = perturb(
      identity(),
      Float64Array.of(0.5 * s, -0.7 * s, 0.3 * s * s, ...turn, 0, 0, 0, 0, 0, 0, 0),
      [0, 0, 0],
    );
    const f = voxelToFsl(GRID);
    truth.push(chain(f, invert(GRID.affine), invert(moved), GRID.affine, invert(f)));
    const m = chain(invert(moved), GRID.affine);
    for (let k = 0, o = t * n; k < GRID.dims[2]; k++)
      for (let j = 0; j < GRID.dims[1]; j++)
        for (let i = 0; i < GRID.dims[0]; i++, o++)
          data[o] = 100 * (head(...transformPoint(m, i, j, k)) + noise * normal());
  }
  return { series: { grid: GRID, volumes: VOLUMES, data }, truth };
}

const run = (...argv: string[]) => mcflirt.run(parseOptions(mcflirt, argv), () => {});
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcflirt-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('mcflirt', () => {
  const { series, truth } = simulate(0.02);
  const centre = centreOfMass(volumeOf(series, 3), GRID);
  const at = (name: string) => join(folder, name);

  it('recovers motion to 0.1 mm RMS and writes what FSL writes', async () => {
    await writeImage(at('dwi.nii.gz'), series);
    await run('-in', at('dwi'), '-mats', '-plots', '-rmsrel', '-rmsabs');
    const mats = await Promise.all(
      truth.map((_, t) => readMatrix(at(`dwi_mcf.mat/MAT_${String(t).padStart(4, '0')}`))),
    );
    // 4 mm voxels, noise of a tenth of the contrast within the head: 1/40 voxel. The motion itself reaches 5 mm.
    for (const [t, m] of mats.entries()) expect(rmsDeviation(truth[t], m, centre)).toBeLessThan(0.1);
    expect(rmsDeviation(truth[0], identity(), centre)).toBeGreaterThan(4);

    const par = await readTable(at('dwi_mcf.par'));
    expect(par).toHaveLength(VOLUMES);
    for (const [t, row] of par.entries())
      for (const [i, v] of rigidParameters(mats[t], centre).entries()) expect(row[i]).toBeCloseTo(v, 6);
    const [abs, rel] = [await readTable(at('dwi_mcf_abs.rms')), await readTable(at('dwi_mcf_rel.rms'))];
    expect([abs.length, rel.length]).toEqual([VOLUMES, VOLUMES - 1]);
    expect(abs[0][0]).toBeCloseTo(rmsDeviation(identity(), mats[0], centre), 6);
    expect(rel[2][0]).toBeCloseTo(rmsDeviation(mats[2], mats[3], centre), 6);
    const [[mean]] = await readTable(at('dwi_mcf_rel_mean.rms'));
    expect(mean).toBeCloseTo(rel.reduce((s, [v]) => s + v, 0) / rel.length, 6);

    const corrected = await readImage(at('dwi_mcf.nii.gz'));
    expect(corrected.volumes).toBe(VOLUMES);
    // Where the head moved by 5 mm, differences to the middle volume shrink to noise and interpolation.
    const difference = (image: Image) => {
      const [a, b] = [volumeOf(image, 0), volumeOf(image, 3)];
      return Math.sqrt(a.reduce((s, v, i) => s + (v - b[i]) ** 2, 0) / a.length);
    };
    expect(difference(corrected)).toBeLessThan(0.5 * difference(series));
  });

  it('gives equal bytes on equal input, and takes -refvol and -meanvol', async () => {
    await run('-in', at('dwi'), '-out', at('a'), '-refvol', '0', '-plots', '-stages', '2');
    await run('-in', at('dwi'), '-out', at('b'), '-refvol', '0', '-plots', '-stages', '2');
    const [a, b] = [await readFile(at('a.nii.gz')), await readFile(at('b.nii.gz'))];
    expect(a.equals(b)).toBe(true);
    expect((await readTable(at('a.par')))[0].every((v) => Math.abs(v) < 1e-3)).toBe(true);
    await run('-in', at('dwi'), '-out', at('m'), '-meanvol', '-mats', '-stages', '2');
    const [first, last] = [await readMatrix(at('m.mat/MAT_0000')), await readMatrix(at('m.mat/MAT_0006'))];
    // Against a mean only motion between volumes is defined: compared so.
    const between = chain(invert(last), first);
    expect(rmsDeviation(chain(invert(truth[6]), truth[0]), between, centre)).toBeLessThan(0.15);
  });

  it('sees through changing contrast with mutual information', async () => {
    const data = series.data.slice();
    // Inverts the contrast inside the head in volumes before the middle, as diffusion weighting does to fluid.
    for (let i = 0; i < 3 * voxelCount(GRID); i++) if (data[i] > 30) data[i] = 220 - data[i];
    const found = await estimateMotion(
      { ...series, data },
      volumeOf(series, 3),
      3,
      {
        cost: 'mutualinfo',
        dof: 6,
        bins: 128,
        stages: 3,
        smooth: 1,
      },
      new Threads(1),
    );
    for (const [t, m] of found.entries())
      expect(rmsDeviation(truth[t], m as Matrix4, centre)).toBeLessThan(0.4);
  });

  it('writes names, time step and mean as FSL does, and leaves no part of a file', async () => {
    const short = {
      ...series,
      volumes: 3,
      data: series.data.slice(2 * voxelCount(GRID), 5 * voxelCount(GRID)),
    };
    await writeImage(at('short.nii.gz'), short, { volumeSeconds: 3.2 });
    await mkdir(at('s.mat'));
    await writeFile(at('s.mat/MAT_0007'), 'of an earlier, longer series');
    const stages = ['-stages', '1', '-meanvol', '-rmsabs', '-rmsrel', '-mats', '-plots'];
    await run('-in', at('short'), '-out', at('s'), ...stages, '-sinc_final', '--nthr=1');
    expect((await readdir(at('s.mat'))).sort()).toEqual(['MAT_0000', 'MAT_0001', 'MAT_0002']);
    const names = (await readdir(folder)).filter((name) => name.startsWith('s'));
    for (const end of [
      '.nii.gz',
      '.par',
      '_abs.rms',
      '_abs_mean.rms',
      '_rel.rms',
      '_rel_mean.rms',
      '_mean_reg.nii.gz',
    ])
      expect(names).toContain(`s${end}`);
    expect(names.filter((name) => name.includes('.part'))).toEqual([]);
    expect((await readImage(at('s.nii.gz'))).volumeSeconds).toBeCloseTo(3.2, 5);
    // Without -meanvol the reference itself does not move, to the last digit.
    await run('-in', at('short'), '-out', at('r'), '-refvol', '1', '-stages', '1', '-mats');
    expect([...(await readMatrix(at('r.mat/MAT_0001')))]).toEqual([...identity()]);
  });

  it('evens out the shades of a coil, whatever they lie on', () => {
    const plain = volumeOf(series, 3);
    // Some 50 % from end to end of the head along x and along z.
    const shade = plain.map((_, o) => 1 + 0.8 * ((o % 48) / 47) + 0.8 * (Math.floor(o / 48 / 56) / 41));
    const levels = (data: Float32Array) => even(pyramid(data, GRID, [8, 4]));
    const [bare, shaded] = [levels(plain)[1], levels(plain.map((v, o) => v * shade[o]))[1]];
    /** Spread of a ratio over the head, relative to its mean. */
    const spread = (ratio: (o: number) => number) => {
      const values = [...plain.keys()].filter((o) => plain[o] > 50).map(ratio);
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length) / mean;
    };
    expect(spread((o) => shade[o])).toBeGreaterThan(0.1);
    // What is left lies at the head's edge, where tissue is on one side only.
    expect(spread((o) => shaded.data[o] / bare.data[o])).toBeLessThan(0.045);
    const empty = even(pyramid(new Float32Array(plain.length), GRID, [8, 4]));
    expect(empty[1].data.every((v) => v === 0)).toBe(true);
  });

  it('tells the user what is wrong', async () => {
    const data = series.data.slice();
    data.fill(0, 5 * voxelCount(GRID), 6 * voxelCount(GRID));
    await writeImage(at('hole.nii.gz'), { ...series, data });
    await expect(run('-in', at('hole'), '-stages', '1')).rejects.toThrow(
      /hole: volume 5 cannot be registered/,
    );
    await expect(run('-in', at('dwi'), '-refvol', '7')).rejects.toThrow(/-refvol 7.*0 to 6/);
    await expect(run('-in', at('dwi'), '-nn_final', '-sinc_final')).rejects.toThrow(/exclude each other/);
    await expect(run('-in', at('dwi'), '--nthr=x')).rejects.toThrow(/--nthr=x/);
    await expect(run('-in', at('dwi'), '-stages', '5')).rejects.toThrow(/-stages 5/);
    await expect(run('-in', at('dwi'), '-refvol', '1', '-meanvol')).rejects.toThrow(/exclude each other/);
    expect(existsSync(at('hole_mcf.nii.gz'))).toBe(false);
  });
});

describe.skipIf(!existsSync(canon))('mcflirt on a real scan (shared/data/canon)', () => {
  it('finds the small motion of the b1500 volumes', async () => {
    const scan = await readImage(canon);
    const n = voxelCount(scan.grid);
    const dwi: Image = { grid: scan.grid, volumes: 5, data: scan.data.subarray(n, 6 * n) };
    const found = await estimateMotion(
      dwi,
      volumeOf(dwi, 2),
      2,
      {
        cost: 'normcorr',
        dof: 6,
        bins: 256,
        stages: 3,
        smooth: 1,
      },
      new Threads(1),
    );
    const centre = centreOfMass(volumeOf(dwi, 2), scan.grid);
    for (const m of found) {
      const par = rigidParameters(m as Matrix4, centre);
      // FSL's eddy gives this session rotations below 0.5 degrees and x, z shifts below 0.4 mm; along y, the
      // phase-encode axis, eddy currents shift volumes by up to 1.3 mm, which look like motion here.
      for (const a of par.slice(0, 3)) expect(Math.abs(a)).toBeLessThan(1 * DEGREE);
      expect(Math.abs(par[3])).toBeLessThan(0.6);
      expect(Math.abs(par[4])).toBeLessThan(2);
      expect(Math.abs(par[5])).toBeLessThan(0.6);
    }
  });
});
