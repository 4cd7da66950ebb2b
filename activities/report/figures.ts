/** The figures of an analysis: which points go into which plot, and what stands below it. */

import { t975 } from '../../statistics/distributions.ts';
import type { ChangeTest, CohortAnalysis, InteractionCell, SubjectRow } from '../../statistics/plan.ts';
import type { Coefficient } from '../../statistics/regression.ts';
import type { GroupSummary } from '../../statistics/t-test.ts';
import { adjustedChange, adjustedInteraction, analysedRows, primaryModels, twinOf } from './cells.ts';
import { type Estimate, forestPlot } from './forest.ts';
import * as format from './format.ts';
import { type Html, html, trusted } from './markup.ts';
import { raincloud } from './raincloud.ts';
import { scatterPlot } from './scatter.ts';

/** MD is drawn in 1e-3 mm2/s. */
const MD_UNIT = 1e3;
const CHANGE_TITLE = 'dMD (10⁻³ mm²/s)';

/** What figures are made from. */
export interface FigureInput {
  readonly analysis: CohortAnalysis;
  readonly table: readonly SubjectRow[];
  /** Address of each subject's page. */
  readonly pages: Readonly<Record<string, string>>;
}

/** A plot with its caption; one with points answers to pointer and keys where the page's script runs. */
function figure(title: string, caption: string, svg: string, points = true): Html {
  return html`<figure${points && html` class="points" aria-label="${title}"`}><div class="plot">${trusted(svg)}</div><figcaption><b>${title}</b> ${caption}</figcaption></figure>\n`;
}

/** `sub-01, ketamine: dMD 0.0123, MADRS 12`, with the subject's page. */
function about({ subject, group }: SubjectRow, words: string, pages: FigureInput['pages']) {
  const page = Object.hasOwn(pages, subject) ? { href: pages[subject] } : {};
  return { group, about: `${subject}, ${group}: ${words}`, ...page };
}

/** dMD against d-score for every region of an outcome, in the plan's order. */
export async function scatterFigures(
  { analysis, table, pages }: FigureInput,
  outcome: string,
): Promise<Html[]> {
  const { groups } = analysis.plan;
  const figures: Html[] = [];
  for (const cell of primaryModels(analysis, outcome)) {
    const { roi, result } = cell;
    const points = analysedRows(analysis, table, cell).map((row) => {
      const [change, score] = [row.change[roi]!, row.scores[outcome]!];
      return {
        ...about(row, `dMD ${format.change(change)}, ${outcome} ${format.fixed(score, 1)}`, pages),
        x: change * MD_UNIT,
        y: score,
      };
    });
    const svg = await scatterPlot({
      xTitle: CHANGE_TITLE,
      yTitle: `${outcome} d-score`,
      groups,
      points,
      lines: result.ok,
    });
    figures.push(figure(`${roi}, ${outcome}.`, interactionInWords(analysis, cell), svg));
  }
  return figures;
}

/** dMD of every subject by group, a region a figure, all on one scale. */
export async function changeFigures({ analysis, table, pages }: FigureInput): Promise<Html[]> {
  const { groups } = analysis.plan;
  const drops = analysis.changeTests.map((test) =>
    analysedRows(analysis, table, test).map((row) => {
      const change = row.change[test.variable]!;
      return { ...about(row, `dMD ${format.change(change)}`, pages), x: change * MD_UNIT };
    }),
  );
  const all = [0, ...drops.flat().map(({ x }) => x)];
  const xDomain = [Math.min(...all), Math.max(...all)] as const;
  if (xDomain[0] === xDomain[1]) return [];
  const figures: Html[] = [];
  for (const [i, test] of analysis.changeTests.entries()) {
    const svg = await raincloud({
      xTitle: CHANGE_TITLE,
      groups,
      drops: drops[i],
      means: meansOf(test, groups),
      xDomain,
    });
    figures.push(figure(`${test.variable}.`, differenceInWords(analysis, test), svg));
  }
  return figures;
}

