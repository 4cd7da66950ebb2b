import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLASSES, contrastClasses } from '../../containers/toolkit/eddy/classes.ts';
import { combine, offsetFromB0s } from '../../containers/toolkit/eddy/continuity.ts';
import { correctVolume, replaceSlices } from '../../containers/toolkit/eddy/correct.ts';
import { covariance, estimateHyperparameters, predictor } from '../../containers/toolkit/eddy/gp.ts';
import { eddy } from '../../containers/toolkit/eddy/index.ts';
import { cholesky, choleskySolve } from '../../containers/toolkit/eddy/linear.ts';
import { oppositePairs, restorePair } from '../../containers/toolkit/eddy/lsr.ts';
import { judgeSlices } from '../../containers/toolkit/eddy/outliers.ts';
import { parameterRows, rotatedBvecs } from '../../containers/toolkit/eddy/report.ts';
import {
  removeCommonDisplacement,
  removeUnseenMovement,
  separateConstantFromMovement,
  separateFieldFromMovement,
  tieToGradient,
} from '../../containers/toolkit/eddy/separate.ts';
import type { Series } from '../../containers/toolkit/eddy/series.ts';
import { Warp } from '../../containers/toolkit/eddy/warp.ts';
import { readTable } from '../../containers/toolkit/files.ts';
import { parseOptions, type Tool, ToolError } from '../../containers/toolkit/tool.ts';
import { writeTopup } from '../../containers/toolkit/topup/field.ts';
import { fitSpline, gridBases } from '../../containers/toolkit/topup/spline.ts';
import { chain, invert, transformPoint, translation } from '../../imaging/affine.ts';
import { formatBvals, formatBvecs, readBvecs } from '../../imaging/gradients.ts';
import { type Image, volumeOf, voxelCount } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import {
  buildPhantom,
  NO_ARTEFACTS,
  type SimulatedSession,
  simulateSession,
} from '../../imaging/phantom/index.ts';
import { randomStream } from '../../imaging/phantom/random.ts';
import { motionMatrix } from '../../imaging/phantom/scanner.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eddy-'));
});
afterAll(() => rm(folder, { recursive: true }));

function run(...argv: string[]): Promise<void> {
  const tool: Tool = eddy;
  return tool.run(parseOptions(tool, argv), () => {});
}

/** n directions spread over the sphere, neighbours in the list far apart. */
function sphere(n: number): Float64Array {
  const out = new Float64Array(3 * n);
  for (let i = 0; i < n; i++) {
    const z = 1 - (2 * ((i * 7) % n) + 1) / n;
    const r = Math.sqrt(1 - z * z);
    out.set([r * Math.cos(2.4 * i), r * Math.sin(2.4 * i), z], 3 * i);
  }
  return out;
}

function emptySeries(volumes: number, dims: [number, number, number], voxelMm: number): Series {
  const n = dims[0] * dims[1] * dims[2];
  return {
    frame: { dims, voxelSizes: [voxelMm, voxelMm, voxelMm] },
    volumes: Array.from({ length: volumes }, () => new Float32Array(n)),
    acquisitions: Array.from({ length: volumes }, () => ({ direction: [0, 1, 0], readoutSeconds: 0.05 })),
    bvals: new Float64Array(volumes).fill(1000),
    bvecs: sphere(volumes),
    mask: new Uint8Array(n).fill(1),
  };
}

