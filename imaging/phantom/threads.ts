/** The sessions of a cohort on all cores. */
import { availableParallelism, totalmem } from 'node:os';
import { ImagingError } from '../errors.ts';
import { type SessionJob, type SessionOutcome, writeSession } from './session-worker.ts';

/** Node cannot load the TypeScript source, which only tests run, into a thread. */
const CAN_THREAD = !import.meta.url.endsWith('.ts');
const WORKER = new URL('./session-worker.js', import.meta.url);

/**
 * How many sessions to simulate at the same time: never more than there are.
 * @param wanted default: one per core, as many as half of the memory holds
 * @param bytes memory that one session takes
 */
export function sessionThreads(wanted: number | undefined, sessions: number, bytes: number): number {
  if (!CAN_THREAD) return 1;
  const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  const possible = Math.min(availableParallelism(), Math.max(1, Math.floor(memory / 2 / bytes)));
  return Math.min(wanted ?? possible, sessions);
}

/** The same value with its typed arrays moved to memory that threads share instead of copying. */
export function shareMemory<T>(value: T): T {
  if (ArrayBuffer.isView(value)) {
    const array = value as unknown as Float32Array;
    const Kind = array.constructor as Float32ArrayConstructor;
    const shared = new Kind(new SharedArrayBuffer(array.byteLength));
    shared.set(array);
    return shared as T;
  }
  if (Array.isArray(value)) return value.map(shareMemory) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, shareMemory(part)])) as T;
}

/**
 * Writes sessions, `threads` at a time; one thread is this one. Where a session fails, the others are stopped.
 * @param onWritten called as sessions finish, in whatever order they do
 * @returns per job, its regions' true MD, see {@link writeSession}
 */
export async function writeSessions(
  jobs: readonly SessionJob[],
  threads: number,
  onWritten: (job: SessionJob) => void,
): Promise<(readonly number[])[]> {
  if (threads === 1) {
    const written: number[][] = [];
    for (const job of jobs) {
      written.push(await writeSession(job));
      onWritten(job);
    }
    return written;
  }
  const { Piscina } = await import('piscina');
  const pool = new Piscina<SessionJob, SessionOutcome>({
    filename: WORKER.href,
    minThreads: threads,
    maxThreads: threads,
  });
  const write = async (job: SessionJob) => {
    const outcome = await pool.run(job);
    if ('refused' in outcome) {
      const { file, message, remedy } = outcome.refused;
      throw Object.assign(new ImagingError(file, '', remedy), { message });
    }
    onWritten(job);
    return outcome.regionalMd;
  };
  try {
    return await Promise.all(jobs.map(write));
  } finally {
    await pool.destroy();
  }
}
