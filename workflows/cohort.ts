/**
 * The cohort: a child workflow per subject, some at once; a subject's failure is a row of the table, never the
 * cohort's. While it runs, failed subjects can be sent again. It ends with the table, the statistics and the report.
 */
import {
  allHandlersFinished,
  ChildWorkflowFailure,
  condition,
  defineQuery,
  defineUpdate,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { GroupResult, SubjectSummary } from '../activities/index.ts';
import type { Failure } from '../pipeline/failures.ts';
import { RETRY_UPDATE, TABLE_QUERY } from '../pipeline/messages.ts';
import type { StudyPlan, SubjectEntry } from '../pipeline/study.ts';
import { failureOf, runOwn, StepBoard } from './run.ts';
import { subjectWorkflow } from './subject.ts';

/** One row of the cohort's table. */
export interface SubjectRow {
  readonly subject: string;
  readonly group?: string;
  readonly status: 'waiting' | 'running' | 'done' | 'failed' | 'excluded';
  /** Why it is excluded. */
  readonly why?: string;
  readonly failure?: Failure;
  readonly summary?: SubjectSummary;
}

export interface CohortInput {
  readonly plan: StudyPlan;
  readonly subjects: readonly SubjectEntry[];
  /** Rows of an earlier run that stay as they are: a retry of some subjects keeps the others' results. */
  readonly keep?: readonly SubjectRow[];
}

export interface CohortResult {
  readonly rows: readonly SubjectRow[];
  readonly group: GroupResult;
}

/** The table so far. */
export const tableQuery = defineQuery<readonly SubjectRow[]>(TABLE_QUERY);
/** Sends failed subjects again; answers with those that were queued. */
export const retryUpdate = defineUpdate<string[], [string[]]>(RETRY_UPDATE);

export async function cohortWorkflow({ plan, subjects, keep = [] }: CohortInput): Promise<CohortResult> {
  const rows = new Map<string, SubjectRow>();
  const queue: string[] = [];
  for (const row of keep) rows.set(row.subject, row);
  for (const { subject, group, excluded } of subjects) {
    rows.set(subject, {
      subject,
      group,
      ...(excluded ? { status: 'excluded', why: excluded } : { status: 'waiting' }),
    });
    if (!excluded) queue.push(subject);
  }
  const set = (subject: string, change: Omit<SubjectRow, 'subject' | 'group'>) => {
    rows.set(subject, { subject, group: rows.get(subject)?.group, ...change });
    setCurrentDetails(markdown(rows.values()));
  };
  let finishing = false;

  setHandler(tableQuery, () => [...rows.values()], { description: 'Every subject: status, and why' });
  setHandler(
    retryUpdate,
    (wanted) => {
      for (const subject of wanted) {
        set(subject, { status: 'waiting' });
        queue.push(subject);
      }
      return wanted;
    },
    {
      description: 'Send failed subjects again',
      validator: (wanted) => {
        if (finishing) throw new Error('the cohort is at its statistics; retry when it has ended');
        if (wanted.length === 0) throw new Error('no subject named');
        for (const subject of wanted)
          if (rows.get(subject)?.status !== 'failed')
            throw new Error(`${subject} is not failed but ${rows.get(subject)?.status ?? 'unknown'}`);
      },
    },
  );

  const process = async (subject: string): Promise<void> => {
    set(subject, { status: 'running' });
    try {
      const summary = await executeChild(subjectWorkflow, {
        workflowId: `${plan.study}/${subject}`,
        args: [{ plan, subject }],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `${subject} of ${plan.study}`,
        staticDetails: `Profile ${plan.profile.name}, started by ${workflowInfo().workflowId}`,
      });
      set(subject, { status: 'done', summary });
    } catch (error) {
      if (isCancellation(error)) throw error;
      const failure = failureOf(error instanceof ChildWorkflowFailure ? error.cause : error);
      set(subject, { status: 'failed', failure: { subject, ...failure } });
    }
  };

  const running = new Set<Promise<void>>();
  while (queue.length > 0 || running.size > 0) {
    while (queue.length > 0 && running.size < plan.subjectsAtOnce) {
      const one: Promise<void> = process(queue.shift() as string).finally(() => running.delete(one));
      running.add(one);
    }
    try {
      await Promise.race(running);
    } catch (cancelled) {
      // Every child has been asked to stop; the cohort ends when they have.
      await Promise.allSettled(running);
      throw cancelled;
    }
  }
  finishing = true;
  await condition(allHandlersFinished);

  const table = [...rows.values()];
  const group = await runOwn('cohort', plan.study, 'statistics', new StepBoard(() => {}), (activities) =>
    activities.finishCohort({ plan, rows: table }),
  );
  return { rows: table, group };
}

/** Rows listed one by one in the UI; beyond that, failures only: details are limited to 20 kB. */
const LISTED = 100;

function markdown(all: Iterable<SubjectRow>): string {
  const rows = [...all];
  const count = (status: SubjectRow['status']) => rows.filter((row) => row.status === status).length;
  const listed =
    rows.length <= LISTED ? rows : rows.filter((row) => row.status === 'failed').slice(0, LISTED);
  return [
    `**${count('done')} of ${rows.length} done**, ${count('running')} running, ${count('waiting')} waiting, ${count('failed')} failed, ${count('excluded')} excluded`,
    '',
    '| subject | group | status | why |',
    '| --- | --- | --- | --- |',
    ...listed.map((row) => `| ${row.subject} | ${row.group ?? ''} | ${row.status} | ${why(row)} |`),
  ].join('\n');
}

function why({ why, failure }: SubjectRow): string {
  return why ?? (failure ? `${failure.code} ${failure.step ?? ''}: ${failure.message.slice(0, 120)}` : '');
}
