import type { Command } from 'commander';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument, temporalOption, workDirOption } from '../options.ts';
import { output } from '../output.ts';
import { isRunning } from '../run-cohort.ts';
import { requireStudy } from '../study.ts';
import { cohortId, connectTo } from '../temporal/connect.ts';

export function register(program: Command): void {
  program
    .command('cancel')
    .description('Cancels the running cohort and waits until its tools have ended. Finished steps are kept.')
    .addArgument(studyArgument())
    .addOption(workDirOption())
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md cancel study.yaml\n\nExit codes: 0 cancelled, 2 no cohort runs, 3 infrastructure',
    )
    .action(async (file: string, options: { workDir?: string; temporalAddress?: string; json?: boolean }) => {
      const out = output(options.json);
      const study = await requireStudy(file, options.workDir);
      const client = await connectTo(study.work, options.temporalAddress);
      try {
        if (!(await isRunning({ client }, study.study)))
          throw new CommandError(`No cohort of ${study.study} runs.`, EXIT.badInput);
        const handle = client.workflow.getHandle(cohortId(study.study));
        await handle.cancel();
        await handle.result().catch(() => {});
        out.say(`Cancelled. Finished steps are kept: delta-md run ${file} goes on from there.`);
        out.result({ study: study.study, cancelled: true });
      } finally {
        await client.connection.close();
      }
    });
}
