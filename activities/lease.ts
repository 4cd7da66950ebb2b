/**
 * One holder at a time of a name, among all workers that share a folder: who computes a result holds its lease, the
 * others wait and find it made. A lease is a file that its holder touches; one that was not touched for a while is
 * dead, and whoever waits takes it. Nobody compares clocks: a waiter times, by its own clock, how long the file's time
 * stood still, so skewed hosts and clocks that jump do no harm.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

interface Holder {
  readonly token: string;
  readonly host: string;
  readonly pid: number;
}

const TOUCH_MS = 2000;
/** As long without a touch, and the holder is dead: far more than a busy file server delays one. */
const DEAD_MS = 20_000;
const POLL_MS = 200;

export interface Lease {
  /** Aborted when the lease was lost: the holder had stood still so long that another took it. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    // Gone, or its holder died before it wrote its name.
    return undefined;
  }
}

/** True when the holder was a process of this host that has ended. */
function isKnownDead({ host, pid }: Holder): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Takes the file if nobody has it. */
async function take(path: string, holder: Holder): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify(holder));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead lease. Of several who try one succeeds; whoever moved a living one by mistake puts it back. */
async function bury(path: string, dead: Holder | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => {});
  const moved = await holderOf(aside);
  if (moved && moved.token !== dead?.token) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

/**
 * Waits for the lease of a name and takes it.
 * @param path of the lease's file
 * @throws the signal's reason when it is aborted before
 */
export async function acquire(path: string, signal: AbortSignal): Promise<Lease> {
  const holder: Holder = { token: randomUUID(), host: hostname(), pid: process.pid };
  await mkdir(dirname(path), { recursive: true });
  let seen: { touched: number; at: number } | undefined;
  while (!(await take(path, holder))) {
    signal.throwIfAborted();
    const [other, there] = await Promise.all([holderOf(path), stat(path).catch(() => undefined)]);
    if (there === undefined) continue;
    if (seen?.touched !== there.mtimeMs) seen = { touched: there.mtimeMs, at: performance.now() };
    if ((other && isKnownDead(other)) || performance.now() - seen.at > DEAD_MS) await bury(path, other);
    else await sleep(POLL_MS, undefined, { signal }).catch(() => {});
  }
  return hold(path, holder);
}

function hold(path: string, holder: Holder): Lease {
  const lost = new AbortController();
  const current = async () => (await holderOf(path))?.token;
  let touching = Promise.resolve();
  const timer = setInterval(() => {
    touching = (async () => {
      const now = await current();
      if (now === holder.token) await utimes(path, new Date(), new Date());
      else if (now !== undefined || !(await take(path, holder)))
        lost.abort(new Error(`another worker took the lease ${path}`));
      // A file system that is away for a moment neither proves nor disproves anything.
    })().catch(() => {});
  }, TOUCH_MS);
  return {
    lost: lost.signal,
    async release() {
      clearInterval(timer);
      await touching;
      if ((await current()) === holder.token) await rm(path, { force: true });
    },
  };
}
