import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eigen3, eigenSymmetric3 } from '../../containers/toolkit/dtifit/eigen.ts';
import { determinesTensor, ESTIMATORS, type Estimator } from '../../containers/toolkit/dtifit/fit.ts';
import { dtifit } from '../../containers/toolkit/dtifit/index.ts';
import {
  emptyMaps,
  type FitCounts,
  fitMaps,
  setInvariants,
  type TensorMaps,
} from '../../containers/toolkit/dtifit/maps.ts';
import { Threads } from '../../containers/toolkit/threads.ts';
import { parseOptions } from '../../containers/toolkit/tool.ts';
import { formatBvals, formatBvecs, type GradientTable } from '../../imaging/gradients.ts';
import { gridFromAffine, type Image } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';

interface Reference {
  S0: number;
  tensor: number[];
  L: number[];
  V: number[][];
  MD: number;
  FA: number;
  MO: number;
  sse: number;
}
const fixture: {
  bvals: number[];
  bvecs: number[][];
  signals: number[][];
  nonPositive: number;
  wls: Reference[];
  ols: Reference[];
} = JSON.parse(await readFile(new URL('../fixtures/dtifit/expected.json', import.meta.url), 'utf8'));

/** Tensors by dipy on the same gradients: `squares` weighted by the squared signal. */
const dipy: Record<'signals' | 'ols' | 'wls' | 'squares', number[][]> = JSON.parse(
  await readFile(new URL('../fixtures/dtifit/dipy.json', import.meta.url), 'utf8'),
);

const gradients: GradientTable = {
  bvals: Float64Array.from(fixture.bvals),
  bvecs: Float64Array.from(fixture.bvecs.flat()),
};
const VOXELS = fixture.signals.length;
const VOLUMES = fixture.bvals.length;

/** Signals of voxels as an image holds them: volume after volume. */
function volumesOf(signals: readonly (readonly number[])[]): Float32Array {
  const n = signals.length;
  const out = new Float32Array(n * signals[0].length);
  for (const [v, row] of signals.entries()) for (const [t, s] of row.entries()) out[t * n + v] = s;
  return out;
}

/** Fits voxels given as rows of signals. */
function fit(
  signals: readonly (readonly number[])[],
  estimator: Estimator,
  deviations?: Float32Array,
): Promise<{ maps: TensorMaps; counts: FitCounts }> {
  return fitMaps(
    { signals: Float32Array.from(signals.flat()), gradients, estimator, deviations, withErrors: true },
    new Threads(1),
  );
}

/** Maps of one tensor. */
function mapsOf(tensor: readonly number[]): TensorMaps {
  const maps = emptyMaps(1);
  setInvariants(maps, 0, tensor, eigen3());
  return maps;
}

/** Signals of a tensor in mm2/s without noise. */
function signalsOf(s0: number, [xx, xy, xz, yy, yz, zz]: readonly number[]): number[] {
  return fixture.bvals.map((b, t) => {
    const [x, y, z] = fixture.bvecs[t];
    const norm2 = x * x + y * y + z * z || 1;
    const q = xx * x * x + yy * y * y + zz * z * z + 2 * (xy * x * y + xz * x * z + yz * y * z);
    return s0 * Math.exp((-b * q) / norm2);
  });
}

const ones = (n: number) => new Float32Array(n).fill(1);

describe('against an independent fit by numpy', () => {
  it.each(['wls', 'ols'] as const)('%s', async (name) => {
    const { maps, counts } = await fit(fixture.signals, name);
    expect(counts).toEqual({ incomplete: fixture.nonPositive, failed: 0, outliers: 0 });
    expect(fixture.nonPositive).toBeGreaterThan(0);
    // Outputs are float32 (6e-8 relative); eigenvalues and FA carry what is left of the largest.
    const relative = (a: number, b: number, scale = Math.abs(b)) => Math.abs(a - b) / scale;
    for (const [v, e] of fixture[name].entries()) {
      const size = Math.abs(e.L[0]);
      expect(relative(maps.S0[v], e.S0)).toBeLessThan(1e-6);
      expect(relative(maps.sse[v], e.sse)).toBeLessThan(1e-6);
      expect(relative(maps.MD[v], e.MD)).toBeLessThan(1e-6);
      expect(relative(maps.FA[v], e.FA)).toBeLessThan(1e-6);
      expect(relative(maps.MO[v], e.MO, 1)).toBeLessThan(5e-6);
      for (const [c, d] of e.tensor.entries())
        expect(relative(maps.tensor[c * VOXELS + v], d, size)).toBeLessThan(1e-6);
      for (const [i, map] of [maps.L1, maps.L2, maps.L3].entries())
        expect(relative(map[v], e.L[i], size)).toBeLessThan(1e-6);
      for (const [i, map] of [maps.V1, maps.V2, maps.V3].entries()) {
        const cosine = [0, 1, 2].reduce((sum, c) => sum + map[c * VOXELS + v] * e.V[i][c], 0);
        expect(Math.abs(cosine)).toBeGreaterThan(1 - 1e-6);
      }
    }
  });

  it('tells the two apart', () => {
    // What FSL.md records for SNR 20: about 2 % in MD. Were the weights without effect, nothing above would show it.
    const changes = fixture.wls.map((e, v) => Math.abs(e.MD / fixture.ols[v].MD - 1)).sort((a, b) => a - b);
    expect(changes[VOXELS >> 1]).toBeGreaterThan(0.005);
  });
});

