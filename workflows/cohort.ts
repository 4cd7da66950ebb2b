/**
 * The cohort: a child workflow per subject, a window of them at a time; a subject's failure is a row of the table,
 * never the cohort's. While it runs, it can be paused, made wider or narrower, and failed subjects sent again. It ends
 * with the statistics and the report.
 *
 * A workflow's history must stay bounded, so after a page of subjects the cohort lets the running ones end and goes on
 * as a new run of itself, with the table by columns as all that it carries.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { GroupResult } from '../activities/index.ts';
import type { Flagged } from '../pipeline/decisions.ts';
import { FAILURES, type Failure } from '../pipeline/failures.ts';
import { CONTROL_UPDATE, CONTROLS_QUERY, RETRY_UPDATE, TABLE_QUERY } from '../pipeline/messages.ts';
import {
  counts,
  type Roster,
  rosterOf,
  rowsOf,
  type SubjectRow,
  type SubjectStatus,
} from '../pipeline/roster.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { Gate } from './gate.ts';
import { table } from './markdown.ts';
import { type Anew, failureOf, runOwn, StepBoard } from './run.ts';
import { STUDY, SUBJECT } from './search-attributes.ts';
import { subjectWorkflow } from './subject.ts';

/** Subjects that one run of the workflow starts: about eight events each, far below where Temporal warns (10,240). */
const PAGE = 500;

/** What can be changed while a cohort runs. */
export interface Controls {
  /** Subjects at the same time. */
  readonly window: number;
  /** No further subject starts; those that run go on. */
  readonly paused: boolean;
}

export interface CohortInput {
  readonly plan: StudyPlan;
  /** Those waiting are processed; the others stay as they are. */
  readonly roster: Roster;
  readonly controls?: Controls;
  /** Subjects to take before the others: those sent again. */
  readonly first?: readonly string[];
  /** By subject: from where on it is computed anew. */
  readonly anew?: Readonly<Record<string, Anew>>;
  /** Subjects that one run of the workflow starts. */
  readonly page?: number;
}

export interface CohortResult {
  readonly counts: Readonly<Record<SubjectStatus, number>>;
  readonly group: GroupResult;
  /** Folder of the audit trail, or why there is none: results do not depend on it. */
  readonly audit: string | Failure;
}

/** The table so far. */
export const tableQuery = defineQuery<Roster>(TABLE_QUERY);
export const controlsQuery = defineQuery<Controls>(CONTROLS_QUERY);
/** Sends failed subjects again, before those still waiting; answers with those that were queued. */
export const retryUpdate = defineUpdate<readonly string[], [readonly string[], Anew?]>(RETRY_UPDATE);
/** Changes the window, pauses or resumes; answers with what holds now. */
export const controlUpdate = defineUpdate<Controls, [Partial<Controls>]>(CONTROL_UPDATE);