/** The interaction of every region, as tested and by every other way; null where no model could be fitted. */
export async function forestFigure(
  { analysis }: Pick<FigureInput, 'analysis'>,
  outcome: string,
): Promise<Html | null> {
  const estimates: Estimate[] = [];
  for (const cell of primaryModels(analysis, outcome))
    for (const { name, beta, ci95, note } of waysToEstimate(analysis, cell))
      estimates.push({
        row: cell.roi,
        analysis: name,
        x: beta,
        low: ci95[0],
        high: ci95[1],
        about: `${cell.roi}, ${name}: β = ${format.interval(beta, ci95, format.bare)}${note}`,
      });
  if (estimates.length === 0) return null;
  const unique = (values: readonly string[]) => [...new Set(values)];
  const svg = await forestPlot({
    xTitle: `β of dMD × group on ${outcome} (95 % CI)`,
    rows: unique(estimates.map(({ row }) => row)),
    analyses: unique(estimates.map(({ analysis }) => analysis)),
    estimates,
  });
  return figure(
    `dMD × group on ${outcome}.`,
    'Standardized coefficient and 95 % confidence interval in each region; the first line of each is the primary analysis.',
    svg,
  );
}

interface Way {
  readonly name: string;
  readonly beta: number;
  readonly ci95: readonly [number, number];
  readonly note: string;
}

/** The standardized interaction by each analysis that has a confidence interval. */
function waysToEstimate(analysis: CohortAnalysis, cell: InteractionCell): Way[] {
  if (!cell.result.ok) return [];
  const primary = cell.result.value.dummyCoded.interaction;
  if (primary.b === 0) return [];
  const way = (name: string, of: Pick<Coefficient, 'b' | 'ci95'>, scale: number, p?: number): Way => ({
    name,
    beta: of.b * scale,
    ci95: [of.ci95[0] * scale, of.ci95[1] * scale],
    note: p === undefined ? '' : `, ${format.pEquals(p)}`,
  });
  // Slopes of one model differ from their standardized form by one factor.
  const scale = primary.beta / primary.b;
  const twin = (name: string, change: InteractionCell['change'], covariates: readonly string[]) => {
    const result = twinOf(analysis, cell, change, covariates)?.result;
    if (!result?.ok) return [];
    const { interaction } = result.value.dummyCoded;
    return interaction.b === 0
      ? []
      : [way(name, interaction, interaction.beta / interaction.b, interaction.p)];
  };
  const { checks, sensitivity } = cell;
  const bootstrap = sensitivity?.bootstrap;
  return [
    way('primary', primary, scale, primary.p),
    ...twin('dMD Winsorized', 'winsorized', []),
    ...(analysis.plan.covariates ?? []).flatMap((set) =>
      twin(`with ${set.map(format.covariate).join(', ')}`, 'raw', set),
    ),
    ...(checks?.ok ? [way('HC3 errors', checks.value.hc3, scale, checks.value.hc3.p)] : []),
    ...(bootstrap?.ok
      ? [
          way(
            'bootstrap (BCa)',
            { b: bootstrap.value.interaction.estimate, ci95: bootstrap.value.interaction.ci95 },
            scale,
          ),
        ]
      : []),
  ];
}

/** `dMD × group: β = .386 [.028, .744], t = 2.143, p = .035 (Holm .24).`, or why there is none. */
function interactionInWords(analysis: CohortAnalysis, { outcome, roi, n, result }: InteractionCell): string {
  if (!result.ok) return `No model: ${result.reason}.`;
  const { beta, b, ci95, t, p } = result.value.dummyCoded.interaction;
  const scale = beta / b;
  const size =
    b === 0 ? format.bare(beta) : format.interval(beta, [ci95[0] * scale, ci95[1] * scale], format.bare);
  const holm = adjustedInteraction(analysis, outcome, roi)?.holm;
  return `n = ${n}; dMD × group: β = ${size}, t = ${format.fixed(t, 3)}, ${format.pEquals(p)}${holm === undefined ? '' : ` (Holm ${format.pValue(holm)})`}.`;
}

function differenceInWords(analysis: CohortAnalysis, { variable, n, result }: ChangeTest): string {
  if (!result.ok) return `Not tested: ${result.reason}.`;
  const { difference, student } = result.value;
  const holm = adjustedChange(analysis, variable)?.holm;
  return `n = ${n}; difference ${format.interval(difference, student.ci95, format.change)}, ${format.pEquals(student.p)}${holm === undefined ? '' : ` (Holm ${format.pValue(holm)})`}.`;
}

function meansOf({ result }: ChangeTest, { reference, treatment }: CohortAnalysis['plan']['groups']) {
  if (!result.ok) return [];
  const bar = (group: string, { n, mean, sd }: GroupSummary) => {
    const half = (t975(n - 1) * sd) / Math.sqrt(n);
    return { group, x: mean * MD_UNIT, low: (mean - half) * MD_UNIT, high: (mean + half) * MD_UNIT };
  };
  return [bar(reference, result.value.first), bar(treatment, result.value.second)];
}
