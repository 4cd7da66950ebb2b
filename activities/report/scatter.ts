/** Change in a score against change in MD, a colour and shape for each group. */
import { t975 } from '../../statistics/distributions.ts';
import { attempt } from '../../statistics/errors.ts';
import { leastSquares, linearCombination } from '../../statistics/least-squares.ts';
import { colour, draw, type Groups, SUBJECT, shape } from './vega.ts';

/** One subject. */
export interface Point {
  readonly group: string;
  readonly x: number;
  readonly y: number;
  /** What a pointer is told. */
  readonly about: string;
  /** The subject's page; absent: it has none. */
  readonly href?: string;
}

export interface ScatterPlot {
  readonly xTitle: string;
  readonly yTitle: string;
  readonly groups: Groups;
  readonly points: readonly Point[];
  /** Draws each group's line, and its 95 % confidence band, over the group's range. */
  readonly lines: boolean;
}

/** A value of the regression line with its 95 % confidence interval. */
export interface LinePoint {
  readonly group: string;
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
}

/** Steps along a line: the band's edges are curves. */
const STEPS = 16;

/** SVG text. */
export function scatterPlot(plot: ScatterPlot): Promise<string> {
  const { groups } = plot;
  const field = (name: 'x' | 'y', title: string) => ({
    field: name,
    type: 'quantitative',
    title,
    scale: { zero: false, nice: true },
    axis: { tickCount: 5 },
  });
  const x = field('x', plot.xTitle);
  const y = field('y', plot.yTitle);
  const spec = {
    width: 270,
    height: 200,
    layer: [
      {
        data: { name: 'lines' },
        mark: { type: 'area', opacity: 0.18, aria: false },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color: colour(groups) },
      },
      {
        data: { name: 'points' },
        mark: { type: 'point', filled: true, size: 28, opacity: 0.7 },
        encoding: {
          x,
          y,
          color: colour(groups),
          shape: shape(groups),
          ...SUBJECT,
        },
      },
      {
        data: { name: 'lines' },
        mark: { type: 'line', strokeWidth: 2, aria: false },
        encoding: { x, y, color: colour(groups) },
      },
    ],
  };
  return draw(spec, { points: plot.points, lines: plot.lines ? regressionLines(plot) : [] });
}

/**
 * The lines of outcome ~ dMD + group + dMD x group: each group's own least-squares line, with bands from the errors that
 * the model supposes equal in both groups. Nothing where that model cannot be fitted.
 */
export function regressionLines({ groups, points }: Pick<ScatterPlot, 'groups' | 'points'>): LinePoint[] {
  const ofGroup = [groups.reference, groups.treatment].map((group) =>
    points.filter((p) => p.group === group),
  );
  const both = ofGroup.flat();
  const treated = both.map(({ group }) => (group === groups.treatment ? 1 : 0));
  const lines = attempt(() => {
    const fit = leastSquares({ name: 'y', values: both.map(({ y }) => y) }, [
      { name: 'x', values: both.map(({ x }) => x) },
      { name: 'group', values: treated },
      { name: 'x x group', values: both.map(({ x }, i) => x * treated[i]) },
    ]);
    const critical = t975(fit.df);
    return ofGroup.flatMap((some, g) => {
      const xs = some.map(({ x }) => x);
      const [from, to] = [Math.min(...xs), Math.max(...xs)];
      return Array.from({ length: STEPS + 1 }, (_, i): LinePoint => {
        const x = from + ((to - from) * i) / STEPS;
        const { estimate: y, se } = linearCombination(fit, [1, x, g, x * g]);
        return { group: some[0].group, x, y, low: y - critical * se, high: y + critical * se };
      });
    });
  });
  return lines.ok ? lines.value : [];
}
