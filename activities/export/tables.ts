/**
 * The cohort's tables as CSV for R and SPSS: long, wide, a codebook, and a reader for each of the two. Pure.
 * CSV rather than .sav: it needs no library, and both programs read it with the types the readers state.
 */

import type { RoiRow } from '../report/types.ts';

/** Cells by column; null: missing, an empty cell. */
export type Row = Readonly<Record<string, string | number | null>>;

/** A column and what it holds. */
export interface Variable {
  readonly name: string;
  readonly description: string;
  /** `mm^2/s`, or empty. */
  readonly units: string;
}

export interface ExportTable {
  readonly name: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}

export interface RegionalChange {
  readonly subject: string;
  readonly roi: string;
  readonly baseline: number | null;
  readonly followup: number | null;
  readonly change: number | null;
}

/** A subject's row of the participants table. */
export interface Person {
  readonly subject: string;
  readonly group: string | null;
  readonly others: Readonly<Record<string, string | null>>;
}

const variable = (name: string, description: string, units = ''): Variable => ({ name, description, units });
const FLAGGED = '1: below the coverage the study asks for, left out of the statistics; 0: used';

/** A row per subject, session and region. */
export function longTable(md: readonly RoiRow[], groupOf: (subject: string) => string | null): ExportTable {
  return {
    name: 'roi_md_long',
    variables: [
      variable('participant_id', 'Subject'),
      variable('group', 'Treatment group'),
      variable('session', 'Session'),
      variable('roi', 'Region'),
      variable('md', 'Mean diffusivity averaged over the voxels with data', 'mm^2/s'),
      variable('voxels', 'Voxels averaged'),
      variable('coverage', 'Share of the voxels of the region that had data, 0 to 1'),
      variable('flagged', FLAGGED),
    ],
    rows: md.map(({ subject, flagged, ...row }) => ({
      participant_id: subject,
      group: groupOf(subject),
      ...row,
      flagged: Number(flagged),
    })),
  };
}

/** A row per subject and region. */
export function changeTable(
  changes: readonly RegionalChange[],
  groupOf: (subject: string) => string | null,
): ExportTable {
  return {
    name: 'roi_dmd_long',
    variables: [
      variable('participant_id', 'Subject'),
      variable('group', 'Treatment group'),
      variable('roi', 'Region'),
      variable('md_baseline', 'MD at baseline', 'mm^2/s'),
      variable('md_followup', 'MD at follow-up', 'mm^2/s'),
      variable('dmd', 'MD(baseline) - MD(follow-up)', 'mm^2/s'),
    ],
    rows: changes.map(({ subject, roi, baseline, followup, change }) => ({
      participant_id: subject,
      group: groupOf(subject),
      roi,
      md_baseline: baseline,
      md_followup: followup,
      dmd: change,
    })),
  };
}

/** A name that R and SPSS both take: letters, digits, underscores, a letter first, at most 64. */
function variableName(text: string): string {
  return text
    .replace(/[^A-Za-z0-9_]+/g, '_')
    .replace(/^(?=[^A-Za-z])/, 'v')
    .slice(0, 64);
}

/**
 * A row per subject: the participants table, then MD by session and region, then the change. Flagged values are empty,
 * as in the statistics. Names that would be one to SPSS, which knows no case, are numbered.
 */
