import { randomUUID } from 'node:crypto';
import { type Command, Option } from 'commander';
import { RETRY_UPDATE, TABLE_QUERY } from '../../pipeline/messages.ts';
import { STEP_NAMES } from '../../pipeline/protocol.ts';
import { type Roster, rosterOf, rowsOf, type SubjectRow } from '../../pipeline/roster.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import {
  cpusOption,
  filterOption,
  JSON_OPTION,
  memoryOption,
  studyArgument,
  temporalOption,
  workDirOption,
} from '../options.ts';
import { output } from '../output.ts';
import { lastRows } from '../results.ts';
import { type CohortHandle, conclude, isRunning, runToEnd, startCohort } from '../run-cohort.ts';
import { planRun, requireStudy, withPrefix } from '../study.ts';
import { cohortId } from '../temporal/connect.ts';

interface Options {
  failed?: boolean;
  from?: string;
  bidsFilterFile?: string;
  workDir?: string;
  nCpus?: number;
  memMb?: number;
  temporalAddress?: string;
  json?: boolean;
}

/** Which subjects to send again. @throws CommandError where there is nothing to retry */
function choose(rows: readonly SubjectRow[], named: readonly string[]): string[] {
  const known = new Map(rows.map((row) => [row.subject, row]));
  for (const subject of named)
    if (!known.has(subject))
      throw new CommandError(
        `${subject} is not in the cohort: ${[...known.keys()].join(' ')}`,
        EXIT.badInput,
      );
  return named.length > 0
    ? [...new Set(named)]
    : rows.filter((row) => row.status === 'failed').map((row) => row.subject);
}

export function register(program: Command): void {
  program
    .command('retry')
    .description(
      'Sends subjects again: into the cohort that runs, or as a new run that keeps the others. Every finished step is reused; statistics and report are made anew.',
    )
    .addArgument(studyArgument())
    .argument('[subjects...]', 'subjects, with or without sub-')
    .option('--failed', 'all failed subjects (the default when none is named)')
    .addOption(
      new Option(
        '--from <step>',
        'compute this step anew, and whatever rests on it, though results are there',
      ).choices(STEP_NAMES),
    )
    .addOption(filterOption())
    .addOption(workDirOption())
    .addOption(cpusOption())
    .addOption(memoryOption())
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      `
Examples:
  delta-md retry study.yaml --failed
  delta-md retry study.yaml sub-07 sub-12
  delta-md retry study.yaml sub-07 --from eddy

Exit codes: 0 all done, 1 some subjects failed, 2 bad input, 3 infrastructure`,
    )
    .action(async (file: string, subjects: string[], options: Options) => {
      if (options.failed && subjects.length > 0)
        throw new CommandError('Give either --failed or subjects, not both.', EXIT.badInput);
      const out = output(options.json);
      const study = await requireStudy(file, options.workDir);
      const named = subjects.map(withPrefix);
      const anew = options.from === undefined ? undefined : { from: options.from, order: randomUUID() };
      const { plan, rows: planned } = await planRun(study, {
        nCpus: options.nCpus,
        bidsFilterFile: options.bidsFilterFile,
      });
      const result = await runToEnd(plan, options, out, async (host) => {
        if (await isRunning(host, study.study)) {
          const handle: CohortHandle = host.client.workflow.getHandle(cohortId(study.study));
          const again = choose(rowsOf(await handle.query<Roster>(TABLE_QUERY)), named);
          if (again.length > 0) await handle.executeUpdate(RETRY_UPDATE, { args: [again, anew] });
          out.say(again.length > 0 ? `Sent again: ${again.join(' ')}` : 'Nothing has failed so far.');
          return handle;
        }
        const rows = await lastRows(study.output);
        if (!rows) throw new CommandError('This study has no finished run yet: delta-md run', EXIT.badInput);
        const again = new Set(choose(rows, named));
        if (again.size === 0) throw new CommandError('No subject has failed.', EXIT.done);
        out.say(`Sent again: ${[...again].join(' ')}`);
        return startCohort(host, {
          plan,
          anew: Object.fromEntries(anew ? [...again].map((subject) => [subject, anew]) : []),
          roster: rosterOf([
            ...rows.filter((row) => !again.has(row.subject)),
            ...planned.filter((row) => again.has(row.subject)),
          ]),
        });
      });
      process.exitCode = await conclude(result, study.output, out);
    });
}