describe('Gaussian process', () => {
  const n = 20;
  const directions = { vectors: sphere(n), shellB: [1000], shellOf: new Int32Array(n) };

  it('predicts a volume from the others as the textbook conditional mean does', () => {
    const h = { signal: 400, angle: 1.2, logB: 1, noise: [50] };
    const moments = new Float64Array(n * n).fill(100);
    const { others } = predictor(directions, h, moments);
    const k = covariance(directions, h, 1000);
    const rest = Array.from({ length: n }, (_, i) => i).filter((i) => i !== 3);
    const inner = Float64Array.from(rest.flatMap((i) => rest.map((j) => k[i * n + j])));
    const weights = Float64Array.from(rest, (i) => k[i * n + 3]);
    choleskySolve(cholesky(inner, n - 1) as Float64Array, n - 1, weights);
    for (const [q, j] of rest.entries()) expect(others[3 * n + j]).toBeCloseTo(weights[q], 9);
    expect(others[3 * n + 3]).toBe(0);
  });

  it('recovers the variances that made the data', () => {
    const truth = { signal: 400, angle: 1.3, logB: 1, noise: [100] };
    const l = cholesky(covariance(directions, truth, 10), n) as Float64Array;
    const random = randomStream(1, 'gp');
    const moments = new Float64Array(n * n);
    const voxels = 4000;
    for (let v = 0; v < voxels; v++) {
      const e = Float64Array.from({ length: n }, () => random.normal());
      const y = e.map((_, i) => e.reduce((sum, x, j) => (j <= i ? sum + l[i * n + j] * x : sum), 0));
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) moments[i * n + j] += (y[i] * y[j]) / voxels;
    }
    const h = estimateHyperparameters(directions, moments);
    // 4000 voxels of 20 volumes: variances to a few per cent; ten leaves room for the trade-off with the angle.
    expect(h.noise[0] / 100).toBeGreaterThan(0.9);
    expect(h.noise[0] / 100).toBeLessThan(1.1);
    expect(Math.abs(h.angle - 1.3)).toBeLessThan(0.15);
  });
});

