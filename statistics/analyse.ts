/** The whole plan of a trial over one table. A cell that cannot be computed says why and leaves the others alone. */
import { adjustedForBaseline, sessionModel } from './by-session.ts';
import { effectSize } from './effect-size.ts';
import { attempt, type Result, unwrap } from './errors.ts';
import { type EquivalenceBound, groupSensitivity } from './group-sensitivity.ts';
import {
  type InteractionInput,
  interactionChecks,
  interactionModel,
  interactionTerms,
} from './interaction.ts';
import { interactionSensitivity, withoutInteraction } from './interaction-sensitivity.ts';
import { leastSquares } from './least-squares.ts';
import { compareNested } from './model-comparison.ts';
import { adjustP } from './multiplicity.ts';
import { pearson } from './pearson.ts';
import type {
  AnalysisPlan,
  ChangeTest,
  CohortAnalysis,
  CorrelationCell,
  Family,
  InteractionCell,
  LeftOut,
  OutcomeTest,
  SubjectRow,
} from './plan.ts';
import { tTest } from './t-test.ts';
import { characteristicOf } from './table-one.ts';
import {
  baselineMd,
  change,
  characteristic,
  columns,
  completeRows,
  covariate,
  followupMd,
  type NumericVariable,
  numbers,
  score,
  sessionScore,
  term,
} from './variables.ts';
import { winsorize } from './winsorize.ts';

/**
 * Table 1; group tests of every d-score, of every region's dMD (raw and Winsorized) and baseline MD; the interaction model
 * of every outcome and region, alone and with each set of covariates; correlations within each group; where the plan asks
 * for them, sensitivity analyses and mixed models. Subjects are left out cell by cell, only where a value is missing.
 * Sorted as the plan is; deterministic, and the same whatever the order of the rows.
 * @param table one row per subject; a second row of the same subject is left out
 */
export function analysePlan(plan: AnalysisPlan, table: readonly SubjectRow[]): CohortAnalysis {
  const { rows, leftOut } = usableRows(plan, table);
  const { checks, sensitivity } = plan;
  const treated = (row: SubjectRow) => (row.group === plan.groups.treatment ? 1 : 0);
  const outcomes = [
    ...plan.outcomes.map((name) => ({ ...score(name), exploratory: false })),
    ...(plan.exploratory ?? []).map((name) => ({ ...score(name), exploratory: true })),
  ];
  /** Of the reference group, then of the treatment group. */
  const byGroup = <T>(
    complete: readonly SubjectRow[],
    values: (group: readonly SubjectRow[]) => T,
  ): [T, T] => [
    values(complete.filter((row) => treated(row) === 0)),
    values(complete.filter((row) => treated(row) === 1)),
  ];
  const groupTest = (variable: NumericVariable) => {
    const { complete, leftOut } = completeRows(rows, [variable]);
    const [first, second] = byGroup(complete, (group) => numbers(group, variable));
    return {
      variable: variable.name,
      n: complete.length,
      leftOut,
      result: attempt(() => tTest(first, second)),
      effect: attempt(() => effectSize(first, second)),
    };
  };
  /** What is told beside the group test of a change. */
  const besideTest = (
    variable: NumericVariable,
    [baseline, followup]: readonly [NumericVariable, NumericVariable],
    ownBound: number | undefined,
  ) => {
    const { complete } = completeRows(rows, [variable]);
    const [first, second] = byGroup(complete, (group) => numbers(group, variable));
    const hasSessions = rows.some((row) => baseline.read(row) !== undefined);
    const bound = (d: number): EquivalenceBound =>
      ownBound === undefined ? { unit: 'd', value: d } : { unit: 'raw', value: ownBound };
    return {
      ancova: hasSessions ? adjustedForBaseline(rows, baseline, followup, treated) : null,
      ...(sensitivity
        ? { sensitivity: groupSensitivity(first, second, bound(sensitivity.equivalence.d)) }
        : {}),
    };
  };

  const changes = plan.rois.map((roi) => ({
    roi,
    raw: change(roi),
    ...(plan.winsorize === 'none' ? { winsorized: null, pulled: [] } : winsorizedChange(roi, rows, plan)),
  }));
  const changeTests = changes.map(({ roi, raw, winsorized, pulled }): ChangeTest => {
    const { complete } = completeRows(rows, [raw]);
    return {
      ...groupTest(raw),
      ...besideTest(raw, [baselineMd(roi), followupMd(roi)], sensitivity?.equivalence.change),
      variable: roi,
      winsorized:
        winsorized &&
        attempt(() => tTest(...byGroup(complete, (group) => numbers(group, unwrap(winsorized))))),
      pulled,
    };
  });

  const regressions: InteractionCell[] = [];
  const correlations: CorrelationCell[] = [];
  for (const outcome of outcomes)
    for (const { roi, raw, winsorized } of changes) {
      const about = { outcome: outcome.name, exploratory: outcome.exploratory, roi };
      for (const covariates of [[], ...(plan.covariates ?? [])]) {
        const variables = covariates.map((name) => covariate(name, roi));
        const { complete, leftOut } = completeRows(rows, [outcome, raw, ...variables]);
        for (const kind of winsorized ? (['raw', 'winsorized'] as const) : (['raw'] as const)) {
          const input = attempt((): InteractionInput => {
            const dMd = kind === 'raw' || !winsorized ? raw : unwrap(winsorized);
            return {
              outcome: term(complete, outcome),
              change: term(complete, dMd),
              treated: complete.map(treated),
              covariates: variables.flatMap((variable) => columns(complete, variable)),
            };
          });
          const fitted = <T>(calculate: (input: InteractionInput) => T) =>
            attempt(() => calculate(unwrap(input)));
          const isPrimary = kind === 'raw' && covariates.length === 0;
          regressions.push({
            ...about,
            change: kind,
            covariates,
            n: complete.length,
            leftOut,
            result: fitted(interactionModel),
            r2Change: fitted((input) => {
              const whole = leastSquares(input.outcome, interactionTerms(input));
              return compareNested(withoutInteraction(whole), whole);
            }),
            ...(isPrimary && checks ? { checks: fitted((input) => interactionChecks(input, checks)) } : {}),
            ...(isPrimary && sensitivity && input.ok
              ? {
                  sensitivity: interactionSensitivity(
                    input.value,
                    complete.map((row) => row.subject),
                    complete.map((row) => covariate(sensitivity.cluster ?? '', roi).read(row)),
                    sensitivity,
                  ),
                }
              : {}),
          });
        }
      }
      for (const group of [plan.groups.reference, plan.groups.treatment]) {
        const { complete, leftOut } = completeRows(
          rows.filter((row) => row.group === group),
          [outcome, raw],
        );
        const result = attempt(() => pearson(numbers(complete, raw), numbers(complete, outcome)));
        correlations.push({ ...about, group, n: complete.length, leftOut, result });
      }
    }

  return {
    plan,
    n: {
      reference: rows.filter((row) => treated(row) === 0).length,
      treatment: rows.filter((row) => treated(row) === 1).length,
    },
    leftOut,
    tableOne: (plan.characteristics ?? []).map((name) => {
      const { read } = characteristic(name);
      return characteristicOf(name, ...byGroup(rows, (group) => group.map((row) => read(row) ?? null)));
    }),
    outcomeTests: outcomes.map((outcome): OutcomeTest => {
      const { name, exploratory } = outcome;
      const sessions = [sessionScore(name, 'baseline'), sessionScore(name, 'followup')] as const;
      return {
        ...groupTest(outcome),
        ...besideTest(outcome, sessions, sensitivity?.equivalence.outcomes?.[name]),
        exploratory,
      };
    }),
    changeTests,
    baselineTests: plan.rois.map((roi) => ({ ...groupTest(baselineMd(roi)), variable: roi })),
    regressions,
    correlations,
    mixedModels: sensitivity ? plan.rois.map((roi) => sessionModel(rows, roi, plan.groups)) : [],
    families: familiesOf(plan, changeTests, regressions),
  };
}

