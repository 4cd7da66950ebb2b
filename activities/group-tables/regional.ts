/** Tables of regional MD: each session's, and the change between them. */
import type { SubjectRow } from '../../statistics/plan.ts';
import type { RoiRow } from '../report/types.ts';
import { column, roi } from './columns.ts';
import { type Table, table } from './table.ts';

const participant_id = column('Subject');
const md = (description: string) => column(description, 'mm^2/s');

export function regionalMd(rows: readonly RoiRow[]): Table {
  return table(
    {
      participant_id,
      session: column('Session'),
      roi,
      md: md('Mean diffusivity averaged over the voxels with data'),
      voxels: column('Voxels averaged', 'voxels'),
      coverage: column('Share of the voxels of the region that had data, 0 to 1'),
      flagged: {
        Description: 'Whether the coverage is below what the study asks for',
        Levels: { true: 'it is: left out of the statistics', false: 'it is not' },
      },
    },
    rows.map(({ subject, ...row }) => ({ ...row, participant_id: subject })),
  );
}

export function regionalChange(subjects: readonly SubjectRow[], rois: readonly string[]): Table {
  return table(
    {
      participant_id,
      group: column('Treatment group'),
      roi,
      md_baseline: md('MD at baseline'),
      md_followup: md('MD at follow-up'),
      dmd: md('MD(baseline) - MD(follow-up)'),
    },
    subjects.flatMap(({ subject, group, baselineMd, followupMd, change }) =>
      rois.map((roi) => ({
        participant_id: subject,
        group,
        roi,
        md_baseline: baselineMd[roi],
        md_followup: followupMd?.[roi],
        dmd: change[roi],
      })),
    ),
  );
}
