/** The group report: complete, escaped, self-contained; its figures and pictures show what they were given. */
import { decode } from 'fast-png';
import { describe, expect, test } from 'vitest';
import * as format from '../../activities/report/format.ts';
import { renderGroupReport } from '../../activities/report/html.ts';
import {
  beside,
  LABEL_COLOURS,
  mosaic,
  type Picture,
  png,
  robustWindow,
  slicesThrough,
} from '../../activities/report/pictures.ts';
import { findings } from '../../activities/report/summary.ts';
import { analysePlan } from '../../statistics/analyse.ts';
import { grid, phantom, trialReport } from '../fixtures/group-report.ts';

describe('numbers as journals print them', () => {
  test.each([
    [0.0034, 'p = .003'],
    [0.0352, 'p = .035'],
    [0.000999, 'p < .001'],
    [0, 'p < .001'],
    [0.9994, 'p = .999'],
    [0.99951, 'p > .999'],
    [1, 'p > .999'],
  ])('p %d', (p, text) => expect(format.pEquals(p)).toBe(text));

  test('t, beta and diffusivities', () => {
    expect(format.tEquals(-3.0096, 96)).toBe('t(96) = −3.01');
    expect(format.tEquals(2.1, 51.2345)).toBe('t(51.2) = 2.10');
    expect(format.bare(0.386)).toBe('.386');
    expect(format.bare(-0.386)).toBe('−.386');
    expect(format.bare(-1.2)).toBe('−1.200');
    expect(format.bare(-0.0001)).toBe('.000');
    expect(format.md(7.423e-4)).toBe('0.742');
    expect(format.change(-1.26e-5)).toBe('−0.0126');
    expect(format.percent(0.9999)).toBe('99 %');
  });
});

