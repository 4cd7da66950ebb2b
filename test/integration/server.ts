/** A Temporal server of the test's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { Client, Connection } from '@temporalio/client';
import { findCli } from '../../cli/temporal/find-cli.ts';
import { waitFor } from './harness.ts';
import { spawnOnPostgres } from './postgres.ts';

/** @param wanted this one, if it is free; else the system chooses */
export async function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
      .on('error', reject)
      .listen(wanted, '127.0.0.1', () => {
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

/** The dev server; with DELTA_MD_TEST_POSTGRES, as `npm run faults` sets it, a server on PostgreSQL. */
export async function startServer({ database, ports }: Place = {}): Promise<Server> {
  const grpc = ports?.grpc ?? (await freePort());
  const postgres = process.env['DELTA_MD_TEST_POSTGRES'];
  const child =
    postgres === undefined
      ? await spawnDevServer(grpc, ports?.ui ?? (await freePort()), database)
      : await spawnOnPostgres(JSON.parse(postgres), grpc, database);
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

async function spawnDevServer(grpc: number, ui: number, database?: string): Promise<ChildProcess> {
  const { path } = await findCli();
  return spawn(
    path,
    [
      ...['server', 'start-dev', '--port', `${grpc}`, '--ui-port', `${ui}`, '--log-level', 'error'],
      ...(database === undefined ? [] : ['--db-filename', database]),
    ],
    { stdio: 'ignore' },
  );
}
