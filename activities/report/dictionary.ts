/** The files beside the report, and what their columns mean. */
import { type Html, html, table } from './markup.ts';
import type { DataFile } from './types.ts';

interface Meaning {
  readonly is: string;
  readonly unit?: string;
}

const MD = 'mm²/s';
const p = (of: string): Meaning => ({ is: `p of ${of}, two-sided` });
const low = (of: string): Meaning => ({ is: `Lower end of the 95 % confidence interval of ${of}` });
const high = (of: string): Meaning => ({ is: `Upper end of the 95 % confidence interval of ${of}` });

/** By column, the same in every file. */
export const COLUMNS: Readonly<Record<string, Meaning>> = {
  participant_id: { is: 'Subject' },
  session: { is: 'Session' },
  group: { is: 'Treatment group' },
  roi: { is: 'Region' },
  md: { is: 'Mean diffusivity, averaged over the voxels with data', unit: MD },
  md_baseline: { is: 'MD at baseline', unit: MD },
  md_followup: { is: 'MD at follow-up', unit: MD },
  dmd: { is: 'MD at baseline minus MD at follow-up', unit: MD },
  voxels: { is: 'Voxels averaged' },
  coverage: { is: 'Share of the voxels of the region that had data, 0 to 1' },
  flagged: { is: 'true: below the coverage that the study asks for, left out of the statistics' },
  variable: { is: 'What was compared: a d-score (points), dMD or baseline MD of a region (mm²/s)' },
  values: { is: 'raw, or winsorized: outliers pulled in' },
  n: { is: 'Subjects' },
  n_reference: { is: 'Subjects of the reference group' },
  mean_reference: { is: 'Mean of the reference group' },
  sd_reference: { is: 'Standard deviation of the reference group' },
  n_treatment: { is: 'Subjects of the treatment group' },
  mean_treatment: { is: 'Mean of the treatment group' },
  sd_treatment: { is: 'Standard deviation of the treatment group' },
  difference: { is: 'Mean of the reference group minus mean of the treatment group' },
  ci95_low: low('the difference or r'),
  ci95_high: high('the difference or r'),
  t: { is: 'Student’s t' },
  df: { is: 'Its degrees of freedom' },
  p: p('t'),
  welch_t: { is: 'Welch’s t' },
  welch_df: { is: 'Its degrees of freedom' },
  welch_p: p('Welch’s t'),
  cohens_d: { is: 'Cohen’s d: difference over the pooled standard deviation' },
  cohens_d_ci95_low: low('Cohen’s d'),
  cohens_d_ci95_high: high('Cohen’s d'),
  hedges_g: { is: 'Hedges’ g: d without its bias in small samples' },
  hedges_g_ci95_low: low('Hedges’ g'),
  hedges_g_ci95_high: high('Hedges’ g'),
  p_holm: { is: 'p adjusted within its family (Holm)' },
  p_fdr: { is: 'p adjusted within its family (Benjamini and Hochberg)' },
  why_not: { is: 'Why the row could not be computed; n/a where it could' },
  outcome: { is: 'd-score that is explained: baseline minus follow-up', unit: 'points' },
  exploratory: { is: 'true: not one of the primary outcomes' },
  change: { is: 'dMD as measured (raw) or winsorized' },
  covariates: { is: 'What else is in the model' },
  term: { is: 'Term of the model' },
  b: { is: 'Slope, in points of the outcome per unit of the term (mm²/s for dMD)' },
  se: { is: 'Standard error of b' },
  beta: { is: 'Standardized slope: b × sd(term) / sd(outcome)' },
  partial_r: { is: 'Partial correlation' },
  beta_z_scored: { is: 'Slope when all variables are z-scored before the product is made' },
  r2: { is: 'R² of the model' },
  f: { is: 'F of the model' },
  model_p: p('the model'),
  se_hc3: { is: 'Standard error that lets errors differ in size (HC3)' },
  p_hc3: p('t by that standard error'),
  p_permutation: p('the product by permutation (Freedman and Lane)'),
  r: { is: 'Pearson’s r of dMD and d-score within the group' },
};

const FILES: Readonly<Record<string, string>> = {
  'group_roi_md.tsv': 'MD of every subject, session and region',
  'group_dmd.tsv': 'Change in MD of every subject and region',
  'group_ttests.tsv': 'Group tests',
  'group_regressions.tsv': 'Interaction models, three terms each',
  'group_correlations.tsv': 'Correlations of dMD and d-score within groups',
  'group_statistics.json': 'Everything that was computed, with the plan that asked for it',
  'group_truth.json': 'What the simulator had put in',
  'report.bib': 'The references of this page as BibTeX',
  'logs/cohort.json': 'Every subject with its status, and why it failed or was excluded',
};

/** Links to the files, and a table of their columns. */
export function dataSection(files: readonly DataFile[]): Html {
  const columns = new Map<string, string[]>();
  for (const { name, columns: of } of files)
    for (const column of of) columns.set(column, [...(columns.get(column) ?? []), name]);
  return html`<ul>${files.map(
    ({ name }) =>
      html`<li><a href="${encodeURI(name)}">${name}</a>${Object.hasOwn(FILES, name) && `: ${FILES[name]}`}</li>\n`,
  )}</ul>
<p class="soft">The files lie beside this page. Tables are tab-separated, n/a where there is no value.</p>
${
  columns.size > 0 &&
  html`<details><summary>Data dictionary</summary>${table(
    'Columns of the tables',
    [...columns],
    [
      { head: 'column', cell: ([column]) => html`<code>${column}</code>`, kind: 'words' },
      { head: 'meaning', cell: ([column]) => meaning(column).is, kind: 'sentence' },
      { head: 'unit', cell: ([column]) => meaning(column).unit ?? '', kind: 'words' },
      { head: 'in', cell: ([, names]) => names.join(', '), kind: 'words' },
    ],
  )}</details>`
}`;
}

const meaning = (column: string): Meaning => (Object.hasOwn(COLUMNS, column) ? COLUMNS[column] : { is: '' });
