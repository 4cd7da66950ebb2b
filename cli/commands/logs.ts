import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { CommandError, EXIT } from '../exit-codes.ts';
import { studyArgument, temporalOption, workDirOption } from '../options.ts';
import { isRunning } from '../run-cohort.ts';
import { type LoggedStep, printLog, stepsOfOutputs, stepsOfWorkflow } from '../step-logs.ts';
import { requireStudyFile, withPrefix } from '../study.ts';
import { connect, findServer } from '../temporal/connect.ts';

/** How often a step that has not begun is looked for. */
const POLL_MS = 500;

interface Options {
  session?: string;
  follow?: boolean;
  workDir?: string;
  temporalAddress?: string;
}

export function register(program: Command): void {
  program
    .command('logs')
    .description("Prints what a subject's steps have printed, while they run or after.")
    .addArgument(studyArgument())
    .argument('<subject>', 'with or without sub-')
    .argument('<step>', 'such as eddy, topup, fsl_reg')
    .option('--session <label>', 'of this session only, with or without ses-')
    .option('-f, --follow', 'wait for the step where it has not begun, and go on until it ends')
    .addOption(workDirOption())
    .addOption(temporalOption())
    .addHelpText(
      'after',
      `
Examples:
  delta-md logs study.yaml sub-01 eddy --follow
  delta-md logs study.yaml 01 topup --session 24h

Exit codes: 0 done, 2 no such step or log`,
    )
    .action(async (file: string, label: string, step: string, options: Options) => {
      const study = await requireStudyFile(file, options.workDir);
      const subject = withPrefix(label);
      const session = options.session && `ses-${options.session.replace(/^ses-/, '')}`;
      const isWanted = (one: LoggedStep) =>
        (one.step === step || one.step.startsWith(`${step} `)) &&
        (session === undefined || one.session === session || one.session === '');
      const server = await findServer(study.work, options.temporalAddress);
      let known: LoggedStep[] = [];
      if (server) {
        const client = await connect(server.address);
        for (;;) {
          // A subject of an earlier cohort may be unknown to this server, and a server may end with its run.
          known = await stepsOfWorkflow(client, study.study, subject).catch(() => []);
          const mayCome = options.follow && (await isRunning({ client }, study.study).catch(() => false));
          if (known.some(isWanted) || !mayCome) break;
          await sleep(POLL_MS);
        }
        await client.connection.close();
      }
      if (!known.some(isWanted)) known = [...known, ...(await stepsOfOutputs(study, subject))];
      const wanted = known.filter(isWanted);
      if (wanted.length === 0)
        throw new CommandError(
          `${subject} has no step ${step}${session ? ` in ${session}` : ''} so far.${known.length > 0 ? ` It has: ${[...new Set(known.map((one) => one.step))].join(', ')}` : ''}`,
          EXIT.badInput,
        );
      for (const { step: name, session: where, key } of wanted) {
        process.stdout.write(`==> ${[where, name].filter(Boolean).join(' ')} (${key.slice(0, 12)})\n`);
        const found = await printLog(study.work, key, options.follow ?? false, (text) =>
          process.stdout.write(text),
        );
        if (!found) process.stdout.write('    its log was cleaned away\n');
      }
    });
}
