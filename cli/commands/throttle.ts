import type { Command } from 'commander';
import { integer } from '../options.ts';
import { control, type SpeakOptions, speakingCommand } from '../speak.ts';

export function register(program: Command): void {
  speakingCommand(
    program,
    'throttle',
    'Changes how many subjects of the running cohort are processed at the same time. Those that run are not stopped.',
    { example: 'delta-md throttle study.yaml --subjects-at-once 4' },
  )
    .requiredOption('--subjects-at-once <n>', 'subjects at the same time', integer)
    .action((file: string, options: SpeakOptions & { subjectsAtOnce: number }) =>
      control(
        file,
        options,
        { window: options.subjectsAtOnce },
        ({ window, paused }) => `Up to ${window} subjects at once${paused ? ', once resumed' : ''}.`,
      ),
    );
}
