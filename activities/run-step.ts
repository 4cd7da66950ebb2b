/**
 * Runs one step: takes its result from the store, or stages, runs, checks and publishes it. While the tool runs, a
 * heartbeat carries the percentage and the last line; a cancelled activity ends the tool before it returns.
 */
import { rm, stat, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import type { Outcome, Runtime } from '../containers/runtime.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import { type FileRef, INPUT_FOLDER, type StepRun } from '../pipeline/step.ts';
import type { Admission } from './admission.ts';
import type { Exchange } from './exchange.ts';
import { acquire, type Lease } from './lease.ts';
import { hashFile, keyOf, type StepRecord, Store } from './store.ts';
import { observeOutcome, observeResult, observeStep } from './telemetry.ts';

/** What a workflow learns of a step. */
export interface StepResult {
  readonly key: string;
  readonly outputs: Readonly<Record<string, FileRef>>;
  /** True when the result was there already. */
  readonly reused: boolean;
  /** Seconds the tool ran, now or when the result was made. */
  readonly seconds: number;
}

/** What a heartbeat carries. */
export interface Beat {
  /** Session and step: `ses-24h eddy`. */
  readonly place: string;
  /** Of the result; its log grows in `<work>/scratch/<key>/log.txt`. */
  readonly key?: string;
  readonly percent?: number;
  readonly line: string;
}

const HEARTBEAT_MS = 1000;
const LOG_TAIL_LINES = 20;

/** Percentage of a progress line such as `[ 42 %] iteration 3 of 9`. */
function percentOf(line: string): number | undefined {
  const match = /\[\s*(\d{1,3}) %\]/.exec(line);
  return match ? Math.min(100, Number(match[1])) : undefined;
}

/** How long a step waits for its share of this host before it goes back to the queue, where another host may take it. */
const WAIT_FOR_HOST_MS = 30 * 60_000;

/** What steps share on a worker. */
export interface StepHost {
  readonly admission: Admission;
  /** Aborted when the worker must not wait for its steps any longer. */
  readonly hurry: AbortSignal;
}

/** @param place session and step, for whoever watches */
export async function runStep(
  asked: StepRun,
  work: string,
  exchange: Exchange,
  runtime: Runtime,
  place: string,
  host: StepHost,
): Promise<StepResult> {
  const context = Context.current();
  const stopped = AbortSignal.any([context.cancellationSignal, host.hurry]);
  let beat: Beat = { place, line: 'starting' };
  context.heartbeat(beat);
  const timer = setInterval(() => context.heartbeat(beat), HEARTBEAT_MS);
  const say = (line: string) => {
    beat = { ...beat, percent: percentOf(line) ?? beat.percent, line: line.slice(0, 200) };
  };
  let leave = () => {};
  let lease: Lease | undefined;
  try {
    const tool = await runtime.identify(asked.argv[0]);
    const store = new Store(work);
    const key = keyOf(asked, tool);
    beat = { ...beat, key };
    observeStep(asked, tool, key);
    const reuse = (found: StepRecord | undefined): StepResult | undefined => {
      if (!found || (asked.anew !== undefined && found.anew !== asked.anew)) return undefined;
      observeResult(found, true);
      return { key, outputs: store.outputs(found), reused: true, seconds: found.seconds };
    };
    // A result that is there asks nothing of the host: it is not kept waiting behind steps that do.
    const there = reuse(await store.findIntact(key));
    if (there) return there;
    say('waiting for a share of this host');
    leave = await admitted(asked, host.admission, stopped);
    lease = await acquire(store.lease(key), stopped);
    const made = reuse((await store.find(key)) ?? (await exchange.bringResult(key)));
    if (made) return made;
    say('bringing its inputs');
    const run = await exchange.bringAll(asked);
    await checkInputs(run);
    const signal = AbortSignal.any([stopped, lease.lost]);
    const record = await compute(run, key, tool, store, runtime, signal, say);
    await exchange.offerResult(record);
    observeResult(record, false);
    return { key, outputs: store.outputs(record), reused: false, seconds: record.seconds };
  } catch (error) {
    if (lease?.lost.aborted) throw new DeltaMdError('WORKER_STOPPED', lease.lost.reason.message);
    throw error;
  } finally {
    await lease?.release();
    leave();
    clearInterval(timer);
  }
}

/** The step's share of this host. @throws DeltaMdError WORKER_BUSY where none comes free in time */
async function admitted(
  { name, resources }: StepRun,
  admission: Admission,
  signal: AbortSignal,
): Promise<() => void> {
  const late = AbortSignal.timeout(WAIT_FOR_HOST_MS);
  try {
    return await admission.admit(resources, AbortSignal.any([signal, late]));
  } catch (error) {
    if (signal.aborted || !late.aborted) throw error;
    throw new DeltaMdError(
      'WORKER_BUSY',
      `${name} found no ${resources.cpus} cores and ${resources.memoryMiB} MiB free on ${hostname()}`,
    );
  }
}

/** An input that vanished or changed since it was hashed would put a wrong result under a right key. */
async function checkInputs(run: StepRun): Promise<void> {
  for (const { path, sha256 } of Object.values(run.inputs)) {
    const there = await stat(path).catch(() => undefined);
    if (!there)
      throw new DeltaMdError('INPUT_MISSING', `${path} is gone`, {
        remedy: 'Put it back, or run the subject again: delta-md retry',
      });
    if ((await hashFile(path)) !== sha256)
      throw new DeltaMdError('INPUT_CONTRADICTS', `${path} changed while its subject was being processed`);
  }
}

const NO_SPACE = /no space left on device|ENOSPC|disk quota exceeded/i;
/** Less than any output needs. */
const FULL_BYTES = 2 ** 20;

/** Why a tool failed: tools say it in their own words, or in none. */
async function isDiskFull(folder: string, log: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < FULL_BYTES || NO_SPACE.test(log);
}

async function compute(
  run: StepRun,
  key: string,
  tool: Awaited<ReturnType<Runtime['identify']>>,
  store: Store,
  runtime: Runtime,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<StepRecord> {
  const folder = await store.openScratch(key);
  const tail: string[] = [];
  const started = new Date().toISOString();
  let outcome: Outcome;
  try {
    outcome = await runtime.run(
      {
        id: `delta-md-${key.slice(0, 24)}`,
        argv: run.argv,
        folder,
        inputs: Object.fromEntries(Object.entries(run.inputs).map(([staged, file]) => [staged, file.path])),
        cpus: run.resources.cpus,
        memoryMiB: run.resources.memoryMiB,
        seconds: run.resources.minutes * 60,
        log: join(folder, 'log.txt'),
        onLine(line) {
          tail.push(line);
          if (tail.length > LOG_TAIL_LINES) tail.shift();
          onLine(line);
        },
      },
      signal,
    );
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  observeOutcome(run, outcome);
  await rm(join(folder, INPUT_FOLDER), { recursive: true, force: true });
  const log = tail.join('\n').slice(-4000);
  const fail = async (
    code: 'OUT_OF_MEMORY' | 'TIMED_OUT' | 'TOOL_FAILED' | 'OUTPUT_MISSING',
    what: string,
  ) => {
    const kept = await store.keepFailed(key, run.name);
    return new DeltaMdError(code, `${run.argv[0]} ${what}`, {
      step: run.name,
      key,
      log: `${log}\n(all of it: ${kept}/log.txt)`,
    });
  };
  if (outcome.outOfMemory)
    throw await fail('OUT_OF_MEMORY', `needed more than ${run.resources.memoryMiB} MiB`);
  if (outcome.timedOut) throw await fail('TIMED_OUT', `took longer than ${run.resources.minutes} minutes`);
  if (outcome.exitCode !== 0 && (await isDiskFull(folder, log))) {
    await rm(folder, { recursive: true, force: true });
    throw new DeltaMdError('DISK_FULL', `${run.argv[0]} found no space for its outputs in ${store.root}`);
  }
  if (outcome.exitCode !== 0) {
    const last = tail.findLast((line) => line.trim() !== '') ?? 'it printed nothing';
    throw await fail(
      'TOOL_FAILED',
      `ended with ${outcome.signal ?? `exit code ${outcome.exitCode}`}: ${last.slice(0, 300)}`,
    );
  }
  const outputs: Record<string, { file: string; sha256: string; bytes: number }> = {};
  for (const [name, file] of Object.entries(run.outputs)) {
    const path = join(folder, file);
    const there = await stat(path).catch(() => undefined);
    if (!there?.isFile() || there.size === 0) throw await fail('OUTPUT_MISSING', `did not write ${file}`);
    outputs[name] = { file, sha256: await hashFile(path), bytes: there.size };
  }
  const record: StepRecord = {
    key,
    step: run.name,
    argv: run.argv,
    tool,
    runtime: runtime.kind,
    inputs: run.inputs,
    outputs,
    host: hostname(),
    started,
    seconds: Number(outcome.seconds.toFixed(3)),
    peakMemoryMiB: outcome.peakMemoryMiB,
    cpuSeconds: outcome.cpuSeconds,
    exitCode: 0,
    ...(run.anew === undefined ? {} : { anew: run.anew }),
  };
  await store.publish(record);
  return record;
}
