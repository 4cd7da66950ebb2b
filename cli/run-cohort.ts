/** Running a cohort from the command line: start or join it, watch it, say how it ended. */
import { setMaxListeners } from 'node:events';
import {
  type Connection,
  type WorkflowHandle,
  WorkflowIdConflictPolicy,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { COHORT_WORKFLOW } from '../pipeline/messages.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import type { CohortInput, CohortResult, cohortWorkflow } from '../workflows/index.ts';
import { STUDY } from '../workflows/search-attributes.ts';
import { CommandError, EXIT } from './exit-codes.ts';
import { type Host, type HostOptions, openHost } from './host.ts';
import type { Output } from './output.ts';
import { lastRows } from './results.ts';
import { cohortId, TASK_QUEUE } from './temporal/connect.ts';
import { NAMESPACE } from './temporal/embedded.ts';
import { registerSearchAttributes } from './temporal/search-attributes.ts';
import { VERSION } from './version.ts';
import { CohortView, failures, watchCohort } from './watch.ts';

export type CohortHandle = WorkflowHandle<typeof cohortWorkflow>;

/** Temporal's limit; names of studies are ASCII. */
const FAIRNESS_KEY_BYTES = 64;

/**
 * Starts a study's cohort; one that runs already is joined, so that running again resumes.
 * @param priority 1, before all others, to 5; without it Temporal's middle
 */
export async function startCohort(host: Host, input: CohortInput, priority?: number): Promise<CohortHandle> {
  const { plan, roster } = input;
  await registerSearchAttributes(host.client.connection as Connection, NAMESPACE);
  return host.client.workflow.start<typeof cohortWorkflow>(COHORT_WORKFLOW, {
    workflowId: cohortId(plan.study),
    taskQueue: TASK_QUEUE,
    args: [input],
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
    staticSummary: `${plan.study}: ${roster.subjects.length} subjects, profile ${plan.profile.name}`,
    staticDetails: `Study file ${plan.studyFile}`,
    memo: { version: VERSION, profile: plan.profile.name },
    typedSearchAttributes: [{ key: STUDY, value: plan.study }],
    // Studies that share workers take turns; of one study's urgency, its subjects inherit.
    priority: { fairnessKey: plan.study.slice(0, FAIRNESS_KEY_BYTES), priorityKey: priority },
  });
}

/** True when the study's cohort runs on this server. */
export async function isRunning(host: Pick<Host, 'client'>, study: string): Promise<boolean> {
  try {
    const { status } = await host.client.workflow.getHandle(cohortId(study)).describe();
    return status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** How a run ended, for people and scripts. @param output folder of the study's results */
export async function conclude(
  { counts: n, group, audit }: CohortResult,
  output: string,
  out: Output,
): Promise<number> {
  const rows = (await lastRows(output)) ?? [];
  for (const line of failures(rows)) out.say(line);
  out.say(`${n.done} done, ${n.failed} failed, ${n.excluded} excluded`);
  out.say(`Report: ${group.report}`);
  if (typeof audit !== 'string') out.say(`No audit trail: ${audit.message}\n    ${audit.remedy}`);
  out.result({
    counts: n,
    ...group,
    audit,
    subjects: rows.map(({ subject, group, status, why, failure, summary }) => ({
      subject,
      group,
      status,
      why,
      failure,
      flagged: summary?.flagged,
    })),
  });
  return n.failed > 0 ? EXIT.someFailed : EXIT.done;
}

/**
 * Opens a host, does `begin` there, watches the cohort to its end, and closes the host whatever happens.
 * Ctrl-C stops watching and, where this command keeps the server, server and worker too; the same command resumes.
 */
export async function runToEnd(
  plan: StudyPlan,
  options: HostOptions,
  out: Output,
  begin: (host: Host) => Promise<CohortHandle>,
): Promise<CohortResult> {
  const interrupt = new AbortController();
  // Every call to the server listens to it while it lasts.
  setMaxListeners(0, interrupt.signal);
  const onSignal = () =>
    interrupt.abort(new CommandError('Stopped. The same command resumes.', EXIT.interrupted));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  let host: Host | undefined;
  try {
    host = await openHost(plan.work, options, out);
    interrupt.signal.throwIfAborted();
    const handle = await begin(host);
    const view = new CohortView(host.client, handle, plan);
    return await watchCohort(host.client, view, handle, out, interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) throw interrupt.signal.reason;
    throw error;
  } finally {
    await host?.close();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
