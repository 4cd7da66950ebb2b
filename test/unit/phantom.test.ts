import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Matrix, solve } from 'ml-matrix';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chain, invert, transformPoint } from '../../imaging/affine.ts';
import { ImagingError } from '../../imaging/errors.ts';
import { readGradients } from '../../imaging/gradients.ts';
import { isNeurological, sameGrid, volumeOf, voxelCount } from '../../imaging/image.ts';
import { sampleSpline, splineCoefficients } from '../../imaging/interpolate.ts';
import { readImage } from '../../imaging/nifti.ts';
import {
  buildPhantom,
  type CohortOptions,
  DEFAULT_ARTEFACTS,
  DEFAULT_EFFECTS,
  fractionalAnisotropy,
  meanDiffusivity,
  NO_ARTEFACTS,
  NO_CHANGE,
  onTemplate,
  type Phantom,
  ROI_NAMES,
  type SimulatedSession,
  type SimulatedSet,
  simulateCohort,
  simulateSession,
  templateFa,
} from '../../imaging/phantom/index.ts';
import { randomStream } from '../../imaging/phantom/random.ts';
import { motionMatrix } from '../../imaging/phantom/scanner.ts';
import { type SessionJob, writeSession } from '../../imaging/phantom/session-worker.ts';
import { changeMap } from '../../imaging/phantom/subject.ts';
import { TISSUES } from '../../imaging/phantom/template.ts';
import { drawCohort } from '../../imaging/phantom/trial.ts';

