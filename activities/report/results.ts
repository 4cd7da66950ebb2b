/** The statistics as tables. */
import type { InteractionModel } from '../../statistics/interaction.ts';
import type {
  CohortAnalysis,
  CorrelationCell,
  GroupTest,
  InteractionCell,
  OutcomeTest,
} from '../../statistics/plan.ts';
import type { Coefficient, Slope } from '../../statistics/regression.ts';
import type { TTest } from '../../statistics/t-test.ts';
import * as format from './format.ts';
import { type Column, type Html, html, table } from './markup.ts';

const NONE = '\u2013';

/** A p, in bold under .05. */
function significance(p: number): Html {
  return p < 0.05 ? html`<b class="low">${format.pValue(p)}</b>` : html`${format.pValue(p)}`;
}

/** Columns that test two groups. */
function groupColumns<Row extends GroupTest>(
  analysis: CohortAnalysis,
  head: string,
  print: (value: number) => string,
  printDifference: (value: number) => string,
): Column<Row>[] {
  const { reference, treatment } = analysis.plan.groups;
  const of = (cell: (test: TTest) => string | Html) => (row: Row) =>
    row.result.ok ? cell(row.result.value) : NONE;
  const summary = (which: 'first' | 'second') =>
    of(({ [which]: { n, mean, sd } }) => `${print(mean)} ± ${print(sd)} (${n})`);
  return [
    { head, cell: (row) => row.variable, kind: 'words' },
    { head: html`${reference}<br>mean ± SD (n)`, cell: summary('first') },
    { head: html`${treatment}<br>mean ± SD (n)`, cell: summary('second') },
    {
      head: html`difference<br>[95 % CI]`,
      cell: of(({ difference, student: { ci95 } }) =>
        [difference, ...ci95]
          .map(printDifference)
          .map((v, i) => (i === 0 ? v : i === 1 ? ` [${v}, ` : `${v}]`))
          .join(''),
      ),
    },
    { head: 'Student', cell: of(({ student }) => format.tEquals(student.t, student.df)) },
    { head: 'p', cell: of(({ student }) => significance(student.p)) },
    { head: html`p<br>Welch`, cell: of(({ welch }) => significance(welch.p)) },
    { head: 'd', cell: of(({ cohensD }) => format.fixed(cohensD, 2)) },
  ];
}

/** A last column with reasons, only where a row has one. */
function reasons<Row extends { readonly result: { ok: boolean; reason?: string } }>(
  rows: readonly Row[],
): Column<Row>[] {
  if (rows.every(({ result }) => result.ok)) return [];
  const cell = ({ result }: Row) => (result.ok ? '' : html`<span class="none">${result.reason ?? ''}</span>`);
  return [{ head: 'not computed because', cell, kind: 'sentence' }];
}

/** Group tests of the d-scores. */
export function outcomeTable(analysis: CohortAnalysis): Html {
  const rows = analysis.outcomeTests;
  const print = (v: number) => format.fixed(v, 2);
  const exploratory: Column<OutcomeTest> = {
    head: '',
    cell: (row) => (row.exploratory ? 'exploratory' : ''),
    kind: 'words',
  };
  return table('d-score by group', rows, [
    ...groupColumns<OutcomeTest>(analysis, 'outcome', print, print),
    ...(rows.some((row) => row.exploratory) ? [exploratory] : []),
    ...reasons(rows),
  ]);
}

/** Group tests of dMD, raw and Winsorized. */
export function changeTable(analysis: CohortAnalysis): Html {
  const rows = analysis.changeTests;
  type Row = (typeof rows)[number];
  const winsorized = (cell: (test: TTest) => string | Html) => (row: Row) =>
    row.winsorized?.ok ? cell(row.winsorized.value) : NONE;
  const twin: Column<Row>[] = [
    { head: html`Winsorized<br>t`, cell: winsorized(({ student }) => format.fixed(student.t, 2)) },
    { head: html`<br>p`, cell: winsorized(({ student }) => significance(student.p)) },
    { head: html`pulled<br>in`, cell: (row) => String(row.pulled.length) },
  ];
  return table(html`dMD by group <small>baseline minus follow-up, 10⁻³ mm²/s</small>`, rows, [
    ...groupColumns<Row>(analysis, 'region', format.change, format.change),
    ...(analysis.plan.winsorize === 'none' ? [] : twin),
    ...reasons(rows),
  ]);
}

/** Whether the groups differed before treatment. */
export function baselineTable(analysis: CohortAnalysis): Html {
  const rows = analysis.baselineTests;
  return table(html`MD at baseline by group <small>10⁻³ mm²/s</small>`, rows, [
    ...groupColumns<GroupTest>(analysis, 'region', format.md, format.change),
    ...reasons(rows),
  ]);
}

const sameCovariates = (a: readonly string[], b: readonly string[]) => a.join('\n') === b.join('\n');

