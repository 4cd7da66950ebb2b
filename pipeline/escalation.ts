/** What to do after a failed try: the retry rules of the design, as one pure function. */
import { FAILURES, type FailureCode } from './failures.ts';
import type { RetryPolicy } from './study.ts';

/** What the next try is given. */
export interface Allowance {
  readonly memoryMiB: number;
  readonly minutes: number;
  /** Tries ended by the tool's own error so far. */
  readonly toolFailures: number;
  /** True once the time was doubled. */
  readonly timeDoubled: boolean;
}

/**
 * The next try's allowance, or undefined when there is none.
 * A tool's error: tried again as often as configured. Killed for memory: twice the memory, up to the limit.
 * Timed out: once more with twice the time. Everything else is not tried again here: wrong input stays wrong, and
 * infrastructure failures are tried again by Temporal itself, with back-off, until they pass.
 */
export function nextAllowance(
  code: FailureCode,
  spent: Allowance,
  policy: RetryPolicy,
): Allowance | undefined {
  switch (FAILURES[code].class) {
    case 'tool':
      return spent.toolFailures < policy.toolRetries
        ? { ...spent, toolFailures: spent.toolFailures + 1 }
        : undefined;
    case 'memory': {
      const memoryMiB = Math.min(policy.memoryLimitMiB, 2 * spent.memoryMiB);
      return memoryMiB > spent.memoryMiB ? { ...spent, memoryMiB } : undefined;
    }
    case 'time':
      return spent.timeDoubled ? undefined : { ...spent, minutes: 2 * spent.minutes, timeDoubled: true };
    default:
      return undefined;
  }
}
