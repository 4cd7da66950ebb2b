import type { Command } from 'commander';
import { finishCohort } from '../../activities/finish.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument } from '../options.ts';
import { output } from '../output.ts';
import { lastRows } from '../results.ts';
import { requireStudy } from '../study.ts';
import { VERSION } from '../version.ts';

export function register(program: Command): void {
  program
    .command('report')
    .description(
      'Makes the group tables, statistics and report again from the outputs of the last run, for example after a change in participants.tsv or in the statistics of the study file. No image is processed.',
    )
    .addArgument(studyArgument())
    .addOption(JSON_OPTION())
    .addHelpText('after', '\nExamples:\n  delta-md report study.yaml\n\nExit codes: 0 done, 2 bad input')
    .action(async (file: string, options: { json?: boolean }) => {
      const out = output(options.json);
      const study = await requireStudy(file);
      const rows = await lastRows(study.output);
      if (!rows) throw new CommandError('This study has no finished run yet: delta-md run', EXIT.badInput);
      const result = await finishCohort(study, rows, VERSION);
      out.say(`Report: ${result.report}`);
      out.result(result);
    });
}