export async function cohortWorkflow(input: CohortInput): Promise<CohortResult> {
  const { plan, page = PAGE } = input;
  const rows = new Map(rowsOf(input.roster).map((row) => [row.subject, row]));
  const first = new Set(input.first);
  const anew = new Map(Object.entries(input.anew ?? {}));
  const waiting = [...rows.values()].filter((row) => row.status === 'waiting').map((row) => row.subject);
  const queue = [...new Set([...first, ...waiting])];
  let controls = input.controls ?? { window: plan.subjectsAtOnce, paused: false };
  let finishing = false;

  const show = () => setCurrentDetails(markdown(rows.values(), controls, gate?.awaiting));
  const gate =
    plan.gate === 'review'
      ? new Gate({
          plan,
          statusOf: (subject) => rows.get(subject)?.status,
          isOver: () => finishing,
          changed: () => show(),
        })
      : undefined;
  const set = (subject: string, change: Pick<SubjectRow, 'status' | 'failure'>) => {
    rows.set(subject, { subject, group: rows.get(subject)?.group, ...change });
    show();
  };

  setHandler(tableQuery, () => rosterOf(rows.values()), { description: 'Every subject: status, and why' });
  setHandler(controlsQuery, () => controls, { description: 'Window and pause' });
  setHandler(
    retryUpdate,
    (wanted: readonly string[], order?: Anew) => {
      for (const subject of wanted) {
        set(subject, { status: 'waiting' });
        first.add(subject);
        if (order) anew.set(subject, order);
      }
      queue.unshift(...wanted);
      return wanted;
    },
    {
      description: 'Send failed subjects again',
      validator: (wanted: readonly string[], _order?: Anew) => {
        if (finishing) throw new Error('the cohort is at its statistics; retry when it has ended');
        if (wanted.length === 0) throw new Error('no subject named');
        for (const subject of wanted)
          if (rows.get(subject)?.status !== 'failed')
            throw new Error(`${subject} is not failed but ${rows.get(subject)?.status ?? 'unknown'}`);
      },
    },
  );
  setHandler(
    controlUpdate,
    (change) => {
      controls = { ...controls, ...change };
      show();
      return controls;
    },
    {
      description: 'Change the window, pause, resume',
      validator: ({ window, paused }) => {
        if (finishing) throw new Error('the cohort is at its statistics');
        if (window === undefined && paused === undefined) throw new Error('nothing to change');
        if (window !== undefined && !(Number.isInteger(window) && window >= 1 && window <= MOST_AT_ONCE))
          throw new Error(`subjects at once must be a whole number from 1 to ${MOST_AT_ONCE}`);
      },
    },
  );

  /** Runs of subjects' workflows, for the audit trail. */
  const runs: { subject: string; run: string }[] = [];
  const process = async (subject: string): Promise<void> => {
    set(subject, { status: 'running' });
    try {
      const child = await startChild(subjectWorkflow, {
        workflowId: `${plan.study}/${subject}`,
        args: [{ plan, subject, anew: anew.get(subject) }],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `${subject} of ${plan.study}`,
        staticDetails: `Profile ${plan.profile.name}, started by ${workflowInfo().workflowId}`,
        typedSearchAttributes: [
          { key: STUDY, value: plan.study },
          { key: SUBJECT, value: subject },
        ],
        // Whoever was sent again has waited already.
        ...(first.delete(subject) ? { priority: { priorityKey: RETRIED } } : {}),
      });
      runs.push({ subject, run: child.firstExecutionRunId });
      await child.result();
      set(subject, { status: 'done' });
      anew.delete(subject);
    } catch (error) {
      const failure = isCancellation(error)
        ? CANCELLED
        : error instanceof WorkflowExecutionAlreadyStartedError
          ? TAKEN
          : failureOf(error instanceof ChildWorkflowFailure ? error.cause : error);
      set(subject, { status: 'failed', failure: { ...failure, subject } });
    }
  };

  const running = new Set<Promise<void>>();
  let started = 0;
  const pageIsFull = () => started >= page || workflowInfo().continueAsNewSuggested;
  const canStart = () =>
    queue.length > 0 && running.size < controls.window && !controls.paused && !pageIsFull();
  const isOver = () => running.size === 0 && (queue.length === 0 || pageIsFull());
  /** Until the queue is empty or the page full. */
  const processQueue = async (): Promise<void> => {
    for (;;) {
      try {
        await condition(() => canStart() || isOver());
      } catch (cancelled) {
        // Every child has been asked to stop; the cohort ends when they have.
        await CancellationScope.nonCancellable(() => Promise.all(running));
        throw cancelled;
      }
      if (!canStart()) return;
      started++;
      const one: Promise<void> = process(queue.shift() as string).finally(() => running.delete(one));
      running.add(one);
    }
  };
  const board = new StepBoard(() => {});
  await processQueue();
  // While people are asked, failed subjects may be sent again.
  while (gate && queue.length === 0) {
    const flagged = await runOwn('cohort', plan.study, 'quality', board, (activities) =>
      activities.flaggedSubjects({ plan, roster: rosterOf(rows.values()) }),
    );
    await gate.wait(flagged, () => queue.length > 0 || workflowInfo().continueAsNewSuggested);
    if (queue.length === 0) break;
    await processQueue();
  }
  const audit = async (): Promise<string | Failure> => {
    const { firstExecutionRunId: run, runId: part } = workflowInfo();
    try {
      return await runOwn('cohort', plan.study, 'audit', board, (activities) =>
        activities.exportAudit({ plan, run, part, subjects: runs }),
      );
    } catch (error) {
      if (isCancellation(error)) throw error;
      return failureOf(error);
    }
  };
  if (queue.length > 0 || (gate && gate.awaiting.length > 0)) {
    await audit();
    await condition(allHandlersFinished);
    return continueAsNew<typeof cohortWorkflow>({
      plan,
      roster: rosterOf(rows.values()),
      controls,
      first: [...first],
      anew: Object.fromEntries(anew),
      page,
    });
  }
  finishing = true;
  await condition(allHandlersFinished);

  const group = await runOwn('cohort', plan.study, 'statistics', board, (activities) =>
    activities.finishCohort({ plan, roster: rosterOf(rows.values()) }),
  );
  return { counts: counts(rows.values()), group, audit: await audit() };
}

