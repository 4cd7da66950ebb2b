/** Temporal's production server on PostgreSQL, with databases of its own. Its programs and the cluster are made by `npm run faults`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomInt, randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Connection } from '@temporalio/client';
import { execa } from 'execa';
import { waitFor } from './harness.ts';
import { freePort } from './server.ts';

export interface Postgres {
  readonly port: number;
  /** Paths of Temporal's programs, and of the folder that holds its tables' versions. */
  readonly server: string;
  readonly sqlTool: string;
  readonly schema: string;
}

const RETENTION_SECONDS = 86_400;

/** A free port that fits the column of two bytes with sign in which the server notes its members. */
async function lowPort(): Promise<number> {
  for (;;) {
    const port = await freePort(randomInt(10_000, 32_000)).catch(() => undefined);
    if (port !== undefined) return port;
  }
}

/** @param place named, the same databases are found again by it */
export async function spawnOnPostgres(
  { port, server, sqlTool, schema }: Postgres,
  grpc: number,
  place: string = randomUUID(),
): Promise<ChildProcess> {
  const name = createHash('sha256').update(place).digest('hex').slice(0, 16);
  const databases = { temporal: `temporal_${name}`, visibility: `visibility_${name}` };
  const isNew = await createDatabases(databases, { port, sqlTool, schema });
  const ports: Record<string, string> = { FRONTEND_GRPC_PORT: String(grpc) };
  for (const service of ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER'])
    for (const kind of ['GRPC', 'MEMBERSHIP', ...(service === 'FRONTEND' ? ['HTTP'] : [])])
      ports[`${service}_${kind}_PORT`] ??= String(await lowPort());
  const child = spawn(server, ['start'], {
    env: {
      DB: 'postgres12',
      DB_PORT: String(port),
      POSTGRES_SEEDS: '127.0.0.1',
      POSTGRES_USER: 'temporal',
      DBNAME: databases.temporal,
      VISIBILITY_DBNAME: databases.visibility,
      BIND_ON_IP: '127.0.0.1',
      TEMPORAL_BROADCAST_ADDRESS: '127.0.0.1',
      NUM_HISTORY_SHARDS: '4',
      DYNAMIC_CONFIG_FILE_PATH: resolve('containers/temporal/dynamic-config.yaml'),
      LOG_LEVEL: 'error',
      ...ports,
    },
    stdio: 'ignore',
  });
  if (isNew) await registerNamespace(`127.0.0.1:${grpc}`);
  return child;
}

/** @returns false where they were there */
async function createDatabases(
  databases: Readonly<Record<'temporal' | 'visibility', string>>,
  { port, sqlTool, schema }: Pick<Postgres, 'port' | 'sqlTool' | 'schema'>,
): Promise<boolean> {
  const endpoint = ['--plugin', 'postgres12', '--endpoint', '127.0.0.1', '--port', String(port)];
  const tool = (database: string, ...words: string[]) =>
    execa(sqlTool, [...endpoint, '--user', 'temporal', '--database', database, ...words]);
  for (const [part, database] of Object.entries(databases)) {
    const created = await tool(database, 'create').catch((error) => error);
    if (created instanceof Error) return false;
    await tool(database, 'setup-schema', '-v', '0.0');
    await tool(database, 'update-schema', '-d', `${schema}/${part}/versioned`);
  }
  return true;
}

async function registerNamespace(address: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: 60_000 });
  await waitFor(() =>
    connection.workflowService
      .registerNamespace({
        namespace: 'default',
        workflowExecutionRetentionPeriod: { seconds: RETENTION_SECONDS } as never,
      })
      .then(
        () => true,
        () => false,
      ),
  );
  await connection.close();
}
