/**
 * Workers without a common folder: one sees the scans and takes the light steps, the other sees neither scans nor the
 * first one's work folder and takes the long ones. Hidden by mounts of its own, so no path can be reached by mistake.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it } from 'vitest';
import {
  computedTwice,
  makeStudy,
  type Running,
  removeStudy,
  type Study,
  start,
  startUnder,
  waitFor,
  works,
} from './harness.ts';
import { freePort, type Server, startServer } from './server.ts';

const STEPS_EACH_SESSION = 2 + 2 + 6;
const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'trial',
  AWS_SECRET_ACCESS_KEY: 'not-a-secret',
  AWS_REGION: 'us-east-1',
};

const canHide = works('unshare', '--mount', 'true');
/** A real S3 server: `go install github.com/versity/versitygw/cmd/versitygw@v1.8.0`. */
const hasGateway = works('versitygw', '--version');

describe.skipIf(!canHide)('workers without a common folder', () => {
  let study: Study;
  let server: Server;
  let children: Running[] = [];
  afterEach(async () => {
    for (const { child } of children) child.kill('SIGKILL');
    children = [];
    await server.stop();
    await removeStudy(study);
  });

  /** Runs a study of two over a storage with a worker for the light and one for the long steps. */
  async function trial(storage: string, env: Record<string, string>): Promise<void> {
    study = await makeStudy(2, `storage: ${JSON.stringify(storage)}\n`);
    server = await startServer();
    await mkdir(study.work, { recursive: true });
    const hide = `mount -t tmpfs tmpfs "$1" && mount -t tmpfs tmpfs "$2" && shift 2 && exec "$@"`;
    const hidden = ['unshare', '--mount', 'sh', '-c', hide, 'sh', study.work, study.bids];
    const address = ['--temporal-address', server.address];
    children = [
      startUnder([], env, 'worker', ...address, '--classes', 'light'),
      startUnder(hidden, env, 'worker', ...address, '--classes', 'compute', 'memory'),
    ];
    const run = start('run', study.file, ...address, '--json');
    children.push(run);
    const { code, stdout, stderr } = await run.ended;
    expect(code, `${stderr}\n${children[1].said().slice(-3000)}`).toBe(0);
    expect(JSON.parse(stdout).counts).toMatchObject({ done: 2, failed: 0 });
    expect(await computedTwice(study)).toEqual([]);
  }

  it('hand scans, results and records to each other through a folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'delta-md-exchange-'));
    try {
      await trial(pathToFileURL(folder).href, {});
      // Every step's result went through it, those of the long steps from where nobody else could read them.
      expect(await readdir(join(folder, 'results'))).toHaveLength(2 * (2 * STEPS_EACH_SESSION + 2 + 4));
      const steps = JSON.parse(
        execFileSync('cat', [join(study.output, 'logs', 'sub-01_steps.json')], { encoding: 'utf8' }),
      );
      expect(steps.map(({ step }: { step: string }) => step)).toEqual(
        expect.arrayContaining(['topup', 'eddy', 'dtifit', 'fsl_reg', 'applywarp']),
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it.skipIf(!hasGateway)('or through an S3 server', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'delta-md-s3-'));
    const port = await freePort();
    const endpoint = `http://127.0.0.1:${port}`;
    const gateway = spawn(
      'versitygw',
      [
        '--access',
        CREDENTIALS.AWS_ACCESS_KEY_ID,
        '--secret',
        CREDENTIALS.AWS_SECRET_ACCESS_KEY,
        '--port',
        `127.0.0.1:${port}`,
        'posix',
        folder,
      ],
      { stdio: 'ignore' },
    );
    try {
      const client = new S3Client({
        endpoint,
        region: CREDENTIALS.AWS_REGION,
        forcePathStyle: true,
        credentials: {
          accessKeyId: CREDENTIALS.AWS_ACCESS_KEY_ID,
          secretAccessKey: CREDENTIALS.AWS_SECRET_ACCESS_KEY,
        },
      });
      await waitFor(() =>
        client.send(new CreateBucketCommand({ Bucket: 'trial' })).then(
          () => true,
          () => false,
        ),
      );
      await trial('s3://trial/ketamine', { ...CREDENTIALS, AWS_ENDPOINT_URL_S3: endpoint });
      expect((await readdir(join(folder, 'trial', 'ketamine', 'results'))).length).toBeGreaterThan(40);
    } finally {
      gateway.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  });
});
