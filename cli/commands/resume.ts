import type { Command } from 'commander';
import { CONTROL_UPDATE } from '../../pipeline/messages.ts';
import type { Controls } from '../../workflows/index.ts';
import { JSON_OPTION, studyArgument, temporalOption, workDirOption } from '../options.ts';
import { output } from '../output.ts';
import { type SpeakOptions, speakTo } from '../speak.ts';

export function register(program: Command): void {
  program
    .command('resume')
    .description('Lets subjects of a paused cohort start again.')
    .addArgument(studyArgument())
    .addOption(workDirOption())
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md resume study.yaml\n\nExit codes: 0 done, 2 no cohort runs, 3 infrastructure',
    )
    .action(async (file: string, options: SpeakOptions) => {
      const out = output(options.json);
      await speakTo(file, options, async (handle, study) => {
        const now = await handle.executeUpdate<Controls, [Partial<Controls>]>(CONTROL_UPDATE, {
          args: [{ paused: false }],
        });
        out.say(`Up to ${now.window} subjects at once.`);
        out.result({ study: study.study, ...now });
      });
    });
}
