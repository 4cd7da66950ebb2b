import { writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { initStudy } from '../../activities/bids/init.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION } from '../options.ts';
import { output } from '../output.ts';

export function register(program: Command): void {
  program
    .command('init')
    .description(
      'Looks through a BIDS folder and prints a commented study file with what it found: sessions, directions, what sidecars leave out, groups and scores. Read it, complete it, then delta-md validate.',
    )
    .argument('<bids>', 'BIDS folder')
    .option('-o, --output <file>', 'write there instead of printing; an existing file is not replaced')
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md init /data/bids > study.yaml\n  delta-md init /data/bids -o study.yaml\n\nExit codes: 0 done, 2 bad input',
    )
    .action(async (bids: string, { output: file, json }: { output?: string; json?: boolean }) => {
      const out = output(json);
      let text: string;
      try {
        text = await initStudy(bids, file ? dirname(resolve(file)) : process.cwd());
        if (file) await writeFile(file, text, { flag: 'wx' });
      } catch (error) {
        if (error instanceof DeltaMdError)
          throw new CommandError(`${error.message}\n    ${error.failure.remedy}`, EXIT.badInput);
        if ((error as NodeJS.ErrnoException).code === 'EEXIST')
          throw new CommandError(
            `${file} is there already. Choose another name, or remove it.`,
            EXIT.badInput,
          );
        throw error;
      }
      if (file) out.say(`Wrote ${file}. Read it, complete it, then: delta-md validate ${file}`);
      else if (!json) process.stdout.write(text);
      out.result({ file, text });
    });
}
