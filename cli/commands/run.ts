import type { Command } from 'commander';
import { dryRun } from '../../activities/dry-run.ts';
import { isUnchanged } from '../../activities/foresee.ts';
import { rosterOf } from '../../pipeline/roster.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { forecast, sayForecast } from '../foresee.ts';
import {
  cpusOption,
  filterOption,
  integer,
  JSON_OPTION,
  memoryOption,
  studyArgument,
  temporalOption,
  workDirOption,
} from '../options.ts';
import { output } from '../output.ts';
import { resultLines } from '../results.ts';
import { conclude, runToEnd, startCohort } from '../run-cohort.ts';
import { planRun, requireStudy } from '../study.ts';
import { VERSION } from '../version.ts';

interface Options {
  participantLabel?: string[];
  sessionLabel?: string;
  bidsFilterFile?: string;
  workDir?: string;
  nCpus?: number;
  memMb?: number;
  priority?: number;
  plan?: boolean;
  dryRun?: boolean;
  rerunChanged?: boolean;
  temporalAddress?: string;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('run')
    .description(
      'Processes every subject of a study, then makes statistics and report. Uses the Temporal server given or running; without one it starts an embedded server and a worker for the time of the run. A cohort that runs already is joined; finished steps are never computed again.',
    )
    .addArgument(studyArgument())
    .option('--participant-label <label...>', 'only these subjects, with or without sub-')
    .option('--session-label <label>', 'only this session: MD, no change')
    .addOption(filterOption())
    .addOption(workDirOption())
    .addOption(cpusOption())
    .addOption(memoryOption())
    .option('--priority <n>', 'before other studies on the same workers: 1 (first) to 5 (last)', integer)
    .option('--plan', 'only say what would be computed and what is there already')
    .option('--dry-run', 'only print the commands, as a script for a shell that has the tools')
    .option('--rerun-changed', 'say it, then process only subjects whose results would change')
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      `
Examples:
  delta-md run study.yaml
  delta-md run study.yaml --participant-label 01 02 --n-cpus 4
  delta-md run study.yaml --json > result.json
  delta-md run study.yaml --plan
  delta-md run study.yaml --participant-label 01 --dry-run > sub-01.sh

Exit codes: 0 all done, 1 some subjects failed, 2 bad input, 3 infrastructure`,
    )
    .action(async (file: string, options: Options) => {
      const out = output(options.json);
      const study = await requireStudy(file, options.workDir);
      const { priority } = options;
      if (priority !== undefined && !(priority >= 1 && priority <= 5))
        throw new CommandError('--priority is a whole number from 1 to 5.', EXIT.badInput);
      const { plan, rows: planned } = await planRun(study, options);
      if (options.dryRun) {
        const waiting = planned.filter(({ status }) => status === 'waiting').map(({ subject }) => subject);
        const { script, failures } = await dryRun(study, plan, waiting, VERSION);
        process.stdout.write(script);
        if (failures.length > 0)
          throw new CommandError(
            failures.map((f) => `${f.subject}: ${f.code}: ${f.message}\n    ${f.remedy}`).join('\n'),
            EXIT.someFailed,
          );
        return;
      }
      out.say(
        `${plan.study}: ${planned.length} subjects, profile ${plan.profile.name}, results in ${study.output}`,
      );
      let rows = planned;
      if (options.plan || options.rerunChanged) {
        const foreseen = await forecast(study, plan, planned);
        sayForecast(foreseen, out);
        if (options.plan) return out.result(foreseen);
        const unchanged = new Set(foreseen.subjects.filter(isUnchanged).map(({ subject }) => subject));
        rows = planned.map((row) => (unchanged.has(row.subject) ? { ...row, status: 'done' } : row));
      }
      const result = await runToEnd(plan, options, out, (host) =>
        startCohort(host, { plan, roster: rosterOf(rows) }, priority),
      );
      for (const line of await resultLines(study.output)) out.say(line);
      out.say();
      process.exitCode = await conclude(result, study.output, out);
    });
}
