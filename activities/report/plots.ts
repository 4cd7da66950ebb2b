/** Figures as SVG text: points, lines and words without a browser. Vega loads at the first figure, since it is large. */
import type { TopLevelSpec } from 'vega-lite';
import { FONT, GROUP_COLOURS } from './style.ts';

/** The two groups, in the order of the legend. */
export interface Groups {
  readonly reference: string;
  readonly treatment: string;
}

export interface Point {
  readonly group: string;
  readonly x: number;
  readonly y: number;
}

export interface ScatterPlot {
  readonly title: string;
  readonly subtitle: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly groups: Groups;
  readonly points: readonly Point[];
  /** Draws each group's least-squares line over the group's range. */
  readonly lines: boolean;
}

export interface StripPlot {
  readonly title: string;
  readonly subtitle: string;
  readonly yTitle: string;
  readonly groups: Groups;
  readonly values: readonly { readonly group: string; readonly y: number }[];
  /** Mean and its 95 % confidence interval, where they can be told. */
  readonly means: readonly {
    readonly group: string;
    readonly y: number;
    readonly low: number;
    readonly high: number;
  }[];
  /** Range of the y axis, the same in plots that are compared. */
  readonly yDomain: readonly [number, number];
}

const SIZE = { scatter: [268, 190], strip: [132, 190] } as const;

/** dMD against d-score, a colour and shape for each group. */
export function scatterPlot(plot: ScatterPlot): Promise<string> {
  const { groups, points } = plot;
  const lines = plot.lines
    ? [groups.reference, groups.treatment].flatMap((group) =>
        leastSquares(points.filter((p) => p.group === group)).map((end) => ({ group, ...end })),
      )
    : [];
  const field = (name: 'x' | 'y', title: string) => ({
    field: name,
    type: 'quantitative' as const,
    title,
    scale: { zero: false, nice: true },
    axis: { tickCount: 5 },
  });
  const x = field('x', plot.xTitle);
  const y = field('y', plot.yTitle);
  return svg({
    ...frame(plot, SIZE.scatter),
    layer: [
      {
        data: { values: [...points] },
        mark: { type: 'point', filled: true, size: 26, opacity: 0.65, aria: false },
        encoding: { x, y, color: colour(groups), shape: shape(groups) },
      },
      {
        data: { values: lines },
        mark: { type: 'line', strokeWidth: 2, aria: false },
        encoding: { x, y, color: colour(groups) },
      },
    ],
  });
}

/** Every subject of each group, with the mean and its confidence interval. */
export function stripPlot(plot: StripPlot): Promise<string> {
  const { groups } = plot;
  const y = {
    field: 'y',
    type: 'quantitative' as const,
    title: plot.yTitle,
    // Few subjects make long intervals: what leaves the axis ends at its edge, not on the page beyond.
    scale: { domain: [...plot.yDomain], nice: true, clamp: true },
    axis: { tickCount: 6 },
  };
  const x = {
    field: 'group',
    type: 'nominal' as const,
    title: null,
    sort: [groups.reference, groups.treatment],
    scale: { domain: [groups.reference, groups.treatment] },
    axis: { labelAngle: 0, ticks: false, labelLimit: 80 },
  };
  const besides = { values: spread(plot) };
  const means = { values: [...plot.means] };
  return svg({
    ...frame(plot, SIZE.strip),
    layer: [
      { data: { values: [{ zero: 0 }] }, mark: rule('#b5bcc4'), encoding: { y: { datum: 0 } } },
      {
        data: besides,
        mark: { type: 'point', filled: true, size: 18, opacity: 0.5, aria: false },
        encoding: {
          x,
          y,
          xOffset: { field: 'offset', type: 'quantitative', scale: { domain: [-1, 1] } },
          color: { ...colour(groups), legend: null },
          shape: { ...shape(groups), legend: null },
        },
      },
      {
        data: means,
        mark: { ...rule('#1b1f24'), strokeWidth: 2 },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' } },
      },
      {
        data: means,
        mark: { type: 'tick', color: '#1b1f24', thickness: 2.5, size: 22, aria: false },
        encoding: { x, y },
      },
    ],
  } as TopLevelSpec);
}

const rule = (color: string) => ({ type: 'rule' as const, color, aria: false });

/** Title, size and a description for those who cannot see it. */
function frame(plot: ScatterPlot | StripPlot, [width, height]: readonly [number, number]) {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width,
    height,
    description: `${plot.title}. ${plot.subtitle}`,
    title: { text: plot.title, subtitle: plot.subtitle, anchor: 'start' as const, frame: 'group' as const },
    config: {
      font: FONT,
      background: 'transparent',
      view: { stroke: null },
      title: { fontSize: 13, subtitleFontSize: 11.5, subtitleColor: '#57606a', offset: 8 },
      axis: {
        grid: false,
        domainColor: '#8b949e',
        tickColor: '#8b949e',
        labelFontSize: 10.5,
        titleFontSize: 11.5,
        titleFontWeight: 'normal' as const,
      },
      legend: { orient: 'bottom' as const, title: null, labelFontSize: 11, offset: 6, symbolOpacity: 1 },
    },
  };
}

const colour = (groups: Groups) => ({
  field: 'group',
  type: 'nominal' as const,
  scale: {
    domain: [groups.reference, groups.treatment],
    range: [GROUP_COLOURS.reference, GROUP_COLOURS.treatment],
  },
});

const shape = (groups: Groups) => ({
  field: 'group',
  type: 'nominal' as const,
  scale: { domain: [groups.reference, groups.treatment], range: ['circle', 'triangle-up'] },
});

/** Both ends of a group's least-squares line; nothing where there is no line. */
function leastSquares(points: readonly Point[]): { x: number; y: number }[] {
  const n = points.length;
  if (n < 2) return [];
  const mx = points.reduce((sum, p) => sum + p.x, 0) / n;
  const my = points.reduce((sum, p) => sum + p.y, 0) / n;
  const sxx = points.reduce((sum, p) => sum + (p.x - mx) ** 2, 0);
  if (sxx === 0) return [];
  const slope = points.reduce((sum, p) => sum + (p.x - mx) * (p.y - my), 0) / sxx;
  const ends = [Math.min(...points.map((p) => p.x)), Math.max(...points.map((p) => p.x))];
  return ends.map((x) => ({ x, y: my + slope * (x - mx) }));
}

/** Points that would hide each other, set aside by rank: neighbours in value land on different sides, without chance. */
function spread({ values, groups }: StripPlot) {
  return [groups.reference, groups.treatment].flatMap((group) => {
    const sorted = values.filter((v) => v.group === group).sort((a, b) => a.y - b.y);
    // Steps of the golden ratio fill an interval evenly.
    return sorted.map((v, i) => ({ ...v, offset: (((i + 1) * 0.6180339887) % 1) - 0.5 }));
  });
}

/** Compiles and draws. The text has no identifiers, so that many figures may stand in one page. */
export async function svg(spec: TopLevelSpec): Promise<string> {
  const [vega, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' });
  const text = await view.toSVG();
  view.finalize();
  return text;
}
