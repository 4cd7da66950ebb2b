import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillMesh } from '../../containers/toolkit/bet/fill.ts';
import { icosphere } from '../../containers/toolkit/bet/icosphere.ts';
import { type BetOptions, bet, brainMask } from '../../containers/toolkit/bet/index.ts';
import { measureHead } from '../../containers/toolkit/bet/intensity.ts';
import { growSurface } from '../../containers/toolkit/bet/surface.ts';
import { components } from '../../containers/toolkit/fslmaths/morphology.ts';
import { parseOptions } from '../../containers/toolkit/tool.ts';
import { type Dims, type Grid, gridFromAffine, volumeOf, voxelCount } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import { smooth } from '../../imaging/smooth.ts';

const DIMS: Dims = [96, 112, 84];
const GRID: Grid = gridFromAffine(
  DIMS,
  Float64Array.of(-2, 0, 0, 96, 0, 2, 0, -112, 0, 0, 2, -84, 0, 0, 0, 1),
);

/** Noise of unit variance, equal in every run. */
function noise(): () => number {
  let state = 1;
  const uniform = () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return (state + 1) / (2 ** 32 + 1);
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Distance from a brain's centre in mm, 1 at its edge: lobes swing by some mm around an ellipsoid of 66 x 84 x 60 mm. */
function brainRadius(x: number, y: number, z: number): number {
  const swing = 1 + 0.03 * Math.cos(3 * Math.atan2(y, x)) + 0.03 * Math.sin((4 * z) / 60);
  return Math.hypot(x / 66, y / 84, z / 60) / swing;
}

/** Offsets within a voxel of 2 mm: centre, faces, edges, corners. */
const WITHIN = [-0.99, 0, 0.99];

interface SimulatedHead {
  readonly data: Float32Array;
  /** Voxels with their centre in the brain. */
  readonly brain: Float32Array;
  /** Voxels with any part in the brain: what a mask by FSL's rule holds. */
  readonly touched: Float32Array;
}

/** A head as a b0 shows it: white and grey matter, fluid inside, dark skull, faint scalp, bright eyes, noise. */
function simulatedHead(centre = [47, 58, 46]): SimulatedHead {
  const n = voxelCount(GRID);
  const [data, brain, touched] = [new Float32Array(n), new Float32Array(n), new Float32Array(n)];
  for (let k = 0, o = 0; k < DIMS[2]; k++)
    for (let j = 0; j < DIMS[1]; j++)
      for (let i = 0; i < DIMS[0]; i++, o++) {
        const [x, y, z] = [2 * (i - centre[0]), 2 * (j - centre[1]), 2 * (k - centre[2])];
        const r = brainRadius(x, y, z);
        const eye = Math.min(Math.hypot(x - 32, y - 80, z + 40), Math.hypot(x + 32, y - 80, z + 40));
        brain[o] = r <= 1 ? 1 : 0;
        const near = r > 1 && r < 1.1;
        touched[o] =
          r <= 1 ||
          (near &&
            WITHIN.some((u) => WITHIN.some((v) => WITHIN.some((w) => brainRadius(x + u, y + v, z + w) <= 1))))
            ? 1
            : 0;
        if (r <= 1) data[o] = r < 0.25 ? 1400 : r < 0.8 ? 500 : 650;
        else if (r <= 1.1) data[o] = 40;
        else if (r <= 1.2) data[o] = 180;
        if (eye < 12 && r > 1.02) data[o] = 1500;
      }
  const blurred = smooth(data, DIMS, [0.5, 0.5, 0.5]);
  const next = noise();
  return { data: blurred.map((s) => Math.hypot(s + 20 * next(), 20 * next())), brain, touched };
}

function dice(a: Float32Array, b: Float32Array): number {
  let [both, either] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    if (a[i] > 0 && b[i] > 0) both++;
    either += (a[i] > 0 ? 1 : 0) + (b[i] > 0 ? 1 : 0);
  }
  return (2 * both) / either;
}

function volume(mask: Float32Array, from = 0, to = mask.length): number {
  return mask.subarray(from, to).reduce((sum, x) => sum + x, 0);
}

/** The mask of a head that has a brain. */
function extract(data: Float32Array, options: BetOptions): Float32Array {
  const mask = brainMask({ grid: GRID, data }, options);
  if (!mask) throw new Error('no brain found');
  return mask;
}

