/** Where in an analysis a result is found. */
import type {
  ChangeTest,
  CohortAnalysis,
  CorrelationCell,
  Family,
  GroupTest,
  InteractionCell,
  SubjectRow,
} from '../../statistics/plan.ts';

export type Adjusted = Family['members'][number];

/** The interaction models that the plan is about, a region each: raw dMD, no covariates. */
export function primaryModels({ regressions }: CohortAnalysis, outcome: string): InteractionCell[] {
  return regressions.filter((cell) => cell.outcome === outcome && isPrimary(cell));
}

export const isPrimary = ({ change, covariates }: InteractionCell) =>
  change === 'raw' && covariates.length === 0;

/** The same model of other values or with covariates. */
export function twinOf(
  { regressions }: CohortAnalysis,
  { outcome, roi }: Pick<InteractionCell, 'outcome' | 'roi'>,
  change: InteractionCell['change'],
  covariates: readonly string[],
): InteractionCell | undefined {
  return regressions.find(
    (cell) =>
      cell.outcome === outcome &&
      cell.roi === roi &&
      cell.change === change &&
      cell.covariates.join('\n') === covariates.join('\n'),
  );
}

/** p of an interaction, adjusted within its family; undefined where the test could not be made. */
export function adjustedInteraction(
  { families }: CohortAnalysis,
  outcome: string,
  roi: string,
): Adjusted | undefined {
  return families.flatMap(({ members }) => members).find((m) => m.outcome === outcome && m.roi === roi);
}

/** p of the group test of a region's dMD, adjusted for the number of regions. */
export function adjustedChange({ families }: CohortAnalysis, roi: string): Adjusted | undefined {
  return families.flatMap(({ members }) => members).find((m) => m.outcome === undefined && m.roi === roi);
}

/** The rows that a cell was computed from: all of both groups but the ones left out. */
export function analysedRows(
  { plan: { groups } }: CohortAnalysis,
  table: readonly SubjectRow[],
  cell: InteractionCell | ChangeTest | GroupTest | CorrelationCell,
): SubjectRow[] {
  const out = new Set(cell.leftOut.map((row) => row.subject));
  const seen = new Set<string>();
  return table.filter(({ subject, group, excluded }) => {
    const first = !seen.has(subject);
    seen.add(subject);
    return (
      first &&
      excluded === undefined &&
      !out.has(subject) &&
      (group === groups.reference || group === groups.treatment)
    );
  });
}
