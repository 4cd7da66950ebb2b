/** Speaking to the cohort of a study that runs now. */
import type { Study } from '../config/study.ts';
import { CommandError, EXIT } from './exit-codes.ts';
import { type CohortHandle, isRunning } from './run-cohort.ts';
import { requireStudy } from './study.ts';
import { cohortId, connectTo } from './temporal/connect.ts';

/** Options of every command that speaks to a running cohort. */
export interface SpeakOptions {
  readonly workDir?: string;
  readonly temporalAddress?: string;
  readonly json?: boolean;
}

/** @throws CommandError when no cohort of the study runs, or it refuses what is asked */
export async function speakTo<T>(
  file: string,
  options: SpeakOptions,
  speak: (handle: CohortHandle, study: Study) => Promise<T>,
): Promise<T> {
  const study = await requireStudy(file, options.workDir);
  const client = await connectTo(study.work, options.temporalAddress);
  try {
    if (!(await isRunning({ client }, study.study)))
      throw new CommandError(`No cohort of ${study.study} runs.`, EXIT.badInput);
    return await speak(client.workflow.getHandle(cohortId(study.study)), study);
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowUpdateFailedError')
      throw new CommandError(
        `Refused: ${(error.cause as Error | undefined)?.message ?? error.message}`,
        EXIT.badInput,
      );
    throw error;
  } finally {
    await client.connection.close();
  }
}
