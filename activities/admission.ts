/**
 * What a host has for steps, and who may have it now. A step takes its cores and its memory before its tool starts and
 * gives them back when it ends, so the steps of a worker together never ask more of a host than it has.
 */
import { availableParallelism, totalmem } from 'node:os';

/** Cores and memory, of a host or of a step. */
export interface Capacity {
  readonly cpus: number;
  readonly memoryMiB: number;
}

/** Share of a host's memory that its steps may have; the rest is for the system and the worker. */
const MEMORY_SHARE = 0.9;

/** What this host, or the container we are in, has for steps. */
export function hostCapacity(): Capacity {
  // 0 or a huge number where nothing limits the process.
  const limit = process.constrainedMemory();
  const bytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return { cpus: availableParallelism(), memoryMiB: Math.floor((MEMORY_SHARE * bytes) / 2 ** 20) };
}

interface Waiting {
  readonly need: Capacity;
  readonly begin: () => void;
}

/** Gives out the capacity of one host, first come, first served: a large step is not overtaken for ever by small ones. */
export class Admission {
  readonly total: Capacity;
  #free: Capacity;
  readonly #queue: Waiting[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #observe: (total: Capacity, free: Capacity) => void;

  /** @param observe told of what is free, now and after every change */
  constructor(total: Capacity, observe: (total: Capacity, free: Capacity) => void = () => {}) {
    this.total = total;
    this.#free = total;
    this.#observe = observe;
    observe(total, total);
  }

  /** What nobody has taken. */
  get free(): Capacity {
    return this.#free;
  }

  /** Steps that wait for their share. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** A step that asks for more than the host has gets the whole host: it runs alone. */
  #within({ cpus, memoryMiB }: Capacity): Capacity {
    return {
      cpus: Math.min(cpus, this.total.cpus),
      memoryMiB: Math.min(memoryMiB, this.total.memoryMiB),
    };
  }

  /** True when a step of this size could start now. */
  fits(need: Capacity): boolean {
    const { cpus, memoryMiB } = this.#within(need);
    return this.#queue.length === 0 && cpus <= this.#free.cpus && memoryMiB <= this.#free.memoryMiB;
  }

  /**
   * Waits for a share of the host. @returns gives it back, once
   * @throws the signal's reason when it is aborted before
   */
  async admit(wanted: Capacity, signal: AbortSignal): Promise<() => void> {
    const need = this.#within(wanted);
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        need,
        begin: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = () => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1);
        this.#serve();
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#queue.push(waiting);
      this.#serve();
    });
    let given = true;
    return () => {
      if (!given) return;
      given = false;
      this.#change(need, 1);
      this.#serve();
    };
  }

  /** Settles when a step of this size could start. @throws the signal's reason */
  async room(need: Capacity, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.fits(need)) return;
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!this.fits(need)) return;
        end();
        resolve();
      };
      const stop = () => {
        end();
        reject(signal.reason);
      };
      const end = () => {
        this.#listeners.delete(look);
        signal.removeEventListener('abort', stop);
      };
      this.#listeners.add(look);
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  #change({ cpus, memoryMiB }: Capacity, sign: 1 | -1): void {
    this.#free = {
      cpus: this.#free.cpus + sign * cpus,
      memoryMiB: this.#free.memoryMiB + sign * memoryMiB,
    };
    this.#observe(this.total, this.#free);
  }

  #serve(): void {
    for (;;) {
      const [first] = this.#queue;
      if (!first || first.need.cpus > this.#free.cpus || first.need.memoryMiB > this.#free.memoryMiB) break;
      this.#queue.shift();
      this.#change(first.need, -1);
      first.begin();
    }
    for (const look of [...this.#listeners]) look();
  }
}
