/** The question of a change asked of the sessions' values: follow-up adjusted for baseline, and a mixed model of both. */
import { ancova } from './ancova.ts';
import { attempt } from './errors.ts';
import { mixedModel, sessionByGroup } from './mixed-model.ts';
import type { AnalysisPlan, Cell, MixedModelCell, SubjectRow } from './plan.ts';
import { baselineMd, completeRows, followupMd, type NumericVariable, numbers, term } from './variables.ts';

/**
 * Group difference at follow-up, adjusted for baseline.
 * @param treated 1 for treatment, 0 for reference
 */
export function adjustedForBaseline(
  rows: readonly SubjectRow[],
  baseline: NumericVariable,
  followup: NumericVariable,
  treated: (row: SubjectRow) => number,
): Cell<ReturnType<typeof ancova>> {
  const { complete, leftOut } = completeRows(rows, [baseline, followup]);
  const result = attempt(() =>
    ancova({
      outcome: term(complete, followup),
      baseline: term(complete, baseline),
      treated: complete.map(treated),
      covariates: [],
    }),
  );
  return { n: complete.length, leftOut, result };
}

const SESSIONS = ['baseline', 'followup'] as const;

/** MD of a region by session and group: a subject counts with whatever sessions it has. */
export function sessionModel(
  rows: readonly SubjectRow[],
  roi: string,
  groups: AnalysisPlan['groups'],
): MixedModelCell {
  const sessions = { baseline: baselineMd(roi), followup: followupMd(roi) };
  const either: NumericVariable = {
    name: `MD in ${roi}`,
    read: (row) => sessions.baseline.read(row) ?? sessions.followup.read(row),
  };
  const { complete, leftOut } = completeRows(rows, [either]);
  const observations = SESSIONS.flatMap((session) => {
    const { complete: measured } = completeRows(complete, [sessions[session]]);
    const values = numbers(measured, sessions[session]);
    return measured.map(({ subject, group }, i) => ({ subject, group, session, value: values[i] }));
  });
  const result = attempt(() =>
    mixedModel({ ...sessionByGroup(observations, SESSIONS, groups), method: 'REML' }),
  );
  return { roi, n: complete.length, leftOut, result };
}