let phantom: Phantom;
let folder: string;
beforeAll(async () => {
  phantom = buildPhantom();
  folder = await mkdtemp(join(tmpdir(), 'phantom-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const COARSE = { voxelMm: 5, directions: 12, b0s: 2 } as const;

/** Centre of the grid's voxel o in world mm. */
function worldOf(session: { grid: SimulatedSession['grid'] }, o: number): [number, number, number] {
  const [nx, ny] = session.grid.dims;
  return transformPoint(session.grid.affine, o % nx, Math.floor(o / nx) % ny, Math.floor(o / (nx * ny)));
}

/** Root mean square of a - b over voxels where mask is set. */
function rms(a: ArrayLike<number>, b: ArrayLike<number>, mask: ArrayLike<number>): number {
  let [sum, count] = [0, 0];
  for (let o = 0; o < mask.length; o++)
    if (mask[o]) {
      sum += (a[o] - b[o]) ** 2;
      count++;
    }
  return Math.sqrt(sum / count);
}

describe('random streams', () => {
  it('repeat by name, differ between names, and are standard normal', () => {
    const draw = (...words: (string | number)[]) => {
      const random = randomStream(...words);
      return Array.from({ length: 20_000 }, () => random.normal());
    };
    const a = draw(1, '01', 'noise');
    expect(draw(1, '01', 'noise')).toEqual(a);
    const b = draw(1, '02', 'noise');
    const moment = (p: number, y = a) => a.reduce((sum, v, i) => sum + v ** (p - 1) * y[i], 0) / a.length;
    // Five standard errors of each moment of 20 000 normals.
    const se = 1 / Math.sqrt(a.length);
    expect(
      Math.abs(
        moment(
          1,
          a.map(() => 1),
        ) - 1,
      ),
    ).toBeLessThan(1e-12);
    expect(Math.abs(a.reduce((s, v) => s + v) / a.length)).toBeLessThan(5 * se);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.SQRT2 * se);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96) * se);
    expect(Math.abs(moment(2, b))).toBeLessThan(5 * se);
  });
});

describe('phantom', () => {
  it('has the seven regions, large enough and on their side, in solid tissue', () => {
    const labels = onTemplate(phantom, phantom.regions.labels);
    const md = onTemplate(phantom, meanDiffusivity(phantom.tensor));
    for (const [r, name] of ROI_NAMES.entries()) {
      const voxels = Array.from(labels.data.keys()).filter((o) => labels.data[o] === r + 1);
      // 60 voxels of 3 mm.
      expect(voxels.length * 8, name).toBeGreaterThan(60 * 27);
      const xs = voxels.map((o) => worldOf(labels, o)[0]);
      if (name.startsWith('l')) expect(Math.max(...xs), name).toBeLessThan(0);
      else if (name.startsWith('r')) expect(Math.min(...xs), name).toBeGreaterThan(0);
      else expect(Math.abs(xs.reduce((a, b) => a + b) / xs.length), name).toBeLessThan(2);
      for (const o of voxels) {
        // Between white and grey, with at most 5 % of fluid.
        expect(md.data[o]).toBeGreaterThan(0.74e-3);
        expect(md.data[o]).toBeLessThan(0.97e-3);
      }
    }
  });

  it('has anisotropic tracts along their course and isotropic fluid', () => {
    const fa = templateFa(phantom);
    expect(isNeurological(fa.grid)).toBe(false);
    expect(fa.grid.dims).toEqual([91, 109, 91]);
    const n = voxelCount(phantom.grid);
    const at = (x: number, y: number, z: number) => {
      const [i, j, k] = transformPoint(invert(phantom.grid.affine), x, y, z).map(Math.round);
      const o = i + phantom.grid.dims[0] * (j + phantom.grid.dims[1] * k);
      return [0, 1, 2, 3, 4, 5].map((e) => phantom.tensor[e * n + o]);
    };
    const faOf = (tensor: number[]) => fractionalAnisotropy(Float32Array.from(tensor))[0];
    const [callosum, cord, cingulum, ventricle] = [
      at(0, -2, 27),
      at(21, -13, 8),
      at(9, -4, 36),
      at(12, -10, 20),
    ];
    for (const tract of [callosum, cord, cingulum]) expect(faOf(tract)).toBeGreaterThan(0.5);
    expect(faOf(ventricle)).toBeLessThan(0.05);
    expect(Math.max(...callosum)).toBe(callosum[0]);
    expect(Math.max(...cord)).toBe(cord[5]);
    expect(Math.max(...cingulum)).toBe(cingulum[3]);
  });

  it('applies a planted change in full in its own region and nowhere far away', () => {
    const change = { ...NO_CHANGE, lBA10: 5e-5, rHippocampus: -3e-5 };
    const map = changeMap(phantom, change);
    for (let o = 0; o < map.length; o++) {
      const label = phantom.regions.labels[o];
      if (label > 0) expect(map[o]).toBeCloseTo(change[ROI_NAMES[label - 1]], 10);
    }
    const touched = map.filter((value) => value !== 0).length * 8;
    // A few regions of some cm3 with a rim of 1 cm, not the whole head.
    expect(touched).toBeLessThan(120_000);
  });
});

/** Log-linear tensor fit in world axes from FSL's gradient convention: volumes Dxx Dxy Dxz Dyy Dyz Dzz. */
function fitTensor(set: SimulatedSet, voxels: number[]): Float64Array[] {
  const { grid, volumes } = set.image;
  const { bvals, bvecs } = set.gradients;
  const design = Array.from({ length: volumes }, (_, t) => {
    const v = Array.from(bvecs.subarray(3 * t, 3 * t + 3));
    if (isNeurological(grid)) v[0] = -v[0];
    const g = [0, 1, 2].map((r) =>
      v.reduce((sum, vc, c) => sum + (grid.affine[4 * r + c] / grid.voxelSizes[c]) * vc, 0),
    );
    const quadratic = [
      g[0] * g[0],
      2 * g[0] * g[1],
      2 * g[0] * g[2],
      g[1] * g[1],
      2 * g[1] * g[2],
      g[2] * g[2],
    ];
    return [1, ...quadratic.map((q) => (-q * bvals[t]) / 1000)];
  });
  const logs = Array.from({ length: volumes }, (_, t) =>
    voxels.map((o) => Math.log(volumeOf(set.image, t)[o])),
  );
  const solution = solve(new Matrix(design), new Matrix(logs));
  return voxels.map((_, v) => Float64Array.from({ length: 6 }, (_, e) => solution.get(e + 1, v) / 1000));
}

describe('session', () => {
  it.each(['LAS', 'RAS'] as const)('clean %s data give back the true tensors', (orientation) => {
    const session = simulateSession({
      phantom,
      seed: 3,
      subject: '01',
      session: 'baseline',
      protocol: { ...COARSE, orientation },
      artefacts: NO_ARTEFACTS,
    });
    expect(isNeurological(session.grid)).toBe(orientation === 'RAS');
    const n = voxelCount(session.grid);
    const voxels = Array.from({ length: n }, (_, o) => o).filter(
      (o) => session.truth.brain.data[o] && o % 7 === 0,
    );
    expect(voxels.length).toBeGreaterThan(1000);
    const fits = fitTensor(session.ap, voxels);
    for (const [v, o] of voxels.entries())
      for (let e = 0; e < 6; e++)
        // float32 signals: 1e-7 in the log over b = 1000, and CSF keeps but 5 % of its signal.
        expect(Math.abs(fits[v][e] - session.truth.tensor.data[e * n + o])).toBeLessThan(5e-9);
  });

  it('keeps tissue at its template coordinates: MD and FA are those of the phantom there', () => {
    const session = simulateSession({
      phantom,
      seed: 4,
      subject: '01',
      session: 'baseline',
      protocol: { ...COARSE, directions: 6 },
      artefacts: NO_ARTEFACTS,
    });
    const { template, tensor, brain } = session.truth;
    const n = voxelCount(session.grid);
    const fa = fractionalAnisotropy(tensor.data);
    const template_fa = templateFa(phantom);
    const coefficients = splineCoefficients(template_fa.data, template_fa.grid.dims);
    const back = invert(template_fa.grid.affine);
    const there = new Float32Array(n);
    let moved = 0;
    for (let o = 0; o < n; o++) {
      const [x, y, z] = [template.data[o], template.data[n + o], template.data[2 * n + o]];
      const [i, j, k] = transformPoint(back, x, y, z);
      there[o] = sampleSpline(coefficients, template_fa.grid.dims, i, j, k);
      const [wx, wy, wz] = worldOf(session, o);
      if (brain.data[o]) moved = Math.max(moved, Math.hypot(x - wx, y - wy, z - wz));
    }
    // Trilinear tensors against splines of FA differ a little at edges; a wrong mapping would give 0.2.
    expect(rms(fa, there, brain.data)).toBeLessThan(0.05);
    // The head really was moved and bent.
    expect(moved).toBeGreaterThan(5);
  });

  it('distorts and moves by the published model: undoing it with the truth gives the head at rest', () => {
    const options = {
      phantom,
      seed: 5,
      subject: '01',
      session: '24h',
      protocol: { voxelMm: 3, directions: 6, b0s: 2 },
    };
    const spoilt = simulateSession({
      ...options,
      artefacts: { ...NO_ARTEFACTS, motion: 4, eddyCurrents: 1, susceptibility: 1 },
    });
    const clean = simulateSession({ ...options, artefacts: NO_ARTEFACTS });
    const { grid } = spoilt;
    const [nx, ny, nz] = grid.dims;
    const field = splineCoefficients(spoilt.truth.fieldHz.data, grid.dims);
    const undo = (set: SimulatedSet, t: number, sign: number): Float32Array => {
      const out = new Float32Array(voxelCount(grid));
      const move = chain(invert(grid.affine), motionMatrix(set.motion[t], grid), grid.affine);
      const still = invert(move);
      const e = set.eddy[t];
      const shiftAt = (x: number, y: number, z: number) => {
        const [a, b, c] = [x - (nx - 1) / 2, y - (ny - 1) / 2, z - (nz - 1) / 2].map((v) => 3 * v);
        const eddy =
          e[0] * a +
          e[1] * b +
          e[2] * c +
          e[3] * a * a +
          e[4] * b * b +
          e[5] * c * c +
          e[6] * a * b +
          e[7] * a * c +
          e[8] * b * c;
        const hz = sampleSpline(field, grid.dims, ...transformPoint(still, x, y, z)) + eddy;
        return sign * hz * set.acquisition.readoutSeconds * set.acquisition.direction[1];
      };
      const coefficients = splineCoefficients(volumeOf(set.image, t), grid.dims);
      for (let o = 0; o < out.length; o++) {
        if (!spoilt.truth.brain.data[o]) continue;
        const [x, y, z] = transformPoint(move, o % nx, Math.floor(o / nx) % ny, Math.floor(o / (nx * ny)));
        const jacobian = 1 + shiftAt(x, y + 0.5, z) - shiftAt(x, y - 0.5, z);
        out[o] = jacobian * sampleSpline(coefficients, grid.dims, x, y + shiftAt(x, y, z), z);
      }
      return out;
    };
    const mask = spoilt.truth.brain.data;
    for (const [name, t] of [
      ['ap', 0],
      ['pa', 0],
      ['pa', 7],
    ] as const) {
      // A diffusion-weighted volume of a turned head differs a little from the head at rest: it sees other angles.
      const rest = volumeOf(clean.ap.image, t);
      const before = rms(volumeOf(spoilt[name].image, t), rest, mask);
      const after = rms(undo(spoilt[name], t, 1), rest, mask);
      const wrong = rms(undo(spoilt[name], t, -1), rest, mask);
      // What is left is the second interpolation of 3 mm voxels.
      expect(after).toBeLessThan(0.25 * before);
      expect(wrong).toBeGreaterThan(3 * after);
    }
    // Signal is moved, not made: each set keeps the head's total.
    const total = (data: Float32Array) => data.reduce((a, b) => a + b, 0);
    expect(total(volumeOf(spoilt.ap.image, 0)) / total(volumeOf(clean.ap.image, 0))).toBeCloseTo(1, 2);
  });

  it('has the noise that was asked for', () => {
    const options = { phantom, seed: 6, subject: '01', session: 'baseline', protocol: COARSE };
    const noisy = simulateSession({ ...options, artefacts: { ...NO_ARTEFACTS, snr: 20 } });
    const clean = simulateSession({ ...options, artefacts: NO_ARTEFACTS });
    const sigma = TISSUES.white.s0 / 20;
    expect(rms(noisy.ap.image.data, clean.ap.image.data, clean.truth.brain.data) / sigma).toBeCloseTo(1, 1);
    const air = Array.from(noisy.ap.image.data).filter((_, o) => clean.ap.image.data[o] === 0);
    // Rayleigh's mean.
    expect(air.reduce((a, b) => a + b) / air.length / sigma).toBeCloseTo(Math.sqrt(Math.PI / 2), 2);
  });
});

describe('trial', () => {
  it('plants the regressions it says', () => {
    const cohort = drawCohort(7, { vehicle: 2000, ketamine: 2000 }, DEFAULT_EFFECTS);
    for (const name of ['madrs', 'qids'] as const) {
      const planted = DEFAULT_EFFECTS[name];
      const rows = cohort.map(({ group, change }) => {
        const g = group === 'ketamine' ? 1 : 0;
        const x = change[planted.region] / 1e-5 - planted.centre;
        return [1, g, x, g * x];
      });
      const improvement = cohort.map((p) => [p[name][0] - p[name][1]]);
      const b = solve(new Matrix(rows), new Matrix(improvement)).to1DArray();
      const truth = [planted.intercept, planted.group, planted.slope, planted.interaction];
      // About five standard errors with 2000 participants per group (and clipping at the scale's ends).
      for (const [i, value] of truth.entries())
        expect(Math.abs(b[i] - value), `${name} ${i}`).toBeLessThan(i < 2 ? 0.7 : 0.35);
    }
  });
});

/** Name and hash of every file below a folder. */
async function hashes(root: string): Promise<Map<string, string>> {
  const out = new Map<string, string>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name);
      out.set(
        relative(root, path),
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      );
    }
  return out;
}

