/**
 * What orchestration needs of a study: plain, small, and fixed when a cohort starts, so that both sessions of every
 * subject are made with one set of parameters.
 */
import type { Profile } from './profile.ts';
import type { FileRef } from './step.ts';

/** What the choices of containers have in common. */
interface ContainerChoice {
  /** Name or digest of an image; for apptainer the absolute path of a SIF file. */
  readonly image: string;
  /** Folder of FSL inside the image, where the image does not say. */
  readonly fslDir?: string;
  readonly gpu?: boolean;
  /** Absolute folders that input files must lie in. */
  readonly roots?: readonly string[];
}

/** Which runtime runs the tools. */
export type RuntimeChoice =
  | { readonly kind: 'process'; readonly fslDir?: string; readonly toolkit?: string; readonly gpu?: boolean }
  | ({ readonly kind: 'docker' | 'podman'; readonly socket?: string } & ContainerChoice)
  | ({ readonly kind: 'apptainer' } & ContainerChoice);

/** How far a failed step is tried again. */
export interface RetryPolicy {
  /** Further tries of a tool that ended with an error. */
  readonly toolRetries: number;
  /** Memory limit a step that was killed for want of memory may grow to, MiB. */
  readonly memoryLimitMiB: number;
}

/** The two sessions of a subject, as labels without `ses-`; null: the data have no session level. */
export interface SessionPlan {
  readonly baseline: string | null;
  /** Absent: one session only, so MD but no dMD. */
  readonly followup?: string;
}

export interface StudyPlan {
  readonly study: string;
  /** Absolute path of the study file; activities read it for what they need. */
  readonly studyFile: string;
  /** Absolute path of the folder for scratch and results by content. */
  readonly work: string;
  /** URL of the storage through which workers without a common folder hand files to each other. */
  readonly storage?: string;
  readonly sessions: SessionPlan;
  /** Which sets to use, by entity, where the command line says so instead of the study file. */
  readonly select?: Readonly<Record<string, readonly string[]>>;
  /** Direction labels a complete session holds, such as AP and PA. */
  readonly directions: readonly string[];
  readonly profile: Profile;
  readonly template: FileRef;
  readonly runtime: RuntimeChoice;
  readonly retries: RetryPolicy;
  /** Cores one step may use. */
  readonly cpus: number;
  /** Memory limit of a step unless the step itself needs less, MiB. */
  readonly memoryMiB: number;
  /** Factor on every step's time limit. */
  readonly timeFactor: number;
  readonly subjectsAtOnce: number;
  /** `review`: decisions on all that quality control flags come before the statistics; absent: nobody is asked. */
  readonly gate?: 'review';
}

/** Display name of a session: `ses-24h`, or `ses-none` where the data have no session level. */
export function sessionName(label: string | null): string {
  return label === null ? 'ses-none' : `ses-${label}`;
}
