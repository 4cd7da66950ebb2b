import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CommandError, EXIT } from '../exit-codes.ts';
import { type CapacityOptions, capacityOf, cpusOption, memoryOption, metricsPortOption } from '../options.ts';
import { output } from '../output.ts';
import { EmbeddedTemporal, NAMESPACE, USUAL_PORTS } from '../temporal/embedded.ts';
import { installLog, startWorker } from '../temporal/worker.ts';

const defaultFolder = () =>
  join(process.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'delta-md');

interface Options extends CapacityOptions {
  readonly stateDir: string;
  readonly metricsPort?: number;
}

export function register(program: Command): void {
  program
    .command('dev')
    .description(
      'Starts Temporal (with its UI and a database on disk) and a worker, and keeps both until Ctrl-C. Cohorts started by delta-md run in other terminals run here, and go on where they were after a restart.',
    )
    .option('--state-dir <folder>', 'folder of database and logs', defaultFolder())
    .addOption(cpusOption())
    .addOption(memoryOption())
    .addOption(metricsPortOption())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md dev\n  delta-md dev --state-dir /data/temporal --n-cpus 8\n\nExit codes: 0 stopped, 3 could not start',
    )
    .action(async ({ stateDir, metricsPort, ...capacity }: Options) => {
      const out = output(false);
      const folder = resolve(stateDir);
      installLog(join(folder, 'worker.log'), metricsPort);
      const server = await EmbeddedTemporal.start(folder, USUAL_PORTS, (message) => out.say(message)).catch(
        (error: Error) => {
          throw new CommandError(error.message, EXIT.infrastructure);
        },
      );
      const worker = await startWorker(server.address, { capacity: capacityOf(capacity) });
      out.say(`Temporal:    ${server.address}`);
      out.say(`Temporal UI: ${server.ui}/namespaces/${NAMESPACE}/workflows`);
      out.say(`Logs:        ${folder}`);
      out.say('Ctrl-C stops both; cohorts go on at the next start.');
      await new Promise<void>((stop) => process.once('SIGINT', () => stop()).once('SIGTERM', () => stop()));
      out.say('Stopping ...');
      await worker.stop();
      await server.stop();
    });
}
