/** Commands' way to a study: load it, say everything that is wrong, apply what the command line changes. */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { dicomRemedy } from '../activities/bids/dicom.ts';
import { planCohort } from '../activities/plan.ts';
import { readyStudy } from '../activities/standard.ts';
import { selectOf } from '../config/bids-filter.ts';
import { loadStudy } from '../config/load.ts';
import type { Problem } from '../config/problems.ts';
import type { Study, WrittenStudy } from '../config/study.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import type { SubjectRow } from '../pipeline/roster.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { CommandError, EXIT } from './exit-codes.ts';

/** `study.yaml:12:3: participants.group: ... \n  remedy` */
export function formatProblem({ file, line, column, path, message, remedy }: Problem): string {
  return `${file}:${line}:${column}: ${path ? `${path}: ` : ''}${message}\n    ${remedy}`;
}

/**
 * A study as its file has it, for commands that need neither template nor regions.
 * @throws CommandError that lists every problem with its line
 */
export async function requireStudyFile(file: string, workDir?: string): Promise<WrittenStudy> {
  const loaded = await loadStudy(file);
  if (!loaded.ok) throw new CommandError(loaded.problems.map(formatProblem).join('\n'), EXIT.badInput);
  return workDir === undefined ? loaded.study : { ...loaded.study, work: resolve(workDir) };
}

/** Passes a result on; a failure that is the user's to mend becomes words and an exit code. */
export async function orSay<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DeltaMdError)) throw error;
    throw new CommandError(`${error.message}\n    ${error.failure.remedy}`, EXIT.badInput);
  }
}

/** A study ready to be run. @throws CommandError for every problem of its file, or what is missing of FSL's */
export async function requireStudy(file: string, workDir?: string): Promise<Study> {
  return orSay(readyStudy(await requireStudyFile(file, workDir)));
}

/** What a BIDS filter file selects, beside what the study file does. @throws CommandError with all that is wrong in it */
async function readFilter(file: string, study: Study): Promise<Study['select']> {
  const wrong = (problems: readonly string[]) =>
    new CommandError(problems.map((problem) => `${file}: ${problem}`).join('\n'), EXIT.badInput);
  const content: unknown = await readFile(file, 'utf8')
    .then(JSON.parse)
    .catch((error: Error) => {
      throw wrong([error.message]);
    });
  const { select, problems } = selectOf(
    content,
    study.sessions.map(({ label }) => label),
  );
  if (problems.length > 0) throw wrong(problems);
  return { ...study.select, ...select };
}

/** What of a study one run takes. */
export interface Selection {
  /** `01` or `sub-01`; none: all. */
  readonly participantLabel?: readonly string[];
  /** One label, without `ses-`: only that session, so MD and no change. */
  readonly sessionLabel?: string;
  /** BIDS filter file: which sets to use. */
  readonly bidsFilterFile?: string;
  /** Steps at the same time; all cores by default. */
  readonly nCpus?: number;
}

export const withPrefix = (label: string): string => (label.startsWith('sub-') ? label : `sub-${label}`);

/** Plan and table of a study, narrowed by a selection. @throws CommandError for labels the study does not have */
export async function planRun(
  study: Study,
  { participantLabel = [], sessionLabel, bidsFilterFile, nCpus = cpus().length }: Selection = {},
): Promise<{ plan: StudyPlan; rows: SubjectRow[] }> {
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
  const select = bidsFilterFile === undefined ? undefined : await readFilter(bidsFilterFile, narrowed);
  if (select) narrowed = { ...narrowed, select };
  const planned = await orSay(planCohort(narrowed, nCpus));
  const wanted = new Set(participantLabel.map(withPrefix));
  for (const subject of wanted)
    if (!planned.rows.some((row) => row.subject === subject))
      throw new CommandError(`--participant-label: no ${subject} in ${study.bids}.`, EXIT.badInput);
  const rows = wanted.size === 0 ? planned.rows : planned.rows.filter((row) => wanted.has(row.subject));
  if (!rows.some((row) => row.status === 'waiting')) {
    const reasons = rows.map((row) => `${row.subject}: ${row.why}`);
    const remedy = await dicomRemedy(study.bids);
    const lines = [`No subject to process in ${study.bids}`, ...reasons, ...(remedy ? [remedy] : [])];
    throw new CommandError(lines.join('\n    '), EXIT.badInput);
  }
  return { plan: select ? { ...planned.plan, select } : planned.plan, rows };
}
