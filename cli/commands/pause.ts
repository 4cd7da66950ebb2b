import type { Command } from 'commander';
import { control, type SpeakOptions, speakingCommand } from '../speak.ts';

export function register(program: Command): void {
  speakingCommand(
    program,
    'pause',
    'Lets no further subject of the running cohort start; those that run go on. delta-md resume lifts it.',
  ).action((file: string, options: SpeakOptions) =>
    control(
      file,
      options,
      { paused: true },
      () => 'Paused: the subjects that run go on, no other starts. delta-md resume lifts it.',
    ),
  );
}
