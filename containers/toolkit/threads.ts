/**
 * Work on several cores. A job is a pure function with a name; threads load the same bundle and find it there. Inputs
 * and outputs are copied between threads, but for {@link shared} arrays. Cut work into pieces that do not depend on the
 * number of threads, and add the pieces' sums in their order: then results do not depend on it either.
 */
import { Piscina } from 'piscina';
import { type Flag, type Options, ToolError } from './tool.ts';

/** Node cannot load the TypeScript source, which only tests run, into a thread: there, jobs run where they are called. */
const CAN_THREAD = !import.meta.url.endsWith('.ts');

/** FSL's flag for the number of threads. */
export const THREADS_FLAG: Flag = {
  names: ['--nthr'],
  value: 'n',
  help: 'number of threads (default: $OMP_NUM_THREADS, else 2)',
};

/** Number of threads asked for on the command line, or by the runtime for what a step may use; else 2. */
export function threadsOf(tool: string, options: Options<'threads'>): number {
  const count = options.number('threads', Number(process.env['OMP_NUM_THREADS']) || 2);
  if (!Number.isInteger(count) || count < 1)
    throw new ToolError(`${tool}: --nthr=${count} is not a number of threads. Give 1 or more.`);
  return count;
}

/** A pure function that threads know by its name. */
export interface Job<Input, Output> {
  readonly name: string;
  readonly run: (input: Input) => Output;
}

const jobs = new Map<string, Job<never, unknown>>();

/** Defines a job; call it at the top level of a module, so that every thread that loads the bundle has it. */
export function defineJob<Input, Output>(name: string, run: (input: Input) => Output): Job<Input, Output> {
  if (jobs.has(name)) throw new Error(`two jobs are named ${name}`);
  const job = { name, run };
  jobs.set(name, job);
  return job;
}

/** Runs a job by name: what a thread does with a message. */
export function runJob({ name, input }: { name: string; input: never }): unknown {
  const job = jobs.get(name);
  if (!job) throw new Error(`no job is named ${name}`);
  return job.run(input);
}

/** A pool of threads; close it, or the process does not end. */
export class Threads {
  readonly #pool: Piscina | undefined;

  /** @param count 1: no thread is started, jobs run here */
  constructor(count: number) {
    if (count > 1 && CAN_THREAD)
      this.#pool = new Piscina({ filename: import.meta.url, minThreads: count, maxThreads: count });
  }

  /** Runs a job on every input. @returns outputs in the order of the inputs */
  async map<Input, Output>(job: Job<Input, Output>, inputs: readonly Input[]): Promise<Output[]> {
    const pool = this.#pool;
    if (!pool) return inputs.map((input) => job.run(input));
    return Promise.all(inputs.map((input) => pool.run({ name: job.name, input })));
  }

  async close(): Promise<void> {
    await this.#pool?.destroy();
  }
}

/** The same numbers in memory that all threads see. */
export function shared<T extends Float32Array | Float64Array | Int32Array | Uint8Array>(array: T): T {
  if (array.buffer instanceof SharedArrayBuffer) return array;
  const Kind = array.constructor as new (buffer: SharedArrayBuffer) => T;
  const copy = new Kind(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
}

/** Cuts 0..n into pieces of `size`: [first, end). */
export function pieces(n: number, size: number): [number, number][] {
  const out: [number, number][] = [];
  for (let first = 0; first < n; first += size) out.push([first, Math.min(n, first + size)]);
  return out;
}
