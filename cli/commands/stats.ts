import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { analysisPlan, analysisRows } from '../../activities/analysis.ts';
import { writeJsonInto } from '../../activities/derivatives.ts';
import { GROUP_FILES } from '../../activities/finish.ts';
import { statisticsTables } from '../../activities/group-tables/index.ts';
import { writeTables } from '../../activities/group-tables/table.ts';
import { loadAnalysis } from '../../config/analysis-file.ts';
import { analysePlan } from '../../statistics/analyse.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION } from '../options.ts';
import { output } from '../output.ts';
import { resultLines } from '../results.ts';
import { formatProblem } from '../study.ts';

interface StatsOptions {
  readonly plan: string;
  readonly table: string;
  readonly output: string;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

const HELP = `
The plan (YAML) has the sections participants, exclude and statistics of a study file, and says where the MD is:
  participants: { id: participant_id, group: { column: group, reference: vehicle, treatment: ketamine } }
  regions: { names: [lBA10, rBA10], baseline: 'md_{roi}_baseline', followup: 'md_{roi}_followup' }
  exclude: { sub-12: scanner upgrade }
  statistics:
    outcomes: [{ name: MADRS, baseline: madrs_baseline, followup: madrs_24h }]
    covariates: [age, [site, baselineMd]]
The table has one row per subject, tabs between columns, and n/a where a value is missing.

Examples:
  delta-md simulate trial --participants-only     writes a plan and a table to try this with
  delta-md stats --plan trial/plan.yaml --table trial/table.tsv --output results

Exit codes: 0 done, 2 bad input or usage`;

export function register(program: Command): void {
  program
    .command('stats')
    .description(
      'Analyses a table by a plan, without any image: Table 1, group tests, regressions, correlations, mixed models and sensitivity analyses, as group_*.tsv with a data dictionary beside each, and all of it in group_statistics.json.',
    )
    .requiredOption('--plan <file>', 'plan of the analysis (YAML)')
    .requiredOption('--table <file>', 'table to analyse (TSV), one row per subject')
    .requiredOption('-o, --output <folder>', 'folder for the results')
    .option('--overwrite', 'replace results of an earlier analysis in that folder')
    .addOption(JSON_OPTION())
    .addHelpText('after', HELP)
    .action(analyse);
}

async function analyse(options: StatsOptions): Promise<void> {
  const out = output(options.json);
  const loaded = await loadAnalysis(options.plan, options.table);
  if (!loaded.ok) throw new CommandError(loaded.problems.map(formatProblem).join('\n'), EXIT.badInput);
  const { file } = loaded.analysis;
  const folder = resolve(options.output);
  const statistics = join(folder, GROUP_FILES.statistics);
  if (!options.overwrite && existsSync(statistics))
    throw new CommandError(
      `${statistics} is there already. Choose another folder, or say --overwrite`,
      EXIT.badInput,
    );
  const plan = analysisPlan(file.statistics, file.participants.group, file.regions.names);
  const analysis = analysePlan(plan, analysisRows(loaded.analysis));
  const tables = statisticsTables(analysis);
  await writeTables(folder, tables);
  await writeJsonInto(statistics, analysis);
  const { n, leftOut } = analysis;
  const { reference, treatment } = plan.groups;
  out.say(
    `${n.reference + n.treatment} subjects: ${n.reference} ${reference}, ${n.treatment} ${treatment}; left out: ${leftOut.length}`,
  );
  for (const { subject, why } of leftOut) out.say(`  ${subject}: ${why}`);
  for (const line of await resultLines(folder)) out.say(line);
  out.say(`\nTables and ${GROUP_FILES.statistics}: ${folder}`);
  out.result({
    output: folder,
    statistics,
    tables: Object.keys(tables).map((name) => join(folder, `${name}.tsv`)),
    n,
    leftOut,
  });
}
