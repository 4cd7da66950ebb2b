/**
 * docker-compose.yml with docker-compose.secure.yml, for real: TLS both ways, encrypted payloads, PostgreSQL, server and
 * worker killed in the middle of a cohort. `npm run stack` makes the images and runs this.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ExecaError, execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deltaMd, type Running, start, waitFor } from '../integration/harness.ts';
import { freePort } from '../integration/server.ts';

const [PROGRAM, ...WORDS]: string[] = JSON.parse(process.env['STACK_COMPOSE'] ?? '[]');
const SUBJECTS = 4;
const MINUTES = 60_000;

interface Entry {
  readonly event: string;
  readonly key: string;
  readonly step: string;
}

describe.skipIf(!PROGRAM)('the production stack', () => {
  const project = `delta-md-stack-${process.pid}`;
  let folder: string;
  let study: string;
  let env: Record<string, string>;

  const compose = async (...words: string[]) => {
    const files = ['docker-compose.yml', 'docker-compose.secure.yml'].flatMap((file) => ['--file', file]);
    const all = [...WORDS, '--project-name', project, '--progress', 'plain', ...files, ...words];
    return (await execa(PROGRAM, all, { env, all: true })).all;
  };
  const docker = async (...words: string[]) => (await execa('docker', words)).stdout;
  const containerOf = (service: string) => compose('ps', '--all', '--quiet', service);
  const healthOf = async (service: string) =>
    docker('inspect', '--format', '{{.State.Status}} {{.State.Health.Status}}', await containerOf(service));

  /** A service dies without a word, and comes back after a while. */
  async function kill(service: string, seconds: number): Promise<void> {
    await docker('kill', '--signal', 'KILL', await containerOf(service));
    console.log(`killed ${service}`);
    await sleep(seconds * 1000);
    await compose('start', service);
    await waitFor(
      async () => (await healthOf(service)) === 'running healthy',
      async () =>
        `${service} is ${await healthOf(service)}: ${await compose('logs', '--tail', '40', service)}`,
      180,
    );
    console.log(`${service} is back`);
  }

  const journal = async (): Promise<Entry[]> => {
    const file = join(folder, 'studies', 'trial', 'work', 'journal.jsonl');
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
  };
  const computed = async () => (await journal()).filter(({ event }) => event === 'computed');

  async function waitForSteps(n: number, run: Running): Promise<void> {
    await waitFor(
      async () => {
        if (run.child.exitCode !== null) throw new Error(`ended too early: ${run.said()}`);
        return (await computed()).length >= n;
      },
      async () =>
        `no ${n} steps: ${run.said()}\n${await compose('logs', '--tail', '60', 'worker', 'temporal')}`,
      600,
    );
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'delta-md-stack-'));
    const secrets = join(folder, 'secrets');
    await execa('containers/temporal/make-secrets.sh', [secrets]);
    env = {
      TEMPORAL_PORT: String(await freePort()),
      UI_PORT: String(await freePort()),
      STUDIES: join(folder, 'studies'),
      SECRETS: secrets,
      POSTGRES_PASSWORD_FILE: join(secrets, 'postgres_password'),
      UID: String(process.getuid!()),
      GID: String(process.getgid!()),
      WORKER_MEMORY: '4g',
    };
    await mkdir(env['STUDIES'], { recursive: true });
    // As small as the tools take; what counts here is that they are the product's own, in its own image.
    const made = await deltaMd(
      ...['simulate', join(env['STUDIES'], 'trial'), '--vehicle', '2', '--ketamine', String(SUBJECTS - 2)],
      ...['--voxel-size', '6', '--directions', '6', '--b0s', '1', '--json'],
    );
    expect(made.code, made.stderr).toBe(0);
    study = JSON.parse(made.stdout).study;
    Object.assign(process.env, {
      TEMPORAL_ADDRESS: `localhost:${env['TEMPORAL_PORT']}`,
      TEMPORAL_TLS_CLIENT_CERT_PATH: join(secrets, 'client', 'client.pem'),
      TEMPORAL_TLS_CLIENT_KEY_PATH: join(secrets, 'client', 'client.key'),
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: join(secrets, 'client', 'ca.pem'),
      DELTA_MD_PAYLOAD_KEY_FILE: join(secrets, 'payload.key'),
    });
    try {
      console.log(await compose('up', '--detach', '--wait', '--no-build'));
    } catch (error) {
      const logs = await compose('logs', '--tail', '60');
      throw new Error(`${(error as ExecaError).message}\n${logs}`);
    }
  }, 15 * MINUTES);

  afterAll(async () => {
    if (env) await compose('down', '--volumes', '--remove-orphans', '--timeout', '20');
    if (folder) await rm(folder, { recursive: true, force: true });
    const label = ['--all', '--quiet', '--filter', `label=com.docker.compose.project=${project}`];
    const left = [
      await docker('ps', ...label),
      await docker('volume', 'ls', ...label.slice(1)),
      await docker('network', 'ls', ...label.slice(1)),
    ];
    expect(left).toEqual(['', '', '']);
  }, 5 * MINUTES);

  it('is healthy in every part', async () => {
    for (const service of ['postgres', 'temporal', 'ui', 'worker'])
      expect(await healthOf(service), service).toBe('running healthy');
    const ui = await fetch(`http://127.0.0.1:${env['UI_PORT']}/api/v1/namespaces/default`);
    expect([ui.status, await ui.json()]).toEqual([
      200,
      expect.objectContaining({ namespaceInfo: expect.objectContaining({ name: 'default' }) }),
    ]);
  });

  it('shows its password in no environment and no command line', async () => {
    const password = (await readFile(env['POSTGRES_PASSWORD_FILE'], 'utf8')).trim();
    const ids = (await compose('ps', '--all', '--quiet'))!.split('\n');
    expect(await docker('inspect', ...ids)).not.toContain(password);
    for (const service of ['postgres', 'temporal'])
      expect(await docker('exec', (await containerOf(service))!, 'env')).not.toContain(password);
  });

  it('refuses whoever comes without a certificate', async () => {
    const { TEMPORAL_TLS_CLIENT_CERT_PATH, TEMPORAL_TLS_CLIENT_KEY_PATH, TEMPORAL_TLS_SERVER_CA_CERT_PATH } =
      process.env;
    delete process.env['TEMPORAL_TLS_CLIENT_CERT_PATH'];
    delete process.env['TEMPORAL_TLS_CLIENT_KEY_PATH'];
    const anonymous = await deltaMd('cancel', study);
    expect([anonymous.code, anonymous.stderr]).toEqual([
      3,
      expect.stringContaining('by TLS, without a client certificate'),
    ]);
    delete process.env['TEMPORAL_TLS_SERVER_CA_CERT_PATH'];
    const plain = await deltaMd('cancel', study);
    expect([plain.code, plain.stderr]).toEqual([3, expect.stringContaining('without TLS')]);
    Object.assign(process.env, {
      TEMPORAL_TLS_CLIENT_CERT_PATH,
      TEMPORAL_TLS_CLIENT_KEY_PATH,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH,
    });
  });

  it(
    'brings a cohort to its end though database, server and worker are killed in it',
    async () => {
      const run = start('run', study, '--json');
      await waitForSteps(6, run);
      await kill('postgres', 10);
      await waitForSteps((await computed()).length + 6, run);
      await kill('temporal', 5);
      await waitForSteps((await computed()).length + 6, run);
      await kill('worker', 5);
      const { code, stdout, stderr } = await run.ended;
      expect(code, stderr).toBe(0);
      const { counts } = JSON.parse(stdout);
      const steps = await computed();
      const twice = steps.length - new Set(steps.map(({ key }) => key)).size;
      console.log(
        `${SUBJECTS} subjects: ${counts.done} done, ${SUBJECTS - counts.done} lost; ${steps.length} steps computed, ${twice} of them twice; 3 kills`,
      );
      expect(counts).toMatchObject({ done: SUBJECTS, failed: 0 });
      expect(twice).toBe(0);
    },
    30 * MINUTES,
  );

  it("leaves nothing but ciphertext, ids and codes in the server's database", async () => {
    const dump = await docker(
      'exec',
      (await containerOf('postgres'))!,
      'pg_dump',
      '--user=temporal',
      'temporal',
    );
    // pg_dump writes binary columns, where histories are, in hexadecimal.
    const holds = (text: string) => dump.includes(Buffer.from(text).toString('hex'));
    for (const clear of ['runStep', 'simulated/sub-', 'binary/encrypted'])
      expect(holds(clear), clear).toBe(true);
    for (const secret of [folder, 'study.yaml']) expect(holds(secret), secret).toBe(false);
  });
});
