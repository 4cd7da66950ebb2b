/** The statistics as tables. */
import type {
  CohortAnalysis,
  CorrelationCell,
  GroupTest,
  InteractionCell,
  OutcomeTest,
} from '../../statistics/plan.ts';
import type { Coefficient, Slope } from '../../statistics/regression.ts';
import type { TTest } from '../../statistics/t-test.ts';
import { adjustedChange, adjustedInteraction, isPrimary, primaryModels } from './cells.ts';
import * as format from './format.ts';
import { type Column, type Html, html, table } from './markup.ts';

export const NONE = '\u2013';

/** A p, in bold under .05. */
export function significance(p: number): Html {
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
      cell: of(({ difference, student: { ci95 } }) => format.interval(difference, ci95, printDifference)),
    },
    { head: 'Student', cell: of(({ student }) => format.tEquals(student.t, student.df)) },
    { head: 'p', cell: of(({ student }) => significance(student.p)) },
    {
      head: html`d<br>[95 % CI]`,
      cell: ({ effect }) =>
        effect.ok
          ? format.interval(effect.value.cohensD.value, effect.value.cohensD.ci95, (v) => format.fixed(v, 2))
          : NONE,
    },
    { head: 'g', cell: ({ effect }) => (effect.ok ? format.fixed(effect.value.hedgesG.value, 2) : NONE) },
  ];
}

/** Beside Student's test: the one that does not suppose equal variances. */
function welch<Row extends GroupTest>(): Column<Row> {
  return {
    head: html`p<br>Welch`,
    cell: ({ result }) => (result.ok ? significance(result.value.welch.p) : NONE),
  };
}

/** A last column with reasons, only where a row has one. */
export function reasons<Row extends { readonly result: { ok: boolean; reason?: string } }>(
  rows: readonly Row[],
): Column<Row>[] {
  if (rows.every(({ result }) => result.ok)) return [];
  const cell = ({ result }: Row) => (result.ok ? '' : html`<span class="none">${result.reason ?? ''}</span>`);
  return [{ head: 'not computed because', cell, kind: 'sentence' }];
}

const differences = ({ plan: { groups } }: CohortAnalysis) =>
  `Differences, Cohen’s d and Hedges’ g are ${groups.reference} minus ${groups.treatment}.`;

/** Group tests of the d-scores. */
export function outcomeTable(analysis: CohortAnalysis): Html {
  const rows = analysis.outcomeTests;
  const print = (v: number) => format.fixed(v, 2);
  const exploratory: Column<OutcomeTest> = {
    head: '',
    cell: (row) => (row.exploratory ? 'exploratory' : ''),
    kind: 'words',
  };
  return table(
    'd-score by group',
    rows,
    [
      ...groupColumns<OutcomeTest>(analysis, 'outcome', print, print),
      welch<OutcomeTest>(),
      ...(rows.some((row) => row.exploratory) ? [exploratory] : []),
      ...reasons(rows),
    ],
    { note: `${differences(analysis)} d-score: baseline minus follow-up, so that a fall is positive.` },
  );
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
  const adjusted = (head: string, which: 'holm' | 'fdr'): Column<Row> => ({
    head: html`p<br>${head}`,
    cell: ({ variable }) => {
      const member = adjustedChange(analysis, variable);
      return member === undefined ? NONE : significance(member[which]);
    },
  });
  return table(
    html`dMD by group <small>baseline minus follow-up, 10⁻³ mm²/s</small>`,
    rows,
    [
      ...groupColumns<Row>(analysis, 'region', format.change, format.change),
      adjusted('Holm', 'holm'),
      adjusted('FDR', 'fdr'),
      ...(analysis.plan.winsorize === 'none' ? [] : twin),
      ...reasons(rows),
    ],
    {
      note: `${differences(analysis)} p Holm, p FDR: Student’s p adjusted for the number of regions.${analysis.plan.winsorize === 'none' ? '' : ' Pulled in: values changed by Winsorizing.'}`,
    },
  );
}