describe('against dipy', () => {
  it.each([
    ['ols', 'ols'],
    ['wls', 'squares'],
    ['predicted', 'wls'],
  ] as const)('%s', async (estimator, name) => {
    const { maps, counts } = await fit(dipy.signals, estimator);
    const n = dipy.signals.length;
    expect(n).toBeGreaterThanOrEqual(300);
    expect(counts.failed).toBe(0);
    for (const [v, tensor] of dipy[name].entries()) {
      const size = Math.max(...tensor.map(Math.abs));
      for (const [c, d] of tensor.entries())
        expect(Math.abs(maps.tensor[c * n + v] - d) / size).toBeLessThan(1e-5);
    }
  });

  it('the estimators differ on these signals by more than that', () => {
    const difference = dipy.wls.map((tensor, v) =>
      Math.min(...[dipy.ols[v], dipy.squares[v]].map((other) => Math.abs(other[0] / tensor[0] - 1))),
    );
    expect(difference.sort((a, b) => a - b)[difference.length >> 1]).toBeGreaterThan(1e-3);
  });
});

describe('simulated tensors without noise', () => {
  const tensors = [
    [1.7e-3, 0, 0, 0.3e-3, 0, 0.3e-3],
    [0.7e-3, 0, 0, 0.7e-3, 0, 0.7e-3],
    [0.9e-3, 0.4e-3, -0.2e-3, 0.8e-3, 0.1e-3, 0.5e-3],
  ];

  it.each(ESTIMATORS)('are found exactly: %s', async (estimator) => {
    const signals = tensors.map((d, i) => signalsOf(500 + 100 * i, d));
    const { maps, counts } = await fit(signals, estimator);
    expect(counts.outliers).toBe(0);
    for (const [v, d] of tensors.entries()) {
      // float32 signals: 6e-8 / (b D) relative.
      for (const [c, x] of d.entries()) expect(Math.abs(maps.tensor[c * 3 + v] - x)).toBeLessThan(1e-9);
      expect(maps.S0[v]).toBeCloseTo(500 + 100 * v, 3);
      expect(maps.sse[v]).toBeLessThan(1e-6);
    }
    expect(maps.FA[0]).toBeCloseTo(0.799, 3);
    expect(maps.MO[0]).toBeCloseTo(1, 5);
    expect([maps.V1[0], maps.V1[3], maps.V1[6]].map((x) => Math.abs(Math.round(x * 1e5) / 1e5))).toEqual([
      1, 0, 0,
    ]);
    expect(maps.FA[1]).toBeLessThan(1e-5);
    expect(maps.MD[1]).toBeCloseTo(0.7e-3, 9);
  });

  it('the mode of a disc is -1', () => {
    expect(mapsOf([1e-3, 0, 0, 1e-3, 0, 0.2e-3]).MO[0]).toBeCloseTo(-1, 6);
  });

  it('are found where the gradients deviate, each voxel by its own', async () => {
    // L g, row after row: a stretch of x, a shear of y by z; the second voxel has none.
    const deviations = Float32Array.of(0.1, 0, 0, 0, 0, 0.05, 0, 0, -0.03, ...new Array(9).fill(0));
    const d = tensors[2];
    const [xx, xy, xz, yy, yz, zz] = d;
    const bent = fixture.bvals.map((b, t) => {
      const norm = Math.hypot(...fixture.bvecs[t]) || 1;
      const [x, y, z] = fixture.bvecs[t].map((g) => g / norm);
      const [u, v, w] = [1.1 * x, y + 0.05 * z, 0.97 * z];
      const q = xx * u * u + yy * v * v + zz * w * w + 2 * (xy * u * v + xz * u * w + yz * v * w);
      return 700 * Math.exp(-b * q);
    });
    const signals = [bent, signalsOf(700, d)];
    const { maps } = await fit(signals, 'wls', deviations);
    for (const v of [0, 1])
      for (const [c, x] of d.entries()) expect(Math.abs(maps.tensor[c * 2 + v] - x)).toBeLessThan(2e-9);
    expect(Math.abs((await fit(signals, 'wls')).maps.tensor[0] / xx - 1)).toBeGreaterThan(0.1);
  });
});

