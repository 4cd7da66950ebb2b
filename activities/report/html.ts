/** The group's page: one HTML file that needs nothing else. */
import type { CohortAnalysis, SubjectRow } from '../../statistics/plan.ts';
import { scatterFigures, stripFigures } from './figures.ts';
import * as format from './format.ts';
import { type Html, html, trusted } from './markup.ts';
import { headlines, statisticalMethods } from './methods.ts';
import {
  attentionTable,
  cohortTable,
  coverageTables,
  leftOutTable,
  mdTable,
  pictureSection,
  truthTable,
} from './records.ts';
import {
  baselineTable,
  changeTable,
  coefficientTable,
  correlationTable,
  outcomeTable,
  regressionTable,
} from './results.ts';
import { CSS } from './style.ts';
import type { GroupReport } from './types.ts';

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/**
 * Renders the report: summary, what needs attention, results, figures, coverage, pictures, methods. Self-contained (inline
 * style, SVG and PNG; no script, no network), all text escaped, equal input gives equal bytes.
 */
export async function renderGroupReport(report: GroupReport): Promise<string> {
  const { analysis, truth, pictures, rois } = report;
  const sections: Section[] = [
    { id: 'summary', title: 'Summary', body: summary(report) },
    {
      id: 'cohort',
      title: 'Cohort',
      body: html`${attentionTable(report.cohort)}${analysis !== undefined && leftOutTable(analysis)}${cohortTable(report)}`,
    },
  ];
  if (truth !== undefined && truth.length > 0)
    sections.push({
      id: 'truth',
      title: 'Simulated truth',
      body: html`<p>These subjects were simulated. Nothing on this page is about patients.</p>${truthTable(truth)}`,
    });
  if (analysis !== undefined) sections.push(...(await resultSections(analysis, report.table)));
  sections.push({ id: 'regions', title: 'Regions', body: html`${mdTable(rois)}${coverageTables(rois)}` });
  if (pictures.length > 0)
    sections.push({ id: 'pictures', title: 'Subjects', body: pictureSection(pictures) });
  const methods = [...report.methods, ...(analysis === undefined ? [] : statisticalMethods(analysis.plan))];
  sections.push({
    id: 'methods',
    title: 'Methods',
    body: html`${methods.map((line) => html`<p>${line}</p>`)}`,
  });
  return page(report, sections).markup;
}

async function resultSections(analysis: CohortAnalysis, table: readonly SubjectRow[]): Promise<Section[]> {
  const exploratory = analysis.plan.exploratory ?? [];
  const outcomes = [...analysis.plan.outcomes, ...exploratory];
  const titleOf = (outcome: string) => (exploratory.includes(outcome) ? `${outcome} (exploratory)` : outcome);
  const figure = (svg: string) => html`<figure>${trusted(svg)}</figure>`;
  const strips = await stripFigures(analysis, table);
  const scatters: Html[] = [];
  for (const outcome of outcomes) {
    const figures = await scatterFigures(analysis, table, outcome);
    scatters.push(html`<h3>${titleOf(outcome)}</h3><div class="plots">${figures.map(figure)}</div>`);
  }
  return [
    {
      id: 'groups',
      title: 'Groups compared',
      body: html`${outcomeTable(analysis)}${changeTable(analysis)}<div class="plots strips">${strips.map(figure)}</div>
<p class="soft">A point is a subject; the bar is the group's mean, the line its 95 % confidence interval.</p>${baselineTable(analysis)}`,
    },
    {
      id: 'regressions',
      title: 'Does dMD go with outcome?',
      body: html`${outcomes.map((outcome) => regressionTable(analysis, outcome, titleOf(outcome)))}${correlationTable(analysis)}
<details><summary>All coefficients, in both codings</summary>${coefficientTable(analysis)}</details>`,
    },
    {
      id: 'figures',
      title: 'dMD against d-score',
      body: html`${scatters}<p class="soft">Lines are each group's least-squares fit: those of the interaction model without covariates.</p>`,
    },
  ];
}

function page({ title, run }: GroupReport, sections: readonly Section[]): Html {
  const tools = run.tools.map(({ name, version }) => `${name} ${version}`).join(', ');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="delta-md ${run.version}">
<title>${title}: group report</title>
<style>${trusted(CSS)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<div class="facts">Group report · profile ${run.profile} · template ${run.template} · delta-md ${run.version}${tools !== '' && ` · ${tools}`}</div>
<nav aria-label="Sections">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav>
</header>
<main>
${sections.map(({ id, title, body }) => html`<section id="${id}"><h2>${title}</h2>\n${body}</section>\n`)}</main>
<footer>Made by delta-md ${run.version}. MD in 10⁻³ mm²/s; dMD is baseline minus follow-up. For research; no medical device.</footer>
</body>
</html>
`;
}

function summary({ analysis, cohort, rois, notes }: GroupReport): Html {
  const of = (status: string) => cohort.filter((row) => row.status === status).length;
  const tiles: [number, string][] = [
    [of('done'), `of ${cohort.length} done`],
    [of('failed'), 'failed'],
    [of('excluded'), 'excluded'],
  ];
  if (analysis !== undefined)
    for (const which of ['reference', 'treatment'] as const)
      tiles.push([analysis.n[which], `${analysis.plan.groups[which]} in the analysis`]);
  const flagged = rois.filter((row) => row.flagged).length;
  return html`<ul class="tiles">${tiles.map(([n, label]) => html`<li><b>${n}</b><span>${label}</span></li>`)}</ul>
${analysis === undefined ? html`<p>No groups were compared.</p>` : findings(analysis)}
${
  flagged > 0 &&
  html`<p><a href="#regions">${format.count(flagged, 'regional value')}</a> of ${rois.length} had too little coverage.</p>`
}
${notes.map((note) => html`<p class="note">${note}</p>`)}`;
}

function findings(analysis: CohortAnalysis): Html {
  const { outcomes, rois } = analysis.plan;
  const tests = outcomes.length + rois.length + outcomes.length * rois.length;
  return html`<ul>${headlines(analysis).map((line) => html`<li>${line}</li>`)}</ul>
<p class="soft">${format.count(tests, 'primary test')}, not corrected for their number.</p>`;
}
