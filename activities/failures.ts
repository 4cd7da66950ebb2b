/** Any error that leaves an activity, as one of the house's failures. */
import { ImagingError } from '../imaging/errors.ts';
import { DeltaMdError, FAILURES, type Failure, type FailureCode } from '../pipeline/failures.ts';

/** Errors of the operating system that have a code of their own here. */
const SYSTEM: Record<string, FailureCode> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  ENOENT: 'INPUT_MISSING',
};

/** Errors, by name, that mean someone stopped the work. */
const CANCELLATIONS = new Set(['CancelledFailure', 'AbortError']);

/** Names the failure behind an error; `known` adds subject, session or step where the error does not say. */
export function toFailure(
  error: unknown,
  known: Pick<Partial<Failure>, 'subject' | 'session' | 'step'> = {},
): Failure {
  if (error instanceof DeltaMdError) return { ...known, ...error.failure };
  if (error instanceof ImagingError) {
    const code = error.message.startsWith(`${error.file}: no such file`) ? 'INPUT_MISSING' : 'INPUT_DAMAGED';
    const message = error.message.slice(0, -(error.remedy.length + 2));
    return { ...known, code, message, remedy: error.remedy };
  }
  const {
    name,
    code: system,
    message,
  } = error instanceof Error
    ? (error as NodeJS.ErrnoException)
    : (new Error(String(error)) as NodeJS.ErrnoException);
  const code: FailureCode = CANCELLATIONS.has(name) ? 'CANCELLED' : (SYSTEM[system ?? ''] ?? 'INTERNAL');
  return { ...known, code, message, remedy: FAILURES[code].remedy };
}

/** Runs `work`; whatever it throws leaves as a {@link DeltaMdError} that names subject, session and step. */
export async function named<T>(
  known: Pick<Partial<Failure>, 'subject' | 'session' | 'step'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message, ...details } = toFailure(error, known);
    throw new DeltaMdError(code, message, details);
  }
}