describe('the page', async () => {
  const report = trialReport();
  const page = await renderGroupReport(report);
  const words = page
    .replace(/<(style|svg|script)[\s\S]*?<\/\1>/g, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<');

  test('prints the numbers of the analysis', () => {
    const madrs = report.analysis!.outcomeTests[0].result;
    if (!madrs.ok) throw new Error(madrs.reason);
    expect(words).toContain(format.tEquals(madrs.value.student.t, 96));
    for (const { roi, result } of report.analysis!.regressions) {
      if (!result.ok) throw new Error(result.reason);
      expect(words).toContain(roi);
      expect(words).toContain(format.fixed(result.value.dummyCoded.interaction.t, 3));
    }
    for (const line of findings(report.analysis!)) expect(words).toContain(line);
  });

  test('tells failures with their remedies, notes, flags and who was left out', () => {
    expect(words).toContain('has no TotalReadoutTime');
    expect(words).toContain('then: delta-md retry');
    expect(words).toContain('the sidecars of 12 sessions');
    expect(words).toContain('6 regional values');
    expect(words).toMatch(/sub-41\s+no dMD in vACC/);
    expect(words).toContain('These subjects were simulated');
  });

  test('has a figure for every region and outcome, and the pictures', () => {
    // The flow, a raincloud for every region, scatter and forest for every outcome.
    expect(page.match(/<svg /g)).toHaveLength(1 + 7 + 3 * 7 + 3);
    expect(page.match(/<img /g)).toHaveLength(2);
  });

  test('needs nothing else: one script of its own, links to files beside it and to papers, no identifier twice', () => {
    expect(page).not.toMatch(/<link|<iframe|@import|url\(/i);
    expect(page.match(/<script/g)).toHaveLength(1);
    const references = page.match(/(?:href|src)="[^"]*"/g)!;
    const known = /"#|"data:|"https:\/\/doi\.org\/10\.|"sub-\d+\.html"|"group_dmd\.tsv"|"report\.bib"/;
    expect(references.filter((r) => !known.test(r))).toEqual([]);
    expect(page.match(/src="(?!data:)/g)).toBeNull();
    const ids = page.match(/ id="[^"]*"/g)!;
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, target] of page.matchAll(/href="#([^"]*)"/g)) expect(page).toContain(` id="${target}"`);
  });

  test('closes what it opens', () => {
    const open: string[] = [];
    for (const [, slash, name] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:[^>"]|"[^"]*")*?(?<!\/)>/g)) {
      if (['meta', 'img', 'br'].includes(name)) continue;
      if (slash === '') open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });

  test('is the same again, byte for byte', async () => {
    expect((await renderGroupReport(trialReport())) === page).toBe(true);
  });

  test('names from files cannot become markup', async () => {
    const evil = `"><script>alert('x')</script>&`;
    const table = report.table.map((row) => ({
      ...row,
      group: row.group === 'ketamine' ? evil : row.group,
      change: { [evil]: row.change['lBA10'] },
      baselineMd: { [evil]: row.baselineMd['lBA10'] },
      scores: { [evil]: row.scores['MADRS'] },
    }));
    const plan = {
      groups: { reference: 'vehicle', treatment: evil },
      rois: [evil],
      outcomes: [evil],
      covariates: [[evil]],
      winsorize: 'tukey',
    } as const;
    const html = await renderGroupReport({
      ...report,
      title: evil,
      table,
      run: { profile: evil, version: evil, template: evil, tools: [{ name: evil, version: evil }] },
      cohort: [{ subject: evil, group: evil, status: 'failed', why: evil, remedy: evil }],
      rois: [{ subject: evil, session: evil, roi: evil, md: 1e-3, voxels: 1, coverage: 0.1, flagged: true }],
      truth: [{ ...report.truth![0], roi: evil }],
      pictures: [{ subject: evil, caption: evil, pngBase64: '' }],
      pages: { [evil]: evil },
      files: [
        { name: evil, columns: { [evil]: { Description: evil, Units: evil, Levels: { [evil]: evil } } } },
      ],
      methods: [evil],
      notes: [evil],
      analysis: analysePlan(plan, table),
    });
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html.match(/&lt;script&gt;/g)!.length).toBeGreaterThan(40);
    // In attributes the quote must not end the value.
    expect(html).not.toMatch(/=""[^\s>]/);
  });

  test('a study without statistics, and one where nothing can be computed', async () => {
    const bare = await renderGroupReport({ ...report, analysis: undefined, truth: undefined, pictures: [] });
    expect(bare).toContain('No groups were compared');
    expect(bare).toContain('MD by region and session');
    // Of the figures the flow of subjects alone.
    expect(bare.match(/<svg /g)).toHaveLength(1);

    const table = report.table.slice(0, 2);
    const empty = await renderGroupReport({
      ...report,
      table,
      rois: [],
      analysis: analysePlan(report.analysis!.plan, table),
    });
    expect(empty).toContain('not computed because');
    expect(empty).toContain('no model');
    expect(empty).toContain('MADRS by group could not be tested: second group: 0 of at least 2 values.');
    expect(/NaN|undefined|Infinity/.test(empty.replace(/<script>[\s\S]*<\/script>/, ''))).toBe(false);
  });

  test('prints no number that is none', () => expect(words).not.toMatch(/NaN|undefined|Infinity|null/));
});

describe('pictures', () => {
  const { volume, labels } = phantom(0);
  const view = { axis: 2, slices: [16], columns: 1, window: [0, 1000], zoom: 1 } as const;
  const pixel = ({ width, rgb }: Picture, x: number, y: number) => [
    ...rgb.slice(3 * (y * width + x), 3 * (y * width + x) + 3),
  ];
  /** A volume with one bright voxel. */
  const spot = (i: number, j: number, k: number, g = grid) => {
    const data = new Float32Array(g.dims[0] * g.dims[1] * g.dims[2]);
    data[i + g.dims[0] * (j + g.dims[1] * k)] = 1000;
    return { grid: g, data };
  };
  const bright = ({ width, rgb }: Picture) => {
    const at = rgb.indexOf(255) / 3;
    return [at % width, Math.floor(at / width)];
  };

  test('pixels are square millimetres, whatever the voxels', () => {
    const flat = { ...grid, voxelSizes: [3, 3, 6] as const };
    expect(mosaic({ ...volume, grid: flat }, { ...view, axis: 1 })).toMatchObject({
      width: 120,
      height: 192,
    });
  });

  test('the right is left, anterior and superior are up, however the image is stored', () => {
    // Stored left to right: voxel 0 is the subject's left, shown on the picture's right.
    expect(bright(mosaic(spot(0, 0, 16), view))).toEqual([117, 141]);
    const stored = Float64Array.from(grid.affine);
    stored[0] = -3;
    expect(bright(mosaic(spot(0, 0, 16, { ...grid, affine: stored }), view))).toEqual([0, 141]);
    expect(bright(mosaic(spot(20, 0, 31), { ...view, axis: 0, slices: [20] }))).toEqual([141, 0]);
  });

  test('window: black below, white above, NaN black', () => {
    const data = Float32Array.of(-5, 0, 50, 100, 500, Number.NaN);
    const row = { grid: { ...grid, dims: [6, 1, 1] as const, voxelSizes: [1, 1, 1] as const }, data };
    const { rgb } = mosaic(row, { ...view, slices: [0], window: [0, 100] });
    // From the subject's right to the left: last voxel first.
    expect([...rgb].filter((_, i) => i % 3 === 0)).toEqual([0, 255, 255, 128, 0, 0]);
  });

  test('outlines touch only the edge of a label, in its colour', () => {
    const picture = mosaic(volume, { ...view, zoom: 2, labels: { data: labels, colours: LABEL_COLOURS } });
    const plain = mosaic(volume, { ...view, zoom: 2 });
    let coloured = 0;
    let inside = 0;
    for (let y = 0; y < picture.height; y++)
      for (let x = 0; x < picture.width; x++) {
        const label = labels[39 - Math.floor(x / 6) + 40 * (47 - Math.floor(y / 6) + 48 * 16)];
        if (label > 0) inside++;
        if (pixel(picture, x, y).join() === pixel(plain, x, y).join()) continue;
        coloured++;
        expect(pixel(picture, x, y)).toEqual([...LABEL_COLOURS[label - 1]]);
      }
    expect(coloured).toBeGreaterThan(100);
    expect(coloured).toBeLessThan(inside / 3);
  });

  test('slices are spread over what is not empty', () => {
    expect(slicesThrough(spot(3, 4, 5), 2, 1)).toEqual([5]);
    const slices = slicesThrough(volume, 2, 4);
    expect(slices).toHaveLength(4);
    // The ellipsoid reaches from slice 2 to 30.
    expect(Math.min(...slices)).toBeGreaterThan(4);
    expect(Math.max(...slices)).toBeLessThan(28);
    expect(slicesThrough({ grid, data: new Float32Array(volume.data.length) }, 0, 3)).toEqual([10, 20, 30]);
  });

  test('robust window', () => {
    const data = Float32Array.from({ length: 1001 }, (_, i) => i);
    expect(robustWindow(data, 0, 1)).toEqual([1, 1000]);
    expect(robustWindow(data, 0.02, 0.98)).toEqual([21, 980]);
    expect(robustWindow([0, 0])).toEqual([0, 1]);
    expect(robustWindow([7, 7, 7])).toEqual([0, 7]);
  });

  test('side by side, as PNG and back', () => {
    const one = mosaic(volume, view);
    const both = beside([one, one], 4);
    expect(both.width).toBe(2 * one.width + 4);
    expect(pixel(both, one.width + 4 + 60, 70)).toEqual(pixel(one, 60, 70));
    const bytes = png(both);
    const back = decode(bytes);
    // Grey as it is, it takes one channel.
    expect([back.width, back.height, back.channels]).toEqual([both.width, both.height, 1]);
    expect([...back.data]).toEqual([...both.rgb].filter((_, i) => i % 3 === 0));
    const coloured = mosaic(volume, { ...view, labels: { data: labels, colours: LABEL_COLOURS } });
    expect([...decode(png(coloured)).data]).toEqual([...coloured.rgb]);
    expect(Buffer.from(png(both)).equals(Buffer.from(bytes))).toBe(true);
  });
});
