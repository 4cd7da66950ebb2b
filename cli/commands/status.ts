import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { sessionsOf } from '../../activities/plan.ts';
import type { Study } from '../../config/study.ts';
import type { Flagged } from '../../pipeline/decisions.ts';
import { TABLE_QUERY } from '../../pipeline/messages.ts';
import { counts, type Roster, rowsOf, type SubjectRow } from '../../pipeline/roster.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { JSON_OPTION, studyArgument, temporalOption, workDirOption } from '../options.ts';
import { columns, type Output, output } from '../output.ts';
import { awaitingLines, reason } from '../progress.ts';
import { lastRows } from '../results.ts';
import { type CohortHandle, isRunning } from '../run-cohort.ts';
import { requireStudy } from '../study.ts';
import { cohortId, connect, findServer } from '../temporal/connect.ts';
import { CohortView, failures, waitingAt, watchCohort } from '../watch.ts';

interface Options {
  watch?: boolean;
  workDir?: string;
  temporalAddress?: string;
  json?: boolean;
}

/** Follows a cohort on the terminal; Ctrl-C ends the following, not the cohort. */
async function follow(client: Client, study: Study, out: Output): Promise<void> {
  const handle: CohortHandle = client.workflow.getHandle(cohortId(study.study));
  const interrupt = new AbortController();
  const stop = () =>
    interrupt.abort(new CommandError('No longer watching. The cohort goes on.', EXIT.interrupted));
  process.once('SIGINT', stop);
  try {
    await watchCohort(
      client,
      new CohortView(client, handle, { study: study.study, sessions: sessionsOf(study) }),
      handle,
      out,
      interrupt.signal,
    );
  } finally {
    process.off('SIGINT', stop);
  }
}

export function register(program: Command): void {
  program
    .command('status')
    .description('Shows every subject of the running cohort, or of the last finished one.')
    .addArgument(studyArgument())
    .option(
      '--watch',
      'follow a running cohort to its end: counts and time left first, then those that run or failed',
    )
    .addOption(workDirOption())
    .addOption(temporalOption())
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      `
Examples:
  delta-md status study.yaml
  delta-md status study.yaml --watch
  delta-md status study.yaml --json | jq '.subjects[] | select(.status == "failed")'

Exit codes: 0 nothing failed, 1 some subjects failed, 2 no such study or run`,
    )
    .action(async (file: string, options: Options) => {
      const out = output(options.json);
      const study = await requireStudy(file, options.workDir);
      const server = await findServer(study.work, options.temporalAddress);
      let rows: SubjectRow[] | undefined;
      let running = false;
      let awaiting: readonly Flagged[] = [];
      if (server) {
        const client = await connect(server.address);
        running = await isRunning({ client }, study.study);
        if (running && options.watch) {
          await follow(client, study, out);
          running = false;
        }
        if (running) {
          const handle = client.workflow.getHandle(cohortId(study.study));
          rows = rowsOf(await handle.query<Roster>(TABLE_QUERY));
          awaiting = (await waitingAt(handle)) ?? [];
        }
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
      for (const line of awaitingLines(awaiting)) out.say(line);
      for (const line of failures(rows.filter((row) => row.status === 'failed'))) out.say(line);
      out.result({ study: study.study, running, counts: n, awaiting, subjects: rows });
      process.exitCode = n.failed > 0 ? EXIT.someFailed : EXIT.done;
    });
}
