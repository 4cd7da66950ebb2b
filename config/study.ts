/** A study as the rest of the house sees it: paths absolute, defaults filled in, tables read. Plain data. */
import type { Profile } from '../pipeline/profile.ts';
import type {
  AcquisitionEntry,
  ArrivalSettings,
  QcSettings,
  ResourceSettings,
  Runtime,
  StatisticsSettings,
} from './schema.ts';

/** One session to process. Two of them (baseline, followup) give a change; `only` gives MD and no change. */
export interface StudySession {
  readonly role: 'baseline' | 'followup' | 'only';
  /** Without `ses-`; null where the dataset has no session level. */
  readonly label: string | null;
}

/** A region: its number in the label image and its name. */
export interface RoiLabel {
  readonly index: number;
  readonly name: string;
}

export interface Study {
  readonly study: string;
  readonly title?: string;
  /** The study file itself. */
  readonly file: string;
  readonly bids: string;
  readonly output: string;
  readonly work: string;
  readonly storage?: string;
  /** baseline then followup, or one. */
  readonly sessions: readonly StudySession[];
  /** Entity -> accepted values, for sets to use. */
  readonly select: Readonly<Record<string, readonly string[]>>;
  /** dir- label, or `default` -> what sidecars leave out. */
  readonly acquisition: Readonly<Record<string, AcquisitionEntry>>;
  readonly participants?: {
    readonly file: string;
    readonly id: string;
    readonly group: { readonly column: string; readonly reference: string; readonly treatment: string };
  };
  /** Subject with `sub-` -> reason. */
  readonly exclude: Readonly<Record<string, string>>;
  readonly profile: Profile;
  readonly template: string;
  readonly rois: {
    readonly image: string;
    readonly labels: readonly RoiLabel[];
    readonly minimumCoverage: number;
  };
  readonly runtime: Runtime;
  readonly resources: ResourceSettings;
  readonly retries: { readonly tool: number };
  readonly arrivals: ArrivalSettings;
  readonly qc: QcSettings;
  readonly statistics?: StatisticsSettings;
}