describe('the robust fit', () => {
  const noise = (() => {
    let state = 7;
    const uniform = () => {
      state = (state * 1664525 + 1013904223) % 2 ** 32;
      return (state + 1) / (2 ** 32 + 1);
    };
    return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  })();
  const count = 200;
  const d = [1.1e-3, 0.2e-3, 0.1e-3, 0.7e-3, -0.1e-3, 0.6e-3];
  const sound = Array.from({ length: count }, () => signalsOf(1000, d).map((s) => s + 40 * noise()));
  // Two signals of thirty-four, 6 %: one drops out by 60 %, one is too bright.
  const spoilt = sound.map((row, v) =>
    row.map((s, t) => (t === 5 + (v % 14) ? 0.4 * s : t === 19 + (v % 15) ? 1.5 * s : s)),
  );
  const meanMd = async (rows: readonly number[][], estimator: Estimator) =>
    (await fit(rows, estimator)).maps.MD.reduce((a, b) => a + b) / count;

  it('stays within 1 % where others are 2 % off', async () => {
    const truth = (d[0] + d[3] + d[5]) / 3;
    expect(Math.abs((await meanMd(spoilt, 'robust')) / truth - 1)).toBeLessThan(0.01);
    for (const estimator of ['ols', 'wls', 'predicted'] as const)
      expect(Math.abs((await meanMd(spoilt, estimator)) / truth - 1)).toBeGreaterThan(0.02);
  });

  it('finds the outliers, and few others', async () => {
    expect((await fit(spoilt, 'robust')).counts.outliers).toBeGreaterThan(1.9 * count);
    expect((await fit(sound, 'robust')).counts.outliers).toBeLessThan(0.02 * count * VOLUMES);
  });

  it('with hardly more signals than unknowns, is the fit with predicted weights', async () => {
    // One b0 and seven directions: eight signals.
    const few = [sound[0].map((s, t) => (t >= 3 && t < 11 ? s : 0))];
    expect((await fit(few, 'robust')).maps.S0[0]).toBeGreaterThan(800);
    expect((await fit(few, 'robust')).maps.tensor).toEqual((await fit(few, 'predicted')).maps.tensor);
  });
});

describe('signals that have no logarithm', () => {
  const clean = signalsOf(800, [1e-3, 0.1e-3, 0, 0.8e-3, 0, 0.6e-3]);

  it.each([0, -12, Number.NaN, Number.POSITIVE_INFINITY])('%s is left out of the fit', async (bad) => {
    const signals = clean.map((s, t) => (t === 3 || t === 11 ? bad : s));
    for (const estimator of ESTIMATORS) {
      const { maps, counts } = await fit([signals], estimator);
      expect(counts.incomplete).toBe(1);
      // Taken as 1, with the weight of 1 against some 300 squared.
      if (estimator === 'wls' && bad <= 0) {
        expect(Math.abs(maps.tensor[0] - 1e-3)).toBeLessThan(1e-6);
        continue;
      }
      expect(maps.tensor[0]).toBeCloseTo(1e-3, 8);
      expect(maps.S0[0]).toBeCloseTo(800, 2);
    }
  });

  it.each(ESTIMATORS)(
    'too few of the others: the voxel is zero, and nothing is NaN (%s)',
    async (estimator) => {
      const fewer = clean.map((s, t) => (t < 5 ? s : Number.NaN));
      const noB0 = clean.map((s, t) => (fixture.bvals[t] === 0 ? Number.NaN : s));
      const { maps, counts } = await fit([clean, fewer, noB0, clean.map(() => 0)], estimator);
      expect(counts.failed).toBe(3);
      for (const map of Object.values(maps)) expect(map.every(Number.isFinite)).toBe(true);
      expect([...maps.S0].map((s) => s > 0)).toEqual([true, false, false, false]);
      expect([...maps.V1].filter((x) => x !== 0).length).toBeLessThanOrEqual(3);
    },
  );

  it.each(ESTIMATORS)('a rim voxel, air in most volumes, does not run away (%s)', async (estimator) => {
    // As measured at the rim of a real head: what is left of the signal after resampling.
    const rim = clean.map((_, t) => (fixture.bvals[t] === 0 ? 100 : t % 5 === 0 ? 0.3 + t / 10 : 0));
    const { maps } = await fit([rim], estimator);
    expect(Math.abs(maps.MD[0])).toBeLessThan(0.01);
    // Everything but the b0s taken as 1, a few weak signals aside: near ln(100) / 1000.
    if (estimator === 'wls') expect(maps.MD[0] * 1000).toBeGreaterThan(0.8 * Math.log(100));
  });

  it('negative eigenvalues stay, so that MD is not biased', async () => {
    const { maps } = await fit([signalsOf(100, [-0.2e-3, 0, 0, 0.5e-3, 0, 0.1e-3])], 'wls');
    expect(maps.L3[0]).toBeCloseTo(-0.2e-3, 8);
    expect(maps.MD[0]).toBeCloseTo(0.4e-3 / 3, 8);
    expect(maps.FA[0]).toBeGreaterThan(1);
    expect(maps.FA[0]).toBeLessThanOrEqual(Math.sqrt(1.5));
  });
});

