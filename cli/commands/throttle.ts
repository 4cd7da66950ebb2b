import type { Command } from 'commander';
import { CONTROL_UPDATE } from '../../pipeline/messages.ts';
import type { Controls } from '../../workflows/index.ts';
import { integer, JSON_OPTION, studyArgument, temporalOption, workDirOption } from '../options.ts';
import { output } from '../output.ts';
import { type SpeakOptions, speakTo } from '../speak.ts';

export function register(program: Command): void {
  program
    .command('throttle')
    .description(
      'Changes how many subjects of the running cohort are processed at the same time. Those that run are not stopped.',
    )
    .addArgument(studyArgument())
    .requiredOption('--subjects-at-once <n>', 'subjects at the same time', integer)
    .addOption(workDirOption())
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md throttle study.yaml --subjects-at-once 4\n\nExit codes: 0 done, 2 no cohort runs, 3 infrastructure',
    )
    .action(async (file: string, options: SpeakOptions & { subjectsAtOnce: number }) => {
      const out = output(options.json);
      await speakTo(file, options, async (handle, study) => {
        const now = await handle.executeUpdate<Controls, [Partial<Controls>]>(CONTROL_UPDATE, {
          args: [{ window: options.subjectsAtOnce }],
        });
        out.say(`Up to ${now.window} subjects at once${now.paused ? ', once resumed' : ''}.`);
        out.result({ study: study.study, ...now });
      });
    });
}
