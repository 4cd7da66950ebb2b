import { type Command, Option } from 'commander';
import { RESOURCE_CLASSES, type ResourceClass } from '../../pipeline/resources.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import {
  type CapacityOptions,
  capacityOf,
  cpusOption,
  memoryOption,
  temporalOption,
  wholeNumber,
} from '../options.ts';
import { DEFAULT_ADDRESS } from '../temporal/connect.ts';
import { answers } from '../temporal/embedded.ts';
import { installLog, startWorker } from '../temporal/worker.ts';

/** Long enough for most steps of the built-in tools; what has not ended by then begins anew on another worker. */
const GRACE_SECONDS = 60;

interface Options extends CapacityOptions {
  readonly temporalAddress?: string;
  readonly classes?: ResourceClass[];
  readonly grace: number;
}

export function register(program: Command): void {
  program
    .command('worker')
    .description(
      'Polls a Temporal server and runs workflows and steps until stopped. Needs the study folders under the same paths as where cohorts are started. Logs JSON lines to stderr.',
    )
    .addOption(temporalOption())
    .addOption(cpusOption())
    .addOption(memoryOption())
    .addOption(
      new Option(
        '--classes <class...>',
        'kinds of work to take: light also runs workflows, compute the long steps, memory those above 6 GiB, gpu those for a graphics card (default: all but gpu)',
      ).choices(RESOURCE_CLASSES),
    )
    .option(
      '--grace <seconds>',
      'on SIGTERM, how long running steps may go on before they are ended and begun anew elsewhere; a second signal ends them at once',
      wholeNumber,
      GRACE_SECONDS,
    )
    .addHelpText(
      'after',
      `
Examples:
  delta-md worker --temporal-address temporal.lab:7233 --n-cpus 16
  delta-md worker --classes compute memory --mem-mb 64000 --grace 600

Exit codes: 0 stopped, 3 no server answers`,
    )
    .action(async ({ temporalAddress, classes, grace, ...capacity }: Options) => {
      const address = temporalAddress ?? DEFAULT_ADDRESS;
      if (!(await answers(address, 5)))
        throw new CommandError(`No Temporal server answers at ${address}.`, EXIT.infrastructure);
      const log = installLog();
      const worker = await startWorker(address, {
        capacity: capacityOf(capacity),
        classes,
        graceSeconds: grace,
      });
      log.info({ address, classes }, 'worker started');
      let told = false;
      const stop = () => {
        if (told) return worker.hurry();
        told = true;
        log.info({ grace }, 'stopping: takes no further step, waits for the running ones');
        void worker.stop();
      };
      process.on('SIGINT', stop).on('SIGTERM', stop);
      await worker.stopped;
    });
}
