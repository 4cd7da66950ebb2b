import type { Command } from 'commander';
import { collect, holdings, verify } from '../../activities/cache.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument, workDirOption } from '../options.ts';
import { clock, columns, output } from '../output.ts';
import { requireStudyFile } from '../study.ts';

interface Options {
  workDir?: string;
  json?: boolean;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

export function register(program: Command): void {
  const cache = program
    .command('cache')
    .description(
      'The store of results by content, in the work folder: a step whose inputs, command and tool are the same as before is never computed again.',
    )
    .addHelpText(
      'after',
      `
Examples:
  delta-md cache ls study.yaml
  delta-md cache verify study.yaml
  delta-md cache gc study.yaml --older-than 30 --dry-run

Exit codes: 0 done, 1 unsound results were found (and removed), 2 bad input`,
    );

  cache
    .command('ls')
    .description('What the store holds, by step, and the time it saves.')
    .addArgument(studyArgument())
    .addOption(workDirOption())
    .addOption(JSON_OPTION())
    .action(async (file: string, options: Options) => {
      const out = output(options.json);
      const { work } = await requireStudyFile(file, options.workDir);
      const held = await holdings(work);
      const total = held.reduce((sum, one) => sum + one.bytes, 0);
      for (const line of columns(
        held.map((one) => [one.step, `${one.results}`, megabytes(one.bytes), clock(one.seconds)]),
        ['step', 'results', 'size', 'time it took'],
      ))
        out.say(line);
      out.say(`${megabytes(total)} in ${work}`);
      out.result({ work, bytes: total, steps: held });
    });

  cache
    .command('verify')
    .description(
      'Hashes every stored file again; what is not as recorded is removed, so that it is computed anew.',
    )
    .addArgument(studyArgument())
    .addOption(workDirOption())
    .addOption(JSON_OPTION())
    .action(async (file: string, options: Options) => {
      const out = output(options.json);
      const { work } = await requireStudyFile(file, options.workDir);
      const { checked, unsound } = await verify(work);
      for (const { step, file: path, problem } of unsound)
        out.say(`✗ ${step}: ${path} is ${problem}; removed`);
      out.say(`${checked} results checked, ${unsound.length} files not as recorded`);
      out.result({ checked, unsound });
      process.exitCode = unsound.length > 0 ? EXIT.someFailed : EXIT.done;
    });

  cache
    .command('gc')
    .description(
      'Removes results that no published output of this study rests on, and what failed steps left. Do not let studies share a work folder if you use it.',
    )
    .addArgument(studyArgument())
    .option('--older-than <days>', 'leave what is younger', Number, 7)
    .option('--dry-run', 'only say what would go')
    .addOption(workDirOption())
    .addOption(JSON_OPTION())
    .action(async (file: string, options: Options & { olderThan: number; dryRun?: boolean }) => {
      if (!(options.olderThan >= 0))
        throw new CommandError('--older-than is a number of days.', EXIT.badInput);
      const out = output(options.json);
      const study = await requireStudyFile(file, options.workDir);
      const gone = await collect(study.work, study.output, options.olderThan, options.dryRun ?? false);
      out.say(
        `${options.dryRun ? 'Would remove' : 'Removed'} ${gone.results} results and ${gone.failed} leftovers of failed steps, ${megabytes(gone.bytes)}`,
      );
      out.result({ ...gone, dryRun: options.dryRun ?? false });
    });
}
