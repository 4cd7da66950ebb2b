/** Columns that several tables of the group have, described once. */
import type { Column } from './table.ts';

const column = (Description: string, Units?: string): Column =>
  Units === undefined ? { Description } : { Description, Units };

export const roi = column('Region');
export const outcome = column('Outcome; d-NAME is baseline minus follow-up of NAME');
export const exploratory: Column = {
  Description: 'Whether the plan names the outcome as exploratory',
  Levels: { true: 'exploratory', false: 'of the trial' },
};
export const n = column('Subjects in the test', 'subjects');
export const term: Column = {
  Description: 'Term of the model; dMD in mm^2/s from its mean, group 0 for reference and 1 for treatment',
};
export const whyNot = column('Why there is no result; n/a where there is one');
export const r2 = column('Share of the variance of the outcome that the model explains, 0 to 1');
export const holm = column('p adjusted for the family of regions by Holm, of family-wise error');
export const fdr = column(
  'p adjusted for the family of regions by Benjamini and Hochberg, of false discovery rate',
);

/** An estimate with its t-test, in the unit of what is described. */
export const estimate = {
  b: column('Unstandardized slope, per unit of the term', 'outcome / unit of the term'),
  se: column('Standard error', 'as the estimate'),
  ci95_low: column('Lower end of the 95 % confidence interval', 'as the estimate'),
  ci95_high: column('Upper end of the 95 % confidence interval', 'as the estimate'),
  t: column('t statistic'),
  df: column('Degrees of freedom of t'),
  p: column('Two-sided p'),
} as const;

/** Units of what is tested: points of a score, or mm^2/s of MD. */
export const VARIABLE_UNITS = 'points of d-NAME, mm^2/s of MD and dMD';

export { column };

/** `d-MADRS`: a change in score. */
export const dScore = (name: string): string => `d-${name}`;
