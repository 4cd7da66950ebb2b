/** Where the changes of two groups lie: the cloud is their density, the rain every subject (Allen et al. 2019). */
import { quantile } from '../../statistics/descriptive.ts';
import { COLOUR } from './style.ts';
import { colour, draw, type Groups, SUBJECT, shape } from './vega.ts';

/** One subject. */
export interface Drop {
  readonly group: string;
  readonly x: number;
  /** What a pointer is told. */
  readonly about: string;
  /** The subject's page; absent: it has none. */
  readonly href?: string;
}

export interface Raincloud {
  readonly xTitle: string;
  readonly groups: Groups;
  readonly drops: readonly Drop[];
  /** Mean and its 95 % confidence interval, where they can be told. */
  readonly means: readonly {
    readonly group: string;
    readonly x: number;
    readonly low: number;
    readonly high: number;
  }[];
  /** Range of the axis, the same in plots that are compared. */
  readonly xDomain: readonly [number, number];
}

/** Heights within a group's row, which is 1 high with its line at 0: the cloud above it, box and rain below. */
const ROW = { cloud: 0.42, box: -0.12, median: 0.055, rain: [-0.24, -0.46] } as const;

/** Subjects of a group for cloud and box: fewer are seen as well one by one. */
const LEAST = 4;

/** SVG text. */
export function raincloud(plot: Raincloud): Promise<string> {
  const { groups, drops, means, xDomain } = plot;
  // What leaves the axis ends at its edge, not on the page beyond.
  const x = {
    field: 'x',
    type: 'quantitative',
    title: plot.xTitle,
    scale: { domain: [...xDomain], nice: true, clamp: true },
    axis: { tickCount: 5 },
  };
  const y = (field: string) => ({
    field,
    type: 'quantitative',
    title: null,
    scale: { domain: [-0.5, 1.5], nice: false },
    axis: {
      values: [0, 1],
      // A function of the expression language, given the groups' names as text of that language.
      labelExpr: `datum.value == 1 ? ${JSON.stringify(groups.reference)} : ${JSON.stringify(groups.treatment)}`,
      ticks: false,
      domain: false,
      labelLimit: 90,
    },
  });
  const color = { ...colour(groups), legend: null };
  const mark = (type: string, options: object) => ({ type, aria: false, ...options });
  const spec = {
    width: 262,
    height: 170,
    layer: [
      {
        data: { values: [{}] },
        mark: mark('rule', { color: COLOUR.axis, strokeDash: [2, 3] }),
        encoding: { x: { datum: 0 } },
      },
      {
        data: { name: 'drops' },
        // Normal kernel, bandwidth by Scott 1992. One scale for both clouds: equal areas are equal shares of a group.
        transform: [
          { joinaggregate: [{ op: 'count', as: 'n' }], groupby: ['group'] },
          { filter: `datum.n >= ${LEAST}` },
          {
            density: 'x',
            groupby: ['group', 'row'],
            steps: 60,
            resolve: 'independent',
            as: ['x', 'density'],
          },
          { joinaggregate: [{ op: 'max', field: 'density', as: 'tallest' }] },
          { calculate: `datum.row + ${ROW.cloud} * datum.density / datum.tallest`, as: 'height' },
        ],
        mark: mark('area', { opacity: 0.35 }),
        encoding: { x, y: y('height'), y2: { field: 'row' }, color },
      },
      {
        data: { name: 'boxes' },
        mark: mark('rule', { strokeWidth: 6, opacity: 0.55 }),
        encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y: y('y'), color },
      },
      {
        data: { name: 'boxes' },
        mark: mark('rule', { strokeWidth: 2, color: COLOUR.ink }),
        encoding: { x, y: y('bottom'), y2: { field: 'top' } },
      },
      {
        data: { name: 'drops' },
        mark: { type: 'point', filled: true, size: 17, opacity: 0.6 },
        encoding: {
          x,
          y: y('y'),
          color,
          shape: { ...shape(groups), legend: null },
          ...SUBJECT,
        },
      },
      {
        data: { name: 'means' },
        mark: mark('rule', { strokeWidth: 2, color: COLOUR.ink }),
        encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y: y('row') },
      },
      {
        data: { name: 'means' },
        mark: mark('point', { filled: true, shape: 'diamond', size: 55, opacity: 1, color: COLOUR.ink }),
        encoding: { x, y: y('row') },
      },
    ],
  };
  const rows = [groups.treatment, groups.reference].map((group, row) => ({
    group,
    row,
    drops: drops.filter((drop) => drop.group === group),
  }));
  return draw(spec, {
    drops: rows.flatMap(({ row, drops }) =>
      drops.map((drop, i) => ({ ...drop, row, y: row + rainHeight(i) })),
    ),
    boxes: rows.flatMap(({ group, row, drops }) => {
      if (drops.length < LEAST) return [];
      const [low, x, high] = [0.25, 0.5, 0.75].map((p) =>
        quantile(
          drops.map((drop) => drop.x),
          p,
        ),
      );
      const y = row + ROW.box;
      return [{ group, low, x, high, y, bottom: y - ROW.median, top: y + ROW.median }];
    }),
    means: means.map((mean) => ({ ...mean, row: mean.group === groups.reference ? 1 : 0 })),
  });
}

/** Points that would hide each other, set apart without chance: steps of the golden ratio fill an interval evenly. */
function rainHeight(i: number): number {
  const [high, low] = ROW.rain;
  return high + (low - high) * (((i + 1) * 0.6180339887) % 1);
}