function familiesOf(
  plan: AnalysisPlan,
  changeTests: readonly ChangeTest[],
  regressions: readonly InteractionCell[],
): Family[] {
  const interactions = (name: string, outcomes: readonly string[]) =>
    family(
      name,
      regressions
        .filter((cell) => outcomes.includes(cell.outcome) && cell.change === 'raw' && !cell.covariates.length)
        .map(({ outcome, roi, result }) => ({
          outcome,
          roi,
          p: result.ok ? result.value.dummyCoded.interaction.p : undefined,
        })),
    );
  const alone = plan.families === 'all' ? [] : plan.outcomes;
  return [
    family(
      'dMD',
      changeTests.map(({ variable, result }) => ({
        roi: variable,
        p: result.ok ? result.value.student.p : undefined,
      })),
    ),
    ...(plan.families === 'all' ? [interactions('all outcomes', plan.outcomes)] : []),
    ...[...alone, ...(plan.exploratory ?? [])].map((name) => interactions(name, [name])),
  ];
}

/** Adjusts the p of those tests that could be made. */
function family(
  name: string,
  tests: readonly { readonly outcome?: string; readonly roi: string; readonly p: number | undefined }[],
): Family {
  const made = tests.flatMap(({ p, ...test }) => (p === undefined ? [] : [{ ...test, p }]));
  const p = made.map((member) => member.p);
  const [holm, fdr] = [adjustP(p, 'holm'), adjustP(p, 'benjamini-hochberg')];
  return { name, members: made.map((member, i) => ({ ...member, holm: holm[i], fdr: fdr[i] })) };
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

/** One Winsorized value per subject and region: the same in the t-test and in every model. */
function winsorizedChange(roi: string, rows: readonly SubjectRow[], plan: AnalysisPlan) {
  const raw = change(roi);
  const { complete } = completeRows(rows, [raw]);
  const result = attempt(() => winsorize(numbers(complete, raw), plan.winsorize));
  if (!result.ok) return { winsorized: result, pulled: [] };
  const { values, pulled } = result.value;
  const bySubject = new Map(complete.map((row, i) => [row.subject, values[i]]));
  const value: NumericVariable = { ...raw, read: (row) => bySubject.get(row.subject) };
  return {
    winsorized: { ok: true, value } satisfies Result<NumericVariable>,
    pulled: pulled.map((i) => complete[i].subject),
  };
}
