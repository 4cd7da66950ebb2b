/** The report's figures show what they were given, with the numbers that they stand for. */
import { describe, expect, test } from 'vitest';
import { changeFigures, forestFigure, scatterFigures } from '../../activities/report/figures.ts';
import { flowDiagram, subjectFlow } from '../../activities/report/flow.ts';
import { forestPlot } from '../../activities/report/forest.ts';
import { raincloud } from '../../activities/report/raincloud.ts';
import { regressionLines, scatterPlot } from '../../activities/report/scatter.ts';
import { trialReport } from '../fixtures/group-report.ts';

const groups = { reference: 'vehicle', treatment: 'ketamine' };
const X = [1, 2, 3, 4, 5, 6];
/** Points about a line, each as far off it as the next, up and down. */
const scattered = (group: string, slope: number) =>
  X.map((x, i) => ({
    group,
    x,
    y: 10 + slope * x + (i % 2 === 0 ? 0.5 : -0.5),
    about: `${group} ${i} <&>`,
    ...(i === 0 ? { href: `${group}.html` } : {}),
  }));
const plot = {
  xTitle: 'dMD',
  yTitle: 'QIDS',
  groups,
  points: [...scattered('vehicle', 0), ...scattered('ketamine', 2)],
  lines: true,
};
const marks = (svg: string, kind: string) =>
  [...svg.matchAll(new RegExp(`class="mark-${kind} role-mark[\\s\\S]*?</g>`, 'g'))].map(([text]) => text);

describe('scatter', () => {
  test('a point for each subject with its words and page, a line and a band for each group', async () => {
    const svg = await scatterPlot(plot);
    const points = marks(svg, 'symbol').join('');
    expect(points.match(/<title>/g)).toHaveLength(12);
    expect(points).toContain('<title>vehicle 3 &lt;&amp;&gt;</title>');
    expect(points).toContain('<a tabindex="-1" href="ketamine.html">');
    expect(points.match(/<a /g)).toHaveLength(2);
    expect(marks(svg, 'area')).toHaveLength(2);
    const [vehicle, ketamine] = marks(svg, 'line').map((text) =>
      [...text.matchAll(/[ML](-?[\d.]+),(-?[\d.]+)/g)].map(([, , y]) => Number(y)),
    );
    // Screen y grows downwards: ketamine's line rises by 10 of the axis, vehicle's not at all beside it.
    const rise = (line: number[]) => line[0] - line[line.length - 1];
    expect(rise(ketamine)).toBeGreaterThan(100);
    expect(Math.abs(rise(vehicle))).toBeLessThan(10);
  });

  test('no line where there is no model, or no spread', async () => {
    expect(marks(await scatterPlot({ ...plot, lines: false }), 'line')).toEqual([]);
    const still = plot.points.map((p) => ({ ...p, x: 2 }));
    expect(marks(await scatterPlot({ ...plot, points: still }), 'line')).toEqual([]);
    expect(regressionLines({ groups, points: [] })).toEqual([]);
  });

  test("the band is R's predict(lm(y ~ x * group), interval = 'confidence')", () => {
    // x <- rep(1:6, 2); g <- rep(0:1, each = 6); y <- 10 + 2 * g * x + rep(c(.5, -.5), 6)
    // By hand: within each group Sxx = 17.5, slope off by -3/35, residual SS = 1.5 - 17.5 (3/35)^2 = 1.371429; df = 8.
    const s = Math.sqrt((2 * (1.5 - 17.5 * (3 / 35) ** 2)) / 8);
    const lines = regressionLines(plot);
    const [first] = lines.filter(({ group }) => group === 'ketamine');
    expect(first.x).toBe(1);
    expect(first.y).toBeCloseTo(12 + 2.5 * (3 / 35), 10);
    const half = 2.306004135 * s * Math.sqrt(1 / 6 + 2.5 ** 2 / 17.5);
    expect(first.high - first.y).toBeCloseTo(half, 7);
    expect(first.y - first.low).toBeCloseTo(half, 7);
    expect(lines.filter(({ group }) => group === 'vehicle').at(-1)!.x).toBe(6);
  });
});

describe('raincloud', () => {
  const drops = plot.points.map(({ y, ...point }) => ({ ...point, x: y }));
  const cloud = { xTitle: 'dMD', groups, drops, means: [], xDomain: [0, 30] as const };

  test('cloud, box and rain of each group', async () => {
    const svg = await raincloud({ ...cloud, means: [{ group: 'vehicle', x: 10, low: 9, high: 11 }] });
    expect(marks(svg, 'area')).toHaveLength(2);
    expect(
      marks(svg, 'symbol')
        .join('')
        .match(/<title>/g),
    ).toHaveLength(12);
    // Zero line, two boxes, two medians, one interval.
    expect(
      marks(svg, 'rule')
        .join('')
        .match(/<line /g),
    ).toHaveLength(6);
  });

  test('too few for a density are points alone', async () => {
    const svg = await raincloud({ ...cloud, drops: drops.slice(0, 3) });
    expect(marks(svg, 'area').join('')).not.toContain('<path');
    expect(
      marks(svg, 'symbol')
        .join('')
        .match(/<title>/g),
    ).toHaveLength(3);
    expect(svg).not.toContain('NaN');
  });
});

