/** What follows from the settings of the statistics: columns that they name, and what the schema cannot see. */
import type { Finding, Keys } from './problems.ts';
import { suggestOrList } from './problems.ts';
import type { StatisticsSettings } from './statistics-schema.ts';

/** Among covariates: the region's own MD at baseline, which is no column of the participants. */
export const BASELINE_MD = 'baselineMd';

/** A column that the settings name: where they do, and whether it must hold numbers. */
export interface NamedColumn {
  readonly column: string;
  readonly keys: Keys;
  readonly numeric: boolean;
}

/** Each set of covariates by which the regressions are repeated. */
export function covariateSets({ covariates }: StatisticsSettings): string[][] {
  return covariates.map((one) => [one].flat());
}

/** Columns among the covariates, each once. */
export function covariateColumns(settings: StatisticsSettings): string[] {
  return [...new Set(covariateSets(settings).flat())].filter((name) => name !== BASELINE_MD);
}

/** Rows of Table 1. */
export function characteristicColumns(settings: StatisticsSettings): string[] {
  const { characteristics, outcomes } = settings;
  if (characteristics) return characteristics;
  const baselines = outcomes.flatMap(({ baseline }) => (baseline === undefined ? [] : [baseline]));
  return [...new Set([...baselines, ...covariateColumns(settings)])];
}

/** Every column of the participants that the settings name. */
export function namedColumns(settings: StatisticsSettings | undefined): NamedColumn[] {
  if (!settings) return [];
  const ofOutcomes = (where: 'outcomes' | 'exploratory') =>
    settings[where].flatMap((outcome, i) =>
      (['baseline', 'followup', 'change'] as const).flatMap((key) =>
        outcome[key] === undefined
          ? []
          : [{ column: outcome[key], keys: ['statistics', where, i, key], numeric: true }],
      ),
    );
  const words = (column: string, ...keys: Keys) => ({
    column,
    keys: ['statistics', ...keys],
    numeric: false,
  });
  return [
    ...ofOutcomes('outcomes'),
    ...ofOutcomes('exploratory'),
    ...settings.covariates.flatMap((one, i) =>
      typeof one === 'string'
        ? [words(one, 'covariates', i)]
        : one.map((name, k) => words(name, 'covariates', i, k)),
    ),
    ...(settings.characteristics ?? []).map((name, i) => words(name, 'characteristics', i)),
    ...(settings.cluster === undefined ? [] : [words(settings.cluster, 'cluster')]),
  ].filter(({ column }) => column !== BASELINE_MD);
}

/** Outcomes of one name, and bounds of outcomes that are none. */
export function settingsFindings({ outcomes, exploratory, equivalence }: StatisticsSettings): Finding[] {
  const all = [
    ...outcomes.map(({ name }, i) => ({ name, keys: ['statistics', 'outcomes', i, 'name'] })),
    ...exploratory.map(({ name }, i) => ({ name, keys: ['statistics', 'exploratory', i, 'name'] })),
  ];
  const names = all.map(({ name }) => name);
  return [
    ...all
      .filter(({ name }, i) => names.indexOf(name) !== i)
      .map(({ name, keys }) => ({
        keys,
        message: `two outcomes are named "${name}"`,
        remedy: 'Give each outcome its own name',
      })),
    ...Object.keys(equivalence.outcomes ?? {})
      .filter((name) => !names.includes(name))
      .map((name) => ({
        keys: ['statistics', 'equivalence', 'outcomes', name],
        atKey: true,
        message: `"${name}" is no outcome`,
        remedy: suggestOrList(name, names, 'Outcomes'),
      })),
  ];
}
