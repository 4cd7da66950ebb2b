/** What a reader wants to know in a minute: the question, who was analysed, what came out, and what to beware of. */
import type { CohortAnalysis, InteractionCell, OutcomeTest } from '../../statistics/plan.ts';
import { adjustedChange, adjustedInteraction, primaryModels } from './cells.ts';
import * as format from './format.ts';
import { type Html, html } from './markup.ts';
import type { GroupReport } from './types.ts';

/** The first section of the page. */
export function summarySection(report: GroupReport): Html {
  const { analysis, cohort, notes } = report;
  const of = (status: string) => cohort.filter((row) => row.status === status).length;
  const tiles: [number, string][] = [
    [of('done'), `of ${cohort.length} processed`],
    [of('failed'), 'failed'],
    [of('excluded'), 'excluded'],
  ];
  if (analysis !== undefined)
    for (const which of ['reference', 'treatment'] as const)
      tiles.push([analysis.n[which], `${analysis.plan.groups[which]} in the analysis`]);
  const list = (lines: readonly string[]) => html`<ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
  const warnings = caveats(report);
  return html`<ul class="tiles">${tiles.map(([n, label]) => html`<li><b>${n}</b><span>${label}</span></li>`)}</ul>
${
  analysis === undefined
    ? html`<p>No groups were compared.</p>`
    : html`<h3>What was asked</h3><p>${question(analysis)}</p>
<h3>What came out</h3>${list(findings(analysis))}`
}
${warnings.length > 0 && html`<h3>What to beware of</h3>${list(warnings)}`}
${notes.map((note) => html`<p class="note">${note}</p>`)}`;
}

/** One sentence. */
export function question({ plan, n }: CohortAnalysis): string {
  const { reference, treatment } = plan.groups;
  return `Between baseline and follow-up, do ${n.treatment} subjects with ${treatment} and ${n.reference} with ${reference} differ in the change of ${format.list(plan.outcomes)} and of mean diffusivity (MD) in ${format.count(plan.rois.length, 'region')}, and does the change in MD go with the change in score differently in the two groups?`;
}

/** Scores by group, dMD by group, interactions: a sentence each, with effect size, confidence interval and p. */
export function findings(analysis: CohortAnalysis): string[] {
  return [
    ...analysis.outcomeTests.filter((test) => !test.exploratory).map((test) => scoreFinding(analysis, test)),
    changeFinding(analysis),
    ...analysis.plan.outcomes.map((outcome) => interactionFinding(analysis, outcome)),
  ];
}

/** `fell by 8.1`: changes are baseline minus follow-up. */
function moved(change: number, print: (v: number) => string): string {
  return `${change < 0 ? 'rose' : 'fell'} by ${print(Math.abs(change))}`;
}

function scoreFinding({ plan }: CohortAnalysis, { variable, result, effect }: OutcomeTest): string {
  const { reference, treatment } = plan.groups;
  if (!result.ok) return `${variable} by group could not be tested: ${result.reason}.`;
  const { first, second, difference, student } = result.value;
  const print = (v: number) => format.fixed(v, 1);
  // Told as treatment minus reference: what treatment adds.
  const [low, high] = [-student.ci95[1], -student.ci95[0]];
  const size = effect.ok ? `; d = ${format.fixed(-effect.value.cohensD.value, 2)}` : '';
  const verdict = student.p < 0.05 ? '' : ' No difference could be shown.';
  const alike = second.mean < 0 === first.mean < 0;
  const other = alike ? `by ${print(Math.abs(first.mean))}` : moved(first.mean, print);
  return `${variable} ${moved(second.mean, print)} points with ${treatment} and ${other} with ${reference}: a difference of ${print(-difference)} points (95 % CI ${print(low)} to ${print(high)}${size}), ${format.tEquals(student.t, student.df)}, ${format.pEquals(student.p)}.${verdict}`;
}

const MANY = 3;

function changeFinding(analysis: CohortAnalysis): string {
  const { reference, treatment } = analysis.plan.groups;
  const tests = analysis.changeTests.flatMap(({ result, ...test }) =>
    result.ok ? [{ ...test, ...result.value }] : [],
  );
  if (tests.length === 0) return 'The change in MD could not be compared between the groups.';
  const low = tests.filter(({ student }) => student.p < 0.05);
  if (low.length === 0)
    return `No difference between the groups in the change of MD could be shown in any of ${format.count(tests.length, 'region')} (lowest ${format.pEquals(Math.min(...tests.map(({ student }) => student.p)))}, not adjusted).`;
  const held = low.filter(({ variable }) => (adjustedChange(analysis, variable)?.holm ?? 1) < 0.05);
  const told = [...low].sort((a, b) => a.student.p - b.student.p).slice(0, MANY);
  const list = told.map(({ variable, difference, student, effect }) => {
    const holm = adjustedChange(analysis, variable)?.holm;
    const d = effect.ok ? `, d = ${format.fixed(-effect.value.cohensD.value, 2)}` : '';
    return `${variable} (${treatment} minus ${reference} ${format.change(-difference)}, 95 % CI ${format.change(-student.ci95[1])} to ${format.change(-student.ci95[0])} × 10⁻³ mm²/s${d}; ${format.pEquals(student.p)}${holm === undefined ? '' : `, adjusted ${format.pEquals(holm)}`})`;
  });
  return `The fall in MD differed between the groups in ${low.length} of ${format.count(tests.length, 'region')}; after adjustment for their number (Holm) in ${held.length}. ${low.length > MANY ? 'Most clearly in' : 'In'} ${list.join('; ')}.`;
}

function interactionFinding(analysis: CohortAnalysis, outcome: string): string {
  const { reference, treatment } = analysis.plan.groups;
  const models = primaryModels(analysis, outcome).flatMap(({ roi, result }) =>
    result.ok ? [{ roi, ...result.value.dummyCoded.interaction }] : [],
  );
  if (models.length === 0) return `No model of ${outcome} could be fitted.`;
  const low = models.filter(({ p }) => p < 0.05);
  const regions = format.count(models.length, 'region');
  if (low.length === 0)
    return `That the change in MD goes with the change in ${outcome} differently in the two groups could not be shown in any of ${regions} (lowest ${format.pEquals(Math.min(...models.map(({ p }) => p)))}, not adjusted).`;
  const told = [...low].sort((a, b) => a.p - b.p).slice(0, MANY);
  const list = told.map(({ roi, b, beta, ci95, t, p }) => {
    const holm = adjustedInteraction(analysis, outcome, roi)?.holm;
    const scale = beta / b;
    const interval =
      b === 0 ? '' : ` (95 % CI ${format.bare(ci95[0] * scale)} to ${format.bare(ci95[1] * scale)})`;
    return `${roi}: the slope is ${b > 0 ? 'higher' : 'lower'} with ${treatment} than with ${reference}, β = ${format.bare(beta)}${interval}, t = ${format.fixed(t, 3)}, ${format.pEquals(p)}${holm === undefined ? '' : `, adjusted ${format.pEquals(holm)}`}`;
  });
  return `The change in MD went with the change in ${outcome} differently in the two groups in ${low.length} of ${regions}. ${list.join('; ')}.`;
}

/** What weakens the findings, from the data themselves. */
function caveats({ analysis, cohort, rois, truth, keepingExcluded }: GroupReport): string[] {
  const lines: string[] = [];
  if (truth !== undefined && truth.length > 0)
    lines.push('These subjects were simulated. Nothing on this page is about patients.');
  const lost = cohort.filter((row) => row.status !== 'done').length;
  if (lost > 0)
    lines.push(
      `${format.count(lost, 'subject')} of ${cohort.length} failed or were excluded: see the flow of subjects.`,
    );
  if (analysis !== undefined) {
    const { outcomes, rois: regions, exploratory = [] } = analysis.plan;
    const tests = outcomes.length + regions.length + outcomes.length * regions.length;
    lines.push(
      `${format.count(tests, 'primary test')} were made; by chance alone about ${format.fixed(0.05 * tests, 1)} would have p < .05. Adjusted p values (Holm) are for the regions of one question, not for all questions together.`,
    );
    if (exploratory.length > 0)
      lines.push(
        `${format.list(exploratory)} ${exploratory.length === 1 ? 'is' : 'are'} exploratory and not among them.`,
      );
    const fragile = fragileInteractions(analysis);
    if (fragile.length > 0)
      lines.push(
        `p < .05 in the primary model, but not in every sensitivity analysis: ${fragile.join('; ')}.`,
      );
    const missing = new Set(
      [...analysis.outcomeTests, ...analysis.changeTests].flatMap((cell) =>
        cell.leftOut.map((row) => row.subject),
      ),
    );
    if (missing.size > 0)
      lines.push(
        `${format.count(missing.size, 'subject')} lacked a score or a region and ${missing.size === 1 ? 'is' : 'are'} missing from the tests that need it; nothing was imputed.`,
      );
    if (keepingExcluded !== undefined)
      lines.push(
        'Subjects were excluded from the analysis; what keeping them would change is under Sensitivity.',
      );
  }
  const flagged = rois.filter((row) => row.flagged).length;
  if (flagged > 0)
    lines.push(
      `${format.count(flagged, 'regional value')} of ${rois.length} had too little coverage and ${flagged === 1 ? 'was' : 'were'} not used.`,
    );
  return lines;
}

/** Primary interactions that one of the other ways to test them does not bear out. */
function fragileInteractions(analysis: CohortAnalysis): string[] {
  const { regressions, plan } = analysis;
  return plan.outcomes.flatMap((outcome) =>
    primaryModels(analysis, outcome).flatMap((cell) => {
      if (!cell.result.ok || cell.result.value.dummyCoded.interaction.p >= 0.05) return [];
      const twins = regressions
        .filter((twin) => twin.outcome === outcome && twin.roi === cell.roi)
        .flatMap(({ result }) => (result.ok ? [result.value.dummyCoded.interaction.p] : []));
      return [...twins, ...checksOf(cell)].some((p) => p >= 0.05) ? [`${cell.roi} on ${outcome}`] : [];
    }),
  );
}

function checksOf({ checks }: InteractionCell): number[] {
  return checks?.ok ? [checks.value.hc3.p, checks.value.permutation.p] : [];
}
