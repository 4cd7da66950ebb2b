/**
 * The one taxonomy of failures. Every failure has a code; the code decides whether it is tried again, and what the
 * user is told to do. Codes travel through Temporal as the `type` of an ApplicationFailure.
 */

/** How the orchestration answers a failure. */
export type FailureClass = 'input' | 'tool' | 'memory' | 'time' | 'infrastructure' | 'internal';

/** Every code: its class, what it means, and what to do next where the failure itself knows nothing better. */
export const FAILURES = {
  INPUT_MISSING: {
    class: 'input',
    title: 'a needed file is missing',
    remedy: 'Add the file named above, then: delta-md retry',
  },
  INPUT_DAMAGED: {
    class: 'input',
    title: 'a file is damaged',
    remedy: 'Copy or convert the file again, then: delta-md retry',
  },
  INPUT_CONTRADICTS: {
    class: 'input',
    title: 'files contradict each other',
    remedy: 'Export image, gradient table and sidecar together again, then: delta-md retry',
  },
  INPUT_INCOMPLETE: {
    class: 'input',
    title: 'a sidecar lacks a needed field',
    remedy: 'Add the field, or give it in the study file under acquisition, then: delta-md retry',
  },
  INPUT_UNUSABLE: {
    class: 'input',
    title: 'an image holds no usable data',
    remedy: 'Check the scan; exclude the subject or replace the file, then: delta-md retry',
  },
  CONFIG_INVALID: {
    class: 'input',
    title: 'the study file is wrong',
    remedy: 'Mend the study file; delta-md validate shows every problem',
  },
  TOOL_FAILED: {
    class: 'tool',
    title: 'the tool ended with an error',
    remedy: 'Read the last lines of its log; mend the cause, then: delta-md retry',
  },
  TOOL_MISSING: {
    class: 'input',
    title: 'the tool is not installed',
    remedy: 'Run delta-md doctor: it says what is missing and how to get it',
  },
  OUTPUT_MISSING: {
    class: 'tool',
    title: 'the tool did not write a promised file',
    remedy: 'Read its log; the tool may be too old for this profile',
  },
  OUT_OF_MEMORY: {
    class: 'memory',
    title: 'the tool was killed for want of memory',
    remedy: 'Raise resources.memoryMiB in the study file, then: delta-md retry',
  },
  TIMED_OUT: {
    class: 'time',
    title: 'the tool ran out of time',
    remedy: 'Raise resources.timeFactor in the study file, then: delta-md retry',
  },
  RUNTIME_UNAVAILABLE: {
    class: 'infrastructure',
    title: 'the container engine cannot be reached',
    remedy: 'Start it; the step is tried again by itself',
  },
  STORAGE_UNAVAILABLE: {
    class: 'infrastructure',
    title: "the study's storage cannot be reached",
    remedy: "Check its address and this worker's credentials; the step is tried again by itself",
  },
  DISK_FULL: {
    class: 'infrastructure',
    title: 'the disk is full',
    remedy: 'Free space in the work folder; the step is tried again by itself',
  },
  WORKER_STOPPED: {
    class: 'infrastructure',
    title: 'the worker was stopped',
    remedy: 'Start a worker; the step is tried again by itself',
  },
  WORKER_BUSY: {
    class: 'infrastructure',
    title: 'the host is busy with other steps',
    remedy: 'Nothing to do: the step is tried again by itself, here or on another host',
  },
  CANCELLED: { class: 'input', title: 'it was cancelled', remedy: 'delta-md retry starts it again' },
  INTERNAL: { class: 'internal', title: 'a defect of delta-md', remedy: 'Please report it with the log' },
} as const satisfies Record<string, { class: FailureClass; title: string; remedy: string }>;

export type FailureCode = keyof typeof FAILURES;

/** What is known of one failure; small and plain, so that it can be a Temporal payload. */
export interface Failure {
  readonly code: FailureCode;
  /** One sentence that names the file or tool. */
  readonly message: string;
  /** What to do next. */
  readonly remedy: string;
  readonly subject?: string;
  readonly session?: string;
  readonly step?: string;
  /** Key of the step's result; what the failed step left is in `<work>/failed/<key>`. */
  readonly key?: string;
  /** Last lines of the tool's log. */
  readonly log?: string;
}

/** A failure on its way up, outside workflows. */
export class DeltaMdError extends Error {
  override name = 'DeltaMdError';
  readonly failure: Failure;

  constructor(code: FailureCode, message: string, details: Partial<Omit<Failure, 'code' | 'message'>> = {}) {
    super(message);
    this.failure = { code, message, remedy: FAILURES[code].remedy, ...details };
  }
}

/** A failure as Temporal carries one: its code is the type, all that is known of it the first detail. */
export interface CarriedFailure {
  readonly type?: string | null;
  readonly message: string;
  readonly details?: readonly unknown[] | null;
}

/** What is known of a failure that Temporal carried; undefined where it is none of ours. */
export function carriedFailure({ type, message, details }: CarriedFailure): Failure | undefined {
  if (!isFailureCode(type)) return undefined;
  const known = details?.[0] as Failure | undefined;
  return known ?? { code: type, message, remedy: FAILURES[type].remedy };
}

export function isFailureCode(text: string | null | undefined): text is FailureCode {
  return text !== null && text !== undefined && Object.hasOwn(FAILURES, text);
}
