import type { Command } from 'commander';
import { control, type SpeakOptions, speakingCommand } from '../speak.ts';

export function register(program: Command): void {
  speakingCommand(program, 'resume', 'Lets subjects of a paused cohort start again.').action(
    (file: string, options: SpeakOptions) =>
      control(file, options, { paused: false }, ({ window }) => `Up to ${window} subjects at once.`),
  );
}
