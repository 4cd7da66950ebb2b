/** Whether the groups differ: before treatment, in their scores, in each region. */
import { adjustedForBaseline } from './by-session.ts';
import type { Cohort, RegionalChange } from './cohort.ts';
import { effectSize } from './effect-size.ts';
import { attempt, unwrap } from './errors.ts';
import { groupSensitivity } from './group-sensitivity.ts';
import type { ChangeTest, GroupTest, OutcomeTest } from './plan.ts';
import { tTest } from './t-test.ts';
import { type Characteristic, characteristicOf } from './table-one.ts';
import {
  baselineMd,
  characteristic,
  completeRows,
  followupMd,
  type NumericVariable,
  numbers,
  score,
  sessionScore,
} from './variables.ts';

export function tableOne({ plan, rows, byGroup }: Cohort): Characteristic[] {
  return (plan.characteristics ?? []).map((name) => {
    const { read } = characteristic(name);
    return characteristicOf(name, ...byGroup(rows, (group) => group.map((row) => read(row) ?? null)));
  });
}

export function outcomeTest(cohort: Cohort, name: string, exploratory: boolean): OutcomeTest {
  const sessions = [sessionScore(name, 'baseline'), sessionScore(name, 'followup')] as const;
  const bound = cohort.plan.sensitivity?.equivalence.outcomes?.[name];
  return {
    ...groupTest(cohort, score(name)),
    ...besideTest(cohort, score(name), sessions, bound),
    exploratory,
  };
}

export function changeTest(cohort: Cohort, { roi, raw, winsorized, pulled }: RegionalChange): ChangeTest {
  const { complete } = completeRows(cohort.rows, [raw]);
  const bound = cohort.plan.sensitivity?.equivalence.change;
  return {
    ...groupTest(cohort, raw),
    ...besideTest(cohort, raw, [baselineMd(roi), followupMd(roi)], bound),
    variable: roi,
    winsorized:
      winsorized &&
      attempt(() => tTest(...cohort.byGroup(complete, (group) => numbers(group, unwrap(winsorized))))),
    pulled,
  };
}

export function baselineTest(cohort: Cohort, roi: string): GroupTest {
  return { ...groupTest(cohort, baselineMd(roi)), variable: roi };
}

function groupTest({ rows, byGroup }: Cohort, variable: NumericVariable): GroupTest {
  const { complete, leftOut } = completeRows(rows, [variable]);
  const [first, second] = byGroup(complete, (group) => numbers(group, variable));
  return {
    variable: variable.name,
    n: complete.length,
    leftOut,
    result: attempt(() => tTest(first, second)),
    effect: attempt(() => effectSize(first, second)),
  };
}

/**
 * What is told beside the group test of a change.
 * @param bound the largest difference that does not matter, in the variable's own unit; undefined: the plan's d
 */
function besideTest(
  { plan, rows, treated, byGroup }: Cohort,
  variable: NumericVariable,
  [baseline, followup]: readonly [NumericVariable, NumericVariable],
  bound: number | undefined,
): Pick<ChangeTest, 'ancova' | 'sensitivity'> {
  const hasSessions = rows.some((row) => baseline.read(row) !== undefined);
  const ancova = hasSessions ? adjustedForBaseline(rows, baseline, followup, treated) : null;
  if (!plan.sensitivity) return { ancova };
  const { d } = plan.sensitivity.equivalence;
  const { complete } = completeRows(rows, [variable]);
  const [first, second] = byGroup(complete, (group) => numbers(group, variable));
  const equivalence =
    bound === undefined ? { unit: 'd' as const, value: d } : { unit: 'raw' as const, value: bound };
  return { ancova, sensitivity: groupSensitivity(first, second, equivalence) };
}
