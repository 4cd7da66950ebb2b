/** The participants table: who is in which group, with which scores. */
import { DeltaMdError } from '../pipeline/failures.ts';
import { type Finding, type Problem, suggestion, suggestOrList } from './problems.ts';
import type { GroupSettings, StatisticsSettings } from './statistics-schema.ts';
import { type NamedColumn, namedColumns } from './statistics-settings.ts';
import type { Study } from './study.ts';
import { isMissing, readTable, type Table } from './tables.ts';

/** One row of the participants table. */
export interface Participant {
  /** With `sub-`. */
  readonly subject: string;
  /** Undefined where the table says n/a. */
  readonly group?: string;
  /** Outcome and covariate columns: numbers; words of a categorical covariate; null where the value is missing. */
  readonly values: Readonly<Record<string, number | string | null>>;
}

/** Adds `sub-` where the table leaves it out. */
export function subjectName(id: string): string {
  return id.startsWith('sub-') ? id : `sub-${id}`;
}

/**
 * Joins table and study file. Findings are about the study file (a column that does not exist), problems about the
 * table (a subject twice, an unknown group, a score that is no number). Excluded subjects' values are not judged.
 * @param more columns needed besides those that the statistics name
 */
export function joinParticipants(
  study: {
    readonly participants: { readonly id: string; readonly group: GroupSettings };
    readonly exclude: Readonly<Record<string, string>>;
    readonly statistics?: StatisticsSettings;
  },
  table: Table,
  more: readonly NamedColumn[] = [],
): { participants: Participant[]; findings: Finding[]; problems: Problem[] } {
  const { id, group } = study.participants;
  const named = [...namedColumns(study.statistics), ...more];
  const findings = [
    { column: id, keys: ['participants', 'id'] },
    { column: group.column, keys: ['participants', 'group', 'column'] },
    ...named,
  ]
    .filter(({ column }) => !table.columns.includes(column))
    .map(({ column, keys }) => ({
      keys,
      message: `${table.file} has no column "${column}"`,
      remedy: suggestOrList(column, table.columns, 'Its columns'),
    }));
  if (findings.length > 0) return { participants: [], findings, problems: [] };

  const problems: Problem[] = [];
  const lineOf = new Map<string, number>();
  const participants: Participant[] = [];
  for (const { line, cells } of table.rows) {
    const problem = (message: string, remedy: string) =>
      problems.push({
        file: table.file,
        line,
        column: 1,
        path: '',
        message: `${table.file}, line ${line}: ${message}`,
        remedy,
      });
    if (isMissing(cells[id])) {
      problem(`no subject in column "${id}"`, 'Write the subject, or delete the line');
      continue;
    }
    const subject = subjectName(cells[id]);
    const before = lineOf.get(subject);
    if (before !== undefined) problem(`${subject} is already in line ${before}`, 'Keep one line per subject');
    lineOf.set(subject, line);
    const judged = study.exclude[subject] === undefined;
    const level = isMissing(cells[group.column]) ? undefined : cells[group.column];
    if (judged && level !== undefined && level !== group.reference && level !== group.treatment)
      problem(
        `${subject} has the group "${level}", which is neither "${group.reference}" nor "${group.treatment}"`,
        suggestion(level, [group.reference, group.treatment]) ??
          `Correct it, or name the groups under participants.group, or exclude ${subject}`,
      );
    const values: Record<string, number | string | null> = {};
    for (const { column, numeric } of named) {
      const cell = cells[column];
      const value = isMissing(cell) ? null : Number.isFinite(Number(cell)) ? Number(cell) : cell;
      if (judged && numeric && typeof value === 'string')
        problem(`${subject} has "${value}" for ${column}`, 'Write a number, or n/a');
      values[column] = value;
    }
    participants.push({ subject, ...(level === undefined ? {} : { group: level }), values });
  }
  return { participants, findings: [], problems };
}

/**
 * Reads the participants of a study; an empty list where the study names no table.
 * @throws DeltaMdError CONFIG_INVALID that names every wrong column, subject and value
 */
export async function readParticipants(study: Study): Promise<Participant[]> {
  if (study.participants === undefined) return [];
  const { table, problems: unreadable } = await readTable(study.participants.file);
  const joined = joinParticipants({ ...study, participants: study.participants }, table);
  const wrong = [...unreadable, ...(unreadable.length > 0 ? [] : [...joined.findings, ...joined.problems])];
  if (wrong.length > 0)
    throw new DeltaMdError('CONFIG_INVALID', wrong.map((w) => w.message).join('; '), {
      remedy: [...new Set(wrong.map((w) => w.remedy))].join('; '),
    });
  return joined.participants;
}
