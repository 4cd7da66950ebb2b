/**
 * How a command reaches Temporal: the address given, the study's own embedded server, or the usual local one where our
 * workers poll it (`delta-md dev`).
 */
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { CommandError, EXIT } from '../exit-codes.ts';
import { dataConverter } from './codec.ts';
import { answers, NAMESPACE, runningServer } from './embedded.ts';
import { ACTIVITY_QUEUE, pollersOf } from './pollers.ts';
import { connectionOptions, howSecured } from './tls.ts';
import { tracing } from './tracing.ts';

export const TASK_QUEUE = 'delta-md';
export const DEFAULT_ADDRESS = '127.0.0.1:7233';

/** Folder of a study's embedded server. */
export function serverFolder(work: string): string {
  return join(work, 'temporal');
}

/** Address of a server that runs, or undefined when the command has to bring its own. */
export async function findServer(
  work: string,
  given?: string,
): Promise<{ address: string; ui?: string } | undefined> {
  const explicit = given ?? process.env['TEMPORAL_ADDRESS'];
  if (explicit) {
    if (await answers(explicit, 5)) return { address: explicit };
    throw new CommandError(
      `No Temporal server answers at ${explicit} ${howSecured(explicit)}. Start one (delta-md dev), or leave the address out.`,
      EXIT.infrastructure,
    );
  }
  const own = await runningServer(serverFolder(work));
  if (own) return own;
  if (!(await answers(DEFAULT_ADDRESS))) return undefined;
  // A Temporal of somebody else's, without our workers, is not what was meant.
  const client = await connect(DEFAULT_ADDRESS);
  const ours = await hasWorker(client).finally(() => client.connection.close());
  return ours ? { address: DEFAULT_ADDRESS } : undefined;
}

const DESCRIBE_SECONDS = 5;

/** True when some worker polls our task queue; false, too, where the server does not say in time. */
export async function hasWorker({ connection }: Client): Promise<boolean> {
  return (await pollersOf(connection, TASK_QUEUE, ACTIVITY_QUEUE, DESCRIBE_SECONDS)).length > 0;
}

export async function connect(address: string): Promise<Client> {
  const traces = await tracing();
  return new Client({
    connection: await Connection.connect(connectionOptions(address)),
    namespace: NAMESPACE,
    dataConverter: dataConverter(),
    interceptors: { workflow: traces ? [traces.client] : [] },
  });
}

/** A client for a study's running server. @throws CommandError when there is none */
export async function connectTo(work: string, given?: string): Promise<Client> {
  const server = await findServer(work, given);
  if (!server)
    throw new CommandError(
      'No Temporal server runs for this study. delta-md run starts one; delta-md dev keeps one.',
      EXIT.infrastructure,
    );
  return connect(server.address);
}

/** Workflow id of a study's cohort. */
export function cohortId(study: string): string {
  return `${study}/cohort`;
}