describe('eigen decomposition', () => {
  it('solves A v = l v to rounding, in falling order, close eigenvalues too', () => {
    const e = eigen3();
    const cases = [
      [1, 0, 0, 1, 0, 1],
      [1, 1e-9, 0, 1, 1e-9, 1],
      [2, -1, 0, 2, -1, 2],
      [1e-3, 2e-4, -3e-4, 4e-4, 5e-5, -1e-4],
      [0, 1, 0, 0, 0, 0],
      [5, 3, 3, 5, 3, 5],
    ];
    for (const [xx, xy, xz, yy, yz, zz] of cases) {
      eigenSymmetric3(xx, xy, xz, yy, yz, zz, e);
      const scale = Math.hypot(xx, yy, zz, xy, xz, yz);
      expect(e.values[0]).toBeGreaterThanOrEqual(e.values[1]);
      expect(e.values[1]).toBeGreaterThanOrEqual(e.values[2]);
      const rows = [
        [xx, xy, xz],
        [xy, yy, yz],
        [xz, yz, zz],
      ];
      for (let i = 0; i < 3; i++) {
        const v = [...e.vectors.subarray(3 * i, 3 * i + 3)];
        expect(Math.hypot(...v)).toBeCloseTo(1, 14);
        for (let r = 0; r < 3; r++)
          expect(
            Math.abs(rows[r].reduce((sum, a, c) => sum + a * v[c], 0) - e.values[i] * v[r]),
          ).toBeLessThan(1e-14 * scale);
        const top = v.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
        expect(top).toBeGreaterThan(0);
      }
    }
  });
});

describe('gradient tables that determine no tensor', () => {
  const table = (keep: (t: number) => boolean): GradientTable => {
    const kept = fixture.bvals.map((_, t) => t).filter(keep);
    return {
      bvals: Float64Array.from(kept, (t) => fixture.bvals[t]),
      bvecs: Float64Array.from(kept.flatMap((t) => fixture.bvecs[t])),
    };
  };

  it('are told from those that do', () => {
    expect(determinesTensor(gradients)).toBe(true);
    expect(determinesTensor(table((t) => t >= 3 && t < 10))).toBe(true); // one b0, six directions
    expect(determinesTensor(table((t) => t >= 3 && t < 9))).toBe(false); // five directions
    expect(determinesTensor(table((t) => t >= 4))).toBe(false); // no b0, one shell
    const flat = { ...gradients, bvecs: gradients.bvecs.map((x, i) => (i % 3 === 2 ? 0 : x)) };
    expect(determinesTensor(flat)).toBe(false); // all directions in one plane
  });
});

