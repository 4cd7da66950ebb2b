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

/** Box in mm of template space (RAS+); a voxel is inside where its centre is, edges included. */
export type Limits = Readonly<Partial<Record<'x' | 'y' | 'z', readonly [low: number, high: number]>>>;

/** How a study file defines a region. */
export interface Region {
  readonly name: string;
  /** Label image, where it is another than that of all; a path or `fsl:NAME`. */
  readonly image?: string;
  /** Numbers in it, or names of its labels. */
  readonly label: readonly (number | string)[];
  readonly limits?: Limits;
}

/** All of a study but its template and regions. */
export interface StudySettings {
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
  readonly runtime: Runtime;
  readonly resources: ResourceSettings;
  readonly retries: { readonly tool: number };
  readonly arrivals: ArrivalSettings;
  readonly qc: QcSettings;
  readonly statistics?: StatisticsSettings;
}

/**
 * A study as its file has it: what it takes from FSL (`fsl:NAME`) is not looked up, its own regions are not yet made
 * (activities/standard.ts does both).
 */
export interface WrittenStudy extends StudySettings {
  /** A path, or `fsl:NAME`. */
  readonly template: string;
  readonly rois: {
    /** A path, or `fsl:NAME`. */
    readonly image: string;
    /** Absent: FSL's own for an atlas of FSL, none for a file. */
    readonly labels?: readonly RoiLabel[];
    /** Absent: every label is a region. */
    readonly regions?: readonly Region[];
    readonly minimumCoverage: number;
  };
}

/** A study that can be run: template and regions are files on the template's grid. */
export interface Study extends StudySettings {
  readonly template: string;
  readonly rois: {
    readonly image: string;
    readonly labels: readonly RoiLabel[];
    readonly minimumCoverage: number;
  };
}
