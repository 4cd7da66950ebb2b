/** Our own engine under the bench: the real dev server with its database on disk, the real workflows, a worker process. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { EmbeddedTemporal } from '../../cli/temporal/embedded.ts';
import { registerSearchAttributes } from '../../cli/temporal/search-attributes.ts';
import { TABLE_QUERY } from '../../pipeline/messages.ts';
import { counts, type Roster, rosterOf, rowsOf } from '../../pipeline/roster.ts';
import type { cohortWorkflow } from '../../workflows/index.ts';
import { benchPlan, STEPS } from './graph.ts';

const QUEUE = 'bench';
const NAMESPACE = 'default';
/** Subjects under way: enough that the engine, not the window, is what limits. */
const WINDOW = 40;

export interface EngineRun {
  readonly subjects: number;
  readonly seconds: number;
  readonly msPerStep: number;
  /** Largest resident sets, MB. */
  readonly workerMb: number;
  readonly serverMb: number;
  /** From the start of a new worker, after the first was killed at half, to the next finished subject. */
  readonly resumeSeconds?: number;
}

/** Largest resident set of a process so far, MB. */
async function peakMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

const WORKER = fileURLToPath(new URL('./worker.mjs', import.meta.url));

async function startWorker(address: string): Promise<ChildProcess> {
  const child = fork(WORKER, [address, QUEUE], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await new Promise<void>((ready) => child.once('message', () => ready()));
  return child;
}

/** Runs a cohort of subjects whose steps do nothing. @param kill the worker, with SIGKILL, at half */
export async function runEngine(folder: string, subjects: number, kill: boolean): Promise<EngineRun> {
  const server = await EmbeddedTemporal.start(folder, { grpc: 0, ui: 0 }, () => {});
  const connection = await Connection.connect({ address: server.address });
  const client = new Client({ connection, namespace: NAMESPACE });
  await registerSearchAttributes(connection, NAMESPACE);
  let worker = await startWorker(server.address);
  try {
    const names = Array.from({ length: subjects }, (_, i) => `sub-${String(i + 1).padStart(5, '0')}`);
    const study = `bench-${subjects}-${kill ? 'kill' : 'run'}`;
    const started = performance.now();
    const handle = await client.workflow.start<typeof cohortWorkflow>('cohortWorkflow', {
      taskQueue: QUEUE,
      workflowId: `${study}/cohort`,
      args: [
        {
          plan: benchPlan(study, WINDOW),
          roster: rosterOf(names.map((subject) => ({ subject, status: 'waiting' as const }))),
        },
      ],
    });
    let resumeSeconds: number | undefined;
    if (kill) {
      const done = async () => counts(rowsOf(await handle.query<Roster>(TABLE_QUERY))).done;
      while ((await done()) < subjects / 2) await sleep(200);
      worker.kill('SIGKILL');
      await sleep(500);
      const again = performance.now();
      worker = await startWorker(server.address);
      const before = await done();
      while ((await done()) === before) await sleep(50);
      resumeSeconds = (performance.now() - again) / 1000;
    }
    const result = await handle.result();
    const seconds = (performance.now() - started) / 1000;
    if (result.counts.done !== subjects) throw new Error(`${result.counts.done} of ${subjects} done`);
    return {
      subjects,
      seconds,
      msPerStep: (1000 * seconds) / (subjects * STEPS),
      workerMb: await peakMb(worker.pid ?? 0),
      serverMb: await peakMb(server.pid),
      resumeSeconds,
    };
  } finally {
    worker.kill('SIGKILL');
    await connection.close();
    await server.stop();
  }
}
