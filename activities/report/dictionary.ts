/** The files beside the report, and what their columns mean. */
import type { Column } from '../group-tables/table.ts';
import { type Html, html, table } from './markup.ts';
import type { DataFile } from './types.ts';

const FILES: Readonly<Record<string, string>> = {
  'group_roi_md.tsv': 'MD of every subject, session and region',
  'group_dmd.tsv': 'Change in MD of every subject and region',
  'group_table1.tsv': 'Table 1',
  'group_table2.tsv': 'Table 2',
  'group_ttests.tsv': 'Group tests',
  'group_ancova.tsv': 'Group tests at follow-up, adjusted for baseline',
  'group_mixed_model.tsv': 'Linear mixed models of MD by session and group',
  'group_sensitivity.tsv': 'The primary interactions in every other way',
  'group_equivalence.tsv': 'Equivalence, Bayes factors and power of the group tests',
  'group_regressions.tsv': 'Interaction models, three terms each',
  'group_correlations.tsv': 'Correlations of dMD and d-score within groups',
  'group_statistics.json': 'Everything that was computed, with the plan that asked for it',
  'group_truth.json': 'What the simulator had put in',
  'report.bib': 'The references of this page as BibTeX',
  'logs/cohort.json': 'Every subject with its status, and why it failed or was excluded',
};

/** Links to the files, and a data dictionary of each table. */
export function dataSection(files: readonly DataFile[]): Html {
  return html`<ul>${files.map(
    ({ name }) =>
      html`<li><a href="${encodeURI(name)}">${name}</a>${Object.hasOwn(FILES, name) && `: ${FILES[name]}`}</li>\n`,
  )}</ul>
<p class="soft">The files lie beside this page. Tables are tab-separated, n/a where there is no value; NAME.json beside NAME.tsv says what its columns mean, as do the tables below.</p>
<details class="appendix"><summary>Data dictionary</summary>${files.map(
    ({ name, columns }) => columns !== undefined && dictionary(name, columns),
  )}</details>`;
}

function dictionary(name: string, columns: Readonly<Record<string, Column>>): Html {
  return table(`Columns of ${name}`, Object.entries(columns), [
    { head: 'column', cell: ([column]) => html`<code>${column}</code>`, kind: 'words' },
    { head: 'meaning', cell: ([, { Description }]) => Description, kind: 'sentence' },
    { head: 'unit', cell: ([, { Units }]) => Units ?? '', kind: 'words' },
    {
      head: 'values',
      cell: ([, { Levels = {} }]) =>
        Object.entries(Levels)
          .map(([level, meaning]) => `${level}: ${meaning}`)
          .join('; '),
      kind: 'sentence',
    },
  ]);
}
