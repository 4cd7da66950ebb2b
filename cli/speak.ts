/** Speaking to the cohort of a study that runs now. */
import type { Command } from 'commander';
import type { Study } from '../config/study.ts';
import { CONTROL_UPDATE } from '../pipeline/messages.ts';
import type { Controls } from '../workflows/index.ts';
import { CommandError, EXIT } from './exit-codes.ts';
import { JSON_OPTION, studyArgument, temporalOption, workDirOption } from './options.ts';
import { output } from './output.ts';
import { type CohortHandle, isRunning } from './run-cohort.ts';
import { requireStudy } from './study.ts';
import { cohortId, connectTo } from './temporal/connect.ts';

/** Options of every command that speaks to a running cohort. */
export interface SpeakOptions {
  readonly workDir?: string;
  readonly temporalAddress?: string;
  readonly json?: boolean;
}

/** A cohort's refusal of what was asked, in its own words; undefined for any other error. */
export function refusal(error: unknown): CommandError | undefined {
  if (!(error instanceof Error && error.name === 'WorkflowUpdateFailedError')) return undefined;
  let why: Error = error;
  while (why.cause instanceof Error) why = why.cause;
  return new CommandError(`Refused: ${why.message}`, EXIT.badInput);
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
    throw refusal(error) ?? error;
  } finally {
    await client.connection.close();
  }
}

/** A command that speaks to a running cohort, with the options they all have. @param done what exit code 0 means */
export function speakingCommand(
  program: Command,
  name: string,
  description: string,
  { example = `delta-md ${name} study.yaml`, done = 'done' } = {},
): Command {
  return program
    .command(name)
    .description(description)
    .addArgument(studyArgument())
    .addOption(workDirOption())
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      `\nExamples:\n  ${example}\n\nExit codes: 0 ${done}, 2 no cohort runs, 3 infrastructure`,
    );
}

/** Changes a running cohort's controls. @param words what then holds, for people */
export async function control(
  file: string,
  options: SpeakOptions,
  change: Partial<Controls>,
  words: (now: Controls) => string,
): Promise<void> {
  const out = output(options.json);
  await speakTo(file, options, async (handle, study) => {
    const now = await handle.executeUpdate<Controls, [Partial<Controls>]>(CONTROL_UPDATE, { args: [change] });
    out.say(words(now));
    out.result({ study: study.study, ...now });
  });
}
