/** How a calculation says that its input cannot give an answer: thrown inside, a plain value in results. */

export type StatisticsErrorCode =
  | 'TOO_FEW'
  | 'CONSTANT'
  | 'RANK_DEFICIENT'
  | 'PERFECT_FIT'
  | 'NOT_FINITE'
  | 'TOO_LARGE';

/** Input from which the statistic cannot be computed. The message is one sentence, fit for a report. */
export class StatisticsError extends Error {
  override name = 'StatisticsError';
  readonly code: StatisticsErrorCode;

  constructor(code: StatisticsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A value, or the reason why there is none. Plain, so that it survives JSON. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: StatisticsErrorCode; readonly reason: string };

/**
 * Runs a calculation and turns its {@link StatisticsError} into a value; any other error goes on. A value that holds a
 * NaN or an infinity, as squares of 1e200 or 1e-200 would give, is none.
 */
export function attempt<T>(calculate: () => T): Result<T> {
  try {
    const value = calculate();
    if (holdsFinite(value)) return { ok: true, value };
    const reason = 'the values are too large or too small to be calculated with';
    return { ok: false, code: 'NOT_FINITE', reason };
  } catch (error) {
    if (error instanceof StatisticsError) return { ok: false, code: error.code, reason: error.message };
    throw error;
  }
}

/** The value of a result. @throws StatisticsError where there is none, for the same reason */
export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new StatisticsError(result.code, result.reason);
  return result.value;
}

function holdsFinite(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(holdsFinite);
}