/** The interaction models of one outcome, a region a row, with the interaction's p in every sensitivity analysis. */
export function regressionTable(analysis: CohortAnalysis, outcome: string, title: string): Html {
  const cells = analysis.regressions.filter((cell) => cell.outcome === outcome);
  const rows = cells.filter((cell) => cell.change === 'raw' && cell.covariates.length === 0);
  const of = (cell: (model: InteractionModel) => string | Html) => (row: InteractionCell) =>
    row.result.ok ? cell(row.result.value) : NONE;
  const slope = (head: Html, pick: (model: InteractionModel) => Slope): Column<InteractionCell>[] => [
    { head, cell: of((model) => format.bare(pick(model).beta)) },
    { head: html`<br>t`, cell: of((model) => format.fixed(pick(model).t, 3)) },
    { head: html`<br>p`, cell: of((model) => significance(pick(model).p)) },
  ];
  const sensitivity = (head: Html, change: InteractionCell['change'], covariates: readonly string[]) => ({
    head,
    cell: ({ roi }: InteractionCell) => {
      const twin = cells.find(
        (c) => c.roi === roi && c.change === change && sameCovariates(c.covariates, covariates),
      );
      return twin?.result.ok ? significance(twin.result.value.dummyCoded.interaction.p) : NONE;
    },
  });
  return table(
    html`${title} <small>d-score ~ dMD + group + dMD × group; on the right p of dMD × group in sensitivity analyses</small>`,
    rows,
    [
      { head: 'region', cell: (row) => row.roi, kind: 'words' },
      { head: 'n', cell: (row) => String(row.n) },
      ...slope(html`dMD<br>β`, ({ dummyCoded }) => dummyCoded.change),
      ...slope(html`group<br>β`, ({ dummyCoded }) => dummyCoded.group),
      ...slope(html`dMD ×<br>group β`, ({ dummyCoded }) => dummyCoded.interaction),
      { head: html`model<br>R²`, cell: of(({ dummyCoded }) => format.bare(dummyCoded.regression.r2)) },
      { head: html`model<br>p`, cell: of(({ dummyCoded }) => significance(dummyCoded.regression.p)) },
      ...(analysis.plan.winsorize === 'none' ? [] : [sensitivity(html`dMD<br>Winsorized`, 'winsorized', [])]),
      ...(analysis.plan.covariates ?? []).map((set) =>
        sensitivity(html`with<br>${set.map(format.covariate).join(', ')}`, 'raw', set),
      ),
      ...reasons(rows),
    ],
  );
}

/** Pearson's r within each group, a region and outcome a row. */
export function correlationTable(analysis: CohortAnalysis): Html {
  const { reference, treatment } = analysis.plan.groups;
  const of = (row: CorrelationCell, group: string) =>
    analysis.correlations.find((c) => c.outcome === row.outcome && c.roi === row.roi && c.group === group)!;
  const columns = (group: string): Column<CorrelationCell>[] => [
    { head: html`n<br>${group}`, cell: (row) => String(of(row, group).n) },
    {
      head: html`r [95 % CI]<br>${group}`,
      cell(row) {
        const { result } = of(row, group);
        if (!result.ok) return html`<span class="none">${result.reason}</span>`;
        const { r, ci95 } = result.value;
        return ci95 ? `${format.bare(r)} [${format.bare(ci95[0])}, ${format.bare(ci95[1])}]` : format.bare(r);
      },
    },
    {
      head: html`p<br>${group}`,
      cell(row) {
        const { result } = of(row, group);
        return result.ok ? significance(result.value.p) : NONE;
      },
    },
  ];
  return table(
    'Correlation of dMD with d-score within each group',
    analysis.correlations.filter((c) => c.group === reference),
    [
      { head: 'outcome', cell: (row) => row.outcome, kind: 'words' },
      { head: 'region', cell: (row) => row.roi, kind: 'words' },
      ...columns(reference),
      ...columns(treatment),
    ],
  );
}

/** Every coefficient of every model; of the z-scored coding those of the primary models. */
export function coefficientTable(analysis: CohortAnalysis): Html {
  interface Row {
    readonly cell: InteractionCell;
    readonly coding: string;
    readonly coefficient: Coefficient & Partial<Slope>;
  }
  const rows = analysis.regressions.flatMap((cell): Row[] => {
    if (!cell.result.ok) return [];
    const { dummyCoded, zScored } = cell.result.value;
    const primary = cell.change === 'raw' && cell.covariates.length === 0;
    return [['0/1', dummyCoded] as const, ...(primary ? [['z', zScored] as const] : [])].flatMap(
      ([coding, fit]) =>
        [fit.regression.intercept, ...fit.regression.slopes].map((coefficient) => ({
          cell,
          coding,
          coefficient,
        })),
    );
  });
  const precise = (v: number) =>
    v.toPrecision(4).replace('-', '\u2212').replace('e-', 'e\u2212').replace('e+', 'e');
  return table(html`All coefficients <small>B of dMD is per mm²/s</small>`, rows, [
    { head: 'outcome', cell: ({ cell }) => cell.outcome, kind: 'words' },
    { head: 'region', cell: ({ cell }) => cell.roi, kind: 'words' },
    { head: 'dMD', cell: ({ cell }) => (cell.change === 'raw' ? 'raw' : 'Winsorized') },
    { head: 'coding', cell: ({ coding }) => coding },
    { head: 'term', cell: ({ coefficient }) => coefficient.term.replace(' x ', ' × '), kind: 'words' },
    { head: 'B', cell: ({ coefficient: { b } }) => precise(b) },
    { head: 'SE', cell: ({ coefficient: { se } }) => precise(se) },
    { head: '95 % CI', cell: ({ coefficient: { ci95 } }) => `${precise(ci95[0])}, ${precise(ci95[1])}` },
    { head: 'β', cell: ({ coefficient: { beta } }) => (beta === undefined ? '' : format.bare(beta)) },
    { head: 't', cell: ({ coefficient: { t } }) => format.fixed(t, 3) },
    { head: 'p', cell: ({ coefficient: { p } }) => significance(p) },
    {
      head: html`partial<br>r`,
      cell: ({ coefficient: { partialR } }) => (partialR === undefined ? '' : format.bare(partialR)),
    },
    {
      head: 'df',
      cell: ({ cell }) => (cell.result.ok ? String(cell.result.value.dummyCoded.regression.df2) : ''),
    },
    { head: 'with', cell: ({ cell }) => cell.covariates.map(format.covariate).join(', '), kind: 'words' },
  ]);
}
