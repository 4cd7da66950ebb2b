/**
 * The process runtime: tools as programs of this machine, the built-in toolkit or an installed FSL. Inputs are staged
 * as symbolic links. A tool gets its own process group, so that all of it can be ended at once; a watcher measures the
 * group's memory and ends it at the limit, as a container engine would.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { DeltaMdError } from '../pipeline/failures.ts';
import { type Execution, logSink, type Outcome, type Runtime, type ToolIdentity } from './runtime.ts';

/** A folder of programs that is searched before PATH, and the words that name its version. */
export interface ToolFolder {
  /** Absolute path of the folder with the programs. */
  readonly bin: string;
  readonly version: string;
  /** File whose content stands for all tools of the folder; without it, each program is digested by itself. */
  readonly bundle?: string;
  /** Value of FSLDIR for the tools. */
  readonly fslDir?: string;
}

/** Pages of 4 KiB on every platform this measures on (Linux x86-64 and arm64 as distributed). */
const PAGE_BYTES = 4096;

/** Fields of /proc/PID/stat after the command in parentheses (proc(5)): state, ppid, pgrp, ...; undefined once it ended. */
async function statFields(pid: number | string): Promise<string[] | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** Resident memory in MiB of every process group of this machine; undefined where there is no /proc. */
async function memoryByGroup(): Promise<Map<number, number> | undefined> {
  const names = await readdir('/proc').catch(() => undefined);
  if (names === undefined) return undefined;
  const memory = new Map<number, number>();
  for (const name of names) {
    const fields = /^\d+$/.test(name) ? await statFields(name) : undefined;
    if (fields === undefined) continue;
    const [group, mib] = [Number(fields[2]), (Number(fields[21]) * PAGE_BYTES) / 2 ** 20];
    memory.set(group, (memory.get(group) ?? 0) + mib);
  }
  return memory;
}

const WATCH_MS = 500;
let lastLook: { at: number; memory: ReturnType<typeof memoryByGroup> } | undefined;

/** As {@link memoryByGroup}; tools that run at the same time share one look. */
function sharedLook(): ReturnType<typeof memoryByGroup> {
  if (lastLook === undefined || Date.now() - lastLook.at > WATCH_MS / 2)
    lastLook = { at: Date.now(), memory: memoryByGroup() };
  return lastLook.memory;
}

/** Start time of a process in clock ticks since boot, which with the pid names it for good. */
async function startTicks(pid: number): Promise<string | undefined> {
  return (await statFields(pid))?.[19];
}

function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Nothing of the group is left.
  }
}

/** Ends a tool that outlived the worker which started it: a retry must never be a second writer. */
async function endLeftover(pidFile: string): Promise<void> {
  let pid: number;
  let ticks: string;
  try {
    const [first, second] = (await readFile(pidFile, 'utf8')).split(' ');
    pid = Number(first);
    ticks = second;
  } catch {
    return;
  }
  if (pid > 1 && (await startTicks(pid)) === ticks) {
    killGroup(pid, 'SIGKILL');
    while ((await startTicks(pid)) === ticks) await sleep(20);
  }
  await rm(pidFile, { force: true });
}

export class ProcessRuntime implements Runtime {
  readonly kind = 'process';
  readonly #tools: ToolFolder;
  readonly #identities = new Map<string, Promise<ToolIdentity>>();

  constructor(tools: ToolFolder) {
    this.#tools = tools;
  }

  identify(tool: string): Promise<ToolIdentity> {
    let known = this.#identities.get(tool);
    if (!known) {
      known = this.#digest(tool);
      // A tool that is missing now may be there at the next try.
      known.catch(() => this.#identities.delete(tool));
      this.#identities.set(tool, known);
    }
    return known;
  }

  async #digest(tool: string): Promise<ToolIdentity> {
    const program = await this.#find(tool);
    const content = await readFile(this.#tools.bundle ?? program);
    return {
      digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
      version: this.#tools.version,
    };
  }

  async #find(tool: string): Promise<string> {
    const program = join(this.#tools.bin, tool);
    try {
      await access(program, constants.X_OK);
      return program;
    } catch {
      throw new DeltaMdError('TOOL_MISSING', `${tool} is not in ${this.#tools.bin}`);
    }
  }

  async run(execution: Execution, signal: AbortSignal): Promise<Outcome> {
    const program = await this.#find(execution.argv[0]);
    const pidFile = `${execution.folder}.pid`;
    await endLeftover(pidFile);
    signal.throwIfAborted();
    for (const [staged, target] of Object.entries(execution.inputs)) {
      const link = join(execution.folder, staged);
      await mkdir(dirname(link), { recursive: true });
      await symlink(target, link);
    }
    const log = logSink(execution.log, execution.onLine);
    const started = performance.now();
    const child = execa(program, execution.argv.slice(1), {
      cwd: execution.folder,
      // Its own process group (setsid): the whole tree can be signalled.
      detached: true,
      cleanup: false,
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      buffer: false,
      reject: false,
      extendEnv: false,
      env: this.#environment(execution),
    });
    child.stdout.on('data', log.write);
    child.stderr.on('data', log.write);
    const group = child.pid;
    if (group) await writeFile(pidFile, `${group} ${await startTicks(group)}`);

    let peak: number | undefined;
    let outOfMemory = false;
    let timedOut = false;
    const end = () => group && killGroup(group, 'SIGKILL');
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const timer = setTimeout(() => {
      timedOut = true;
      end();
    }, execution.seconds * 1000);
    let watching = true;
    const watcher = (async () => {
      for (let pause = 50; watching && group; pause = Math.min(WATCH_MS, pause * 2)) {
        const look = await sharedLook();
        if (look === undefined) return;
        const used = look.get(group) ?? 0;
        peak = Math.max(peak ?? 0, used);
        if (used > execution.memoryMiB) {
          outOfMemory = true;
          end();
        }
        await sleep(pause);
      }
    })();

    const result = await child;
    watching = false;
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    // What the tool may have left behind in its group ends with it.
    end();
    await Promise.all([watcher, log.end()]);
    await rm(pidFile, { force: true });
    signal.throwIfAborted();
    if (group === undefined)
      throw new DeltaMdError('TOOL_MISSING', `${program} cannot be started: ${result.shortMessage}`);
    return {
      exitCode: result.exitCode ?? null,
      signal: result.signal,
      // The kernel's own out-of-memory killer also ends a process by SIGKILL.
      outOfMemory: outOfMemory || (result.signal === 'SIGKILL' && !timedOut),
      timedOut,
      seconds: (performance.now() - started) / 1000,
      peakMemoryMiB: peak === undefined ? undefined : Math.round(peak),
    };
  }

  /** Only what a tool needs: nothing of the worker's environment, so no secret can leak into a tool or its log. */
  #environment(execution: Execution): Record<string, string> {
    return {
      PATH: [this.#tools.bin, dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(
        delimiter,
      ),
      HOME: execution.folder,
      LANG: 'C.UTF-8',
      FSLOUTPUTTYPE: 'NIFTI_GZ',
      OMP_NUM_THREADS: String(execution.cpus),
      ...(this.#tools.fslDir ? { FSLDIR: this.#tools.fslDir, USER: 'delta-md' } : {}),
    };
  }
}
