/** From settings and tables to what the statistics take: the plan, and a row per subject. */
import { type LoadedAnalysis, regionColumn } from '../config/analysis-file.ts';
import type { OutcomeSettings, StatisticsSettings } from '../config/statistics-schema.ts';
import { characteristicColumns, covariateColumns, covariateSets } from '../config/statistics-settings.ts';
import type { AnalysisPlan, SubjectRow } from '../statistics/plan.ts';

/** Values of one subject's columns. */
type Values = Readonly<Record<string, number | string | null>>;

export function analysisPlan(
  settings: StatisticsSettings,
  groups: AnalysisPlan['groups'],
  rois: readonly string[],
): AnalysisPlan {
  const { outcomes, exploratory, winsorize, families, permutations, bootstrap, seed, equivalence, cluster } =
    settings;
  return {
    groups: { reference: groups.reference, treatment: groups.treatment },
    rois,
    outcomes: outcomes.map(({ name }) => name),
    exploratory: exploratory.map(({ name }) => name),
    covariates: covariateSets(settings),
    characteristics: characteristicColumns(settings),
    winsorize,
    families,
    ...(permutations > 0 ? { checks: { permutations, seed } } : {}),
    sensitivity: {
      equivalence,
      ...(bootstrap > 0 ? { bootstrap: { resamples: bootstrap, seed } } : {}),
      ...(cluster === undefined ? {} : { cluster }),
    },
  };
}

/** What the statistics take of a subject's own columns. */
export function valuesOf(
  settings: StatisticsSettings,
  values: Values,
): Pick<SubjectRow, 'scores' | 'sessionScores' | 'covariates' | 'characteristics'> {
  const outcomes = [...settings.outcomes, ...settings.exploratory];
  const pick = (columns: readonly string[]) =>
    Object.fromEntries(columns.map((column) => [column, values[column] ?? null]));
  const covariates = covariateColumns(settings);
  return {
    scores: Object.fromEntries(outcomes.map((outcome) => [outcome.name, scoreOf(outcome, values)])),
    sessionScores: Object.fromEntries(
      outcomes.flatMap(({ name, baseline, followup }) =>
        baseline === undefined || followup === undefined
          ? []
          : [[name, { baseline: number(values, baseline), followup: number(values, followup) }]],
      ),
    ),
    covariates: pick(settings.cluster === undefined ? covariates : [...covariates, settings.cluster]),
    characteristics: pick(characteristicColumns(settings)),
  };
}

/** d-score = baseline - follow-up, or the column that holds it; null where a part is missing. */
function scoreOf({ baseline, followup, change }: OutcomeSettings, values: Values): number | null {
  return change === undefined
    ? fall(number(values, baseline), number(values, followup))
    : number(values, change);
}

function number(values: Values, column: string | undefined): number | null {
  const value = column === undefined ? null : values[column];
  return typeof value === 'number' ? value : null;
}

/** Baseline minus follow-up. */
function fall(baseline: number | null, followup: number | null): number | null {
  return baseline === null || followup === null ? null : baseline - followup;
}

/** MD and its change in every region, as the statistics take them. */
export function mdOf(
  rois: readonly string[],
  baseline: (roi: string) => number | null,
  followup: (roi: string) => number | null,
): Required<Pick<SubjectRow, 'change' | 'baselineMd' | 'followupMd'>> {
  const byRoi = (value: (roi: string) => number | null) =>
    Object.fromEntries(rois.map((roi) => [roi, value(roi)]));
  return {
    change: byRoi((roi) => fall(baseline(roi), followup(roi))),
    baselineMd: byRoi(baseline),
    followupMd: byRoi(followup),
  };
}

/** The rows of a table that stands alone. */
export function analysisRows({ file, people }: LoadedAnalysis): SubjectRow[] {
  const { names, baseline, followup, change } = file.regions;
  return people.map(({ subject, group, values }): SubjectRow => {
    const of = (columns: string | undefined) => (roi: string) =>
      columns === undefined ? null : number(values, regionColumn(columns, roi));
    return {
      subject,
      group: group ?? '',
      ...(file.exclude[subject] === undefined ? {} : { excluded: file.exclude[subject] }),
      ...mdOf(names, of(baseline), of(followup)),
      ...(change === undefined
        ? {}
        : { change: Object.fromEntries(names.map((roi) => [roi, of(change)(roi)])) }),
      ...valuesOf(file.statistics, values),
    };
  });
}
