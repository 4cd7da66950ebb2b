/**
 * A program of this machine with everything it starts: run, measured, held to its limits, and ended as one. A program
 * leads its own session (setsid); what it starts belongs to that session or descends from it.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { DeltaMdError } from '../pipeline/failures.ts';
import { logSink } from './log-sink.ts';
import { type Execution, ended, type Outcome } from './runtime.ts';

/** Pages of 4 KiB and ticks of 1/100 s: as on Linux x86-64 and arm64 as distributed. */
const PAGE_BYTES = 4096;
const TICKS_PER_SECOND = 100;
const WATCH_MS = 500;

interface Process {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  /** Start in clock ticks since boot, which with the pid names a process for good. */
  readonly start: string;
  /** Of the process and of its children that have ended and were waited for. */
  readonly cpuSeconds: number;
  readonly memoryMiB: number;
}

/** What /proc/PID/stat says (proc(5)); undefined once the process is gone. */
async function processOf(pid: number): Promise<Process | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // Fields after the command in parentheses, which may itself hold spaces and parentheses.
    const field = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, i) => sum + Number(field[i]), 0);
    return {
      pid,
      state: field[0],
      parent: Number(field[1]),
      session: Number(field[3]),
      start: field[19],
      cpuSeconds: ticks / TICKS_PER_SECOND,
      memoryMiB: (Number(field[21]) * PAGE_BYTES) / 2 ** 20,
    };
  } catch {
    return undefined;
  }
}

/** Every process of this machine; undefined where there is no /proc. */
async function allProcesses(): Promise<Process[] | undefined> {
  const names = await readdir('/proc').catch(() => undefined);
  if (names === undefined) return undefined;
  const found: Process[] = [];
  for (const name of names) {
    const one = /^\d+$/.test(name) ? await processOf(Number(name)) : undefined;
    if (one) found.push(one);
  }
  return found;
}

let lastLook: { at: number; processes: ReturnType<typeof allProcesses> } | undefined;

/** As {@link allProcesses}; programs that run at the same time share one look. */
function sharedLook(): ReturnType<typeof allProcesses> {
  if (lastLook === undefined || Date.now() - lastLook.at > WATCH_MS / 2)
    lastLook = { at: Date.now(), processes: allProcesses() };
  return lastLook.processes;
}

/** The living processes of a leader's session, and those that descend from it. */
function treeOf(leader: number, processes: readonly Process[]): Process[] {
  const members = new Set<Process>();
  const pids = new Set([leader]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const one of processes)
      if (!members.has(one) && (one.session === leader || pids.has(one.pid) || pids.has(one.parent))) {
        members.add(one);
        pids.add(one.pid);
        grown = true;
      }
  }
  return [...members].filter(({ state }) => state !== 'Z' && state !== 'X');
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
}

/** Ends a leader and all it started; settles when nothing of it runs any more. */
async function endTree(leader: number): Promise<void> {
  kill(-leader);
  for (;;) {
    const members = treeOf(leader, (await allProcesses()) ?? []);
    if (members.length === 0) return;
    for (const { pid } of members) kill(pid);
    await sleep(20);
  }
}

const pidFileOf = (execution: Execution) => `${execution.folder}.pid`;

/** Ends a program that outlived the worker which started it: a retry must never be a second writer. */
export async function endLeftover(execution: Execution): Promise<void> {
  const pidFile = pidFileOf(execution);
  const text = await readFile(pidFile, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const [pid, start] = text.split(' ');
  if (Number(pid) > 1 && (await processOf(Number(pid)))?.start === start) await endTree(Number(pid));
  await rm(pidFile, { force: true });
}

/** A program to run for an execution. */
export interface Program {
  /** Absolute path. */
  readonly path: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Runs a program to its end in the execution's folder. Memory is measured as the sum of resident sizes and held to the
 * limit by looking twice a second; processor time is what was seen at the last look, so up to half a second short.
 * @throws DeltaMdError TOOL_MISSING when the program cannot be started; the signal's reason when aborted
 */
export async function runTree(execution: Execution, program: Program, signal: AbortSignal): Promise<Outcome> {
  const log = logSink(execution.log, execution.onLine);
  const started = performance.now();
  const child = execa(program.path, program.args, {
    cwd: execution.folder,
    // Its own session: the whole tree can be told from all else.
    detached: true,
    cleanup: false,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    extendEnv: false,
    env: program.env,
  });
  child.stdout.on('data', log.source());
  child.stderr.on('data', log.source());
  const leader = child.pid;
  const pidFile = pidFileOf(execution);
  if (leader) await writeFile(pidFile, `${leader} ${(await processOf(leader))?.start}`);

  let peak: number | undefined;
  let cpuSeconds: number | undefined;
  let outOfMemory = false;
  let timedOut = false;
  const end = async () => leader && endTree(leader);
  const onAbort = () => void end();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const timer = setTimeout(() => {
    timedOut = true;
    void end();
  }, execution.seconds * 1000);
  let watching = true;
  const watcher = (async () => {
    for (let pause = 50; watching && leader; pause = Math.min(WATCH_MS, pause * 2)) {
      const look = await sharedLook();
      if (look === undefined) return;
      const tree = treeOf(leader, look);
      const memory = tree.reduce((sum, one) => sum + one.memoryMiB, 0);
      const cpu = tree.reduce((sum, one) => sum + one.cpuSeconds, 0);
      peak = Math.max(peak ?? 0, memory);
      cpuSeconds = Math.max(cpuSeconds ?? 0, cpu);
      if (memory > execution.memoryMiB) {
        outOfMemory = true;
        await end();
      }
      await sleep(pause);
    }
  })();

  const result = await child;
  const seconds = (performance.now() - started) / 1000;
  watching = false;
  clearTimeout(timer);
  signal.removeEventListener('abort', onAbort);
  // What the program may have left behind ends with it.
  await end();
  await Promise.all([watcher, log.end()]);
  await rm(pidFile, { force: true });
  signal.throwIfAborted();
  if (leader === undefined)
    throw new DeltaMdError('TOOL_MISSING', `${program.path} cannot be started: ${result.shortMessage}`);
  const ending = result.signal ? { exitCode: null, signal: result.signal } : ended(result.exitCode ?? 0);
  return {
    ...ending,
    // The kernel's own out-of-memory killer also ends a process by SIGKILL.
    outOfMemory: outOfMemory || (ending.signal === 'SIGKILL' && !timedOut),
    timedOut,
    seconds,
    peakMemoryMiB: peak === undefined ? undefined : Math.round(peak),
    cpuSeconds: cpuSeconds === undefined ? undefined : Number(cpuSeconds.toFixed(2)),
  };
}
