/** A Temporal server of the test's own, with its database in memory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { Client, Connection } from '@temporalio/client';
import { findCli } from '../../cli/temporal/find-cli.ts';
import { waitFor } from './harness.ts';

export async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

export interface Server {
  readonly child: ChildProcess;
  readonly address: string;
  readonly client: Client;
  stop(): Promise<void>;
}

export interface Place {
  /** Database file that outlives the server; in memory without one. */
  readonly database?: string;
  readonly ports?: { readonly grpc: number; readonly ui: number };
}

export async function startServer({ database, ports }: Place = {}): Promise<Server> {
  const grpc = ports?.grpc ?? (await freePort());
  const ui = ports?.ui ?? (await freePort());
  const { path } = await findCli();
  const child = spawn(
    path,
    [
      ...['server', 'start-dev', '--port', `${grpc}`, '--ui-port', `${ui}`, '--log-level', 'error'],
      ...(database === undefined ? [] : ['--db-filename', database]),
    ],
    { stdio: 'ignore' },
  );
  const address = `127.0.0.1:${grpc}`;
  const connection = await Connection.connect({ address, connectTimeout: 60_000 });
  await waitFor(() =>
    connection.workflowService.describeNamespace({ namespace: 'default' }).then(
      () => true,
      () => false,
    ),
  );
  return {
    child,
    address,
    client: new Client({ connection }),
    async stop() {
      await connection.close();
      child.kill('SIGKILL');
    },
  };
}
