/**
 * Everything a cohort needs to run: a server that is there already, or an embedded one with a worker that this command
 * keeps until it ends.
 */
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { CommandError, EXIT } from './exit-codes.ts';
import { type CapacityOptions, capacityOf } from './options.ts';
import type { Output } from './output.ts';
import { connect, findServer, hasWorker, serverFolder } from './temporal/connect.ts';
import { EmbeddedTemporal, NAMESPACE, supervisorOf, USUAL_PORTS } from './temporal/embedded.ts';
import { installLog, startWorker } from './temporal/worker.ts';

export interface Host {
  readonly client: Client;
  /** Address of the Temporal UI, where known. */
  readonly ui?: string;
  /** Stops what this command started; a server that was there before stays. */
  close(): Promise<void>;
}

export interface HostOptions extends CapacityOptions {
  readonly temporalAddress?: string;
}

/** Nobody else should find a server that ends with its run; its UI is for people, at the port they know. */
const PORTS = { grpc: 0, ui: USUAL_PORTS.ui };

/** Folder for logs of servers and workers. */
const logFolder = (work: string) => join(work, 'logs');

/** Finds or starts what a cohort needs. */
export async function openHost(work: string, options: HostOptions, out: Output): Promise<Host> {
  // A server whose keeper is gone has no worker either: it is taken over below, with its database.
  const orphaned =
    options.temporalAddress === undefined && (await supervisorOf(serverFolder(work))) === 'gone';
  const server = orphaned ? undefined : await findServer(work, options.temporalAddress);
  if (server) {
    const client = await connect(server.address);
    out.say(`Temporal at ${server.address}${server.ui ? `, UI ${server.ui}` : ''}`);
    if (!(await hasWorker(client)))
      out.say('No worker polls there: start one with delta-md worker, or the cohort waits.');
    return { client, ui: server.ui, close: () => client.connection.close() };
  }
  installLog(join(logFolder(work), 'worker.log'));
  let embedded: EmbeddedTemporal;
  try {
    embedded = await EmbeddedTemporal.start(serverFolder(work), PORTS, (message) => out.say(message));
  } catch (error) {
    throw new CommandError((error as Error).message, EXIT.infrastructure);
  }
  try {
    const worker = await startWorker(embedded.address, { capacity: capacityOf(options) });
    const client = await connect(embedded.address);
    out.say(`Temporal UI: ${embedded.ui}/namespaces/${NAMESPACE}/workflows`);
    return {
      client,
      ui: embedded.ui,
      async close() {
        await worker.stop();
        await client.connection.close();
        await embedded.stop();
      },
    };
  } catch (error) {
    // A server without a worker would keep this process, and do nothing.
    await embedded.stop();
    throw error;
  }
}
