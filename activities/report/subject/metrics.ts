/** Quality metrics of a subject as tables: values, limits, and the place in the cohort. */
import { infoOf } from '../../../pipeline/qc/dictionary.ts';
import type { Threshold } from '../../../pipeline/qc/thresholds.ts';
import type { Metrics, SubjectQc } from '../../../pipeline/qc/types.ts';
import type { Reason } from '../../qc/verdicts.ts';
import { type Column, type Html, html, table } from '../markup.ts';
import { strip } from './strip.ts';

const MINUS = '\u2212';

/** What a table of metrics is made from. */
export interface MetricTables {
  readonly qc: SubjectQc;
  /** Every subject's metrics, this one's among them; one alone makes no distribution. */
  readonly cohort: readonly SubjectQc[];
  readonly thresholds: readonly Threshold[];
  readonly reasons: readonly Reason[];
}

/** A column of values: one session, or the pair. */
interface Source {
  readonly head: string;
  /** As a reason names it: label, or undefined for the pair. */
  readonly session: string | null | undefined;
  readonly metrics: Metrics;
  readonly cohort: readonly Metrics[];
}

/** Three digits that count, a true minus sign; diffusivities in 1e-3 mm2/s. */
export function metricText(name: string, value: number): string {
  const scaled = infoOf(name)?.units === 'mm^2/s' ? value * 1e3 : value;
  const rounded = Number(scaled.toPrecision(3));
  const text =
    Math.abs(rounded) >= 1e6 || (rounded !== 0 && Math.abs(rounded) < 1e-4)
      ? scaled.toExponential(1)
      : String(rounded);
  return text.replaceAll('-', MINUS);
}

const UNITS: Readonly<Record<string, string>> = { 'mm^2/s': '10⁻³ mm²/s', 's/mm^2': 's/mm²', degrees: '°' };

/** Unit as printed beside {@link metricText}; empty where there is none. */
export function unitOf(name: string): string {
  const units = infoOf(name)?.units ?? '';
  return UNITS[units] ?? units;
}

/** Metrics with a limit first; the others folded away. */
export function metricSection({ qc, cohort, thresholds, reasons }: MetricTables): Html {
  if (qc.sessions.length === 0) return html`<p>No quality metrics were measured.</p>`;
  const ofSession = (one: SubjectQc, session: string | null) =>
    one.sessions.filter((s) => s.session === session).map((s) => s.metrics);
  const sessions = qc.sessions.map(
    ({ session, metrics }): Source => ({
      head: session === null ? 'value' : `ses-${session}`,
      session,
      metrics,
      cohort: cohort.flatMap((one) => ofSession(one, session)),
    }),
  );
  const pair: Source[] = qc.longitudinal
    ? [
        {
          head: 'value',
          session: undefined,
          metrics: qc.longitudinal.metrics,
          cohort: cohort.flatMap((one) => (one.longitudinal ? [one.longitudinal.metrics] : [])),
        },
      ]
    : [];
  const names = (sources: readonly Source[]) => [
    ...new Set(sources.flatMap(({ metrics }) => Object.keys(metrics))),
  ];
  const judged = new Set(thresholds.map(({ metric }) => metric));
  const print = (caption: string, sources: readonly Source[], which: (name: string) => boolean) => {
    const rows = names(sources).filter(which);
    return rows.length > 0 && metricTable(caption, rows, sources, thresholds, reasons);
  };
  const isJudged = (name: string) => judged.has(name);
  const isOther = (name: string) => !judged.has(name);
  return html`${print('Metrics with a limit', sessions, isJudged)}${print('Between the sessions, with a limit', pair, isJudged)}
<details><summary>All other metrics</summary>${print('Metrics of each session', sessions, isOther)}${print('Between the sessions', pair, isOther)}</details>
${cohort.length > 1 && html`<p class="soft">The line holds the cohort: a stroke for each subject, the dot is this one; dashed: the limit, where it lies among them.</p>`}`;
}

function metricTable(
  caption: string,
  names: readonly string[],
  sources: readonly Source[],
  thresholds: readonly Threshold[],
  reasons: readonly Reason[],
): Html {
  const limits = new Map(thresholds.map((threshold) => [threshold.metric, threshold]));
  const columns: Column<string>[] = [
    { head: 'metric', cell: (name) => html`<code>${name}</code>`, kind: 'words' },
    ...sources.map(
      (source): Column<string> => ({
        head: source.head,
        cell: (name) => valueCell(name, source, limits.get(name), reasons),
      }),
    ),
    { head: 'unit', cell: unitOf, kind: 'words' },
    {
      head: 'limit',
      cell(name) {
        const limit = limits.get(name);
        if (!limit) return '';
        const side = infoOf(name)?.worse === 'low' ? '≤' : '≥';
        const { warn, exclude } = limit;
        return html`${side} ${warn}${exclude !== undefined && html`<br>${side} ${exclude} excludes`}`;
      },
      kind: 'words',
    },
    { head: 'meaning', cell: (name) => infoOf(name)?.description ?? '', kind: 'sentence' },
  ];
  const shown = columns.filter(({ head }) => head !== 'limit' || names.some((name) => limits.has(name)));
  return table(caption, names, shown);
}

function valueCell(
  name: string,
  { metrics, cohort, session }: Source,
  limit: Threshold | undefined,
  reasons: readonly Reason[],
): Html | string {
  const value = metrics[name];
  if (value === null || value === undefined) return html`<span class="none">n/a</span>`;
  const values = cohort.flatMap((one) => one[name] ?? []);
  const reason = reasons.find((one) => one.metric === name && one.session === session);
  const text = reason
    ? html`<strong class="beyond-${reason.level}">${metricText(name, value)}<span class="sign"> ${reason.level === 'exclude' ? '✕' : '!'}</span></strong>`
    : metricText(name, value);
  return html`${text}${values.length > 1 && strip(values, value, limit?.warn)}`;
}
