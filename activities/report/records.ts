/** Who took part, what was measured where, and what went wrong. */
import { mean, quantile, sd } from '../../statistics/descriptive.ts';
import type { CohortAnalysis } from '../../statistics/plan.ts';
import * as format from './format.ts';
import { type Html, html, table } from './markup.ts';
import type { CohortRow, GroupReport, RoiRow, SubjectPicture, TruthRow } from './types.ts';

/** Failed and excluded subjects, with what to do next. */
export function attentionTable(cohort: readonly CohortRow[]): Html {
  const rows = cohort.filter((row) => row.status !== 'done');
  if (rows.length === 0) return html`<p>Every subject was processed.</p>`;
  return table('Failed and excluded subjects', rows, [
    { head: 'subject', cell: (row) => row.subject, kind: 'words' },
    { head: 'group', cell: (row) => row.group, kind: 'words' },
    { head: 'status', cell: status, kind: 'words' },
    { head: 'why', cell: (row) => row.why ?? '', kind: 'sentence' },
    { head: 'what to do next', cell: (row) => row.remedy ?? '', kind: 'sentence' },
  ]);
}

/** Every subject, with its regions' mean coverage; folded away where it is long. */
export function cohortTable({ cohort, rois, pages }: GroupReport): Html {
  const coverage = new Map<string, number[]>();
  for (const row of rois) coverage.set(row.subject, [...(coverage.get(row.subject) ?? []), row.coverage]);
  const rows = table('Cohort', cohort, [
    {
      head: 'subject',
      cell: ({ subject }) =>
        Object.hasOwn(pages, subject) ? html`<a href="${pages[subject]}">${subject}</a>` : subject,
      kind: 'words',
    },
    { head: 'group', cell: (row) => row.group, kind: 'words' },
    { head: 'status', cell: status, kind: 'words' },
    {
      head: html`mean coverage<br>of regions`,
      cell(row) {
        const shares = coverage.get(row.subject);
        return shares === undefined ? '' : format.percent(mean(shares));
      },
    },
    {
      head: html`flagged<br>values`,
      cell: (row) => String(rois.filter((r) => r.subject === row.subject && r.flagged).length || ''),
    },
  ]);
  return html`<details${cohort.length <= 20 && html` open`}><summary>${format.count(cohort.length, 'subject')}</summary>${rows}</details>`;
}

function status(row: CohortRow): Html {
  return html`<span class="status-${row.status}">${row.status}</span>`;
}

/** Subjects that some analyses could not use, and why. */
export function leftOutTable(analysis: CohortAnalysis): Html | null {
  const reasons = new Map<string, Map<string, number>>();
  const cells = [
    ...analysis.outcomeTests,
    ...analysis.changeTests,
    ...analysis.baselineTests,
    ...analysis.regressions,
    ...analysis.correlations,
    ...analysis.mixedModels,
  ];
  for (const { subject, why } of [...analysis.leftOut, ...cells.flatMap((cell) => cell.leftOut)]) {
    const of = reasons.get(subject) ?? new Map<string, number>();
    of.set(why, (of.get(why) ?? 0) + 1);
    reasons.set(subject, of);
  }
  if (reasons.size === 0) return null;
  const always = new Set(analysis.leftOut.map((row) => row.subject));
  const rows = [...reasons].sort(([a], [b]) => (a < b ? -1 : 1));
  return table('Left out of analyses', rows, [
    { head: 'subject', cell: ([subject]) => subject, kind: 'words' },
    { head: 'why', cell: ([, of]) => [...of.keys()].join('; '), kind: 'sentence' },
    {
      head: 'from',
      cell: ([subject, of]) =>
        always.has(subject)
          ? 'all analyses'
          : `${[...of.values()].reduce((a, b) => a + b)} of ${cells.length} analyses`,
      kind: 'words',
    },
  ]);
}

