/** Head motion over a series, as SVG. */
import { COLOUR } from '../style.ts';
import { draw } from '../vega.ts';

/** Position of the head in one volume against the first: mm and radians; framewise displacement in mm, null for the first. */
export interface HeadPosition {
  readonly translation: readonly [number, number, number];
  readonly rotation: readonly [number, number, number];
  readonly framewise: number | null;
}

/** Apart for every colour vision (Okabe & Ito 2008), and by dash in grey. */
const AXES = ['x', 'y', 'z'];
const COLOURS = ['#d55e00', '#009e73', '#3b8fc4'];
const DASHES = [
  [1, 0],
  [6, 2],
  [2, 2],
];
const PANEL = { width: 460, height: 90 };

/** Translations, rotations and framewise displacement, one above the other over the volumes. */
export function motionTraces(series: readonly HeadPosition[]): Promise<string> {
  const x = (title: string | null) => ({
    field: 'volume',
    type: 'quantitative',
    title,
    scale: { domain: [-0.5, series.length - 0.5], nice: false },
    axis: { tickCount: 8, tickMinStep: 1 },
  });
  const y = (field: string, title: string) => ({
    field,
    type: 'quantitative',
    title,
    axis: { tickCount: 4 },
  });
  const byAxis = { field: 'axis', type: 'nominal' };
  const legend = { orient: 'right' };
  const traces = (name: string, title: string) => ({
    ...PANEL,
    data: { name },
    mark: { type: 'line', strokeWidth: 1.5, aria: false },
    encoding: {
      x: x(null),
      y: y('value', title),
      color: { ...byAxis, scale: { domain: AXES, range: COLOURS }, legend },
      strokeDash: { ...byAxis, scale: { domain: AXES, range: DASHES }, legend },
    },
  });
  const spec = {
    spacing: 12,
    vconcat: [
      traces('translations', 'translation (mm)'),
      traces('rotations', 'rotation (°)'),
      {
        ...PANEL,
        data: { name: 'framewise' },
        mark: {
          type: 'bar',
          color: COLOUR.axis,
          width: Math.max(1, (0.7 * PANEL.width) / series.length),
          aria: false,
        },
        encoding: { x: x('volume'), y: y('value', 'FD (mm)') },
      },
    ],
  };
  const rows = (values: readonly (readonly [number, number, number])[], factor: number) =>
    values.flatMap((value, volume) => AXES.map((axis, i) => ({ volume, axis, value: factor * value[i] })));
  return draw(spec, {
    translations: rows(
      series.map(({ translation }) => translation),
      1,
    ),
    rotations: rows(
      series.map(({ rotation }) => rotation),
      180 / Math.PI,
    ),
    framewise: series.flatMap(({ framewise }, volume) =>
      framewise === null ? [] : [{ volume, value: framewise }],
    ),
  });
}
