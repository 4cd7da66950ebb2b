/** What an analysis reads of a table's rows: named variables, and the rows in which they were measured. */
import { StatisticsError } from './errors.ts';
import type { LeftOut, SubjectRow } from './plan.ts';
import type { Term } from './regression.ts';

/** A variable of the table: its value for a subject, or undefined where it was not measured. */
export interface Variable {
  readonly name: string;
  read(row: SubjectRow): number | string | undefined;
}

/** A {@link Variable} whose values are numbers. */
export interface NumericVariable extends Variable {
  read(row: SubjectRow): number | undefined;
}

export const score = (name: string): NumericVariable => ({ name, read: (row) => finite(row.scores[name]) });

export const sessionScore = (name: string, session: 'baseline' | 'followup'): NumericVariable => ({
  name: `${name} at ${session}`,
  read: (row) => finite(row.sessionScores?.[name]?.[session]),
});

export const change = (roi: string): NumericVariable => ({
  name: `dMD in ${roi}`,
  read: (row) => finite(row.change[roi]),
});

export const baselineMd = (roi: string): NumericVariable => ({
  name: `baseline MD in ${roi}`,
  read: (row) => finite(row.baselineMd[roi]),
});

export const followupMd = (roi: string): NumericVariable => ({
  name: `follow-up MD in ${roi}`,
  read: (row) => {
    if (row.followupMd) return finite(row.followupMd[roi]);
    const [before, fall] = [finite(row.baselineMd[roi]), finite(row.change[roi])];
    return before === undefined || fall === undefined ? undefined : finite(before - fall);
  },
});

/** A covariate of a region's model; `baselineMd` stands for the region's own baseline MD. */
export function covariate(name: string, roi: string): Variable {
  if (name === 'baselineMd') return baselineMd(roi);
  return { name, read: (row) => numberOrWord(row.covariates[name]) };
}

export const characteristic = (name: string): Variable => ({
  name,
  read: (row) => numberOrWord(row.characteristics?.[name]),
});

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function numberOrWord(value: unknown): number | string | undefined {
  return typeof value === 'string' && value !== '' ? value : finite(value);
}

/** Rows in which every variable was measured, and the others with what they lack. */
export function completeRows(rows: readonly SubjectRow[], variables: readonly Variable[]) {
  const complete: SubjectRow[] = [];
  const leftOut: LeftOut[] = [];
  for (const row of rows) {
    const missing = variables.filter((variable) => variable.read(row) === undefined);
    if (missing.length === 0) complete.push(row);
    else leftOut.push({ subject: row.subject, why: `no ${missing.map(({ name }) => name).join(', no ')}` });
  }
  return { complete, leftOut };
}

/** The variable's values in rows that have it. */
export function numbers(rows: readonly SubjectRow[], { read }: NumericVariable): number[] {
  return rows.map((row) => read(row)!);
}

/** The same as a column of a model. */
export function term(rows: readonly SubjectRow[], variable: NumericVariable): Term {
  return { name: variable.name, values: numbers(rows, variable) };
}

/**
 * The model columns of a covariate: itself, or for words an indicator for each level but the first in the alphabet.
 * @throws StatisticsError CONSTANT where there is one word only
 */
export function columns(rows: readonly SubjectRow[], { name, read }: Variable): Term[] {
  const values = rows.map((row) => read(row)!);
  if (values.every((v) => typeof v === 'number')) return [{ name, values }];
  const words = values.map(String);
  const [, ...levels] = [...new Set(words)].sort();
  if (levels.length === 0) throw new StatisticsError('CONSTANT', `${name} does not vary`);
  return levels.map((level) => ({
    name: `${name}=${level}`,
    values: words.map((w) => (w === level ? 1 : 0)),
  }));
}
