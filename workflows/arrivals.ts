/** One look at a trial that is still scanning, as a schedule orders it: takes what has come, then reports on all so far. */
import { workflowInfo } from '@temporalio/workflow';
import { counts, rowsOf } from '../pipeline/roster.ts';
import { runOwn, StepBoard } from './run.ts';

export interface ArrivalsInput {
  readonly study: string;
  readonly studyFile: string;
  readonly work: string;
}

export interface ArrivalsResult {
  readonly started: readonly string[];
  /** Absent while nobody is done. */
  readonly report?: string;
}

export async function arrivalsWorkflow(input: ArrivalsInput): Promise<ArrivalsResult> {
  const { taskQueue } = workflowInfo();
  const board = new StepBoard(() => {});
  const { plan, roster, started } = await runOwn('cohort', input.study, 'arrivals', board, (activities) =>
    activities.takeArrivals({ ...input, taskQueue }),
  );
  if (counts(rowsOf(roster)).done === 0) return { started };
  const { report } = await runOwn('cohort', input.study, 'statistics', board, (activities) =>
    activities.finishCohort({ plan, roster }),
  );
  return { started, report };
}
