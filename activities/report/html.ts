/** The group's page: one HTML file that needs nothing else. */
import { createHash } from 'node:crypto';
import { SCRIPT } from './copy-script.ts';
import { dataSection } from './dictionary.ts';
import { changeFigures, type FigureInput, forestFigure, scatterFigures } from './figures.ts';
import { flowDiagram, subjectFlow } from './flow.ts';
import { type Html, html, trusted } from './markup.ts';
import { statisticalMethods } from './methods.ts';
import {
  attentionTable,
  cohortTable,
  coverageTables,
  leftOutTable,
  mdTable,
  pictureSection,
  truthTable,
} from './records.ts';
import { bibtex, citedKeys, citedTools, referenceList, withNumbers } from './references.ts';
import {
  baselineTable,
  changeTable,
  coefficientTable,
  correlationTable,
  outcomeTable,
  tableTwo,
} from './results.ts';
import { sensitivityTables } from './sensitivity.ts';
import { CSS } from './style.ts';
import { summarySection } from './summary.ts';
import { tableOne } from './table-one.ts';
import type { GroupReport } from './types.ts';

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/**
 * Renders the report: summary, flow of subjects, results, sensitivity, coverage, pictures, methods, data. Self-contained
 * (inline style, script, SVG and PNG; no network), whole without its script, all text escaped, equal input gives equal bytes.
 */
export async function renderGroupReport(report: GroupReport): Promise<string> {
  const { analysis, truth, pictures, rois, cohort, table, pages } = report;
  const sections: Section[] = [
    { id: 'summary', title: 'Summary', body: summarySection(report) },
    {
      id: 'cohort',
      title: 'Subjects',
      body: html`${flowDiagram(subjectFlow(cohort, analysis, table))}${attentionTable(cohort)}${analysis !== undefined && leftOutTable(analysis)}`,
    },
  ];
  if (truth !== undefined && truth.length > 0)
    sections.push({
      id: 'truth',
      title: 'Simulated truth',
      body: html`<p>These subjects were simulated. Nothing on this page is about patients.</p>${truthTable(truth)}`,
    });
  if (analysis !== undefined)
    sections.push(...(await resultSections({ analysis, table, pages }, report.keepingExcluded)));
  sections.push({ id: 'regions', title: 'Regions', body: html`${mdTable(rois)}${coverageTables(rois)}` });
  if (pictures.length > 0)
    sections.push({ id: 'pictures', title: 'Pictures', body: pictureSection(pictures) });
  sections.push(...methodSections(report));
  if (report.files.length > 0) sections.push({ id: 'data', title: 'Data', body: dataSection(report.files) });
  sections.push({
    id: 'appendix',
    title: 'Appendix',
    body: html`${cohortTable(report)}${
      analysis !== undefined &&
      html`<details><summary>All coefficients, in both codings</summary>${coefficientTable(analysis)}</details>`
    }`,
  });
  return page(report, sections).markup;
}

/** The references of the report as BibTeX. */
export function bibliography(report: GroupReport): string {
  return bibtex(citedKeys(methods(report)));
}

function methods({ methods, analysis, run }: GroupReport): string[] {
  const tools = citedTools([...new Set(run.tools.flatMap(({ name }) => name.split(', ')))]);
  return [
    ...methods,
    ...(tools === '' ? [] : [tools]),
    ...(analysis === undefined ? [] : statisticalMethods(analysis.plan)),
  ];
}

function methodSections(report: GroupReport): Section[] {
  const paragraphs = methods(report);
  const keys = citedKeys(paragraphs);
  const { version, profile, template, tools } = report.run;
  const software = [`delta-md ${version}`, ...tools.map(({ name, version }) => `${version} (${name})`)];
  const sections = [
    {
      id: 'methods',
      title: 'Methods',
      body: html`${paragraphs.map((text) => html`<p>${withNumbers(text, keys)}</p>\n`)}
<p>Software: ${software.join('; ')}. Profile ${profile}, template ${template}.</p>`,
    },
  ];
  if (keys.length === 0) return sections;
  const bib = `data:application/x-bibtex;charset=utf-8;base64,${Buffer.from(bibtex(keys)).toString('base64')}`;
  return [
    ...sections,
    {
      id: 'references',
      title: 'References',
      body: html`${referenceList(keys)}<p><a href="${bib}" download="report.bib">Download as BibTeX</a></p>`,
    },
  ];
}

async function resultSections(
  input: FigureInput,
  keepingExcluded: GroupReport['keepingExcluded'],
): Promise<Section[]> {
  const { analysis } = input;
  const { outcomes, exploratory = [] } = analysis.plan;
  const all = [...outcomes, ...exploratory];
  const titleOf = (outcome: string) => (exploratory.includes(outcome) ? `${outcome} (exploratory)` : outcome);
  const scatters: Html[] = [];
  const forests: Html[] = [];
  for (const outcome of all) {
    const figures = await scatterFigures(input, outcome);
    scatters.push(html`<h3>${titleOf(outcome)}</h3><div class="plots">${figures}</div>`);
    const forest = await forestFigure(input, outcome);
    if (forest !== null) forests.push(forest);
  }
  const one = tableOne(analysis);
  return [
    ...(one === null ? [] : [{ id: 'characteristics', title: 'Who the groups were', body: one }]),
    {
      id: 'groups',
      title: 'Groups compared',
      body: html`${outcomeTable(analysis)}${changeTable(analysis)}<div class="plots">${await changeFigures(input)}</div>
<p class="soft">The cloud is the density of a group, a point a subject; the box spans the quartiles about the median, the diamond is the mean with its 95 % confidence interval.</p>${baselineTable(analysis)}`,
    },
    {
      id: 'regressions',
      title: 'Does dMD go with outcome?',
      body: html`${all.map((outcome, i) => tableTwo(analysis, outcome, `Table 2${String.fromCharCode(97 + i)}. Regression of the ${titleOf(outcome)} d-score on dMD and group`))}${correlationTable(analysis)}`,
    },
    {
      id: 'figures',
      title: 'dMD against d-score',
      body: html`${scatters}<p class="soft">Lines are each group's least-squares fit, those of the interaction model without covariates; the bands are their 95 % confidence intervals.</p>`,
    },
    {
      id: 'sensitivity',
      title: 'Sensitivity',
      body: html`<div class="plots wide">${forests}</div>${sensitivityTables(analysis, keepingExcluded)}`,
    },
  ];
}

/** Nothing may be loaded, and no script may run but the page's own. */
const POLICY = [
  "default-src 'none'",
  'img-src data:',
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${createHash('sha256').update(SCRIPT).digest('base64')}'`,
].join('; ');

function page({ title, run }: GroupReport, sections: readonly Section[]): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="delta-md ${run.version}">
<title>${title}: group report</title>
<style>${trusted(CSS)}</style>
</head>
<body>
<a class="skip" href="#summary">Skip to the summary</a>
<header>
<h1>${title}</h1>
<p class="facts">Group report · profile ${run.profile} · template ${run.template} · delta-md ${run.version}</p>
<nav aria-label="Sections">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a> `)}</nav>
</header>
<main>
${sections.map(({ id, title, body }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>\n${body}</section>\n`)}</main>
<footer>Made by delta-md ${run.version}. MD in 10⁻³ mm²/s; dMD is baseline minus follow-up. For research; no medical device.</footer>
<script>${trusted(SCRIPT)}</script>
</body>
</html>
`;
}
