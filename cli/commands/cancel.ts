import type { Command } from 'commander';
import { output } from '../output.ts';
import { type SpeakOptions, speakingCommand, speakTo } from '../speak.ts';

export function register(program: Command): void {
  speakingCommand(
    program,
    'cancel',
    'Cancels the running cohort and waits until its tools have ended. Finished steps are kept.',
    { done: 'cancelled' },
  ).action(async (file: string, options: SpeakOptions) => {
    const out = output(options.json);
    await speakTo(file, options, async (handle, study) => {
      await handle.cancel();
      await handle.result().catch(() => {});
      out.say(`Cancelled. Finished steps are kept: delta-md run ${file} goes on from there.`);
      out.result({ study: study.study, cancelled: true });
    });
  });
}