/** Whether the groups differed before treatment. */
export function baselineTable(analysis: CohortAnalysis): Html {
  const rows = analysis.baselineTests;
  return table(html`MD at baseline by group <small>10⁻³ mm²/s</small>`, rows, [
    ...groupColumns<GroupTest>(analysis, 'region', format.md, format.change),
    welch<GroupTest>(),
    ...reasons(rows),
  ]);
}

/** Table 2: the primary interaction models of one outcome, three terms a region. */
export function tableTwo(analysis: CohortAnalysis, outcome: string, caption: string): Html {
  const { reference, treatment } = analysis.plan.groups;
  interface Row {
    readonly cell: InteractionCell;
    readonly term: 'change' | 'group' | 'interaction';
  }
  const rows = primaryModels(analysis, outcome).flatMap((cell): Row[] =>
    cell.result.ok
      ? (['change', 'group', 'interaction'] as const).map((term) => ({ cell, term }))
      : [{ cell, term: 'change' }],
  );
  const names = { change: 'dMD', group: 'group', interaction: 'dMD × group' };
  const of =
    (print: (slope: Slope) => string | Html) =>
    ({ cell: { result }, term }: Row) =>
      result.ok ? print(result.value.dummyCoded[term]) : NONE;
  // Points per 1e-5 mm2/s: changes in MD are of that size.
  const points = (term: Row['term'], value: number) =>
    format.fixed(term === 'group' ? value : value * 1e-5, 2);
  const adjusted = (which: 'holm' | 'fdr') => (row: Row) => {
    const member = adjustedInteraction(analysis, outcome, row.cell.roi);
    return row.term !== 'interaction' || member === undefined ? '' : significance(member[which]);
  };
  return table(
    caption,
    rows,
    [
      { head: '', cell: ({ cell, term }) => (cell.result.ok ? names[term] : 'no model'), kind: 'words' },
      {
        head: html`B<br>[95 % CI]`,
        cell: (row) => of(({ b, ci95 }) => format.interval(b, ci95, (v) => points(row.term, v)))(row),
      },
      { head: 'SE', cell: (row) => of(({ se }) => points(row.term, se))(row) },
      { head: 'β', cell: of(({ beta }) => format.bare(beta)) },
      { head: 't', cell: of(({ t }) => format.fixed(t, 3)) },
      { head: 'p', cell: of(({ p }) => significance(p)) },
      { head: html`p<br>Holm`, cell: adjusted('holm') },
      { head: html`p<br>FDR`, cell: adjusted('fdr') },
      { head: html`partial<br>r`, cell: of(({ partialR }) => format.bare(partialR)) },
    ],
    {
      heading: (row) => (row.term === 'change' ? modelHeading(row.cell) : null),
      note: `d-score ~ dMD + group + dMD × group; group 0 (${reference}) or 1 (${treatment}), dMD from its mean. B of dMD and of the product per 10⁻⁵ mm²/s. ΔR²: what the product adds. p Holm, p FDR: p of the product, adjusted within its family.`,
    },
  );
}

function modelHeading({ roi, n, result, r2Change }: InteractionCell): Html {
  if (!result.ok) return html`${roi} <small>n = ${n}: ${result.reason}</small>`;
  const { r2, adjustedR2, f, df1, df2, p } = result.value.dummyCoded.regression;
  const added = r2Change.ok ? `, ΔR² = ${format.bare(r2Change.value.r2Change)}` : '';
  return html`${roi} <small>n = ${n}, R² = ${format.bare(r2)} (adjusted ${format.bare(adjustedR2)})${added}, F(${df1}, ${df2}) = ${format.fixed(f, 2)}, ${format.pEquals(p)}</small>`;
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
    const primary = isPrimary(cell);
    return [['0/1', dummyCoded] as const, ...(primary ? [['z', zScored] as const] : [])].flatMap(
      ([coding, fit]) =>
        [fit.regression.intercept, ...fit.regression.slopes].map((coefficient) => ({
          cell,
          coding,
          coefficient,
        })),
    );
  });
  const { precise } = format;
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