/** A module of the compiled simulator: worker threads cannot load the TypeScript source. */
async function built<T>(name: string): Promise<T> {
  const url = new URL(`../../dist/imaging/phantom/${name}.js`, import.meta.url);
  await access(url).catch(() => {
    throw new Error(`${url.pathname} is missing: build first (npm run build)`);
  });
  return import(url.href) as Promise<T>;
}

describe('cohort', () => {
  const options: Omit<CohortOptions, 'outDir'> = {
    seed: 11,
    groups: { vehicle: 1, ketamine: 1 },
    protocol: { voxelMm: 8, directions: 6, b0s: 1 },
  };
  const jobFor = (root: string, subject: string, session: string): SessionJob => ({
    folder: root,
    phantom,
    seed: options.seed,
    subject,
    session,
    change: NO_CHANGE,
    protocol: { ...options.protocol },
    artefacts: DEFAULT_ARTEFACTS,
    truthMaps: false,
  });

  it('is a BIDS dataset whose files agree with each other, equal byte for byte when repeated', async () => {
    const outDir = join(folder, 'first');
    const progress: number[] = [];
    const cohort = await simulateCohort({ ...options, outDir, truthMaps: true }, (fraction) =>
      progress.push(fraction),
    );
    expect(progress).toHaveLength(4);
    expect(progress.at(-1)).toBe(1);
    expect(await readdir(folder)).toEqual(['first']);

    for (const dir of ['AP', 'PA']) {
      const stem = join(outDir, 'sub-02', 'ses-24h', 'dwi', `sub-02_ses-24h_dir-${dir}_dwi`);
      const image = await readImage(`${stem}.nii.gz`);
      const { bvals } = await readGradients(`${stem}.bval`, `${stem}.bvec`, image.volumes, stem);
      expect(Array.from(bvals)).toEqual([0, 1000, 1000, 1000, 1000, 1000, 1000]);
      const sidecar = JSON.parse(await readFile(`${stem}.json`, 'utf8'));
      expect(sidecar).toMatchObject({
        PhaseEncodingDirection: dir === 'AP' ? 'j-' : 'j',
        TotalReadoutTime: 0.05,
        MagneticFieldStrength: 3,
      });
      expect(sidecar.EffectiveEchoSpacing * (sidecar.ReconMatrixPE - 1)).toBeCloseTo(0.05, 8);
      expect(sidecar.ReconMatrixPE).toBe(image.grid.dims[1]);
    }

    const [head, ...rows] = (await readFile(join(outDir, 'participants.tsv'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(head.slice(0, 4)).toEqual(['participant_id', 'age', 'sex', 'group']);
    expect(rows.map((row) => row[3]).sort()).toEqual(['ketamine', 'vehicle']);

    const fa = await readImage(cohort.template.fa);
    expect(sameGrid(fa.grid, (await readImage(cohort.template.labels)).grid)).toBe(true);
    expect(await readFile(cohort.template.table, 'utf8')).toMatch(/^index\tname\n1\tlBA10\n/);

    const truth = (await readFile(cohort.truth.roiMd, 'utf8')).trim().split('\n').slice(1);
    const md = new Map(
      truth.map((line) => line.split('\t')).map(([p, s, r, v]) => [`${p} ${s} ${r}`, Number(v)]),
    );
    for (const { label, change } of cohort.participants)
      for (const roi of ROI_NAMES)
        expect(md.get(`sub-${label} baseline ${roi}`)! - md.get(`sub-${label} 24h ${roi}`)!).toBeCloseTo(
          change[roi],
          9,
        );

    const { simulateCohort: threaded } =
      await built<typeof import('../../imaging/phantom/index.ts')>('index');
    const finished: string[] = [];
    await threaded(
      { ...options, outDir: join(folder, 'again'), truthMaps: true, threads: 2 },
      (fraction, message) => finished.push(`${fraction} ${message}`),
    );
    expect(
      await hashes(join(folder, 'again')),
      'two threads, repeated (or dist/ is old: npm run build)',
    ).toEqual(await hashes(outDir));
    expect(finished.map((line) => Number(line.split(' ')[0]))).toEqual([0.25, 0.5, 0.75, 1]);
    expect(new Set(finished.map((line) => line.split(' ').slice(1).join(' '))).size).toBe(4);
  });

  it('stopped half way, threads and all, leaves nothing behind', async () => {
    const { simulateCohort: threaded } =
      await built<typeof import('../../imaging/phantom/index.ts')>('index');
    const root = await mkdtemp(join(folder, 'stopped-'));
    const stop = () => {
      throw new Error('stop');
    };
    await expect(
      threaded(
        { ...options, groups: { vehicle: 2, ketamine: 2 }, outDir: join(root, 'x'), threads: 2 },
        stop,
      ),
    ).rejects.toThrow('stop');
    expect(await readdir(root)).toEqual([]);
  });

  it('says which file a thread could not write', async () => {
    const { shareMemory, writeSessions } =
      await built<typeof import('../../imaging/phantom/threads.ts')>('threads');
    const root = await mkdtemp(join(folder, 'blocked-'));
    const blocked = join(root, 'sub-02/ses-a/dwi/sub-02_ses-a_dir-AP_dwi.nii.gz');
    await mkdir(blocked, { recursive: true });
    const jobs = ['01', '02', '03'].map((subject) => ({
      ...jobFor(root, subject, 'a'),
      phantom: shareMemory(phantom),
    }));
    await expect(writeSessions(jobs, 2, () => {})).rejects.toMatchObject({
      name: 'ImagingError',
      file: blocked,
      message: expect.stringMatching(/dir-AP_dwi\.nii\.gz: cannot be written/),
      remedy: expect.stringContaining('writable'),
    });
  });

  it('gives a subject the same scans whoever else takes part', async () => {
    const [{ label }] = drawCohort(options.seed, { vehicle: 0, ketamine: 1 }, DEFAULT_EFFECTS);
    await writeSession(jobFor(join(folder, 'alone'), label, 'baseline'));
    const [alone, all] = [await hashes(join(folder, 'alone')), await hashes(join(folder, 'first'))];
    const scans = [...alone.keys()].filter((name) => name.includes('ses-baseline'));
    expect(scans).toHaveLength(8);
    for (const name of scans) expect(alone.get(name), name).toBe(all.get(name));
  });

  it('refuses a folder that holds something, and impossible options', async () => {
    const outDir = await mkdtemp(join(folder, 'full-'));
    await writeFile(join(outDir, 'thesis.txt'), 'precious');
    await expect(simulateCohort({ ...options, outDir })).rejects.toThrow(ImagingError);
    expect(await readdir(outDir)).toEqual(['thesis.txt']);
    await expect(
      simulateCohort({ ...options, outDir: join(folder, 'x'), protocol: { directions: 5 } }),
    ).rejects.toThrow(/at least 6 directions/);
  });
});
