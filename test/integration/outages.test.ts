/**
 * Outages of workers, network, disk, clock and tools, with a server of its own and workers as processes. Of every fault:
 * no subject lost, no step computed twice.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STEP_NAMES } from '../../pipeline/protocol.ts';
import {
  computedTwice,
  delay,
  journal,
  makeStudy,
  type Running,
  removeStudy,
  type Study,
  start,
  startUnder,
  toolsRunning,
  waitFor,
  works,
} from './harness.ts';
import { type Server, startServer } from './server.ts';

/** Of this run alone: one that was killed may have left its interfaces behind. */
const SUBNET = `10.231.${process.pid % 256}`;
const OUTER_ADDRESS = `${SUBNET}.1`;
const isRoot = process.getuid?.() === 0;
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
/** Longer than a heartbeat may be missing, so that the server gives the step to another worker. */
const CUT_SECONDS = 25;

const run = (...argv: string[]) => execFileSync(argv[0], argv.slice(1), { stdio: 'pipe' });
describe('outages', () => {
  let study: Study;
  let server: Server;
  let children: Running[] = [];
  const keep = (running: Running): Running => {
    children.push(running);
    return running;
  };
  const worker = (...words: string[]) =>
    keep(start('worker', '--temporal-address', server.address, ...words));
  const cohort = () => keep(start('run', study.file, '--temporal-address', server.address, '--json'));
  const isUp = (one: Running) => waitFor(async () => one.said().includes('worker started'));
  const runs = (tool: string) =>
    waitFor(
      async () => toolsRunning(study).some((line) => line.includes(`/bin/${tool} `)),
      async () =>
        `no ${tool} runs; workers said ${children.map((one) => one.said().slice(-1500)).join('\n')}`,
    );
  /** The cohort ends with everybody done and nothing computed twice. */
  const endsWell = async (command: Running, subjects: number) => {
    const { code, stdout, stderr } = await command.ended;
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).counts).toMatchObject({ done: subjects, failed: 0 });
    expect(await computedTwice(study)).toEqual([]);
  };

  beforeEach(async () => {
    study = await makeStudy(1);
    server = await startServer();
  });
  afterEach(async () => {
    for (const { child } of children) child.kill('SIGKILL');
    children = [];
    await server.stop();
    await removeStudy(study);
  });

  it('a worker is killed (SIGKILL) during each step in turn', async () => {
    const command = cohort();
    for (const step of STEP_NAMES) {
      const tool = step === 'mean' ? 'fslmaths' : step;
      await delay(study, { [tool]: 60_000 });
      const victim = worker();
      await runs(tool);
      victim.child.kill('SIGKILL');
      await victim.ended;
    }
    await delay(study, {});
    worker();
    await endsWell(command, 1);
    expect(toolsRunning(study)).toEqual([]);
  }, 600_000);

  it('all workers are killed at once, and come back', async () => {
    await delay(study, { eddy: 60_000 });
    const command = cohort();
    const workers = [worker(), worker()];
    await runs('eddy');
    for (const { child } of workers) child.kill('SIGKILL');
    await delay(study, {});
    await sleep(1000);
    worker();
    await endsWell(command, 1);
  });

  it('SIGTERM: a worker takes no further step, finishes the running ones within its grace, and stops', async () => {
    await delay(study, { topup: 4000 });
    const first = worker('--grace', '60');
    const command = cohort();
    await runs('topup');
    first.child.kill('SIGTERM');
    await isUp(worker());
    expect((await first.ended).code).toBe(0);
    await endsWell(command, 1);
    // Nothing was begun anew: what the first worker had begun it also finished.
    expect((await journal(study)).filter(({ step }) => step === 'topup')).toHaveLength(2);
    expect(first.said()).toContain('stopping');
  });

  it('SIGTERM with a grace too short: the step is ended, and begun anew on another worker', async () => {
    await delay(study, { topup: 60_000 });
    const first = worker('--grace', '1');
    const command = cohort();
    await runs('topup');
    const begun = Date.now();
    first.child.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);
    expect(Date.now() - begun).toBeLessThan(40_000);
    expect(toolsRunning(study)).toEqual([]);
    await delay(study, {});
    worker();
    await endsWell(command, 1);
  });

  it('SIGTERM twice: the grace is over at once', async () => {
    await delay(study, { topup: 60_000 });
    const first = worker('--grace', '600');
    cohort();
    await runs('topup');
    first.child.kill('SIGTERM');
    await waitFor(async () => first.said().includes('stopping'));
    first.child.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);
    expect(toolsRunning(study)).toEqual([]);
  });

  it.skipIf(!isRoot || !works('ip', 'netns', 'list'))(
    'the network between worker and server is cut: its step is given to another, which waits for the first result',
    async () => {
      const id = String(process.pid % 10_000);
      const [namespace, outer, inner] = [`delta${id}`, `do${id}`, `di${id}`];
      let relay: NetServer | undefined;
      run('ip', 'netns', 'add', namespace);
      try {
        run('ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', inner);
        run('ip', 'link', 'set', inner, 'netns', namespace);
        run('ip', 'addr', 'add', `${OUTER_ADDRESS}/30`, 'dev', outer);
        run('ip', 'link', 'set', outer, 'up');
        run('ip', 'netns', 'exec', namespace, 'ip', 'addr', 'add', `${SUBNET}.2/30`, 'dev', inner);
        run('ip', 'netns', 'exec', namespace, 'ip', 'link', 'set', inner, 'up');
        await delay(study, { eddy: CUT_SECONDS * 1000 });
        // The server listens on the loopback interface only; the relay is its door to the other network.
        const [host, port] = server.address.split(':');
        relay = createServer((socket) => {
          const inner = connect(Number(port), host);
          for (const end of [socket, inner]) end.on('error', () => {});
          socket.pipe(inner).pipe(socket);
        }).listen(0, OUTER_ADDRESS);
        await once(relay, 'listening');
        const door = `${OUTER_ADDRESS}:${(relay.address() as AddressInfo).port}`;
        const cut = keep(
          startUnder(['ip', 'netns', 'exec', namespace], {}, 'worker', '--temporal-address', door),
        );
        await isUp(cut);
        const command = cohort();
        await runs('eddy');
        run('ip', 'link', 'set', outer, 'down');
        worker();
        await sleep(CUT_SECONDS * 1000);
        run('ip', 'link', 'set', outer, 'up');
        await endsWell(command, 1);
        const computed = (await journal(study)).filter(
          ({ event, step }) => event === 'computed' && step === 'eddy',
        );
        expect(computed).toHaveLength(2);
      } finally {
        relay?.close();
        works('ip', 'link', 'del', outer);
        works('ip', 'netns', 'del', namespace);
      }
    },
    180_000,
  );

  it.skipIf(!isRoot || !works('mount', '--version'))('the disk is full, then has space again', async () => {
    await mkdir(study.work, { recursive: true });
    run('mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', study.work);
    const filler = join(study.work, 'filler');
    try {
      await delay(study, { topup: 3000 });
      worker();
      const command = cohort();
      await runs('topup');
      // As much as there is: the last write says that there is no more.
      await writeFile(filler, Buffer.alloc(9 * 2 ** 20)).catch(() => {});
      await delay(study, {});
      await waitFor(async () => {
        const { raw } = await server.client.workflow.getHandle('test/sub-01').describe();
        return JSON.stringify(raw.pendingActivities).includes('DISK_FULL');
      });
      run('rm', filler);
      await endsWell(command, 1);
    } finally {
      for (const { child } of children) child.kill('SIGKILL');
      await sleep(500);
      run('umount', '-l', study.work);
    }
  });

  it('a tool hangs and prints nothing: its time ends, and it is tried once more with twice the time', async () => {
    const text = `resources: { timeFactor: 0.012 }\n`;
    await removeStudy(study);
    study = await makeStudy(1, text);
    await delay(study, { bet: 1e8 });
    worker();
    const command = cohort();
    await waitFor(async () =>
      (await journal(study)).some(({ event, step }) => event === 'failed' && step === 'bet'),
    );
    await delay(study, {});
    await endsWell(command, 1);
  });

  it.skipIf(!existsSync(FAKETIME))('the clock of a worker jumps by a day, forth and back', async () => {
    const file = join(study.root, 'clock');
    await writeFile(file, '+0\n');
    await delay(study, { topup: 3000, eddy: 3000 });
    const env = {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    keep(startUnder([], env, 'worker', '--temporal-address', server.address));
    const command = cohort();
    await runs('topup');
    await writeFile(file, '+1d\n');
    await runs('eddy');
    await writeFile(file, '-1d\n');
    await endsWell(command, 1);
  });
});
