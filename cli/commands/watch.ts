import type { Connection } from '@temporalio/client';
import { ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import type { Command } from 'commander';
import { ARRIVALS_WORKFLOW } from '../../pipeline/messages.ts';
import type { arrivalsWorkflow } from '../../workflows/index.ts';
import { STUDY } from '../../workflows/search-attributes.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument, temporalOption, workDirOption } from '../options.ts';
import { output } from '../output.ts';
import { requireStudy, requireStudyFile } from '../study.ts';
import { connectTo, TASK_QUEUE } from '../temporal/connect.ts';
import { NAMESPACE } from '../temporal/embedded.ts';
import { registerSearchAttributes } from '../temporal/search-attributes.ts';

interface Options {
  stop?: boolean;
  workDir?: string;
  temporalAddress?: string;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('watch')
    .description(
      'While a trial is still scanning: looks for new scans from time to time, processes a subject when its baseline has come, waits for the second session, and reports on all so far. A schedule of the Temporal server does it, so it goes on when this command has ended; it needs a server that stays (delta-md dev, or your own) and a worker.',
    )
    .addArgument(studyArgument())
    .option('--stop', 'no longer look; subjects that run or wait go on')
    .addOption(workDirOption())
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      `
Examples:
  delta-md watch study.yaml
  delta-md watch study.yaml --stop

How often it looks, and how long a subject waits: arrivals in the study file.
Exit codes: 0 done, 2 bad study file or nothing to stop, 3 infrastructure`,
    )
    .action(async (file: string, options: Options) => {
      const out = output(options.json);
      // Ready to be run, so that what lacks is told here and not to nobody later; to end it, nothing has to be there.
      const study = await (options.stop ? requireStudyFile : requireStudy)(file, options.workDir);
      const client = await connectTo(study.work, options.temporalAddress);
      const scheduleId = `${study.study}/arrivals`;
      try {
        const handle = client.schedule.getHandle(scheduleId);
        if (options.stop) {
          await handle.delete().catch((error) => {
            if (!(error instanceof ScheduleNotFoundError)) throw error;
            throw new CommandError(`Nothing watches ${study.study}.`, EXIT.badInput);
          });
          out.say('No longer looking. Subjects that run or wait go on.');
          return out.result({ study: study.study, watching: false });
        }
        await registerSearchAttributes(client.connection as Connection, NAMESPACE);
        const { everyMinutes, followupWithinDays } = study.arrivals;
        const schedule = {
          spec: { intervals: [{ every: everyMinutes * 60_000 }] },
          policies: { overlap: ScheduleOverlapPolicy.BUFFER_ONE },
          action: {
            type: 'startWorkflow' as const,
            workflowType: ARRIVALS_WORKFLOW,
            workflowId: scheduleId,
            taskQueue: TASK_QUEUE,
            args: [{ study: study.study, studyFile: study.file, work: study.work }] as Parameters<
              typeof arrivalsWorkflow
            >,
            typedSearchAttributes: [{ key: STUDY, value: study.study }],
          },
        };
        await client.schedule.create({ ...schedule, scheduleId }).catch(async (error) => {
          if (!(error instanceof ScheduleAlreadyRunning)) throw error;
          await handle.update((before) => ({ ...before, ...schedule }));
        });
        await handle.trigger();
        out.say(`Looks into ${study.bids} now and every ${everyMinutes} minutes.`);
        if (study.sessions.length > 1)
          out.say(`A subject waits up to ${followupWithinDays} days for ses-${study.sessions[1].label}.`);
        out.say(`Results: ${study.output}. To end it: delta-md watch ${file} --stop`);
        out.result({ study: study.study, watching: true, everyMinutes, output: study.output });
      } finally {
        await client.connection.close();
      }
    });
}
