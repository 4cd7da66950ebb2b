/** The figures of an analysis: which points go into which plot, and what stands above it. */

import { t975 } from '../../statistics/distributions.ts';
import type { ChangeTest, CohortAnalysis, InteractionCell, SubjectRow } from '../../statistics/plan.ts';
import type { GroupSummary } from '../../statistics/t-test.ts';
import * as format from './format.ts';
import { scatterPlot, stripPlot } from './plots.ts';

/** MD is drawn in 1e-3 mm2/s. */
const MD_UNIT = 1e3;

/** dMD against d-score for every region of an outcome, in the plan's order. SVG texts. */
export async function scatterFigures(
  analysis: CohortAnalysis,
  table: readonly SubjectRow[],
  outcome: string,
): Promise<string[]> {
  const cells = analysis.regressions.filter(
    (c) => c.outcome === outcome && c.change === 'raw' && c.covariates.length === 0,
  );
  const figures: string[] = [];
  for (const cell of cells)
    figures.push(
      await scatterPlot({
        title: `${cell.roi}, ${outcome}`,
        subtitle: describe(cell),
        xTitle: 'dMD (10⁻³ mm²/s)',
        yTitle: `${outcome} d-score`,
        groups: analysis.plan.groups,
        points: analysed(analysis, table, cell).map((row) => ({
          group: row.group,
          x: row.change[cell.roi]! * MD_UNIT,
          y: row.scores[outcome]!,
        })),
        lines: cell.result.ok,
      }),
    );
  return figures;
}

/** dMD of every subject by group, a region a figure, all on one scale. SVG texts. */
export async function stripFigures(
  analysis: CohortAnalysis,
  table: readonly SubjectRow[],
): Promise<string[]> {
  const { reference, treatment } = analysis.plan.groups;
  const values = analysis.changeTests.map((test) =>
    analysed(analysis, table, test).map((row) => ({
      group: row.group,
      y: row.change[test.variable]! * MD_UNIT,
    })),
  );
  const all = [0, ...values.flat().map((v) => v.y)];
  const yDomain = [Math.min(...all), Math.max(...all)] as const;
  if (yDomain[0] === yDomain[1]) return [];
  const figures: string[] = [];
  for (const [i, test] of analysis.changeTests.entries())
    figures.push(
      await stripPlot({
        title: test.variable,
        subtitle: test.result.ok ? format.pEquals(test.result.value.student.p) : 'not tested',
        yTitle: 'dMD (10⁻³ mm²/s)',
        groups: analysis.plan.groups,
        values: values[i],
        means: meansOf(test, reference, treatment),
        yDomain,
      }),
    );
  return figures;
}

/** `β = .386, t = 2.143, p = .035` of the interaction, or why there is none. */
function describe({ result }: InteractionCell): string {
  if (!result.ok) return 'no model';
  const { beta, t, p } = result.value.dummyCoded.interaction;
  return `dMD × group: β = ${format.bare(beta)}, t = ${format.fixed(t, 3)}, ${format.pEquals(p)}`;
}

function meansOf({ result }: ChangeTest, reference: string, treatment: string) {
  if (!result.ok) return [];
  const bar = (group: string, { n, mean, sd }: GroupSummary) => {
    const half = (t975(n - 1) * sd) / Math.sqrt(n);
    return { group, y: mean * MD_UNIT, low: (mean - half) * MD_UNIT, high: (mean + half) * MD_UNIT };
  };
  return [bar(reference, result.value.first), bar(treatment, result.value.second)];
}

/** The rows that a cell was computed from: all of both groups but the ones left out. */
function analysed(
  { plan, leftOut }: CohortAnalysis,
  table: readonly SubjectRow[],
  cell: InteractionCell | ChangeTest,
): SubjectRow[] {
  const out = new Set(cell.leftOut.map((row) => row.subject));
  const seen = new Set(leftOut.filter((row) => row.why.startsWith('group')).map((row) => row.subject));
  return table.filter(({ subject, group }) => {
    const first = !seen.has(subject);
    seen.add(subject);
    return first && !out.has(subject) && (group === plan.groups.reference || group === plan.groups.treatment);
  });
}
