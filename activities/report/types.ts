/** What the group report is made from. Plain data; the activity gathers it, the report only prints it. */

import type { CohortAnalysis, SubjectRow } from '../../statistics/plan.ts';
import type { Column } from '../group-tables/table.ts';

/** With what the cohort was processed. */
export interface RunFacts {
  /** Such as `fsl-5.0`. */
  readonly profile: string;
  /** Version of delta-md. */
  readonly version: string;
  /** Name of the template image. */
  readonly template: string;
  readonly tools: readonly { readonly name: string; readonly version: string }[];
}

export interface CohortRow {
  readonly subject: string;
  /** Empty where unknown. */
  readonly group: string;
  readonly status: 'done' | 'failed' | 'excluded';
  /** Why it is not done. */
  readonly why?: string;
  /** What to do next. */
  readonly remedy?: string;
}

export interface RoiRow {
  readonly subject: string;
  readonly session: string;
  readonly roi: string;
  /** Mean MD in mm2/s; null where no voxel had data. */
  readonly md: number | null;
  /** Voxels averaged. */
  readonly voxels: number;
  /** Share of the region's voxels that had data, 0 to 1. */
  readonly coverage: number;
  /** Coverage under the study's limit. */
  readonly flagged: boolean;
}

/** A PNG about one subject. */
export interface SubjectPicture {
  readonly subject: string;
  readonly caption: string;
  readonly pngBase64: string;
}

/** What a simulated cohort put in, and what came out. In mm2/s. */
export interface TruthRow {
  readonly roi: string;
  readonly quantity: 'MD' | 'dMD';
  /** Subjects. */
  readonly n: number;
  /** Mean of the truth. */
  readonly truth: number;
  /** Mean of what was measured. */
  readonly measured: number;
  /** Root mean square of measured - truth over subjects. */
  readonly rmse: number;
  /** Correlation of measured with truth over subjects; null where it is not defined. */
  readonly correlation: number | null;
}

/** A file that holds numbers of the report. */
export interface DataFile {
  /** Below the folder of the report. */
  readonly name: string;
  /** Of a table. */
  readonly columns?: Readonly<Record<string, Column>>;
}

export interface GroupReport {
  readonly title: string;
  readonly run: RunFacts;
  readonly cohort: readonly CohortRow[];
  readonly rois: readonly RoiRow[];
  /** The table that was analysed: the points of the figures. */
  readonly table: readonly SubjectRow[];
  /** Absent where the study asks for no statistics or has one session. */
  readonly analysis?: CohortAnalysis;
  /** The primary tests again with the subjects that were excluded from them; absent where nobody was. */
  readonly keepingExcluded?: CohortAnalysis;
  /** Address of each subject's page beside the report, such as `sub-01.html`; a subject without a page is not named. */
  readonly pages: Readonly<Record<string, string>>;
  /** Beside the report. */
  readonly files: readonly DataFile[];
  readonly pictures: readonly SubjectPicture[];
  /** For simulated cohorts only. */
  readonly truth?: readonly TruthRow[];
  /** Paragraphs on processing, with citations as `[@andersson2003]`; those on statistics are added by the report. */
  readonly methods: readonly string[];
  /** What a reader must know, such as what the study file supplied because sidecars were silent. */
  readonly notes: readonly string[];
}
