/** The rows that an analysis uses, and which group each is of. */
import { attempt, type Result } from './errors.ts';
import type { AnalysisPlan, LeftOut, SubjectRow } from './plan.ts';
import { change, completeRows, type NumericVariable, numbers } from './variables.ts';
import { winsorize } from './winsorize.ts';

export interface Cohort {
  readonly plan: AnalysisPlan;
  readonly rows: readonly SubjectRow[];
  /** Rows that no analysis uses. */
  readonly leftOut: readonly LeftOut[];
  /** 1 for treatment, 0 for reference. */
  treated(row: SubjectRow): 0 | 1;
  /** Something of the reference group's rows, then of the treatment group's. */
  byGroup<T>(rows: readonly SubjectRow[], of: (group: readonly SubjectRow[]) => T): [T, T];
}

/** @param table one row per subject; a second row of the same subject is left out */
export function cohortOf(plan: AnalysisPlan, table: readonly SubjectRow[]): Cohort {
  const treated = (row: SubjectRow) => (row.group === plan.groups.treatment ? 1 : 0);
  return {
    plan,
    ...usableRows(plan, table),
    treated,
    byGroup: (rows, of) => [
      of(rows.filter((row) => treated(row) === 0)),
      of(rows.filter((row) => treated(row) === 1)),
    ],
  };
}

/** Rows of either group, the first of each subject, by the subjects' names: seeds then mean one thing in any order. */
function usableRows(plan: AnalysisPlan, table: readonly SubjectRow[]) {
  const { reference, treatment } = plan.groups;
  const rows: SubjectRow[] = [];
  const leftOut: LeftOut[] = [];
  const seen = new Set<string>();
  for (const row of table) {
    const { subject, group, excluded } = row;
    if (seen.has(subject)) leftOut.push({ subject, why: 'a second row of this subject' });
    else if (excluded !== undefined) leftOut.push({ subject, why: excluded });
    else if (group !== reference && group !== treatment)
      leftOut.push({ subject, why: `group ${group || '(none)'} is not compared` });
    else rows.push(row);
    seen.add(subject);
  }
  rows.sort((a, b) => (a.subject < b.subject ? -1 : 1));
  return { rows, leftOut };
}

/** dMD of a region: as measured and, where the plan asks for it, Winsorized. */
export interface RegionalChange {
  readonly roi: string;
  readonly raw: NumericVariable;
  /** One value per subject, the same in the t-test and in every model; null where the plan does not Winsorize. */
  readonly winsorized: Result<NumericVariable> | null;
  /** Subjects whose dMD was pulled in. */
  readonly pulled: readonly string[];
}

export function regionalChange({ plan, rows }: Cohort, roi: string): RegionalChange {
  const raw = change(roi);
  if (plan.winsorize === 'none') return { roi, raw, winsorized: null, pulled: [] };
  const { complete } = completeRows(rows, [raw]);
  const result = attempt(() => winsorize(numbers(complete, raw), plan.winsorize));
  if (!result.ok) return { roi, raw, winsorized: result, pulled: [] };
  const { values, pulled } = result.value;
  const bySubject = new Map(complete.map((row, i) => [row.subject, values[i]]));
  const value: NumericVariable = { ...raw, read: (row) => bySubject.get(row.subject) };
  return { roi, raw, winsorized: { ok: true, value }, pulled: pulled.map((i) => complete[i].subject) };
}