/** How much of each region had data, and every value whose coverage was under the limit. */
export function coverageTables(rois: readonly RoiRow[]): Html {
  if (rois.length === 0) return html`<p>No region was measured.</p>`;
  const names = [...new Set(rois.map((row) => row.roi))];
  const flagged = rois.filter((row) => row.flagged);
  const summary = names.map((roi) => {
    const rows = rois.filter((row) => row.roi === roi);
    const lowest = rows.reduce((a, b) => (b.coverage < a.coverage ? b : a));
    return { roi, rows, lowest };
  });
  return html`${table('Coverage by region', summary, [
    { head: 'region', cell: ({ roi }) => roi, kind: 'words' },
    { head: 'MD maps', cell: ({ rows }) => String(rows.length) },
    {
      head: 'median voxels',
      cell: ({ rows }) =>
        format.fixed(
          quantile(
            rows.map((row) => row.voxels),
            0.5,
          ),
          0,
        ),
    },
    {
      head: 'median coverage',
      cell: ({ rows }) =>
        format.percent(
          quantile(
            rows.map((row) => row.coverage),
            0.5,
          ),
        ),
    },
    { head: 'lowest', cell: ({ lowest }) => format.percent(lowest.coverage) },
    { head: 'in', cell: ({ lowest }) => `${lowest.subject} ${lowest.session}`, kind: 'words' },
    { head: 'flagged', cell: ({ rows }) => String(rows.filter((row) => row.flagged).length) },
  ])}${
    flagged.length > 0 &&
    table(html`Flagged values <small>coverage under the study's limit</small>`, flagged, [
      { head: 'subject', cell: (row) => row.subject, kind: 'words' },
      { head: 'session', cell: (row) => row.session, kind: 'words' },
      { head: 'region', cell: (row) => row.roi, kind: 'words' },
      { head: 'voxels', cell: (row) => String(row.voxels) },
      { head: 'coverage', cell: (row) => format.percent(row.coverage) },
      {
        head: html`MD<br>(10⁻³ mm²/s)`,
        cell: (row) => (row.md === null ? html`<span class="none">no data</span>` : format.md(row.md)),
      },
    ])
  }`;
}

/** MD of each region and session, over subjects. */
export function mdTable(rois: readonly RoiRow[]): Html | null {
  const measured = rois.flatMap((row) => (row.md === null ? [] : [{ ...row, md: row.md }]));
  if (measured.length === 0) return null;
  const unique = (values: string[]) => [...new Set(values)];
  const rows = unique(rois.map((row) => row.roi)).flatMap((roi) =>
    unique(rois.map((row) => row.session)).map((session) => ({
      roi,
      session,
      md: measured.filter((row) => row.roi === roi && row.session === session).map((row) => row.md),
    })),
  );
  type Row = (typeof rows)[number];
  const of = (least: number, print: (md: number[]) => string) => (row: Row) =>
    row.md.length < least ? '\u2013' : print(row.md);
  return table(html`MD by region and session <small>all subjects and values, 10⁻³ mm²/s</small>`, rows, [
    { head: 'region', cell: (row) => row.roi, kind: 'words' },
    { head: 'session', cell: (row) => row.session, kind: 'words' },
    { head: 'n', cell: (row) => String(row.md.length) },
    { head: 'mean', cell: of(1, (values) => format.md(mean(values))) },
    { head: 'SD', cell: of(2, (values) => format.md(sd(values))) },
    { head: 'median', cell: of(1, (values) => format.md(quantile(values, 0.5))) },
    { head: 'range', cell: of(1, (v) => `${format.md(quantile(v, 0))} to ${format.md(quantile(v, 1))}`) },
  ]);
}

/** How well a simulated cohort's truth came back. */
export function truthTable(truth: readonly TruthRow[]): Html {
  return table(html`Recovery of the simulated truth <small>10⁻³ mm²/s</small>`, truth, [
    { head: 'region', cell: (row) => row.roi, kind: 'words' },
    { head: 'quantity', cell: (row) => row.quantity, kind: 'words' },
    { head: 'n', cell: (row) => String(row.n) },
    { head: 'truth', cell: (row) => format.change(row.truth) },
    { head: 'measured', cell: (row) => format.change(row.measured) },
    { head: 'bias', cell: (row) => format.change(row.measured - row.truth) },
    { head: 'RMSE', cell: (row) => format.change(row.rmse) },
    { head: 'r', cell: (row) => (row.correlation === null ? '\u2013' : format.bare(row.correlation)) },
  ]);
}

/** Pictures of each subject, in the order given; folded away where subjects are many. */
export function pictureSection(pictures: readonly SubjectPicture[]): Html {
  const subjects = [...new Set(pictures.map((picture) => picture.subject))];
  const figure = ({ subject, caption, pngBase64 }: SubjectPicture) =>
    html`<figure><img alt="${subject}: ${caption}" src="data:image/png;base64,${pngBase64}"><figcaption>${caption}</figcaption></figure>\n`;
  return html`<p class="soft">Slices are in radiological order: the subject's right is on the left.</p>
${subjects.map(
  (
    subject,
  ) => html`<details class="pictures"${subjects.length <= 4 && html` open`}><summary>${subject}</summary>
${pictures.filter((picture) => picture.subject === subject).map(figure)}</details>\n`,
)}`;
}
