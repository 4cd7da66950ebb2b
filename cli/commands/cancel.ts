import type { Command } from 'commander';
import { JSON_OPTION, studyArgument, temporalOption, workDirOption } from '../options.ts';
import { output } from '../output.ts';
import { type SpeakOptions, speakTo } from '../speak.ts';

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
    .action(async (file: string, options: SpeakOptions) => {
      const out = output(options.json);
      await speakTo(file, options, async (handle, study) => {
        await handle.cancel();
        await handle.result().catch(() => {});
        out.say(`Cancelled. Finished steps are kept: delta-md run ${file} goes on from there.`);
        out.result({ study: study.study, cancelled: true });
      });
    });
}