export function wideTable(
  people: readonly Person[],
  md: readonly RoiRow[],
  changes: readonly RegionalChange[],
): ExportTable {
  const taken = new Set<string>();
  const unique = (text: string) => {
    const base = variableName(text);
    let name = base;
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${base.slice(0, 60)}_${n}`;
    taken.add(name.toLowerCase());
    return name;
  };
  const columns: { variable: Variable; value: (person: Person) => string | number | null }[] = [];
  const add = (
    name: string,
    description: string,
    units: string,
    value: (person: Person) => string | number | null,
  ) => columns.push({ variable: { name: unique(name), description, units }, value });
  add('participant_id', 'Subject', '', (person) => person.subject);
  add('group', 'Treatment group', '', (person) => person.group);
  for (const name of Object.keys(people[0]?.others ?? {}))
    add(name, `Column ${name} of the participants table`, '', (person) => person.others[name]);
  const rois = [...new Set(md.map(({ roi }) => roi))];
  const key = (...parts: string[]) => JSON.stringify(parts);
  const mdBy = new Map(md.map((row) => [key(row.subject, row.session, row.roi), row]));
  const changeBy = new Map(changes.map((row) => [key(row.subject, row.roi), row.change]));
  for (const session of [...new Set(md.map((row) => row.session))])
    for (const roi of rois)
      add(
        `md_${session.replace(/^ses-/, '')}_${roi}`,
        `Mean diffusivity of ${roi}, ${session}`,
        'mm^2/s',
        ({ subject }) => {
          const row = mdBy.get(key(subject, session, roi));
          return row === undefined || row.flagged ? null : row.md;
        },
      );
  if (changes.length > 0)
    for (const roi of rois)
      add(
        `dmd_${roi}`,
        `Change of ${roi}, MD(baseline) - MD(follow-up)`,
        'mm^2/s',
        ({ subject }) => changeBy.get(key(subject, roi)) ?? null,
      );
  return {
    name: 'roi_wide',
    variables: columns.map((column) => column.variable),
    rows: people.map((person) =>
      Object.fromEntries(columns.map((column) => [column.variable.name, column.value(person)])),
    ),
  };
}

/** Text of a CSV (RFC 4180, but lines end in a newline alone). */
export function csv(columns: readonly string[], rows: readonly Row[]): string {
  const cell = (value: Row[string] | undefined) => {
    const text = value === null || value === undefined ? '' : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = rows.map((row) => columns.map((column) => cell(row[column])).join(','));
  return `${[columns.join(','), ...lines].join('\n')}\n`;
}

const namesOf = (table: ExportTable) => table.variables.map(({ name }) => name);

/** Text of a table. */
export const tableText = (table: ExportTable): string => csv(namesOf(table), table.rows);

/** What every column of every table is. */
export function codebookText(tables: readonly ExportTable[]): string {
  return csv(
    ['file', 'variable', 'description', 'units'],
    tables.flatMap(({ name, variables }) =>
      variables.map((v) => ({
        file: `${name}.csv`,
        variable: v.name,
        description: v.description,
        units: v.units,
      })),
    ),
  );
}

const isNumeric = ({ rows }: ExportTable, name: string) =>
  rows.some((row) => row[name] !== null) &&
  rows.every((row) => row[name] === null || (row[name] !== '' && Number.isFinite(Number(row[name]))));

/** An R script that reads the tables into data frames of their names. */
export function rReader(tables: readonly ExportTable[], levels: readonly string[]): string {
  const text = (word: string) => JSON.stringify(word);
  return [
    '# Reads the tables beside it. From elsewhere: source("read.R", chdir = TRUE)',
    ...tables.flatMap((table) => [
      `${table.name} <- read.csv("${table.name}.csv", na.strings = "")`,
      ...(levels.length > 0
        ? [`${table.name}$group <- factor(${table.name}$group, levels = c(${levels.map(text).join(', ')}))`]
        : []),
    ]),
    '',
  ].join('\n');
}

/** SPSS syntax that reads the tables into data sets of their names, with labels. */
export function spssReader(tables: readonly ExportTable[]): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
  return [
    '* Reads the tables beside it: first CD to this folder.',
    ...tables.flatMap((table) => [
      '',
      `GET DATA /TYPE=TXT /FILE=${quoted(`${table.name}.csv`)} /ENCODING='UTF8'`,
      `  /ARRANGEMENT=DELIMITED /DELIMITERS=',' /QUALIFIER='"' /FIRSTCASE=2`,
      '  /VARIABLES=',
      ...table.variables.map(({ name }) => {
        const width = Math.max(8, ...table.rows.map((row) => String(row[name] ?? '').length));
        return `  ${name} ${isNumeric(table, name) ? 'F16.8' : `A${width}`}`;
      }),
      '  .',
      'VARIABLE LABELS',
      ...table.variables.map(
        (v) => `  ${v.name} ${quoted(v.units ? `${v.description} (${v.units})` : v.description)}`,
      ),
      '  .',
      'EXECUTE.',
      // A copy: the next table read takes the place of this one.
      `DATASET COPY ${table.name}.`,
    ]),
    '',
  ].join('\n');
}
