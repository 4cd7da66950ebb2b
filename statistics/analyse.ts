/** The whole plan of a trial over one table. A cell that cannot be computed says why and leaves the others alone. */
import { sessionModel } from './by-session.ts';
import { type Cohort, cohortOf, type RegionalChange, regionalChange } from './cohort.ts';
import { attempt } from './errors.ts';
import { familiesOf } from './families.ts';
import { baselineTest, changeTest, outcomeTest, tableOne } from './group-tests.ts';
import { interactionCells } from './interaction-cells.ts';
import { pearson } from './pearson.ts';
import type { AnalysisPlan, CohortAnalysis, CorrelationCell, SubjectRow } from './plan.ts';
import { completeRows, numbers, score } from './variables.ts';

/**
 * Table 1; group tests of every d-score, of every region's dMD (raw and Winsorized) and baseline MD; the interaction model
 * of every outcome and region, alone and with each set of covariates; correlations within each group; where the plan asks
 * for them, sensitivity analyses and mixed models. Subjects are left out cell by cell, only where a value is missing.
 * Sorted as the plan is; deterministic, and the same whatever the order of the rows.
 * @param table one row per subject; a second row of the same subject is left out
 */
export function analysePlan(plan: AnalysisPlan, table: readonly SubjectRow[]): CohortAnalysis {
  const cohort = cohortOf(plan, table);
  const { rows, leftOut, byGroup } = cohort;
  const [reference, treatment] = byGroup(rows, (group) => group.length);
  const outcomes = [
    ...plan.outcomes.map((name) => ({ name, exploratory: false })),
    ...(plan.exploratory ?? []).map((name) => ({ name, exploratory: true })),
  ];
  const changes = plan.rois.map((roi) => regionalChange(cohort, roi));
  const pairs = outcomes.flatMap((outcome) => changes.map((change) => ({ ...outcome, change })));
  const changeTests = changes.map((change) => changeTest(cohort, change));
  const regressions = pairs.flatMap(({ name, exploratory, change }) =>
    interactionCells(cohort, name, exploratory, change),
  );
  return {
    plan,
    n: { reference, treatment },
    leftOut,
    tableOne: tableOne(cohort),
    outcomeTests: outcomes.map(({ name, exploratory }) => outcomeTest(cohort, name, exploratory)),
    changeTests,
    baselineTests: plan.rois.map((roi) => baselineTest(cohort, roi)),
    regressions,
    correlations: pairs.flatMap(({ name, exploratory, change }) =>
      correlations(cohort, name, exploratory, change),
    ),
    mixedModels: plan.sensitivity ? plan.rois.map((roi) => sessionModel(rows, roi, plan.groups)) : [],
    families: familiesOf(plan, changeTests, regressions),
  };
}

/** d-score and raw dMD within each group. */
function correlations(
  { plan, rows }: Cohort,
  outcome: string,
  exploratory: boolean,
  { roi, raw }: RegionalChange,
): CorrelationCell[] {
  return [plan.groups.reference, plan.groups.treatment].map((group) => {
    const { complete, leftOut } = completeRows(
      rows.filter((row) => row.group === group),
      [score(outcome), raw],
    );
    const result = attempt(() => pearson(numbers(complete, raw), numbers(complete, score(outcome))));
    return { outcome, exploratory, roi, group, n: complete.length, leftOut, result };
  });
}