test('forest: an interval and a point for every estimate, on its row', async () => {
  const estimate = (row: string, analysis: string, x: number) => ({
    row,
    analysis,
    x,
    low: x - 1,
    high: x + 1,
    about: `${row} ${analysis}`,
  });
  const svg = await forestPlot({
    xTitle: 'β',
    rows: ['lBA10', 'rBA10'],
    analyses: ['primary', 'HC3'],
    estimates: [
      estimate('lBA10', 'primary', 2),
      estimate('lBA10', 'HC3', 2),
      estimate('rBA10', 'primary', 0),
    ],
  });
  expect(
    marks(svg, 'symbol')
      .join('')
      .match(/<title>/g),
  ).toHaveLength(3);
  expect(
    marks(svg, 'rule')
      .join('')
      .match(/<line /g),
  ).toHaveLength(1 + 3);
  expect(svg.indexOf('>lBA10<')).toBeGreaterThan(0);
  expect(svg).toContain('>HC3<');
});

describe('figures of an analysis', () => {
  const { analysis, table, pages } = trialReport();
  const input = { analysis: analysis!, table, pages };
  const titles = (markup: string) => markup.match(/<title>/g)?.length;

  test('show exactly the subjects that were analysed', async () => {
    const scatters = await scatterFigures(input, 'QIDS');
    // One subject has no QIDS, another no dMD in the last region.
    expect(scatters.map(({ markup }) => titles(markup))).toEqual([97, 97, 97, 97, 97, 97, 96]);
    expect(scatters[0].markup).toContain('href="sub-01.html"');
    expect(scatters[0].markup).not.toContain('href="sub-95.html"');
    const changes = await changeFigures(input);
    expect(changes.map(({ markup }) => titles(markup))).toEqual([98, 98, 98, 98, 98, 98, 97]);
  });

  test('leave out whom the analysis excluded', async () => {
    const excluded = table.map((row, i) => (i < 2 ? { ...row, excluded: 'moved' } : row));
    const [first] = await scatterFigures({ ...input, table: excluded }, 'MADRS');
    expect(titles(first.markup)).toBe(96);
  });

  test('forest: the primary analysis, Winsorized, and with each set of covariates', async () => {
    const forest = await forestFigure(input, 'MADRS');
    expect(titles(forest!.markup)).toBe(7 * 4);
    const interaction = analysis!.regressions[0].result;
    if (!interaction.ok) throw new Error(interaction.reason);
    const { beta } = interaction.value.dummyCoded.interaction;
    expect(forest!.markup).toContain(
      `lBA10, primary: β = ${beta.toFixed(3).replace('0.', '.').replace('-', '−')}`,
    );
  });
});

describe('flow of subjects', () => {
  const { analysis, table, cohort } = trialReport();

  test('counts every subject once, with reasons', () => {
    const flow = subjectFlow(cohort, analysis, table);
    expect(flow.found.title).toBe('Found in the BIDS folder (n = 100)');
    expect(flow.lost).toEqual([
      { title: 'Excluded (n = 1)', reasons: ['no 24 h session (n = 1)'] },
      { title: 'Failed (n = 1)', reasons: ['a sidecar lacks a needed field (n = 1)'] },
    ]);
    expect(flow.processed.title).toBe('Processed (n = 98)');
    expect(flow.notAnalysed).toBeUndefined();
    expect(flow.analysed).toEqual([
      { title: 'vehicle: analysed (n = 31)', reasons: ['without QIDS: 1 (its tests: n = 30)'] },
      { title: 'ketamine: analysed (n = 67)', reasons: ['without dMD in vACC: 1 (its tests: n = 66)'] },
    ]);
  });

  test('many reasons: the most frequent, and how many more', () => {
    const failed = Array.from({ length: 20 }, (_, i) => ({
      subject: `sub-${i}`,
      group: '',
      status: 'excluded' as const,
      why: i < 12 ? 'no follow-up' : `reason ${i}`,
    }));
    const [{ reasons }] = subjectFlow(failed).lost;
    expect(reasons[0]).toBe('no follow-up (n = 12)');
    expect(reasons).toHaveLength(6);
    expect(reasons[5]).toBe('other reasons (n = 4)');
  });

  test('the diagram says all of it, in lines that fit their boxes', () => {
    const why = `a file is damaged: ${'x'.repeat(100)}`;
    const flow = subjectFlow([{ subject: 'sub-1', group: '', status: 'excluded', why }]);
    const { markup } = flowDiagram(flow);
    const lines = [...markup.matchAll(/<tspan[^>]*>([^<]*)</g)].map(([, line]) => line);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(44);
    expect(lines.join('').match(/x/g)!.length).toBeGreaterThanOrEqual(100);
    expect(markup).toContain('<li>Excluded (n = 1): ');
  });
});
