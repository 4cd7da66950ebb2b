/** Coefficients of many models on one axis, each with its confidence interval. */
import { COLOUR } from './style.ts';
import { draw } from './vega.ts';

/** One estimate; `low` and `high` are its 95 % confidence interval. */
export interface Estimate {
  /** Row of the plot, such as a region. */
  readonly row: string;
  /** Which of the analyses: a line within the row. */
  readonly analysis: string;
  readonly x: number;
  readonly low: number;
  readonly high: number;
  /** What a pointer is told. */
  readonly about: string;
}

export interface ForestPlot {
  readonly xTitle: string;
  /** From top to bottom. */
  readonly rows: readonly string[];
  /** From top to bottom within a row; the first stands out. */
  readonly analyses: readonly string[];
  readonly estimates: readonly Estimate[];
}

const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'triangle-down', 'cross'];
const LINE = 10;

/** SVG text. */
export function forestPlot({ xTitle, rows, analyses, estimates }: ForestPlot): Promise<string> {
  /** The first analysis stands out. */
  const emphasis = (first: number, others: number) => ({
    condition: { test: `datum.analysis === ${JSON.stringify(analyses[0])}`, value: first },
    value: others,
  });
  const y = {
    field: 'row',
    type: 'nominal',
    title: null,
    sort: [...rows],
    scale: { domain: [...rows], paddingInner: 0.28, paddingOuter: 0.14 },
    axis: { ticks: false, domain: false, labelLimit: 130, grid: false },
  };
  const yOffset = { field: 'analysis', type: 'nominal', scale: { domain: [...analyses] } };
  const x = { field: 'x', type: 'quantitative', title: xTitle, axis: { tickCount: 6 } };
  const names = {
    field: 'analysis',
    type: 'nominal',
    scale: { domain: [...analyses] },
    legend: { columns: 2 },
  };
  const color = {
    ...names,
    scale: {
      domain: [...analyses],
      range: analyses.map((_, i) => (i === 0 ? COLOUR.treatment : COLOUR.soft)),
    },
  };
  const spec = {
    width: 340,
    height: { step: LINE, for: 'offset' },
    layer: [
      {
        data: { values: [{}] },
        mark: { type: 'rule', color: COLOUR.axis, strokeDash: [2, 3], aria: false },
        encoding: { x: { datum: 0 } },
      },
      {
        data: { name: 'estimates' },
        mark: { type: 'rule', aria: false },
        encoding: {
          x: { ...x, field: 'low' },
          x2: { field: 'high' },
          y,
          yOffset,
          color,
          strokeWidth: emphasis(2.4, 1.2),
        },
      },
      {
        data: { name: 'estimates' },
        mark: { type: 'point', filled: true, opacity: 1 },
        encoding: {
          size: emphasis(80, 34),
          x,
          y,
          yOffset,
          color,
          shape: {
            ...names,
            scale: { domain: [...analyses], range: analyses.map((_, i) => SHAPES[i % SHAPES.length]) },
          },
          description: { field: 'about', type: 'nominal' },
        },
      },
    ],
  };
  return draw(spec, { estimates });
}
