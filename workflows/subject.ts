/** One subject: the protocol, its steps run as activities, and MD by region in the end. */
import { defineQuery, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { SubjectSummary } from '../activities/index.ts';
import { STEPS_QUERY } from '../pipeline/messages.ts';
import { processSubject, WHOLE } from '../pipeline/protocol.ts';
import { type StudyPlan, sessionName } from '../pipeline/study.ts';
import { type Anew, runOwn, StepBoard, type StepStatus, stepRunners } from './run.ts';

export interface SubjectInput {
  readonly plan: StudyPlan;
  /** `sub-01` */
  readonly subject: string;
  readonly anew?: Anew;
}

/** The steps of a subject so far. */
export const stepsQuery = defineQuery<StepStatus[]>(STEPS_QUERY);

export async function subjectWorkflow({ plan, subject, anew }: SubjectInput): Promise<SubjectSummary> {
  const board = new StepBoard(setCurrentDetails);
  setHandler(stepsQuery, () => board.list(), { description: 'State of every step of this subject' });
  const maps = await processSubject(plan, {
    prepare: (session) =>
      runOwn(subject, sessionName(session), 'prepare', board, (activities) =>
        activities.prepareSession({ plan, subject, session }),
      ),
    runAt: stepRunners({ study: plan, subject, board, anew }),
  });
  return runOwn(subject, WHOLE, 'rois', board, (activities) =>
    activities.publishSubject({ plan, subject, maps }),
  );
}
