/** The faults of the soak: each does one thing to a running cohort that a bad week may do, and puts it right again. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deltaMd, type Running, type Study } from '../integration/harness.ts';

/** What a fault may lay hands on. */
export interface Rig {
  readonly study: Study;
  readonly address: readonly string[];
  workers(): Running[];
  addWorker(): void;
  /** Kills the server and starts it again on its database. */
  restartServer(downMs: number): Promise<void>;
  /** Whole number from 0 below n. */
  random(n: number): number;
}

const anyWorker = ({ workers, random }: Rig): Running | undefined => workers()[random(workers().length)];

/** A result made so far, by the folder it lies in. */
async function anyResult({ study, random }: Rig): Promise<string | undefined> {
  const store = join(study.work, 'store');
  const shelves = (await readdir(store)).filter((name) => name.length === 2);
  const shelf = shelves[random(shelves.length)];
  if (shelf === undefined) return undefined;
  const keys = await readdir(join(store, shelf));
  return keys.length === 0 ? undefined : join(store, shelf, keys[random(keys.length)]);
}

export const FAULTS: Readonly<Record<string, (rig: Rig) => Promise<void>>> = {
  'worker killed': async (rig) => {
    anyWorker(rig)?.child.kill('SIGKILL');
    await sleep(rig.random(5000));
    rig.addWorker();
  },
  'worker told to stop': async (rig) => {
    anyWorker(rig)?.child.kill('SIGTERM');
    rig.addWorker();
  },
  'all workers killed': async (rig) => {
    const count = rig.workers().length;
    for (const { child } of rig.workers()) child.kill('SIGKILL');
    await sleep(rig.random(5000));
    for (let i = 0; i < count; i++) rig.addWorker();
  },
  'worker frozen for a while': async (rig) => {
    const worker = anyWorker(rig);
    worker?.child.kill('SIGSTOP');
    await sleep(5000 + rig.random(25_000));
    worker?.child.kill('SIGCONT');
  },
  'server killed': (rig) => rig.restartServer(rig.random(8000)),
  'cohort paused and resumed': async ({ study, address, random }) => {
    await deltaMd('pause', study.file, ...address);
    await sleep(random(5000));
    await deltaMd('resume', study.file, ...address);
  },
  'window changed': async ({ study, address, random }) => {
    await deltaMd('throttle', study.file, '--subjects-at-once', String(1 + random(6)), ...address);
  },
  'result corrupted on disk': async (rig) => {
    const folder = await anyResult(rig);
    if (folder === undefined) return;
    try {
      const { outputs } = JSON.parse(await readFile(join(folder, 'record.json'), 'utf8'));
      const [{ file }] = Object.values(outputs) as { file: string }[];
      const bytes = await readFile(join(folder, file));
      bytes[bytes.length >> 1] ^= 0xff;
      // Outputs may be linked; the copy alone is to be damaged.
      await rm(join(folder, file));
      await writeFile(join(folder, file), bytes);
    } catch {
      // It was just being made, or removed.
    }
  },
};
