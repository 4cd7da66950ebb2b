/** Head motion over a series, as SVG. */
import type { TopLevelSpec } from 'vega-lite';
import { svg } from '../plots.ts';

/** Position of the head in one volume against the first: mm and radians; framewise displacement in mm, null for the first. */
export interface HeadPosition {
  readonly translation: readonly [number, number, number];
  readonly rotation: readonly [number, number, number];
  readonly framewise: number | null;
}

/** Apart for every colour vision, and by dash in grey (Okabe & Ito 2008). */
const AXES = {
  domain: ['x', 'y', 'z'],
  range: ['#d55e00', '#009e73', '#0072b2'],
  dashes: [
    [1, 0],
    [6, 2],
    [2, 2],
  ],
};
const PANEL = { width: 460, height: 90 };

/** Translations, rotations and framewise displacement, one above the other over the volumes. */
export function motionTraces(series: readonly HeadPosition[]): Promise<string> {
  const traces = (values: readonly (readonly [number, number, number])[], title: string) => ({
    ...PANEL,
    data: {
      values: values.flatMap((value, volume) =>
        AXES.domain.map((axis, i) => ({ volume, axis, value: value[i] })),
      ),
    },
    mark: { type: 'line' as const, strokeWidth: 1.5, aria: false },
    encoding: {
      x: VOLUME,
      y: { field: 'value', type: 'quantitative' as const, title, axis: { tickCount: 4 } },
      color: { field: 'axis', type: 'nominal' as const, scale: { domain: AXES.domain, range: AXES.range } },
      strokeDash: {
        field: 'axis',
        type: 'nominal' as const,
        scale: { domain: AXES.domain, range: AXES.dashes },
      },
    },
  });
  const degrees = ([x, y, z]: HeadPosition['rotation']): [number, number, number] => [
    (x * 180) / Math.PI,
    (y * 180) / Math.PI,
    (z * 180) / Math.PI,
  ];
  return svg({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    spacing: 12,
    vconcat: [
      traces(
        series.map(({ translation }) => translation),
        'translation (mm)',
      ),
      traces(
        series.map(({ rotation }) => degrees(rotation)),
        'rotation (°)',
      ),
      {
        ...PANEL,
        data: {
          values: series.flatMap(({ framewise }, volume) =>
            framewise === null ? [] : [{ volume, framewise }],
          ),
        },
        mark: {
          type: 'bar',
          color: '#6f7680',
          width: Math.max(1, (0.7 * PANEL.width) / series.length),
          aria: false,
        },
        encoding: {
          x: { ...VOLUME, title: 'volume' },
          y: { field: 'framewise', type: 'quantitative', title: 'FD (mm)', axis: { tickCount: 4 } },
        },
      },
    ],
    config: {
      background: 'transparent',
      view: { stroke: null },
      axis: { grid: false, labelFontSize: 10.5, titleFontSize: 11.5, titleFontWeight: 'normal' },
      legend: { orient: 'top', title: null },
    },
  } as TopLevelSpec);
}

const VOLUME = { field: 'volume', type: 'quantitative' as const, title: null, axis: { tickCount: 8 } };
