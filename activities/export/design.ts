/**
 * A group design for FSL's randomise and GLM: the text files `design.mat` and `design.con`. Pure.
 * Form: FSL wiki, GLM and randomise user guides; one row per subject in the order of the stack.
 */
import { DeltaMdError } from '../../pipeline/failures.ts';

/** One explanatory variable: a value per subject. */
interface Column {
  readonly name: string;
  readonly values: readonly number[];
}

export interface Design {
  readonly columns: readonly Column[];
  /** A weight per column. */
  readonly contrasts: readonly { readonly name: string; readonly weights: readonly number[] }[];
}

/** A covariate as the participants table has it; null: missing. */
export interface Covariate {
  readonly name: string;
  readonly values: readonly (string | null)[];
}

/**
 * A mean per group (or one for all), and covariates made mean-free, so that contrasts of groups are at their mean. Words
 * become a 0/1 column for each but the first in alphabetical order.
 * @param groups of each subject, as reference or treatment; undefined: one group
 * @throws DeltaMdError INPUT_INCOMPLETE where a covariate is missing for someone; INPUT_UNUSABLE where it does not vary
 */
export function groupDesign(
  subjects: readonly string[],
  groups:
    | { readonly reference: string; readonly treatment: string; readonly of: readonly string[] }
    | undefined,
  covariates: readonly Covariate[] = [],
): Design {
  const means: Column[] = groups
    ? [groups.reference, groups.treatment].map((name) => ({
        name,
        values: groups.of.map((group) => Number(group === name)),
      }))
    : [{ name: 'mean', values: subjects.map(() => 1) }];
  const columns = [...means, ...covariates.flatMap((covariate) => covariateColumns(subjects, covariate))];
  const contrast = (name: string, weights: Readonly<Record<number, number>>) => ({
    name,
    weights: columns.map((_, c) => weights[c] ?? 0),
  });
  const between = groups
    ? [
        contrast(`${groups.reference} > ${groups.treatment}`, { 0: 1, 1: -1 }),
        contrast(`${groups.treatment} > ${groups.reference}`, { 0: -1, 1: 1 }),
      ]
    : [];
  const within = columns.flatMap(({ name }, c) => [
    contrast(`${name} > 0`, { [c]: 1 }),
    contrast(`${name} < 0`, { [c]: -1 }),
  ]);
  return { columns, contrasts: [...between, ...within] };
}

function covariateColumns(subjects: readonly string[], { name, values }: Covariate): Column[] {
  const without = subjects.filter((_, i) => values[i] === null);
  if (without.length > 0)
    throw new DeltaMdError('INPUT_INCOMPLETE', `${name} is missing for ${without.join(', ')}`, {
      remedy: `Complete the participants table, or export without --covariates ${name}`,
    });
  const words = values.map(String);
  const numbers = words.map(Number);
  const levels = [...new Set(words)].sort();
  const columns = numbers.every(Number.isFinite)
    ? [{ name, values: numbers }]
    : levels.slice(1).map((level) => ({
        name: `${name} ${level}`,
        values: words.map((word) => Number(word === level)),
      }));
  if (levels.length < 2)
    throw new DeltaMdError('INPUT_UNUSABLE', `${name} is ${levels[0]} for everyone`, {
      remedy: `Export without --covariates ${name}`,
    });
  return columns.map((column) => {
    const mean = column.values.reduce((sum, value) => sum + value, 0) / column.values.length;
    return { name: column.name, values: column.values.map((value) => value - mean) };
  });
}

const row = (values: readonly number[]) => values.map((value) => value.toExponential(6)).join('\t');

/** Text of design.mat. */
export function matText({ columns }: Design): string {
  const points = columns[0].values.length;
  // From zero where a column does not cross it: FSL gives a mean the height 1.
  const heights = columns.map(({ values }) => Math.max(0, ...values) - Math.min(0, ...values));
  return [
    `/NumWaves\t${columns.length}`,
    `/NumPoints\t${points}`,
    `/PPheights\t${row(heights)}`,
    '',
    '/Matrix',
    ...Array.from({ length: points }, (_, i) => row(columns.map(({ values }) => values[i]))),
    '',
  ].join('\n');
}

/** Text of design.con. */
export function conText({ columns, contrasts }: Design): string {
  return [
    ...contrasts.map(({ name }, i) => `/ContrastName${i + 1}\t${name}`),
    `/NumWaves\t${columns.length}`,
    `/NumContrasts\t${contrasts.length}`,
    '',
    '/Matrix',
    ...contrasts.map(({ weights }) => row(weights)),
    '',
  ].join('\n');
}
