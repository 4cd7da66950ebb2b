import { cpus } from 'node:os';
import type { Command } from 'commander';
import { CommandError, EXIT } from '../exit-codes.ts';
import { integer, temporalOption } from '../options.ts';
import { DEFAULT_ADDRESS } from '../temporal/connect.ts';
import { answers } from '../temporal/embedded.ts';
import { serveHealth } from '../temporal/health.ts';
import { howSecured } from '../temporal/tls.ts';
import { installLog, type RunningWorker, startWorker } from '../temporal/worker.ts';

interface Options {
  temporalAddress?: string;
  nCpus?: number;
  healthPort?: number;
}

export function register(program: Command): void {
  program
    .command('worker')
    .description(
      'Polls a Temporal server and runs workflows and steps until stopped. Needs the study folders under the same paths as where cohorts are started. Logs JSON lines to stderr.',
    )
    .addOption(temporalOption())
    .option('--n-cpus <n>', 'steps at the same time (default: all cores)', integer)
    .option(
      '--health-port <port>',
      'serve /healthz (200 while the server sees this worker poll) and /livez (200 while it has not failed)',
      integer,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md worker --temporal-address temporal.lab:7233 --n-cpus 16\n\nExit codes: 0 stopped, 3 no server answers',
    )
    .action(async ({ temporalAddress, nCpus, healthPort }: Options) => {
      const address = temporalAddress ?? DEFAULT_ADDRESS;
      if (!(await answers(address, 5)))
        throw new CommandError(
          `No Temporal server answers at ${address} ${howSecured(address)}.`,
          EXIT.infrastructure,
        );
      const log = installLog();
      let worker: RunningWorker | undefined;
      if (healthPort)
        await serveHealth(
          healthPort,
          async () => worker?.health() ?? { state: 'INITIALIZED', polling: false },
        );
      worker = await startWorker(address, nCpus ?? cpus().length);
      log.info({ address }, 'worker started');
      const stop = () => void worker?.stop();
      process.once('SIGINT', stop).once('SIGTERM', stop);
      await worker.stopped;
    });
}
