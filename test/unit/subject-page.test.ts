/** The subject's page: its pictures show what is in the data; it is complete, escaped, self-contained, and small. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labelsInNative } from '../../activities/native-labels.ts';
import { mosaic, type Picture } from '../../activities/report/pictures.ts';
import { carpetPicture } from '../../activities/report/subject/carpet.ts';
import { diverging, paintDifference, paintDirection } from '../../activities/report/subject/colours.ts';
import { viewerGrid, viewerMap } from '../../activities/report/subject/maps.ts';
import { metricText } from '../../activities/report/subject/metrics.ts';
import { motionTraces } from '../../activities/report/subject/motion.ts';
import { renderSubjectPage } from '../../activities/report/subject/page.ts';
import { otsuLevel } from '../../activities/report/subject/scenes.ts';
import { duration, shellWord } from '../../activities/report/subject/steps.ts';
import { placeOf } from '../../activities/report/subject/strip.ts';
import { packedViewer } from '../../activities/report/subject/viewer.ts';
import { writeMatrix } from '../../containers/toolkit/files.ts';
import { rotation, translation } from '../../imaging/affine.ts';
import { type Grid, gridFromAffine, type Image, voxelCount } from '../../imaging/image.ts';
import { readImage, writeImage } from '../../imaging/nifti.ts';
import { examplePage, HOSTILE } from '../fixtures/subject-page.ts';

const pixel = ({ width, rgb }: Picture, x: number, y: number) => [
  ...rgb.slice(3 * (y * width + x), 3 * (y * width + x) + 3),
];
const cube = (n: number, mm = 2, affine?: Float64Array): Grid =>
  gridFromAffine([n, n, n], affine ?? Float64Array.of(-mm, 0, 0, 0, 0, mm, 0, 0, 0, 0, mm, 0, 0, 0, 0, 1));
const filled = (grid: Grid, ...values: number[]): Image => ({
  grid,
  volumes: values.length,
  data: Float32Array.from(
    { length: values.length * voxelCount(grid) },
    (_, i) => values[Math.floor(i / voxelCount(grid))],
  ),
});

describe('directions', () => {
  const colour = (grid: Grid, v1: [number, number, number], fa = 0.8) =>
    paintDirection(filled(grid, fa), filled(grid, ...v1))(0);

  test.each([
    [
      [1, 0, 0],
      [255, 0, 0],
    ],
    [
      [0, -1, 0],
      [0, 255, 0],
    ],
    [
      [0, 0, 1],
      [0, 0, 255],
    ],
  ] as const)('%j is drawn %j', (v1, rgb) => expect(colour(cube(2), [...v1])).toEqual([...rgb]));

  test('half the FA is half as bright, no number is black', () => {
    expect(colour(cube(2), [1, 0, 0], 0.4)).toEqual([128, 0, 0]);
    expect(colour(cube(2), [Number.NaN, 0, 0])).toEqual([0, 0, 0]);
    expect(colour(cube(2), [1, 0, 0], Number.NaN)).toEqual([0, 0, 0]);
  });

  test('a slice that was tilted keeps the colours of the world', () => {
    // The voxels' i axis is the body's z: a sagittal acquisition.
    const sagittal = Float64Array.of(0, 0, -2, 0, 0, 2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1);
    expect(colour(cube(2, 2, sagittal), [1, 0, 0])).toEqual([0, 0, 255]);
    // Turned by 45 degrees about x in neurological storage, x reversed by FSL: along +y+z in voxels is z in the world.
    const tilted = rotation(Math.PI / 4, 0, 0);
    const along = colour(cube(2, 1, tilted), [0, Math.SQRT1_2, Math.SQRT1_2]);
    expect(along[0]).toBe(0);
    expect(Math.abs(along[1] - 255) + along[2] < 2 || Math.abs(along[2] - 255) + along[1] < 2).toBe(true);
    // About z the sign of the reversed x decides: with it, the vector turns onto one axis, without it onto none other.
    const turned = colour(cube(2, 1, rotation(0, 0, Math.PI / 4)), [-Math.SQRT1_2, Math.SQRT1_2, 0]);
    const mirrored = colour(cube(2, 1, rotation(0, 0, Math.PI / 4)), [Math.SQRT1_2, Math.SQRT1_2, 0]);
    expect(turned).not.toEqual(mirrored);
  });
});

describe('differences', () => {
  test('zero is near white, ends are dark red and blue, none is black', () => {
    expect(diverging(0, 3)).toEqual([247, 247, 247]);
    const [red, , blue] = diverging(3, 3);
    expect(red).toBeGreaterThan(3 * blue);
    const low = diverging(-3, 3);
    expect(low[2]).toBeGreaterThan(3 * low[0]);
    expect(diverging(9, 3)).toEqual(diverging(3, 3));
    const paint = paintDifference([0, Number.NaN, 1], 3);
    expect([paint(0), paint(1)]).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(paint(2)).toEqual(diverging(1, 3));
  });
});

describe('slices by volumes', () => {
  const Deviation = [
    [0, 0, 0],
    [0, -1, 0],
    [0, null, 0.4],
    [0, 0, 0],
  ];

  test('a lost slice is blue at its volume and height, and framed; what is not known is grey', () => {
    const picture = carpetPicture({ Outliers: [[1, 1]], Dropped: [[1, 1]], Spiked: [], Deviation });
    // Cells of 14 x 6 pixels; slice 0 at the bottom.
    expect([picture.width, picture.height]).toEqual([4 * 14, 3 * 6]);
    const middle = (volume: number, slice: number) => pixel(picture, volume * 14 + 7, (2 - slice) * 6 + 3);
    expect(middle(1, 1)).toEqual([...diverging(-1, 0.4)]);
    expect(pixel(picture, 14, 6)).toEqual([0, 0, 0]);
    expect(middle(2, 1)).toEqual([128, 128, 128]);
    expect(middle(2, 2)).toEqual([...diverging(0.4, 0.4)]);
    expect(middle(3, 0)).toEqual([247, 247, 247]);
  });

  test('many volumes stay within the width', () => {
    const long = Array.from({ length: 300 }, () => [0, 0]);
    expect(carpetPicture({ Outliers: null, Dropped: [], Spiked: [], Deviation: long }).width).toBe(900);
  });
});

test('letters stand at the left edge: R where the right is', () => {
  const volume = { grid: cube(40), data: new Float32Array(64000) };
  const view = { axis: 2, slices: [20], columns: 1, window: [0, 1], zoom: 1 } as const;
  const lit = ({ rgb, width }: Picture) =>
    [...rgb].flatMap((v, i) => (v > 0 && i % 3 === 0 ? [(i / 3) % width] : []));
  expect(lit(mosaic(volume, view))).toEqual([]);
  const columns = lit(mosaic(volume, { ...view, sides: true }));
  expect(columns.length).toBeGreaterThan(15);
  expect(Math.max(...columns)).toBeLessThan(10);
});

test('a box shows its voxels only', () => {
  const data = Float32Array.from({ length: 1000 }, (_, v) => v % 10);
  const grid = cube(10, 1);
  const { width, height, rgb } = mosaic(
    { grid, data },
    {
      axis: 2,
      slices: [5],
      columns: 1,
      window: [0, 10],
      zoom: 1,
      box: [
        [2, 5],
        [0, 10],
        [0, 10],
      ],
    },
  );
  expect([width, height]).toEqual([3, 10]);
  // Stored right to left, x descends: the lowest index is the subject's right, shown on the left.
  expect([rgb[0], rgb[3], rgb[6]]).toEqual([51, 77, 102]);
});

test('the level between two kinds of tissue', () => {
  const data = Float32Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? 0.2 : 0.6) + 0.05 * Math.sin(i));
  expect(otsuLevel(data)).toBeGreaterThan(0.25);
  expect(otsuLevel(data)).toBeLessThan(0.56);
});

describe('maps of the viewer, and regions in native space', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'subject-page-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('values within a step of the range, place unchanged, none where there are none', async () => {
    const grid = cube(12);
    const data = new Float32Array(voxelCount(grid));
    const at = (i: number, j: number, k: number) => i + 12 * (j + 12 * k);
    for (let k = 3; k < 9; k++)
      for (let j = 3; j < 9; j++) for (let i = 3; i < 9; i++) data[at(i, j, k)] = (i - 6) * 1e-4 + 1e-5;
    const map: Image = { grid, volumes: 1, data };
    const small = viewerGrid(map);
    // One voxel of room around six.
    expect(small.dims).toEqual([8, 8, 8]);
    const { writeFile } = await import('node:fs/promises');
    const path = join(folder, 'map.nii.gz');
    await writeFile(path, viewerMap(map, small, [-3e-4, 3e-4]));
    expect(gunzipSync(viewerMap(map, small, [-3e-4, 3e-4])).length).toBe(352 + 512);
    const back = await readImage(path);
    const step = 6e-4 / 254;
    for (const i of [3, 5, 8]) {
      const value = back.data[i - 2 + 8 * (3 + 8 * 3)];
      expect(Math.abs(value - Math.min(3e-4, data[at(i, 5, 5)]))).toBeLessThanOrEqual(step / 2 + 1e-9);
    }
    // No data: one step below the range.
    expect(back.data[0]).toBeCloseTo(-3e-4 - step, 8);
    expect(back.grid.affine[3]).toBeCloseTo(grid.affine[3] + 2 * grid.affine[0], 6);
  });

  test('a fine template is halved for the viewer', () => {
    const grid = cube(20, 1);
    const whole: Image = { grid, volumes: 1, data: new Float32Array(8000).fill(1) };
    expect(viewerGrid(whole).dims).toEqual([10, 10, 10]);
  });

  test('labels go where the warp takes their points, and back over the sessions’ matrix', async () => {
    const template = cube(20);
    const labels: Image = { grid: template, volumes: 1, data: new Float32Array(8000) };
    for (let k = 8; k < 12; k++)
      for (let j = 8; j < 12; j++)
        for (let i = 8; i < 12; i++) labels.data[i + 20 * (j + 20 * k)] = i < 10 ? 1 : 2;
    // Source = reference + (4, 0, -2) mm: two voxels up in i, one down in k.
    const warp = join(folder, 'warp.nii.gz');
    await writeImage(warp, filled(template, 4, 0, -2));
    const native = await labelsInNative(labels, warp, undefined, template);
    const expected = new Float32Array(8000);
    for (let v = 0; v < 8000; v++) if (labels.data[v]) expected[v + 2 - 400] = labels.data[v];
    expect([...native]).toEqual([...expected]);
    // The follow-up lies 2 mm further along y than the baseline: matrix of follow-up to baseline is -2.
    const matrix = join(folder, 'to-baseline.mat');
    await writeMatrix(matrix, translation(0, -2, 0));
    const followup = await labelsInNative(labels, warp, matrix, template);
    for (let v = 0; v < 8000; v++) if (expected[v]) expect(followup[v + 20]).toBe(expected[v]);
    expect(followup.filter((v) => v > 0)).toHaveLength(64);
  });
});

test('motion: three lines twice, a bar per volume but the first', async () => {
  const svg = await motionTraces(
    [0, 1, 2].map((t) => ({ translation: [t, 0, 0], rotation: [0, 0, 0], framewise: t === 0 ? null : 1 })),
  );
  expect(svg.match(/class="mark-line/g)?.length).toBeGreaterThanOrEqual(2);
  const bars = svg.slice(svg.indexOf('mark-rect')).split('</g>')[0];
  expect(bars.match(/<path/g)).toHaveLength(2);
  expect(svg).not.toMatch(/NaN|undefined/);
});

describe('words', () => {
  test('numbers, places, times, commands', () => {
    expect(metricText('md_csf_mean', 2.912e-3)).toBe('2.91');
    expect(metricText('mean_fd', -0.00001234)).toBe('−1.2e−5');
    expect(metricText('mean_fd', 0.12345)).toBe('0.123');
    expect(placeOf([1, 2, 3], 2)).toBe('2nd lowest of 3 values');
    expect(
      placeOf(
        Array.from({ length: 12 }, (_, i) => i),
        11,
      ),
    ).toBe('12th lowest of 12 values');
    expect([0.42, 59.6, 200, 7500].map(duration)).toEqual(['0.4 s', '1 min 0 s', '3 min 20 s', '2 h 5 min']);
    expect(["a b'c", '--x=1', ''].map(shellWord)).toEqual(["'a b'\\''c'", '--x=1', "''"]);
  });
});

describe('the page', async () => {
  const library = await packedViewer();
  const example = await examplePage(library);
  const page = renderSubjectPage(example);
  const elements = page.replace(/<script[\s\S]*?<\/script>/g, '').replace(/<style[\s\S]*?<\/style>/g, '');

  test('says first what is wrong, and who decided', () => {
    const order = [
      'look: a metric',
      'Included',
      'FD 0.5 mm',
      'Susceptibility distortion',
      'Quality metrics',
      'Steps',
    ];
    const places = order.map((text) => elements.indexOf(text, elements.indexOf('<main')));
    expect(places.every((at) => at > 0)).toBe(true);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(elements).toContain('2026-01-02');
    expect(elements).toContain('ses-baseline, ses-24h: said');
  });

  test('metrics stand beside the cohort’s, with the place among them', () => {
    expect(elements).toContain('3rd lowest of 4 values');
    const row = /<code>mean_fd<\/code>[\s\S]*?<\/tr>/.exec(elements)![0];
    expect(row).toMatch(/beyond-warn">0\.5</);
    expect(row.match(/class="one"/g)).toHaveLength(8);
    expect(row).toContain('2 excludes');
  });

  test('alone it makes no distribution, without metrics it says so', () => {
    const alone = renderSubjectPage({ ...example, cohort: [example.cohort[2]] });
    expect(alone).not.toContain('<svg class="strip"');
    const none = renderSubjectPage({ ...example, standing: { ...example.standing, qc: { sessions: [] } } });
    expect(none).toContain('No quality metrics were measured');
  });

  test('nothing given to it becomes markup', () => {
    expect(elements).not.toContain('<img src=x');
    expect(elements.match(/&lt;\/script&gt;&lt;img/g)!.length).toBeGreaterThan(10);
    // Its own script, two blocks of data; a name in the data did not end its block.
    expect(page.match(/<\/script>/g)).toHaveLength(3);
    const data = /id="map-data">([\s\S]*?)<\/script>/.exec(page)![1];
    expect(JSON.parse(data)[0].name).toBe(`FA ${HOSTILE}`);
  });

  test('commands as one would paste them, digests short', () => {
    expect(elements).toContain('bet in/b0.nii.gz &#39;b0 brain&#39;');
    expect(elements).toContain('3 min 20 s');
    expect(elements).toContain('512 MiB');
    expect(elements).toContain('feedbeef');
    expect(elements).not.toContain('feedbeefcafe');
  });

  test('needs nothing else: no address to be loaded, and a policy that would forbid it', () => {
    for (const [, address] of elements.matchAll(/(?:src|href)="([^"]*)"/g))
      expect(address).toMatch(/^(data:image\/png;base64,|#[a-z]|report\.html$)/);
    expect(page).toContain('default-src &#39;none&#39;');
    // Base64 may spell anything.
    const words = elements.replace(/base64,[^"]*/g, '');
    expect(words).not.toMatch(/NaN|undefined|Infinity/);
  });

  test('each label of a picture says what is shown', () => {
    for (const [image] of elements.matchAll(/<img [^>]*>/g)) expect(image).toMatch(/alt="[^"]{5,}/);
  });

  test('the same again, byte for byte; the viewer takes less than 1.2 MB', () => {
    expect(renderSubjectPage(example)).toBe(page);
    expect(library.length).toBeLessThan(1.2e6);
    // What a full-size subject adds: about 2.5 MB of pictures and 1.2 MB of maps (measured on a real scan).
    expect(page.length - library.length).toBeLessThan(0.5e6);
  });
});
