/** A person's decision on its way: to the cohort that waits for it, else to the file beside the outputs. */
import type { WorkflowHandle } from '@temporalio/client';
import { recordDecision } from '../activities/qc/decisions.ts';
import type { Standing } from '../activities/qc/standing.ts';
import { LEVELS } from '../activities/qc/verdicts.ts';
import type { Study } from '../config/study.ts';
import { type Flagged, tidied, type Verdict, whyRefused } from '../pipeline/decisions.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import { VERDICT_UPDATE } from '../pipeline/messages.ts';
import { CommandError, EXIT } from './exit-codes.ts';
import { isRunning } from './run-cohort.ts';
import { refusal } from './speak.ts';
import { cohortId, connect, findServer } from './temporal/connect.ts';
import { waitingAt } from './watch.ts';

/** Does something with the cohort of a study that runs now; undefined where none does. */
export async function withCohort<T>(
  study: Study,
  address: string | undefined,
  act: (cohort: WorkflowHandle) => Promise<T>,
): Promise<T | undefined> {
  const server = await findServer(study.work, address);
  if (!server) return undefined;
  const client = await connect(server.address);
  try {
    if (!(await isRunning({ client }, study.study))) return undefined;
    return await act(client.workflow.getHandle(cohortId(study.study)));
  } finally {
    await client.connection.close();
  }
}

/**
 * Gives a verdict.
 * @returns who waits still at the gate of the cohort that took it; undefined where it was written to the file
 * @throws CommandError where it is refused
 */
export async function decide(
  study: Study,
  given: Verdict,
  address?: string,
): Promise<readonly Flagged[] | undefined> {
  const verdict = tidied(given);
  const refused = whyRefused(verdict);
  if (refused !== undefined) throw new CommandError(`Refused: ${refused}.`, EXIT.badInput);
  try {
    const waiting = await withCohort(study, address, async (cohort) =>
      (await waitingAt(cohort)) === undefined
        ? undefined
        : cohort.executeUpdate<readonly Flagged[], [Verdict]>(VERDICT_UPDATE, { args: [verdict] }),
    );
    if (waiting === undefined) await recordDecision(study, { ...verdict, when: new Date().toISOString() });
    return waiting;
  } catch (error) {
    if (error instanceof DeltaMdError)
      throw new CommandError(`Refused: ${error.message}\n    ${error.failure.remedy}`, EXIT.badInput);
    throw refusal(error) ?? error;
  }
}

/** Those that wait first, then from bad to good. */
export function worstFirst(all: readonly Standing[]): Standing[] {
  return [...all].sort(
    (a, b) =>
      Number(b.awaits) - Number(a.awaits) ||
      LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level) ||
      b.reasons.length - a.reasons.length ||
      (a.subject < b.subject ? -1 : 1),
  );
}

/** What became of a verdict, in a few words. */
export function outcomeOf({ level, decision, excluded, awaits }: Standing): string {
  if (decision) {
    const verb = decision.decision === 'include' ? 'included' : 'excluded';
    return `${verb} by ${decision.who}, ${decision.when.slice(0, 10)}: ${decision.reason}`;
  }
  if (awaits) return 'awaits a decision';
  return level === 'exclude' && excluded ? 'excluded by its limit' : '';
}
