/** A subject's page: whether its data are good, in one HTML file that needs nothing else. */
import { createHash } from 'node:crypto';
import type { RoiLabel } from '../../../config/study.ts';
import type { Threshold } from '../../../pipeline/qc/thresholds.ts';
import type { SubjectQc } from '../../../pipeline/qc/types.ts';
import type { PublishedStep } from '../../published.ts';
import type { Standing } from '../../qc/standing.ts';
import * as format from '../format.ts';
import { type Html, html, trusted } from '../markup.ts';
import { CSS } from '../style.ts';
import { figureSection, type LoadedFigure, SECTION_TITLES } from './figures.ts';
import { metricSection, metricText, unitOf } from './metrics.ts';
import { SCRIPT } from './script.ts';
import { stepSection } from './steps.ts';
import { SUBJECT_CSS } from './style.ts';
import { FIGURE_SECTIONS } from './types.ts';
import { type LoadedMap, viewerSection } from './viewer.ts';

/** All that a page says. */
export interface SubjectPage {
  readonly subject: string;
  readonly study: { readonly title: string; readonly profile: string; readonly template: string };
  /** Of delta-md. */
  readonly version: string;
  readonly standing: Standing;
  /** Everyone's metrics, this subject's among them. */
  readonly cohort: readonly SubjectQc[];
  readonly thresholds: readonly Threshold[];
  /** What a reader must know, such as a skipped step; from the subject's summary. */
  readonly notes: readonly string[];
  /** Regions with too little data, as `ses-1 lBA10`. */
  readonly flagged: readonly string[];
  readonly figures: readonly LoadedFigure[];
  readonly labels: readonly RoiLabel[];
  readonly changeMost: number;
  readonly maps: readonly LoadedMap[];
  /** NiiVue, gzipped, base64. */
  readonly viewer: string;
  readonly steps: readonly PublishedStep[];
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** Says what may run and be loaded: the script below and what it unpacks, nothing from any network. */
const POLICY = [
  "default-src 'none'",
  'img-src data: blob:',
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${createHash('sha256').update(SCRIPT).digest('base64')}' blob:`,
  'worker-src blob:',
  'connect-src data: blob:',
  'font-src data:',
].join('; ');

/** Renders the page. All text is escaped; equal input gives equal bytes. */
export function renderSubjectPage(page: SubjectPage): string {
  const { subject, study, version } = page;
  const sections = sectionsOf(page);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="delta-md ${version}">
<title>${subject}: ${study.title}</title>
<style>${trusted(CSS + SUBJECT_CSS)}</style>
</head>
<body>
<a class="skip" href="#verdict">Skip to the verdict</a>
<header>
<h1>${subject}</h1>
<div class="facts"><a href="report.html">${study.title}</a> · profile ${study.profile} · template ${study.template} · delta-md ${version}</div>
<nav aria-label="Sections">${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</nav>
</header>
<main>
${sections.map(({ id, title, body }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>\n${body}</section>\n`)}</main>
<footer>Made by delta-md ${version}. Slices are in radiological order: the subject's right is on the left. For research; no medical device.</footer>
<script>${trusted(SCRIPT)}</script>
</body>
</html>
`.markup;
}

function sectionsOf(page: SubjectPage): Section[] {
  const { standing, figures, labels, maps, steps } = page;
  const shown = FIGURE_SECTIONS.map((section) => ({
    section,
    figures: figures.filter((figure) => figure.section === section),
  })).filter((one) => one.figures.length > 0);
  return [
    { id: 'verdict', title: 'Verdict', body: verdict(page) },
    ...shown.map((one) => ({
      id: one.section,
      title: SECTION_TITLES[one.section],
      body: figureSection(one.section, one.figures, labels, page.changeMost),
    })),
    ...(maps.length > 0
      ? [{ id: 'maps', title: 'Maps in three planes', body: viewerSection(maps, labels, page.viewer) }]
      : []),
    {
      id: 'metrics',
      title: 'Quality metrics',
      body: metricSection({
        qc: standing.qc,
        cohort: page.cohort,
        thresholds: page.thresholds,
        reasons: standing.reasons,
      }),
    },
    { id: 'steps', title: 'Steps', body: stepSection(steps) },
  ];
}

const WORDS = {
  pass: 'pass: no metric beyond its limits',
  warn: 'look: a metric is beyond its limit',
  exclude: 'exclude: a metric says that the data are not usable',
} as const;

function verdict({ standing, notes, flagged }: SubjectPage): Html {
  const { level, reasons, decision, excluded } = standing;
  const said = reasons.map(
    ({ session, why, level }) =>
      html`<li><strong class="status-${level === 'exclude' ? 'failed' : 'excluded'}">${level}</strong> ${session ? `ses-${session}: ` : ''}${why}</li>`,
  );
  return html`<p><span class="verdict verdict-${level}">${WORDS[level]}</span></p>
${decision !== undefined && html`<p><strong>${decision.decision === 'include' ? 'Included' : 'Excluded'}</strong> by ${decision.who}, ${decision.when.slice(0, 10)}: ${decision.reason}</p>`}
${!decision && excluded !== undefined && html`<p>Left out of the statistics: ${excluded}</p>`}
${reasons.length > 0 && html`<ul class="reasons">${said}</ul>`}
${flagged.length > 0 && html`<p>${format.count(flagged.length, 'regional value')} with too little coverage: ${flagged.join(', ')}.</p>`}
${tiles(standing.qc)}
${notes.length > 0 && html`<ul class="notes">${together(notes).map((note) => html`<li>${note}</li>`)}</ul>`}`;
}

/** Notes that both sessions share are told once: `ses-1, ses-2: ...`. */
function together(notes: readonly string[]): string[] {
  const places = new Map<string, string[]>();
  for (const note of notes) {
    const [, place, text] = /^(ses-[A-Za-z0-9]+): ([\s\S]*)$/.exec(note) ?? ['', '', note];
    places.set(text, [...(places.get(text) ?? []), ...(place === '' ? [] : [place])]);
  }
  return [...places].map(([text, of]) => (of.length > 0 ? `${of.join(', ')}: ${text}` : text));
}

/** What one looks at first, where it was measured. */
const FIRST: readonly (readonly [metric: string, words: string])[] = [
  ['mean_fd', 'mean framewise displacement'],
  ['qc_outliers_tot', 'outlier slices'],
  ['b0_median_snr', 'SNR of the b0s'],
  ['t1_masked_neighbor_corr', 'neighbouring DWI correlation'],
  ['template_corr', 'FA against the template'],
];

function tiles({ sessions }: SubjectQc): Html | false {
  const rows = FIRST.flatMap(([metric, words]) => {
    const values = sessions.flatMap(({ metrics }) => metrics[metric] ?? []);
    if (values.length === 0) return [];
    const text = values.map((value) => metricText(metric, value)).join(' · ');
    return [
      html`<li><b>${text}${unitOf(metric) !== '' && html` <small>${unitOf(metric)}</small>`}</b><span>${words}</span></li>`,
    ];
  });
  return rows.length > 0 && html`<ul class="tiles">${rows}</ul>`;
}