describe('parts', () => {
  it('replaces a slice by what correction would have made of it', () => {
    const series = emptySeries(1, [32, 36, 28], 3);
    const [nx, ny, nz] = series.frame.dims;
    const smoothAt = (x: number, y: number, z: number) =>
      500 + 200 * Math.sin(x / 14) + 150 * Math.cos(y / 17) + 100 * Math.sin((z + y) / 20);
    const p = Float64Array.of(
      1.2,
      -0.8,
      0.9,
      0.02,
      -0.015,
      0.03,
      0.05,
      -0.04,
      0.03,
      4e-4,
      -3e-4,
      2e-4,
      0,
      2e-4,
      0,
      3,
    );
    const truth = new Float32Array(voxelCount({ ...series.frame, affine: new Float64Array(16) }));
    for (let o = 0; o < truth.length; o++)
      truth[o] = smoothAt(3 * (o % nx), 3 * (Math.floor(o / nx) % ny), 3 * Math.floor(o / (nx * ny)));
    // All slices replaced: the volume as acquired. Corrected again it must be the truth.
    const all = Array.from({ length: nz }, (_, k) => k);
    const acquired = replaceSlices(series, 0, p, truth, all);
    const back = correctVolume(series, 0, p, acquired);
    let worst = 0;
    for (let k = 6; k < nz - 6; k++)
      for (let j = 6; j < ny - 6; j++)
        for (let i = 6; i < nx - 6; i++) {
          const o = i + nx * (j + ny * k);
          worst = Math.max(worst, Math.abs(back[o] - truth[o]));
        }
    // Linear interpolation of this texture errs by up to 1.
    expect(worst).toBeLessThan(3);
  });

  it('tells a field that follows the gradient from movement', () => {
    const series = emptySeries(32, [8, 8, 8], 2);
    const random = randomStream(2, 'separate');
    const coupling = [6, -4, 3];
    let drift = 0;
    const truth: number[] = [];
    const parameters = Array.from({ length: 32 }, (_, t) => {
      drift += 0.05 * random.normal() + (t === 20 ? 2 : 0);
      truth.push(drift);
      const hz = coupling.reduce((sum, c, a) => sum + c * series.bvecs[3 * t + a], 0);
      const p = new Float64Array(16);
      p[1] = drift + hz * 0.05 * 2;
      return p;
    });
    separateFieldFromMovement(series, [...parameters.keys()], parameters, new Float64Array(10));
    // A field of 0.7 mm, a walk of 0.05 mm a step and a jump of 2 mm: what is left is the walk's share.
    for (const [t, p] of parameters.entries()) expect(Math.abs(p[1] - truth[t])).toBeLessThan(0.08);
  });

  /** Twelve directions a set, AP then PA. */
  function twoSets(): Series {
    const series = emptySeries(24, [8, 8, 8], 2);
    const directions = sphere(12);
    for (let t = 0; t < 24; t++) {
      series.bvals[t] = 1000;
      series.bvecs.set(directions.subarray(3 * (t % 12), 3 * (t % 12) + 3), 3 * t);
      Object.assign(series.acquisitions, {
        [t]: { direction: [0, t < 12 ? -1 : 1, 0], readoutSeconds: 0.05 },
      });
    }
    return series;
  }

  it('takes out movement that follows the gradient evenly, and next to nothing where there is none', () => {
    const series = twoSets();
    const members = [...series.bvals.keys()];
    const random = randomStream(4, 'unseen');
    const walk = new Float64Array(6);
    const truth = members.map((t) => {
      // Steps of 0.05 mm with a drift, and a jump of the head.
      for (let c = 0; c < 6; c++) walk[c] += 0.02 + 0.05 * random.normal() + (t === 5 ? 1 : 0);
      return walk.slice();
    });
    const errorAfter = (unseen: number) => {
      const parameters = truth.map((p, t) => {
        const [x, y, z] = series.bvecs.subarray(3 * t, 3 * t + 3);
        const out = new Float64Array(16);
        out.set(p);
        out[3] += unseen * y * z;
        out[5] -= unseen * x * y;
        return out;
      });
      removeUnseenMovement(series, members, parameters);
      // About their mean: where the shell lies as a whole is told from the b0s.
      const errors = [3, 5].flatMap((c) => {
        const off = parameters.map((p, t) => p[c] - truth[t][c]);
        const mean = off.reduce((sum, v) => sum + v / off.length, 0);
        return off.map((v) => v - mean);
      });
      return Math.sqrt(errors.reduce((sum, v) => sum + v * v, 0) / errors.length);
    };
    // 0.6 yz has a root mean square of about 0.15. What is left is what steps of 0.05 leave open.
    expect(errorAfter(0.6)).toBeLessThan(0.05);
    expect(errorAfter(0)).toBeLessThan(0.03);
  });

  it('takes out of the field what displaces opposite encodings alike, and nothing of the eddy currents', () => {
    const series = twoSets();
    const members = [...series.bvals.keys()];
    const eddyOf = (t: number) => 0.2 * series.bvecs[3 * t] - 0.1 * series.bvecs[3 * t + 2];
    const parameters = members.map((t) => {
      const [x, y] = series.bvecs.subarray(3 * t, 3 * t + 2);
      const p = new Float64Array(16);
      p[6] = eddyOf(t) + (t < 12 ? -1 : 1) * (0.05 + 0.3 * x * y);
      return p;
    });
    removeCommonDisplacement(series, members, parameters);
    for (const [t, p] of parameters.entries()) expect(p[6]).toBeCloseTo(eddyOf(t), 4);
  });

  it('restores one volume from two of opposite encoding', () => {
    const still = emptySeries(4, [24, 32, 24], 3);
    const [nx, ny, nz] = still.frame.dims;
    const field = new Float32Array(nx * ny * nz);
    const truth = new Float32Array(field.length);
    for (let o = 0; o < field.length; o++) {
      const [x, y, z] = [o % nx, Math.floor(o / nx) % ny, Math.floor(o / (nx * ny))];
      field[o] = 40 * Math.exp(-((x - 12) ** 2 + (y - 16) ** 2 + (z - 12) ** 2) / 50);
      truth[o] = 500 + 200 * Math.sin(x / 4) + 150 * Math.cos(y / 5) + 100 * Math.sin((z + y) / 6);
    }
    const series: Series = {
      ...still,
      field,
      bvals: Float64Array.of(0, 1000, 0, 1000),
      bvecs: Float64Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, -1),
      acquisitions: [-1, -1, 1, 1].map((y) => ({ direction: [0, y, 0], readoutSeconds: 0.05 })),
    };
    expect(oppositePairs(series, 50)).toEqual([
      [0, 2],
      [1, 3],
    ]);
    expect(oppositePairs({ ...series, bvals: Float64Array.of(0, 1000, 0, 2000) }, 50)).toBe(1);
    const all = Array.from({ length: nz }, (_, k) => k);
    const halves = [1, 3].map((t) => {
      const p = new Float64Array(16);
      p.set([0.8, -0.5 * t, 0.6, 0.01, 0, 0.01, 0.03 * t, -0.02, 0.02]);
      const acquired = replaceSlices(series, t, p, truth, all);
      return { acquisition: series.acquisitions[t], p, acquired };
    });
    const restored = restorePair.run({ frame: series.frame, field, halves });
    let squares = 0;
    let count = 0;
    for (let k = 5; k < nz - 5; k++)
      for (let j = 7; j < ny - 7; j++)
        for (let i = 5; i < nx - 5; i++, count++) {
          const o = i + nx * (j + ny * k);
          squares += (restored[o] - truth[o]) ** 2;
        }
    // Linear interpolation made the data; signal between 50 and 950 is found to one in a hundred.
    expect(Math.sqrt(squares / count)).toBeLessThan(9);
  });

  it("counts the field's mean over the brain as displacement of the brain", () => {
    const series = emptySeries(32, [8, 8, 8], 2);
    const mean = new Float64Array(10);
    mean[3] = 900;
    const random = randomStream(4, 'mean field');
    const parameters = Array.from({ length: 32 }, () => {
      const p = new Float64Array(16);
      p[9] = 1e-3 * random.normal();
      // Where the brain lies is known; the translation only makes up for the field.
      p[1] = 0.5 - 0.05 * 2 * 900 * p[9];
      return p;
    });
    separateFieldFromMovement(series, [...parameters.keys()], parameters, mean);
    for (const p of parameters) {
      expect(p[1]).toBeCloseTo(0.5, 6);
      expect(p[15]).toBeCloseTo(-900 * p[9], 6);
    }
  });

  it("tells topup's constant from movement between opposite encodings", () => {
    const series: Series = {
      ...emptySeries(20, [8, 8, 8], 2),
      acquisitions: Array.from({ length: 20 }, (_, t) => ({
        direction: [0, t < 10 ? -1 : 1, 0],
        readoutSeconds: 0.05,
      })),
      field: new Float32Array(512),
    };
    // The head drifts by 0.1 mm a volume, the field is off by 8 Hz: 0.8 mm each way.
    const parameters = Array.from({ length: 20 }, (_, t) => {
      const p = new Float64Array(16);
      p[1] = 0.1 * t + (t < 10 ? 0 : 1.6);
      return p;
    });
    separateConstantFromMovement(series, parameters);
    for (const [t, p] of parameters.entries()) {
      // The drift of the one step between the sets cannot be told from the constant.
      expect(p[1]).toBeCloseTo(t < 10 ? 0.1 * t : 0.1 * (t - 1), 5);
      const shown = p[1] + 2 * 0.05 * (t < 10 ? -1 : 1) * p[15];
      expect(shown).toBeCloseTo(0.1 * t + (t < 10 ? 0 : 1.6), 6);
    }
  });

  it('places a shell by the b0s next to its volumes, whatever jumps between', () => {
    const series = emptySeries(40, [8, 8, 8], 2);
    const b0s = [0, 8, 16, 24, 32];
    const shell = [...Array(40).keys()].filter((t) => !b0s.includes(t));
    const parameters = Array.from({ length: 40 }, (_, t) => {
      const p = new Float64Array(16);
      p[0] = 0.01 * t + (t > 16 ? 3 : 0) + (b0s.includes(t) ? 0 : 0.7);
      p[4] = b0s.includes(t) ? 0 : 0.02;
      return p;
    });
    const q = offsetFromB0s(series, b0s, shell, parameters);
    expect(Math.abs((q?.value[0] ?? 0) - 0.7)).toBeLessThan(0.02);
    expect(q?.value[4]).toBeCloseTo(0.02, 6);
    expect(q?.variance[4]).toBe(0);
    expect(offsetFromB0s(series, [0], [5, 6], parameters)).toBeUndefined();
    // Where steps are as large as registration's error of 0.2 mm, both count alike.
    const both = combine(
      { value: new Float64Array(6), variance: new Float64Array(6).fill(0.04) },
      new Float64Array(6).fill(1),
      2,
    );
    expect(both[0]).toBeCloseTo(0.5, 6);
    expect(both[3]).toBeGreaterThan(0.99);
  });

  it('ties the field to the gradient by --slm', () => {
    const series = emptySeries(30, [8, 8, 8], 2);
    const members = [...Array(30).keys()];
    const g = (t: number, c: number) => series.bvecs[3 * t + c];
    const random = randomStream(5, 'second level');
    const field = (t: number, square: number) => 0.1 * g(t, 0) - 0.2 * g(t, 2) + square * g(t, 1) ** 2;
    const worst = (model: 'none' | 'linear' | 'quadratic', square: number) => {
      const parameters = members.map((t) => {
        const p = new Float64Array(16);
        p[6] = field(t, square) + 0.01 * random.normal();
        return p;
      });
      tieToGradient(series, members, parameters, model);
      return Math.max(...members.map((t) => Math.abs(parameters[t][6] - field(t, square))));
    };
    expect(worst('none', 0)).toBeGreaterThan(0.015);
    expect(worst('linear', 0)).toBeLessThan(0.01);
    expect(worst('linear', 0.2)).toBeGreaterThan(0.04);
    expect(worst('quadratic', 0.2)).toBeLessThan(0.015);
  });

  it('sorts points by how much their signal depends on direction', () => {
    const n = 12;
    const vectors = sphere(n);
    const random = randomStream(6, 'classes');
    const data = Array.from({ length: n }, (_, i) =>
      Float32Array.from(
        { length: 600 },
        (_v, s) => 500 + (s % 2) * 90 * vectors[3 * i + 2] ** 2 + random.normal(),
      ),
    );
    const classOf = contrastClasses({ vectors, shellB: [1000], shellOf: new Int32Array(n) }, data);
    for (const [s, c] of classOf.entries()) expect(c >= CLASSES / 2).toBe(s % 2 === 1);
  });

  it('finds slices that lost signal and no others', () => {
    const random = randomStream(3, 'outliers');
    const sums = Array.from({ length: 12 }, (_, i) => {
      const mean = Array.from(
        { length: 30 },
        (_, k) => random.normal() + (i === 4 && (k === 7 || k === 8) ? -15 : 0),
      );
      const count = new Float64Array(30).fill(100);
      return {
        count,
        sum: count.map((c, k) => c * mean[k]),
        squares: count.map((c, k) => c * (400 + mean[k] ** 2)),
      };
    });
    const { outlier } = judgeSlices(sums, 4);
    expect([...outlier.keys()].filter((q) => outlier[q])).toEqual([4 * 30 + 7, 4 * 30 + 8]);
    // Too few voxels to be judged.
    expect(judgeSlices(sums, 1).outlier.includes(1)).toBe(false);
    // Interpolation carries a twentieth of a deep loss into the next slice: its shadow, not a loss.
    sums[4].sum[9] = 0.05 * (sums[4].sum[8] *= 20);
    expect(judgeSlices(sums, 4).outlier[4 * 30 + 9]).toBe(0);
  });

  it('turns gradients and writes parameters alike whichever way x is stored', () => {
    const las = emptySeries(1, [8, 8, 8], 2);
    // The same movement in mirrored voxel axes: x, and turns about y and z, change sign. bvecs already are mirrored.
    const p = Float64Array.of(1, 2, 3, 0.1, 0.2, 0.3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    const mirrored = Float64Array.of(-1, 2, 3, 0.1, -0.2, -0.3, -1, 2, 3, 4, 5, 6, -7, -8, 9, 10);
    const [a, b] = [rotatedBvecs(las, [p], false), rotatedBvecs(las, [mirrored], true)];
    for (let c = 0; c < 3; c++) expect(a[c]).toBeCloseTo(b[c], 12);
    expect(parameterRows([mirrored], true)).toEqual(parameterRows([p], false));
  });
});

