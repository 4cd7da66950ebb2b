/**
 * The table of a cohort, and its compact form. A cohort of thousands carries its table from run to run of its workflow
 * and hands it to whoever asks, so that form holds columns rather than rows: 5,000 subjects are about 120 kB.
 */
import type { Failure } from './failures.ts';

export type SubjectStatus = 'waiting' | 'running' | 'done' | 'failed' | 'excluded';

/** One row of the cohort's table. */
export interface SubjectRow {
  /** `sub-01` */
  readonly subject: string;
  readonly group?: string;
  readonly status: SubjectStatus;
  /** Why it is excluded. */
  readonly why?: string;
  readonly failure?: Failure;
}

/** The table by columns; all have one entry per subject. */
export interface Roster {
  readonly subjects: readonly string[];
  /** Empty: no group. */
  readonly groups: readonly string[];
  /** A letter per subject, the first of its status. */
  readonly status: string;
  /** Of those excluded. */
  readonly why: Readonly<Record<string, string>>;
  /** Of those failed, each with its subject. */
  readonly failures: readonly Failure[];
}

const STATUS: Readonly<Record<string, SubjectStatus>> = {
  w: 'waiting',
  r: 'running',
  d: 'done',
  f: 'failed',
  e: 'excluded',
};

/** Failures kept with the tool's last lines; of more, the code and the message must do. */
const WITH_LOG = 50;
const MESSAGE_LENGTH = 300;
/** Payloads end at 2 MB: of still more failures only the code is kept. */
const WITH_MESSAGE = 1000;

function shortened(failure: Failure, index: number): Failure {
  if (index < WITH_LOG) return failure;
  const { log: _, ...rest } = failure;
  return { ...rest, message: index < WITH_MESSAGE ? failure.message.slice(0, MESSAGE_LENGTH) : '' };
}

export function rosterOf(rows: Iterable<SubjectRow>): Roster {
  const all = [...rows];
  const failed = all.filter((row) => row.failure !== undefined);
  return {
    subjects: all.map((row) => row.subject),
    groups: all.map((row) => row.group ?? ''),
    status: all.map((row) => row.status[0]).join(''),
    why: Object.fromEntries(all.flatMap((row) => (row.why === undefined ? [] : [[row.subject, row.why]]))),
    failures: failed.map(({ subject, failure }, i) => shortened({ ...(failure as Failure), subject }, i)),
  };
}

export function rowsOf({ subjects, groups, status, why, failures }: Roster): SubjectRow[] {
  const failureOf = new Map(failures.map((failure) => [failure.subject, failure]));
  return subjects.map((subject, i) => ({
    subject,
    ...(groups[i] === '' ? {} : { group: groups[i] }),
    status: STATUS[status[i]],
    ...(why[subject] === undefined ? {} : { why: why[subject] }),
    ...(failureOf.has(subject) ? { failure: failureOf.get(subject) } : {}),
  }));
}

/** How many subjects have each status. */
export function counts(rows: Iterable<Pick<SubjectRow, 'status'>>): Record<SubjectStatus, number> {
  const result = { waiting: 0, running: 0, done: 0, failed: 0, excluded: 0 };
  for (const { status } of rows) result[status]++;
  return result;
}
