/** The confusion table of defects. */
import { crossings } from '../../pipeline/qc/thresholds.ts';
import { DEFECTS, type Defect, type Measured, type Metrics } from './subject.ts';

export interface DetectionRow {
  readonly defect: string;
  readonly metrics: readonly string[];
  /** Spoilt scans that were found, and that were not. */
  readonly found: number;
  readonly missed: number;
  /** Good scans that were let pass, and that were not. */
  readonly passed: number;
  readonly alarms: number;
  readonly sensitivity: number;
  readonly specificity: number;
}

function row(
  defect: string,
  metrics: readonly string[],
  spoilt: readonly Metrics[],
  good: readonly Metrics[],
): DetectionRow {
  const isFound = (of: Metrics) => crossings(of).some(({ metric }) => metrics.includes(metric));
  const found = spoilt.filter(isFound).length;
  const alarms = good.filter(isFound).length;
  return {
    defect,
    metrics,
    found,
    missed: spoilt.length - found,
    passed: good.length - alarms,
    alarms,
    sensitivity: spoilt.length === 0 ? 1 : found / spoilt.length,
    specificity: 1 - alarms / good.length,
  };
}

/** A row per defect, each against the good scans. */
export function detectionTable(measured: readonly Measured[]): DetectionRow[] {
  const good = measured.map((one) => one.good);
  return (Object.keys(DEFECTS) as Defect[]).map((defect) =>
    row(
      defect,
      DEFECTS[defect],
      measured.map((one) => one[defect]),
      good,
    ),
  );
}

export function tableText(rows: readonly DetectionRow[]): string {
  const lines = [
    ['defect', 'metric', 'found', 'missed', 'passed', 'false alarms', 'sensitivity', 'specificity', 'n'],
    ...rows.map((one) => [
      one.defect,
      one.metrics.join(', '),
      String(one.found),
      String(one.missed),
      String(one.passed),
      String(one.alarms),
      one.sensitivity.toFixed(3),
      one.specificity.toFixed(3),
      String(one.found + one.missed + one.passed + one.alarms),
    ]),
  ];
  const widths = lines[0].map((_, c) => Math.max(...lines.map((cells) => cells[c].length)));
  return lines
    .map((cells) =>
      cells
        .map((cell, c) => cell.padEnd(widths[c]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