describe('eddy', () => {
  let session: SimulatedSession;
  let clean: SimulatedSession;
  const LOST = { volume: 5, slice: 20 };

  beforeAll(async () => {
    const phantom = buildPhantom();
    const options = { phantom, seed: 11, subject: '01', session: 'baseline' };
    session = simulateSession({ ...options, artefacts: { motion: 2, eddyCurrents: 1.5, shading: 0 } });
    clean = simulateSession({ ...options, artefacts: NO_ARTEFACTS });
    const { grid, ap, pa, truth } = session;
    const n = voxelCount(grid);
    const data = Float32Array.from([...ap.image.data, ...pa.image.data]);
    const slice = grid.dims[0] * grid.dims[1];
    const start = n * LOST.volume + slice * LOST.slice;
    for (let o = start; o < start + slice; o++) data[o] *= 0.3;
    const volumes = ap.image.volumes + pa.image.volumes;
    await writeImage(join(folder, 'dwi.nii.gz'), { grid, volumes, data });
    await writeImage(join(folder, 'mask.nii.gz'), truth.brain);
    const join2 = (a: Float64Array, b: Float64Array) => Float64Array.from([...a, ...b]);
    await writeFile(join(folder, 'bvals'), formatBvals(join2(ap.gradients.bvals, pa.gradients.bvals)));
    await writeFile(join(folder, 'bvecs'), formatBvecs(join2(ap.gradients.bvecs, pa.gradients.bvecs)));
    await writeFile(join(folder, 'acqp'), '0 -1 0 0.05\n0 1 0 0.05\n');
    const index = Array.from({ length: volumes }, (_, t) => (t < ap.image.volumes ? 1 : 2));
    await writeFile(join(folder, 'index'), `${index.join(' ')}\n`);
    const spacing = [2, 2, 2] as const;
    const field = {
      imageDims: grid.dims,
      spacing,
      coefficients: fitSpline(truth.fieldHz.data, gridBases(grid.dims, spacing)),
    };
    await writeTopup(join(folder, 'topup'), { field, movement: [new Float64Array(6)] }, grid);
    await run(...inputs(), `--topup=${join(folder, 'topup')}`, '--repol', '--cnr_maps');
  });

  const file = (name: string) => join(folder, name);
  const inputs = () => [
    `--imain=${file('dwi')}`,
    `--mask=${file('mask')}`,
    `--acqp=${file('acqp')}`,
    `--index=${file('index')}`,
    `--bvecs=${file('bvecs')}`,
    `--bvals=${file('bvals')}`,
    `--out=${file('eddy')}`,
  ];
  /** Sets, and volume in its set, of a volume of the series. */
  const setOf = (t: number) => {
    const { ap, pa } = session;
    return t < ap.image.volumes ? ([ap, t] as const) : ([pa, t - ap.image.volumes] as const);
  };
  /** Parameters of a volume as the warp takes them. */
  const fromRow = (row: number[]) => Float64Array.from(row, (v, c) => (c >= 3 && c < 6 ? -v : v));
  /** True movement of a volume in mm from the centre, voxel axes. */
  const trueMovement = (t: number) => {
    const { grid } = session;
    const [set, own] = setOf(t);
    const size = grid.voxelSizes;
    const toMm = Float64Array.of(size[0], 0, 0, 0, 0, size[1], 0, 0, 0, 0, size[2], 0, 0, 0, 0, 1);
    const centre = grid.dims.map((d) => (1 - d) / 2) as [number, number, number];
    const fromVoxel = chain(toMm, translation(...centre));
    const world = motionMatrix(set.motion[own], grid);
    return chain(fromVoxel, invert(grid.affine), world, grid.affine, invert(fromVoxel));
  };
  const rms = (values: readonly number[]) => Math.sqrt(values.reduce((a, b) => a + b * b, 0) / values.length);

  it('finds movement to 0.15 mm (0.3 along the phase encoding) and 0.15 degrees, displacement to 0.1 voxel', async () => {
    const rows = await readTable(file('eddy.eddy_parameters'));
    expect(rows).toHaveLength(28);
    expect(rows[0]).toEqual(new Array(16).fill(0));
    const { grid, truth } = session;
    const [nx, ny, nz] = grid.dims;
    const across: number[] = [];
    const turns: number[] = [];
    const along: number[] = [];
    let [squares, before, count] = [0, 0, 0];
    for (const [t, row] of rows.entries()) {
      const [set, own] = setOf(t);
      const m = trueMovement(t);
      const p = fromRow(row);
      across.push(p[0] - m[3], p[2] - m[11]);
      along.push(p[1] - m[7]);
      turns.push(...[p[3] + m[6], p[4] - m[2], p[5] + m[1]].map((v) => (v * 180) / Math.PI));
      const warp = new Warp({ dims: grid.dims, voxelSizes: grid.voxelSizes }, set.acquisition, p);
      const shift = set.acquisition.direction[1] * set.acquisition.readoutSeconds;
      const e = set.eddy[own];
      for (let o = 0; o < truth.brain.data.length; o += 5) {
        if (!truth.brain.data[o]) continue;
        const x = ((o % nx) - (nx - 1) / 2) * grid.voxelSizes[0];
        const y = ((Math.floor(o / nx) % ny) - (ny - 1) / 2) * grid.voxelSizes[1];
        const z = (Math.floor(o / (nx * ny)) - (nz - 1) / 2) * grid.voxelSizes[2];
        const [u, v, w] = transformPoint(m, x, y, z);
        const hz =
          truth.fieldHz.data[o] +
          (e[0] * u + e[1] * v + e[2] * w) +
          (e[3] * u * u + e[4] * v * v + e[5] * w * w + e[6] * u * v + e[7] * u * w + e[8] * v * w);
        const j = v / grid.voxelSizes[1] + (ny - 1) / 2 + shift * hz;
        warp.map(x, y, z, truth.fieldHz.data[o], 0);
        squares += (warp.vy - j) ** 2;
        before += (j - (Math.floor(o / nx) % ny) - shift * truth.fieldHz.data[o]) ** 2;
        count++;
      }
    }
    // Twelve directions, so that signal which depends on direction and movement are not wholly told apart: found are
    // 0.07 mm and 0.14 degrees, and 0.08 voxel of displacement where 0.54 were put in.
    expect(rms(across)).toBeLessThan(0.15);
    expect(rms(turns)).toBeLessThan(0.15);
    // Along the phase encoding (found: 0.24 mm) a field's constant looks like movement; only their courses differ.
    expect(rms(along)).toBeLessThan(0.3);
    expect(Math.sqrt(squares / count)).toBeLessThan(0.1);
    expect(Math.sqrt(before / count)).toBeGreaterThan(0.5);
  });

  it('brings the images to the truth', async () => {
    const [corrected, dwi] = [await readImage(file('eddy.nii.gz')), await readImage(file('dwi.nii.gz'))];
    const away = (image: Image) => {
      const errors: number[] = [];
      for (let t = 0; t < image.volumes; t++) {
        const [, own] = setOf(t);
        const [a, b] = [volumeOf(image, t), volumeOf(clean.ap.image, own)];
        for (let o = 0; o < a.length; o++) if (session.truth.brain.data[o]) errors.push(a[o] - b[o]);
      }
      return rms(errors);
    };
    expect(corrected.data.every((v) => Number.isFinite(v) && v >= 0)).toBe(true);
    expect(away(corrected)).toBeLessThan(0.4 * away(dwi));
  });

  it('reports the lost slice, alone, and replaces it', async () => {
    const report = await readFile(file('eddy.eddy_outlier_report'), 'utf8');
    expect(report.trim().split('\n')).toHaveLength(1);
    expect(report).toContain(`Slice ${LOST.slice} in scan ${LOST.volume} is an outlier with mean -`);
    const map = (await readFile(file('eddy.eddy_outlier_map'), 'utf8')).trim().split('\n');
    expect(map).toHaveLength(29);
    expect(map[1 + LOST.volume].split(' ')[LOST.slice]).toBe('1');
    const corrected = volumeOf(await readImage(file('eddy.nii.gz')), LOST.volume);
    const truth = volumeOf(clean.ap.image, LOST.volume);
    const slice = session.grid.dims[0] * session.grid.dims[1];
    let [sum, due] = [0, 0];
    for (let o = slice * LOST.slice; o < slice * (LOST.slice + 1); o++)
      if (session.truth.brain.data[o]) {
        sum += corrected[o];
        due += truth[o];
      }
    // Seven tenths of the signal were lost there.
    expect(Math.abs(sum / due - 1)).toBeLessThan(0.1);
  });

  it('writes gradients, movement and maps of noise', async () => {
    const [was, is] = [await readBvecs(file('bvecs')), await readBvecs(file('eddy.eddy_rotated_bvecs'))];
    for (let t = 0; t < 28; t++) {
      const m = trueMovement(t);
      for (let c = 0; c < 3; c++) {
        const turned = m[c] * was[3 * t] + m[4 + c] * was[3 * t + 1] + m[8 + c] * was[3 * t + 2];
        // 0.15 degrees, three times over.
        expect(Math.abs(is[3 * t + c] - turned)).toBeLessThan(0.008);
      }
    }
    const movement = await readTable(file('eddy.eddy_movement_rms'));
    expect(movement).toHaveLength(28);
    expect(movement[0]).toEqual([0, 0]);
    const maps = await readImage(file('eddy.eddy_cnr_maps.nii.gz'));
    expect(maps.volumes).toBe(2);
    expect(maps.data.every((v) => Number.isFinite(v) && v >= 0)).toBe(true);
  });

  it('says what is wrong with its input', async () => {
    const cases: [string, string, RegExp][] = [
      ['index', '1 1 2\n', /index: has 3 numbers where .* has 28 volumes/],
      ['index', `${new Array(28).fill(3).join(' ')}\n`, /refers to row 3, but .*acqp has 2 rows/],
      [
        'bvals',
        formatBvals(Array.from({ length: 28 }, (_, t) => (t % 7 === 0 ? 0 : 300 * t))),
        /do not lie on shells/,
      ],
    ];
    for (const [name, text, message] of cases) {
      const good = await readFile(file(name), 'utf8');
      await writeFile(file(name), text);
      const outcome = run(...inputs());
      await expect(outcome).rejects.toThrow(ToolError);
      await expect(outcome).rejects.toThrow(message);
      await writeFile(file(name), good);
    }
    const field = run(...inputs(), `--topup=${file('topup')}`, `--field=${file('mask')}`);
    await expect(field).rejects.toThrow(/Give one of them/);
    await expect(run(...inputs(), `--field=${file('dwi')}`)).rejects.toThrow(/--fout of the same scan/);
    await expect(run(...inputs(), '--resamp=cubic')).rejects.toThrow(/--resamp=cubic is not one of jac, lsr/);
    const both = await readFile(file('index'), 'utf8');
    await writeFile(file('index'), `${new Array(28).fill(1).join(' ')}\n`);
    await expect(run(...inputs(), '--resamp=lsr')).rejects.toThrow(
      /volume 0 has no partner .* Use --resamp=jac/,
    );
    await writeFile(file('index'), both);
    await expect(run(...inputs(), '--fwhm=4,2')).rejects.toThrow(/2 values for 5 iterations/);
  });
});
