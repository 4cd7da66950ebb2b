/** Commands' way to a study: load it, say everything that is wrong, apply what the command line changes. */
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { planCohort } from '../activities/plan.ts';
import { loadStudy } from '../config/load.ts';
import type { Problem } from '../config/problems.ts';
import type { Study } from '../config/study.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import type { StudyPlan, SubjectEntry } from '../pipeline/study.ts';
import { CommandError, EXIT } from './exit-codes.ts';

/** `study.yaml:12:3: participants.group: ... \n  remedy` */
export function formatProblem({ file, line, column, path, message, remedy }: Problem): string {
  return `${file}:${line}:${column}: ${path ? `${path}: ` : ''}${message}\n    ${remedy}`;
}

/** @throws CommandError that lists every problem with its line */
export async function requireStudy(file: string, workDir?: string): Promise<Study> {
  const loaded = await loadStudy(file);
  if (!loaded.ok) throw new CommandError(loaded.problems.map(formatProblem).join('\n'), EXIT.badInput);
  return workDir === undefined ? loaded.study : { ...loaded.study, work: resolve(workDir) };
}

/** What of a study one run takes. */
export interface Selection {
  /** `01` or `sub-01`; none: all. */
  readonly participantLabel?: readonly string[];
  /** One label, without `ses-`: only that session, so MD and no change. */
  readonly sessionLabel?: string;
  /** Steps at the same time; all cores by default. */
  readonly nCpus?: number;
}

export const withPrefix = (label: string): string => (label.startsWith('sub-') ? label : `sub-${label}`);

/** Plan and subjects of a study, narrowed by a selection. @throws CommandError for labels the study does not have */
export async function planRun(
  study: Study,
  { participantLabel = [], sessionLabel, nCpus = cpus().length }: Selection = {},
): Promise<{ plan: StudyPlan; subjects: SubjectEntry[] }> {
  let narrowed = study;
  if (sessionLabel !== undefined) {
    const label = sessionLabel.replace(/^ses-/, '');
    if (!study.sessions.some((session) => session.label === label))
      throw new CommandError(
        `--session-label ${sessionLabel}: the study has ${study.sessions.map((s) => s.label).join(' and ')}.`,
        EXIT.badInput,
      );
    narrowed = { ...study, sessions: [{ role: 'only', label }] };
  }
  let planned: { plan: StudyPlan; subjects: SubjectEntry[] };
  try {
    planned = await planCohort(narrowed, nCpus);
  } catch (error) {
    if (error instanceof DeltaMdError)
      throw new CommandError(`${error.message}\n    ${error.failure.remedy}`, EXIT.badInput);
    throw error;
  }
  const wanted = new Set(participantLabel.map(withPrefix));
  for (const subject of wanted)
    if (!planned.subjects.some((entry) => entry.subject === subject))
      throw new CommandError(`--participant-label: no ${subject} in ${study.bids}.`, EXIT.badInput);
  const subjects =
    wanted.size === 0 ? planned.subjects : planned.subjects.filter((entry) => wanted.has(entry.subject));
  if (!subjects.some((entry) => entry.excluded === undefined))
    throw new CommandError(
      `No subject to process in ${study.bids}${subjects.map((s) => `\n    ${s.subject}: ${s.excluded}`).join('')}`,
      EXIT.badInput,
    );
  return { plan: planned.plan, subjects };
}
