import { type Command, Option } from 'commander';
import { RESOURCE_CLASSES, type ResourceClass } from '../../pipeline/resources.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import {
  type CapacityOptions,
  capacityOf,
  cpusOption,
  integer,
  memoryOption,
  metricsPortOption,
  temporalOption,
  wholeNumber,
} from '../options.ts';
import { connect, DEFAULT_ADDRESS } from '../temporal/connect.ts';
import { makeCurrent } from '../temporal/deployment.ts';
import { answers } from '../temporal/embedded.ts';
import { serveHealth } from '../temporal/health.ts';
import { howSecured } from '../temporal/tls.ts';
import { installLog, type RunningWorker, startWorker } from '../temporal/worker.ts';

/** Long enough for most steps of the built-in tools; what has not ended by then begins anew on another worker. */
const GRACE_SECONDS = 60;

/** A host without a graphics card must not take steps that need one. */
const USUAL_CLASSES = RESOURCE_CLASSES.filter((one) => one !== 'gpu');

interface Options extends CapacityOptions {
  readonly temporalAddress?: string;
  readonly classes: ResourceClass[];
  readonly metricsPort?: number;
  readonly healthPort?: number;
  readonly grace: number;
  readonly buildId?: string;
  readonly makeCurrent?: boolean;
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
    .addOption(metricsPortOption())
    .addOption(
      new Option(
        '--classes <class...>',
        'kinds of work to take: light also runs workflows, compute the long steps, memory those above 6 GiB, gpu those for a graphics card',
      )
        .choices(RESOURCE_CLASSES)
        .default(USUAL_CLASSES),
    )
    .option(
      '--grace <seconds>',
      'on SIGTERM, how long running steps may go on before they are ended and begun anew elsewhere; a second signal ends them at once',
      wholeNumber,
      GRACE_SECONDS,
    )
    .option(
      '--build-id <id>',
      'version of this worker: subjects end on the version that started them, cohorts go on with the current one (Worker Deployments). Name all workers of a server, or none',
    )
    .option('--make-current', 'new work goes to this version from now on; needs --build-id')
    .option(
      '--health-port <port>',
      'serve /healthz (200 while the server sees this worker poll) and /livez (200 while it has not failed)',
      integer,
    )
    .addHelpText(
      'after',
      `
Examples:
  delta-md worker --temporal-address temporal.lab:7233 --n-cpus 16
  delta-md worker --classes compute memory --mem-mb 64000 --grace 600
  delta-md worker --build-id 0.2.0 --make-current

Exit codes: 0 stopped, 3 no server answers`,
    )
    .action(
      async ({
        temporalAddress,
        classes,
        grace,
        buildId,
        makeCurrent: isCurrent,
        metricsPort,
        healthPort,
        ...capacity
      }: Options) => {
        if (isCurrent && buildId === undefined)
          throw new CommandError('--make-current needs --build-id.', EXIT.badInput);
        const address = temporalAddress ?? DEFAULT_ADDRESS;
        if (!(await answers(address, 5)))
          throw new CommandError(
            `No Temporal server answers at ${address} ${howSecured(address)}.`,
            EXIT.infrastructure,
          );
        const log = installLog(undefined, metricsPort);
        let worker: RunningWorker | undefined;
        if (healthPort !== undefined)
          await serveHealth(
            healthPort,
            async () => worker?.health() ?? { state: 'INITIALIZED', polling: false },
          );
        const running = await startWorker(address, {
          capacity: capacityOf(capacity),
          classes,
          graceSeconds: grace,
          buildId,
        });
        worker = running;
        if (buildId !== undefined && isCurrent) {
          const client = await connect(address);
          await makeCurrent(client, buildId).finally(() => client.connection.close());
        }
        log.info({ address, classes, buildId }, 'worker started');
        let told = false;
        const stop = () => {
          if (told) return running.hurry();
          told = true;
          log.info({ grace }, 'stopping: takes no further step, waits for the running ones');
          void running.stop();
        };
        process.on('SIGINT', stop).on('SIGTERM', stop);
        await running.stopped;
      },
    );
}