describe('the command', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const grid = gridFromAffine(
    [VOXELS / 2, 2, 1],
    Float64Array.of(-2, 0, 0, 5, 0, 2, 0, 6, 0, 0, 2, 7, 0, 0, 0, 1),
  );
  const image: Image = { grid, volumes: VOLUMES, data: volumesOf(fixture.signals) };
  const mask = ones(VOXELS);
  mask[0] = 0;
  const run = (...more: string[]) => {
    const argv = [
      '-k',
      at('dwi'),
      '-m',
      at('mask'),
      '-r',
      at('bvecs'),
      '-b',
      at('bvals'),
      '-o',
      at('dti'),
      ...more,
    ];
    return dtifit.run(parseOptions(dtifit, argv), () => {});
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dtifit-'));
    await writeImage(at('dwi.nii.gz'), image);
    await writeImage(at('mask.nii.gz'), { grid, volumes: 1, data: mask }, { type: 'uint8' });
    await writeFile(at('bvals'), formatBvals(gradients.bvals));
    await writeFile(at('bvecs'), formatBvecs(gradients.bvecs));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("writes FSL's files", async () => {
    await run('--wls', '--sse', '--save_tensor');
    const names = (await readdir(folder)).filter((name) => name.startsWith('dti_')).sort();
    const suffixes = ['FA', 'L1', 'L2', 'L3', 'MD', 'MO', 'S0', 'V1', 'V2', 'V3', 'sse', 'tensor'];
    expect(names).toEqual(suffixes.map((s) => `dti_${s}.nii.gz`));
    const md = await readImage(at('dti_MD.nii.gz'));
    expect(md.grid.affine).toEqual(grid.affine);
    expect(md.data[0]).toBe(0);
    expect(md.data[1]).toBeCloseTo(fixture.wls[1].MD, 9);
    expect((await readImage(at('dti_V1.nii.gz'))).volumes).toBe(3);
    expect((await readImage(at('dti_tensor.nii.gz'))).volumes).toBe(6);
  });

  it('writes equal bytes again', async () => {
    await run('--wls');
    const first = await readFile(at('dti_V1.nii.gz'));
    await run('--wls');
    expect(await readFile(at('dti_V1.nii.gz'))).toEqual(first);
  });

  it.each(ESTIMATORS)('--fit=%s', async (estimator) => {
    await run(`--fit=${estimator}`);
    const md = await readImage(at('dti_MD.nii.gz'));
    const { maps } = await fit(fixture.signals, estimator);
    expect([...md.data.subarray(1)]).toEqual([...maps.MD.subarray(1)]);
  });

  it('--gradnonlin without deviations changes nothing; other than nine volumes are refused', async () => {
    await run('--wls');
    const plain = await readFile(at('dti_L1.nii.gz'));
    await writeImage(at('dev.nii.gz'), { grid, volumes: 9, data: new Float32Array(9 * VOXELS) });
    await run('--wls', `--gradnonlin=${at('dev')}`);
    expect(await readFile(at('dti_L1.nii.gz'))).toEqual(plain);
    await writeImage(at('dev.nii.gz'), { grid, volumes: 9, data: new Float32Array(9 * VOXELS).fill(0.02) });
    await run('--wls', `--gradnonlin=${at('dev')}`);
    expect(await readFile(at('dti_L1.nii.gz'))).not.toEqual(plain);
    await expect(run(`--gradnonlin=${at('mask')}`)).rejects.toThrow(/mask: has 1 volumes where nine are due/);
  });

  it.each([
    [['--kurt'], /--kurt is not supported/],
    [['--cni', 'x'], /--cni is not supported: remove confounds/],
    [['-z', '3'], /-z is not supported: fit the region by its mask/],
    [['--fit=best'], /--fit=best: choose ols, wls, predicted, robust/],
    [['--wls', '--fit=robust'], /contradict each other/],
    [['--nthr=0'], /--nthr=0/],
  ])('refuses %j', async (words, message) => {
    await expect(run(...words)).rejects.toThrow(message);
  });

  it('refuses a mask of another grid, an empty mask, a table of another length', async () => {
    const other = { ...grid, affine: grid.affine.map((x, i) => (i === 3 ? x + 1 : x)) };
    await writeImage(at('other.nii.gz'), { grid: other, volumes: 1, data: mask });
    await expect(run('-m', at('other'))).rejects.toThrow(/other: is not on the grid of .*dwi/);
    await writeImage(at('empty.nii.gz'), { grid, volumes: 1, data: new Float32Array(VOXELS) });
    await expect(run('-m', at('empty'))).rejects.toThrow(/empty: is empty/);
    await writeFile(at('short.bval'), '0 1000\n');
    await expect(run('-b', at('short.bval'))).rejects.toThrow(/short.bval: has 2 b values/);
    const ones1000 = formatBvals(gradients.bvals.map(() => 0));
    await writeFile(at('zero.bval'), ones1000);
    await expect(run('-b', at('zero.bval'))).rejects.toThrow(/do not determine a tensor/);
  });
});
