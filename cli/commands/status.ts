import type { Command } from 'commander';
import { TABLE_QUERY } from '../../pipeline/messages.ts';
import { counts, type Roster, rowsOf, type SubjectRow } from '../../pipeline/roster.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument, temporalOption, workDirOption } from '../options.ts';
import { columns, output } from '../output.ts';
import { reason } from '../progress.ts';
import { lastRows } from '../results.ts';
import { isRunning } from '../run-cohort.ts';
import { requireStudy } from '../study.ts';
import { cohortId, connect, findServer } from '../temporal/connect.ts';
import { failures } from '../watch.ts';

export function register(program: Command): void {
  program
    .command('status')
    .description('Shows every subject of the running cohort, or of the last finished one.')
    .addArgument(studyArgument())
    .addOption(workDirOption())
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      `
Examples:
  delta-md status study.yaml
  delta-md status study.yaml --json | jq '.subjects[] | select(.status == "failed")'

Exit codes: 0 nothing failed, 1 some subjects failed, 2 no such study or run`,
    )
    .action(async (file: string, options: { workDir?: string; temporalAddress?: string; json?: boolean }) => {
      const out = output(options.json);
      const study = await requireStudy(file, options.workDir);
      const server = await findServer(study.work, options.temporalAddress);
      let rows: SubjectRow[] | undefined;
      let running = false;
      if (server) {
        const client = await connect(server.address);
        running = await isRunning({ client }, study.study);
        if (running)
          rows = rowsOf(await client.workflow.getHandle(cohortId(study.study)).query<Roster>(TABLE_QUERY));
        await client.connection.close();
      }
      rows ??= await lastRows(study.output);
      if (!rows) throw new CommandError('This study has not been run yet: delta-md run', EXIT.badInput);
      const n = counts(rows);
      out.say(
        `${study.study}: ${running ? 'running' : 'ended'}, ${n.done} of ${rows.length - n.excluded} done`,
      );
      for (const line of columns(
        rows.map((row) => [row.subject, row.group ?? '', row.status, reason(row).slice(0, 100)]),
        ['subject', 'group', 'status', ''],
      ))
        out.say(line);
      for (const line of failures(rows.filter((row) => row.status === 'failed'))) out.say(line);
      out.result({ study: study.study, running, counts: n, subjects: rows });
      process.exitCode = n.failed > 0 ? EXIT.someFailed : EXIT.done;
    });
}
