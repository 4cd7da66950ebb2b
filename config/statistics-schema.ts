/** The part of a study file that says how a cohort is analysed; `delta-md stats` takes the same from a file of its own. */
import { z } from 'zod';

const text = z.string().min(1);
export const column = text.describe('Name of a column of the participants file.');

export const group = z
  .strictObject({
    column: column.describe('Column with the treatment group.'),
    reference: text.describe('Value of that column for the reference group (coded 0).'),
    treatment: text.describe('Value of that column for the treatment group (coded 1).'),
  })
  .refine((g) => g.reference !== g.treatment, {
    message: 'has the same value for reference and treatment',
  })
  .describe('The two groups of the trial.');

export const subjectColumn = column
  .default('participant_id')
  .describe('Column with the subject, with or without sub-.');

const outcome = z
  .strictObject({
    name: text.describe('Name in the tables, such as MADRS.'),
    baseline: column.optional().describe('Column of the score at baseline.'),
    followup: column.optional().describe('Column of the score at follow-up; d-score = baseline - followup.'),
    change: column.optional().describe('Column of the d-score itself, instead of baseline and followup.'),
  })
  .refine((o) => (o.change === undefined) === (o.baseline !== undefined && o.followup !== undefined), {
    message: 'needs either the columns baseline and followup, or the column change',
  })
  .refine((o) => o.change === undefined || (o.baseline === undefined && o.followup === undefined), {
    message: 'has change beside baseline or followup',
  });

const equivalence = z
  .strictObject({
    d: z.number().positive().default(0.5).describe('In standard deviations, pooled over the groups.'),
    change: z.number().positive().optional().describe('Of dMD in mm2/s, instead of d.'),
    outcomes: z
      .record(text, z.number().positive())
      .optional()
      .describe('Of d-scores in points, by name of the outcome, instead of d: { MADRS: 3 }.'),
  })
  .prefault({})
  .describe(
    'The largest difference between the groups that does not matter, up or down: the bounds of the equivalence tests, and the difference for which power is told.',
  );

const count = (most: number) => z.number().int().min(0).max(most);

export const statistics = z
  .strictObject({
    outcomes: z.array(outcome).min(1).describe('Outcomes of the trial, tested with each region.'),
    covariates: z
      .array(z.union([column, z.array(column).min(1)]))
      .default([])
      .describe(
        'Columns added to the regressions. Each entry is a sensitivity run of its own: a column, or a list of columns that are added together; baselineMd stands for the MD of the region at baseline.',
      ),
    exploratory: z.array(outcome).default([]).describe('Further outcomes, reported as exploratory.'),
    characteristics: z
      .array(column)
      .optional()
      .describe(
        'Columns of Table 1, the groups before treatment; by default the baselines of the outcomes and the covariates. Numbers are averaged; words, and numbers of two values at most, are counted.',
      ),
    winsorize: z
      .union([
        z.enum(['tukey', 'none']),
        z.strictObject({
          percentile: z
            .number()
            .positive()
            .max(25)
            .describe('Values beyond this percentile at either end are pulled in: 5 for the 5th and 95th.'),
        }),
      ])
      .default('tukey')
      .describe(
        'Tests of dMD are repeated with outliers pulled in to the nearest value that is none. tukey: outliers lie more than 1.5 interquartile ranges below the first or above the third quartile; { percentile: 5 }: beyond the 5th or 95th percentile; none: raw values only.',
      ),
    families: z
      .enum(['outcome', 'all'])
      .default('outcome')
      .describe(
        'Interactions whose p are adjusted together (Holm, and false discovery rate). outcome: those of one outcome in all regions; all: those of all outcomes that are not exploratory.',
      ),
    permutations: count(1_000_000)
      .default(10_000)
      .describe('Permutations by which each primary interaction is tested again; 0: none.'),
    bootstrap: count(100_000)
      .default(2000)
      .describe('Resamples from which each primary slope gets a BCa interval; 0: none.'),
    seed: count(2 ** 32 - 1)
      .default(1)
      .describe('Seed of permutations and bootstrap.'),
    equivalence,
    cluster: column
      .optional()
      .describe(
        'Column whose equal values mark subjects with something in common, such as the site: primary interactions are tested again by cluster-robust errors.',
      ),
  })
  .describe('Tests and regressions over the cohort. Without it: no statistics.');

export type StatisticsSettings = z.output<typeof statistics>;
export type OutcomeSettings = z.output<typeof outcome>;
export type GroupSettings = z.output<typeof group>;
