/** Where errors leave activities: whatever was thrown becomes one of the house's failures, by its code. */
import { ApplicationFailure, CancelledFailure, type Context } from '@temporalio/activity';
import type { Next } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { DeltaMdError, FAILURES } from '../pipeline/failures.ts';
import { toFailure } from './failures.ts';

export class FailureInterceptor implements ActivityInboundCallsInterceptor {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  async execute(
    input: ActivityExecuteInput,
    next: Next<ActivityInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      if (error instanceof ApplicationFailure || error instanceof CancelledFailure)
        throw this.#stopped() ?? error;
      if (this.#context.cancellationSignal.aborted)
        throw this.#stopped() ?? new CancelledFailure('cancelled');
      throw asApplicationFailure(error);
    }
  }

  /** A worker that is shutting down did not fail the step: another worker takes it. */
  #stopped(): ApplicationFailure | undefined {
    return this.#context.cancellationDetails?.workerShutdown
      ? asApplicationFailure(new DeltaMdError('WORKER_STOPPED', 'the worker was stopped while the step ran'))
      : undefined;
  }
}

/** Only infrastructure failures are for Temporal to try again; the workflow decides about the others. */
export function asApplicationFailure(error: unknown): ApplicationFailure {
  const failure = toFailure(error);
  const thrown = ApplicationFailure.create({
    type: failure.code,
    message: failure.message,
    nonRetryable: FAILURES[failure.code].class !== 'infrastructure',
    details: [failure],
    cause: error instanceof Error && failure.code === 'INTERNAL' ? error : undefined,
  });
  // The Temporal UI would show it before all else; only a defect's own, that of the cause, tells anything.
  thrown.stack = '';
  return thrown;
}
