import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exportStudy } from '../../activities/export/index.ts';
import { named } from '../../activities/failures.ts';
import { standings } from '../../activities/qc/standing.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument } from '../options.ts';
import { output } from '../output.ts';
import { lastRows } from '../results.ts';
import { orSay, requireStudy } from '../study.ts';
import { VERSION } from '../version.ts';

interface Options {
  to: string;
  maps?: boolean;
  tables?: boolean;
  crate?: boolean;
  spm?: boolean;
  covariates?: string[];
  force?: boolean;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('export')
    .description(
      "Writes a finished cohort for other programs: maps in template space stacked for FSL's randomise, with design and mask; regional tables as CSV for R and SPSS; RO-Crate and PROV for archives. All three, or those asked for. Subjects that the study file or quality control excludes are left out.",
    )
    .addArgument(studyArgument())
    .requiredOption('--to <folder>', 'new folder to write to; it appears whole, at the end')
    .option('--maps', 'stacks, mask and design')
    .option('--tables', 'CSV tables, codebook and readers')
    .option('--crate', 'RO-Crate metadata and provenance')
    .option('--spm', 'also every map as an uncompressed 3-D file, which SPM needs')
    .option('--covariates <column...>', 'columns of the participants table for the design')
    .option('--force', 'replace an earlier export')
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      `
Examples:
  delta-md export study.yaml --to ./export
  delta-md export study.yaml --to ./voxelwise --maps --covariates age sex
  delta-md export study.yaml --to ./export --tables --force

Exit codes: 0 done, 2 bad input or usage`,
    )
    .action(async (file: string, options: Options) => {
      const out = output(options.json);
      const study = await requireStudy(file);
      const rows = await lastRows(study.output);
      const finished = (rows ?? [])
        .filter(({ subject, status }) => status === 'done' && study.exclude[subject] === undefined)
        .map(({ subject }) => subject)
        .sort();
      const all = await orSay(standings(study, finished));
      const subjects = all.filter(({ excluded }) => excluded === undefined).map(({ subject }) => subject);
      for (const { subject, excluded } of all)
        if (excluded !== undefined) out.say(`${subject} is ${excluded}`);
      if (subjects.length === 0)
        throw new CommandError('This study has no finished subject to export: delta-md run', EXIT.badInput);
      const { maps, tables, crate } = options;
      const isWhole = !maps && !tables && !crate;
      const parts = { maps: isWhole || !!maps, tables: isWhole || !!tables, crate: isWhole || !!crate };
      const { covariates = [], spm = false, force = false } = options;
      if (!parts.maps && (spm || covariates.length > 0))
        throw new CommandError('--spm and --covariates are of the maps: add --maps', EXIT.badInput);
      const to = resolve(options.to);
      const say = (what: string) => out.say(`${what} of ${subjects.length} subjects ...`);
      const result = await orSay(
        named({}, () => exportStudy(study, subjects, { to, parts, covariates, spm, force }, VERSION, say)),
      );
      for (const { path, description } of result.files) {
        if (!path.startsWith('maps/spm/')) out.say(`  ${path}: ${description}`);
      }
      out.say(`Exported to ${to}`);
      out.result({ folder: to, ...result });
    });
}
