/**
 * One subject: the protocol, its steps run as activities, and MD by region in the end. One that is done already is found
 * so at one look.
 */
import {
  condition,
  defineQuery,
  defineSignal,
  patched,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import type { SubjectSummary } from '../activities/index.ts';
import { ARRIVED_SIGNAL, STEPS_QUERY } from '../pipeline/messages.ts';
import { processSubject, WHOLE } from '../pipeline/protocol.ts';
import { type StudyPlan, sessionName } from '../pipeline/study.ts';
import { type Anew, failureToThrow, runOwn, StepBoard, type StepStatus, stepRunners } from './run.ts';

export interface SubjectInput {
  readonly plan: StudyPlan;
  /** `sub-01` */
  readonly subject: string;
  readonly anew?: Anew;
  /** The second session is not there yet: it is waited for, so long; absent: it is there. */
  readonly followupWithinDays?: number;
}

/** The steps of a subject so far. */
export const stepsQuery = defineQuery<StepStatus[]>(STEPS_QUERY);

/** Tells a waiting subject that its second session is there. */
export const arrivedSignal = defineSignal(ARRIVED_SIGNAL);

// Where workers have versions, all of a subject is made by one; where they have none, the server takes no such wish.
setWorkflowOptions(
  () => (workflowInfo().currentDeploymentVersion?.deploymentName ? { versioningBehavior: 'PINNED' } : {}),
  subjectWorkflow,
);
export async function subjectWorkflow(input: SubjectInput): Promise<SubjectSummary> {
  const { plan, subject, anew, followupWithinDays } = input;
  let hasArrived = followupWithinDays === undefined;
  setHandler(arrivedSignal, () => void (hasArrived = true), {
    description: 'The second session is there',
  });
  const board = new StepBoard(setCurrentDetails);
  setHandler(stepsQuery, () => board.list(), { description: 'State of every step of this subject' });
  const arrival = async (session: string, days: number): Promise<void> => {
    const waiting = { step: 'wait for scan', session: sessionName(session), seconds: 0 };
    board.set({ ...waiting, state: 'running' });
    const came = await condition(() => hasArrived, `${days} days`);
    board.set({ ...waiting, state: came ? 'done' : 'failed' });
    if (!came)
      throw failureToThrow({
        code: 'INPUT_MISSING',
        message: `no scan of this session has come within ${days} days`,
        remedy: 'When it is there: delta-md retry; or exclude the subject in the study file',
        subject,
        session: sessionName(session),
      });
  };
  // A subject whose files come and go through a storage has no one folder to look into.
  if (!anew && hasArrived && plan.storage === undefined && patched('recall')) {
    const recalled = await runOwn(subject, WHOLE, 'recall', board, (activities) =>
      activities.recallSubject({ plan, subject }),
    );
    if (recalled) {
      for (const { where, label, key, seconds } of recalled.steps)
        board.set({ step: label, session: where, state: 'reused', seconds, key });
      return recalled.summary;
    }
  }
  const maps = await processSubject(plan, {
    prepare: async (session) => {
      if (!hasArrived && session !== null && session === plan.sessions.followup)
        await arrival(session, followupWithinDays ?? 0);
      return runOwn(subject, sessionName(session), 'prepare', board, (activities) =>
        activities.prepareSession({ plan, subject, session }),
      );
    },
    runAt: stepRunners({ study: plan, subject, board, anew }),
  });
  return runOwn(subject, WHOLE, 'rois', board, (activities) =>
    activities.publishSubject({ plan, subject, maps }),
  );
}