const { data, brain, touched } = simulatedHead();

describe('icosphere', () => {
  it('is closed: every edge in two triangles, once each way; 2 more vertices and faces than edges', () => {
    const { points, triangles, neighbours, firstNeighbour } = icosphere(4);
    expect([points.length / 3, triangles.length / 3, neighbours.length / 2]).toEqual([2562, 5120, 7680]);
    const edges = new Set<string>();
    for (let f = 0; f < triangles.length; f += 3)
      for (let c = 0; c < 3; c++) edges.add(`${triangles[f + c]} ${triangles[f + ((c + 1) % 3)]}`);
    expect(edges.size).toBe(15360);
    for (const edge of edges) expect(edges.has(edge.split(' ').reverse().join(' '))).toBe(true);
    for (let v = 0; v < 2562; v++) expect([5, 6]).toContain(firstNeighbour[v + 1] - firstNeighbour[v]);
  });
});

describe('filling a mesh', () => {
  const dims: Dims = [31, 31, 31];
  const ball = (radius: number, centre: number) => {
    const sphere = icosphere(4);
    return { ...sphere, points: sphere.points.map((p) => centre + radius * p) };
  };

  // Centres on and off the voxels: a mesh symmetric about a voxel has vertices and edges exactly on lines of voxels.
  it.each([15, 15.5, 15.13])('marks the voxels of a ball around %d', (centre) => {
    const mask = fillMesh(ball(10, centre), dims);
    const wrong: string[] = [];
    for (let k = 0, o = 0; k < 31; k++)
      for (let j = 0; j < 31; j++)
        for (let i = 0; i < 31; i++, o++) {
          const r = Math.hypot(i - centre, j - centre, k - centre);
          // The faces lie up to 0.04 inside the sphere of radius 10.
          if ((r < 9.95 && mask[o] === 0) || (r > 10 && mask[o] === 1)) wrong.push(`${i} ${j} ${k}`);
        }
    expect(wrong).toEqual([]);
    expect(volume(mask)).toBeGreaterThan(4000);
  });

  it('is cut by the grid', () => {
    const mask = fillMesh(ball(10, 28), dims);
    expect(mask[31 ** 3 - 1]).toBe(1);
    expect(mask[0]).toBe(0);
    expect(volume(fillMesh(ball(100, 15), dims))).toBe(31 ** 3);
  });
});

describe('a simulated head', () => {
  const [larger, smaller] = [0.3, 0.6].map((fraction) => extract(data, { fraction, gradient: 0 }));

  it.each([
    ['0.3', larger],
    ['0.6', smaller],
  ])('is extracted with -f %s', (_, mask) => {
    expect(dice(mask, touched)).toBeGreaterThan(0.97);
    const { sizes } = components(mask, DIMS);
    expect(sizes).toHaveLength(3); // one brain, one background: no holes, no islands
  });

  it.each([0.3, 0.6])('its surface is the edge of the brain with -f %d', (fraction) => {
    const head = measureHead({ grid: GRID, data });
    if (!head) throw new Error('no head');
    const surface = growSurface(icosphere(4), data, GRID, head, { fraction, gradient: 0 });
    const inside = fillMesh({ ...surface, points: surface.points.map((p) => p / 2) }, DIMS);
    expect(dice(inside, brain)).toBeGreaterThan(0.98);
  });

  it('a smaller -f gives a larger brain; a positive -g less at the top and more at the bottom', () => {
    expect(volume(larger)).toBeGreaterThan(volume(smaller));
    const tilted = extract(data, { fraction: 0.6, gradient: 0.4 });
    const middle = 46 * DIMS[0] * DIMS[1];
    expect(volume(tilted, middle)).toBeLessThan(volume(smaller, middle));
    expect(volume(tilted, 0, middle)).toBeGreaterThan(volume(smaller, 0, middle));
  });

  it('does not run into voxels without signal', () => {
    const cutOut = data.map((s, i) => s * brain[i]);
    expect(dice(extract(cutOut, { fraction: 0.3, gradient: 0 }), brain)).toBeGreaterThan(0.98);
  });

  it('-R finds the brain from a centre far off', () => {
    const centre = [47, 30, 30] as const;
    const mask = extract(data, { fraction: 0.4, gradient: 0, centre, radius: 75, robust: true });
    expect(dice(mask, touched)).toBeGreaterThan(0.97);
  });

  it('is followed to the edge of the field of view where the scan cuts it', () => {
    const cut = simulatedHead([47, 58, 62]); // the brain is 60 mm high, the grid ends 42 mm above its centre
    const mask = extract(cut.data, { fraction: 0.4, gradient: 0 });
    expect(dice(mask, cut.touched)).toBeGreaterThan(0.97);
    const top = DIMS[0] * DIMS[1] * (DIMS[2] - 1);
    expect(dice(mask.subarray(top), cut.touched.subarray(top))).toBeGreaterThan(0.95);
  });
});

