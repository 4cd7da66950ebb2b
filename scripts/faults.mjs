// npm run faults [-- scale outages]: the fault and scale suites once more, on a Temporal server with PostgreSQL instead of
// the dev server.
import { readdirSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { temporalPrograms } from './stack/images.mjs';

const SUITES =
  process.argv.length > 2 ? process.argv.slice(2) : ['scale', 'outages', 'arrivals', 'upgrade', 'storage'];

const DEBIAN = '/usr/lib/postgresql';

/** Folder of PostgreSQL's programs: Debian keeps them apart, by version. */
function postgresPrograms() {
  try {
    const newest = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a))[0];
    return join(DEBIAN, newest, 'bin');
  } catch {
    return '';
  }
}

const bin = postgresPrograms();
const folder = await mkdtemp(join(tmpdir(), 'delta-md-postgres-'));
const data = join(folder, 'data');
const isRoot = process.getuid() === 0;
/** PostgreSQL refuses to be root. */
const postgres = (program, ...argv) =>
  isRoot
    ? execa(
        'setpriv',
        ['--reuid=postgres', '--regid=postgres', '--clear-groups', join(bin, program), ...argv],
        {
          cwd: folder,
        },
      )
    : execa(join(bin, program), argv, { cwd: folder });
if (isRoot) {
  const { stdout } = await execa('id', ['-u', 'postgres']);
  await chown(folder, Number(stdout), -1);
}
const port = 20_000 + (process.pid % 10_000);
const temporal = await temporalPrograms(console.log);
await postgres('initdb', '--pgdata', data, '--username', 'temporal', '--auth', 'trust');
await postgres(
  'pg_ctl',
  ...['--pgdata', data, '--log', join(folder, 'log'), '--wait'],
  ...['--options', `-p ${port} -k ${folder} -c listen_addresses=127.0.0.1 -c max_connections=400`, 'start'],
);
try {
  const { exitCode } = await execa(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--test-timeout=600000',
      ...SUITES.map((suite) => `test/integration/${suite}.test.ts`),
    ],
    {
      env: { DELTA_MD_TEST_POSTGRES: JSON.stringify({ port, ...temporal }) },
      stdio: 'inherit',
      reject: false,
    },
  );
  process.exitCode = exitCode;
} finally {
  await postgres('pg_ctl', '--pgdata', data, '--mode', 'immediate', 'stop');
  await rm(folder, { recursive: true, force: true });
}
