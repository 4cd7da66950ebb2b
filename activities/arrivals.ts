/**
 * A trial that is still scanning: each look at the BIDS folder starts the subjects whose baseline has come, and tells
 * those that wait for it that their second session is there. Starting and telling twice does no harm: a subject's
 * workflow has its name once.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowIdReusePolicy,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common';
import type { Study } from '../config/study.ts';
import { carriedFailure, FAILURES, type Failure } from '../pipeline/failures.ts';
import {
  ARRIVED_SIGNAL,
  STUDY_ATTRIBUTE,
  SUBJECT_ATTRIBUTE,
  SUBJECT_WORKFLOW,
} from '../pipeline/messages.ts';
import { type Roster, rosterOf, type SubjectRow } from '../pipeline/roster.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { discoverCohort, sessionFolder } from './bids/cohort.ts';
import { namesIn } from './bids/files.ts';
import { planOf } from './plan.ts';

/** How one look at the folder went. */
export interface Look {
  readonly plan: StudyPlan;
  /** Everybody who has come so far, by name. */
  readonly roster: Roster;
  readonly started: readonly string[];
}

/** True when the session's files have not changed for a while: none is still being copied. */
async function isSettled(study: Study, subject: string, session: string | null): Promise<boolean> {
  const before = Date.now() - study.arrivals.settledMinutes * 60_000;
  const folder = sessionFolder(study.bids, subject, session);
  for (const datatype of ['dwi', 'fmap'])
    for (const name of await namesIn(join(folder, datatype))) {
      const there = await stat(join(folder, datatype, name)).catch(() => undefined);
      if (there && there.mtimeMs > before) return false;
    }
  return true;
}

/** Why a subject's workflow failed. */
async function failureIn(client: Client, workflowId: string): Promise<Failure> {
  try {
    await client.workflow.getHandle(workflowId).result();
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : error;
    const known = cause instanceof ApplicationFailure ? carriedFailure(cause) : undefined;
    if (known) return known;
  }
  return { code: 'CANCELLED', message: 'the subject was stopped', remedy: FAILURES.CANCELLED.remedy };
}

const STUDY = defineSearchAttributeKey(STUDY_ATTRIBUTE, 'KEYWORD');
const SUBJECT = defineSearchAttributeKey(SUBJECT_ATTRIBUTE, 'KEYWORD');

/** Looks once. */
export async function takeArrivals(study: Study, client: Client, taskQueue: string): Promise<Look> {
  const [baseline, followup] = study.sessions;
  const { subjects: scanned, directions } = await discoverCohort(study);
  // Whoever lacks only the second session belongs to the trial.
  const { subjects } = await discoverCohort({ ...study, sessions: [baseline] });
  const plan = await planOf(study, directions, 1);
  const sessionsOf = new Map(scanned.map(({ subject, sessions }) => [subject, sessions]));
  const rows: SubjectRow[] = [];
  const started: string[] = [];
  for (const { subject, group, excluded } of subjects) {
    const known = { subject, ...(group === undefined ? {} : { group }) };
    if (excluded) {
      rows.push({ ...known, status: 'excluded', why: excluded.reason });
      continue;
    }
    if (!(await isSettled(study, subject, baseline.label))) continue;
    const isWhole =
      followup === undefined ||
      (sessionsOf.get(subject)?.includes(followup.label) === true &&
        (await isSettled(study, subject, followup.label)));
    const workflowId = `${study.study}/${subject}`;
    try {
      await client.workflow.start(SUBJECT_WORKFLOW, {
        workflowId,
        taskQueue,
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        args: [
          { plan, subject, ...(isWhole ? {} : { followupWithinDays: study.arrivals.followupWithinDays }) },
        ],
        staticSummary: `${subject} of ${study.study}`,
        staticDetails: `Profile ${plan.profile.name}, started when its baseline arrived`,
        typedSearchAttributes: [
          { key: STUDY, value: study.study },
          { key: SUBJECT, value: subject },
        ],
      });
      started.push(subject);
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      if (isWhole) await tell(client, workflowId);
    }
    const { status } = await client.workflow.getHandle(workflowId).describe();
    rows.push(
      status.name === 'COMPLETED'
        ? { ...known, status: 'done' }
        : status.name === 'RUNNING'
          ? { ...known, status: isWhole ? 'running' : 'waiting' }
          : { ...known, status: 'failed', failure: { ...(await failureIn(client, workflowId)), subject } },
    );
  }
  return { plan, roster: rosterOf(rows), started };
}

/** Tells a subject that its second session is there; one that has ended does not hear it. */
async function tell(client: Client, workflowId: string): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId).signal(ARRIVED_SIGNAL);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
