/** The part of the study file on image quality: its limits, and who decides. */
import { z } from 'zod';

const threshold = z
  .strictObject({
    warn: z.number().optional().describe('From here on somebody should look.'),
    exclude: z.number().optional().describe('From here on the data are not usable.'),
  })
  .refine((t) => t.warn !== undefined || t.exclude !== undefined, {
    message: 'needs warn, exclude, or both',
  });

export const qc = z
  .strictObject({
    thresholds: z
      .record(z.string(), threshold)
      .default({})
      .describe(
        'Limits of metrics, instead of the usual ones: { mean_fd: { warn: 0.5, exclude: 2 } }. Names are those of group_qc.json.',
      ),
    outliers: z
      .strictObject({
        mad: z
          .number()
          .positive()
          .default(3.5)
          .describe(
            'Modified z-score (by the median absolute deviation) beyond which a figure is warned of as an outlier of the cohort.',
          ),
      })
      .prefault({})
      .describe('Figures far from those of the cohort; they only warn.'),
    exclude: z
      .enum(['automatic', 'person'])
      .default('automatic')
      .describe(
        'Who leaves subjects out of the statistics. automatic: a limit "exclude" does, unless a person includes the subject; person: only a person does. delta-md qc takes decisions.',
      ),
    gate: z
      .enum(['none', 'review'])
      .default('none')
      .describe(
        'review: before the statistics the cohort waits for a decision on every subject that quality control flags.',
      ),
  })
  .prefault({})
  .describe('Limits of image quality, and who decides.');

export type QcSettings = z.output<typeof qc>;