describe("FSL 5.0.9's masks of a real head", () => {
  const canon = fileURLToPath(new URL('../../../shared/reference/canon/', import.meta.url));

  // Needs shared/reference/canon beside the repository; skipped elsewhere.
  it.skipIf(!existsSync(canon)).each([1, 2])('session %d', async (session) => {
    const image = await readImage(join(canon, `ses-${session}_topup_b0s_unwarped.nii.gz`));
    const reference = await readImage(join(canon, `ses-${session}_bet_mask.nii.gz`));
    const [first, second] = [volumeOf(image, 0), volumeOf(image, 1)];
    const mean = first.map((x, i) => (Number.isFinite(x + second[i]) ? (x + second[i]) / 2 : 0));
    const mask = brainMask({ grid: image.grid, data: mean }, { fraction: 0.3, gradient: 0 });
    expect(dice(mask ?? new Float32Array(mean.length), reference.data)).toBeGreaterThan(0.98);
  });
});

describe('the command', () => {
  let folder: string;
  const at = (name: string) => join(folder, name);
  const run = (...argv: string[]) => bet.run(parseOptions(bet, argv), () => {});

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bet-'));
    const withNaN = new Float32Array(data);
    withNaN.fill(Number.NaN, 0, 500);
    await writeImage(at('b0.nii.gz'), { grid: GRID, volumes: 1, data: withNaN });
    await writeImage(at('series.nii.gz'), {
      grid: GRID,
      volumes: 2,
      data: new Float32Array(2 * data.length),
    });
    await writeImage(at('flat.nii.gz'), {
      grid: GRID,
      volumes: 1,
      data: new Float32Array(data.length).fill(7),
    });
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("writes FSL's files; equal bytes every time", async () => {
    await run(at('b0'), at('x'), '-m', '-f', '0.3');
    await run(at('b0'), at('y.nii.gz'), '-m', '-n', '-f', '0.3');
    expect((await readdir(folder)).sort()).toEqual([
      'b0.nii.gz',
      'flat.nii.gz',
      'series.nii.gz',
      'x.nii.gz',
      'x_mask.nii.gz',
      'y_mask.nii.gz',
    ]);
    expect(await readFile(at('x_mask.nii.gz'))).toEqual(await readFile(at('y_mask.nii.gz')));
    const [brain, mask] = [await readImage(at('x.nii.gz')), await readImage(at('x_mask.nii.gz'))];
    expect(brain.data.every((x, i) => x === (mask.data[i] > 0 ? data[i] : 0))).toBe(true);
    expect(brain.grid.affine).toEqual(GRID.affine);
  });

  it.each([
    [['flat', 'x', '-m'], /flat: no brain found/],
    [['b0'], /one input and one output/],
    [['b0', 'x', '-n'], /-n without -m/],
    [['b0', 'x', '-f', '2'], /-f 2: must lie in 0 to 1/],
    [['b0', 'x', '-r', '-3'], /-r must be above 0/],
    [['b0', 'x', '-c', '1', '2', 'z'], /-c 1 2 z: three numbers/],
    [['b0', 'x', '-c', '1', '2'], /-c needs a value/],
    [['none', 'x'], /none: no such image/],
    [['series', 'x', '-m'], /series: has 2 volumes where one is due.*-Tmean/],
    [['b0', 'x', '-F'], /-F is not supported: average the volumes/],
    [['b0', 'x', '-A2', 'x'], /-A2 is not supported/],
  ])('refuses %j', async (words, message) => {
    const argv = words.map((word) => (/^(flat|b0|x|none|series)$/.test(word) ? at(word) : word));
    await expect(async () => run(...argv)).rejects.toThrow(message);
  });
});