/** Temporal allows 2,000 children under way. */
const MOST_AT_ONCE = 1000;
/** Temporal's priorities run from 1, the first, to 5; 3 is usual. */
const RETRIED = 1;
/** A subject that somebody cancelled by itself, in the UI for example. */
const CANCELLED: Failure = {
  code: 'CANCELLED',
  message: 'the subject was cancelled',
  remedy: FAILURES.CANCELLED.remedy,
};

/** A subject that `delta-md watch` started. */
const TAKEN: Failure = {
  code: 'INPUT_CONTRADICTS',
  message: 'the subject is being processed already, started by delta-md watch',
  remedy: 'Let it end; its results are then reused: delta-md retry',
};

/** What to see first. */
const NOTEWORTHY: readonly SubjectStatus[] = ['failed', 'running', 'waiting', 'excluded', 'done'];

/** Rows listed one by one in the UI; beyond that, failures only: details are limited to 20 kB. */
const LISTED = 100;
/** Of those that wait for a verdict, so many are listed with their reasons. */
const ASKED = 20;

function markdown(
  all: Iterable<SubjectRow>,
  { window, paused }: Controls,
  awaiting: readonly Flagged[] = [],
): string {
  const rows = [...all];
  const n = counts(rows);
  const listed =
    rows.length <= LISTED ? rows : rows.filter((row) => row.status === 'failed').slice(0, LISTED);
  return [
    `**${n.done} of ${rows.length} done**, ${n.running} running, ${n.waiting} waiting, ${n.failed} failed, ${n.excluded} excluded`,
    ...(awaiting.length > 0
      ? [
          `**Waiting for a verdict on ${awaiting.length}**, to be given with \`delta-md qc\`:\n`,
          ...awaiting.slice(0, ASKED).map(({ subject, why }) => `- ${subject}: ${why}`),
          '',
        ]
      : []),
    paused ? '**Paused:** no further subject starts.' : `Up to ${window} subjects at once.`,
    '',
    table(
      ['subject', 'group', 'status', 'why'],
      listed
        .sort((a, b) => NOTEWORTHY.indexOf(a.status) - NOTEWORTHY.indexOf(b.status))
        .map((row) => [row.subject, row.group ?? '', row.status, why(row)]),
    ),
  ].join('\n');
}

function why({ why, failure }: SubjectRow): string {
  return why ?? (failure ? `${failure.code} ${failure.step ?? ''}: ${failure.message.slice(0, 120)}` : '');
}
