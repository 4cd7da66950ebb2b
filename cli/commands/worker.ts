import { cpus } from 'node:os';
import type { Command } from 'commander';
import { CommandError, EXIT } from '../exit-codes.ts';
import { integer, metricsPortOption, temporalOption } from '../options.ts';
import { DEFAULT_ADDRESS } from '../temporal/connect.ts';
import { answers } from '../temporal/embedded.ts';
import { installLog, startWorker } from '../temporal/worker.ts';

interface Options {
  readonly temporalAddress?: string;
  readonly nCpus?: number;
  readonly metricsPort?: number;
}

export function register(program: Command): void {
  program
    .command('worker')
    .description(
      'Polls a Temporal server and runs workflows and steps until stopped. Needs the study folders under the same paths as where cohorts are started. Logs JSON lines to stderr.',
    )
    .addOption(temporalOption())
    .option('--n-cpus <n>', 'steps at the same time (default: all cores)', integer)
    .addOption(metricsPortOption())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md worker --temporal-address temporal.lab:7233 --n-cpus 16\n\nExit codes: 0 stopped, 3 no server answers',
    )
    .action(async ({ temporalAddress, nCpus, metricsPort }: Options) => {
      const address = temporalAddress ?? DEFAULT_ADDRESS;
      if (!(await answers(address, 5)))
        throw new CommandError(`No Temporal server answers at ${address}.`, EXIT.infrastructure);
      const log = installLog(undefined, metricsPort);
      const worker = await startWorker(address, nCpus ?? cpus().length);
      log.info({ address }, 'worker started');
      const stop = () => void worker.stop();
      process.once('SIGINT', stop).once('SIGTERM', stop);
      await worker.stopped;
    });
}
