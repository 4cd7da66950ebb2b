/**
 * Running a step from a workflow: one activity per try, retried by the design's rules, and the state of every step
 * kept for whoever asks.
 */
import {
  ActivityCancellationType,
  ActivityFailure,
  type ActivityInterfaceFor,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { type Allowance, nextAllowance } from '../pipeline/escalation.ts';
import { carriedFailure, FAILURES, type Failure } from '../pipeline/failures.ts';
import { classOf, queueOf } from '../pipeline/resources.ts';
import { plan, type RunStep } from '../pipeline/step.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { table } from './markdown.ts';
import { FAILURE } from './search-attributes.ts';

/** Infrastructure failures are waited out: the pauses grow to a minute and never end. */
export const UNTIL_BACK = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' } as const;

/** Slack over a tool's own time limit: for its turn on the host, for staging and hashing. */
const STAGING_MINUTES = 45;

/** Characters of a tool's log shown in the UI, whose details are limited to 20 kB. */
const SHOWN_LOG = 1500;

export type StepState = 'running' | 'done' | 'reused' | 'failed';

/** State of one step, for queries and the live table. */
export interface StepStatus {
  readonly step: string;
  readonly session: string;
  readonly state: StepState;
  /** Seconds the tool ran; 0 while it runs. */
  readonly seconds: number;
  /** Of its result, or of what it left when it failed; steps without a tool have none. */
  readonly key?: string;
}

/** The steps of one subject as they go. Plain state, so that a query needs no more than to return it. */
export class StepBoard {
  readonly #byName = new Map<string, StepStatus>();
  readonly #failures = new Map<string, Failure>();
  readonly #show: (markdown: string) => void;

  /** @param show called with the table in Markdown after every change */
  constructor(show: (markdown: string) => void) {
    this.#show = show;
  }

  /** @param failure why, of a step that failed */
  set(status: StepStatus, failure?: Failure): void {
    const name = `${status.session} ${status.step}`;
    this.#byName.set(name, status);
    if (failure) this.#failures.set(name, failure);
    this.#show(this.#markdown());
  }

  list(): StepStatus[] {
    return [...this.#byName.values()];
  }

  /** Failures first, each with what to do, then every step. */
  #markdown(): string {
    const failed = [...this.#failures].map(([name, { code, message, remedy, log }]) =>
      [
        `**${code}** ${name}: ${message}`,
        `**What to do:** ${remedy}`,
        ...(log ? [`\`\`\`\n${log.slice(-SHOWN_LOG)}\n\`\`\``] : []),
      ].join('\n\n'),
    );
    const rows = this.list().map(({ session, step, state, seconds }) => [
      session,
      step,
      state,
      seconds > 0 ? seconds.toFixed(1) : '',
    ]);
    return [...failed, table(['session', 'step', 'state', 'seconds'], rows)].join('\n\n');
  }
}

/** What is known of a failure that reached the workflow. */
export function failureOf(error: unknown): Failure {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  const known = cause instanceof ApplicationFailure ? carriedFailure(cause) : undefined;
  if (known) return known;
  const message = cause instanceof Error ? cause.message : String(error);
  return { code: 'INTERNAL', message, remedy: FAILURES.INTERNAL.remedy };
}

/** A failure as Temporal carries it: the code is its type, all that is known its detail; it can be searched by. */
export function failureToThrow(failure: Failure): ApplicationFailure {
  upsertSearchAttributes([{ key: FAILURE, value: failure.code }]);
  const where = [failure.subject, failure.session, failure.step].filter(Boolean).join(' ');
  const thrown = ApplicationFailure.create({
    type: failure.code,
    message: `${where}: ${failure.message}. What to do: ${failure.remedy}`,
    nonRetryable: true,
    details: [failure],
  });
  // People read this in the UI; where in our code it was thrown tells them nothing.
  thrown.stack = '';
  return thrown;
}

/** Activities of our own (no tool), tried until infrastructure is back. @param summary for the UI */
export function ownActivities(summary: string): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout: '30s',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: UNTIL_BACK,
    summary,
  });
}

/**
 * Runs an activity of our own and keeps its state like a step's.
 * @param where the session's name, or `subject`
 */
export async function runOwn<T>(
  subject: string,
  where: string,
  step: string,
  board: StepBoard,
  call: (activities: ActivityInterfaceFor<Activities>) => Promise<T>,
): Promise<T> {
  board.set({ step, session: where, state: 'running', seconds: 0 });
  try {
    const result = await call(ownActivities(`${where} ${step}`));
    board.set({ step, session: where, state: 'done', seconds: 0 });
    return result;
  } catch (error) {
    if (isCancellation(error)) throw error;
    const failure = failureOf(error);
    board.set({ step, session: where, state: 'failed', seconds: 0 }, failure);
    throw failureToThrow({ subject, session: where, step, ...failure });
  }
}

/** An order to compute a step, and whatever rests on it, though results are there. */
export interface Anew {
  /** Name of the step, such as `eddy`. */
  readonly from: string;
  /** Tells this order from others: its own results count when a worker is lost and the step tried again. */
  readonly order: string;
}

/** What is known of a subject while its steps run. */
export interface SubjectRun {
  readonly study: StudyPlan;
  readonly subject: string;
  readonly board: StepBoard;
  readonly anew?: Anew;
}

/** {@link RunStep}s of one subject, each for a session or for the subject as a whole. */
export function stepRunners({ study, subject, board, anew }: SubjectRun): (where: string) => RunStep {
  /** Files made by order; what reads them is made by the same order. */
  const fresh = new Set<string>();
  return (where) =>
    async (step, inputs, label = step.name) => {
      const concrete = plan(step, inputs);
      const isOrdered =
        anew !== undefined &&
        (step.name === anew.from || Object.values(concrete.inputs).some(({ path }) => fresh.has(path)));
      const report = (state: StepState, seconds = 0, key?: string, failure?: Failure) =>
        board.set({ step: label, session: where, state, seconds, key }, failure);
      let allowance: Allowance = {
        memoryMiB: Math.min(step.resources.memoryMiB, study.memoryMiB),
        minutes: step.resources.minutes * study.timeFactor,
        toolFailures: 0,
        timeDoubled: false,
      };
      report('running');
      for (;;) {
        const { memoryMiB, minutes } = allowance;
        const { runStep } = proxyActivities<Activities>({
          taskQueue: queueOf(
            workflowInfo().taskQueue,
            classOf({ ...step.resources, memoryMiB }, study.runtime.gpu === true),
          ),
          startToCloseTimeout: `${minutes + STAGING_MINUTES} minutes`,
          heartbeatTimeout: '10s',
          cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
          retry: UNTIL_BACK,
          summary: `${where} ${label}`,
        });
        try {
          const result = await runStep({
            run: {
              ...concrete,
              resources: {
                ...step.resources,
                cpus: Math.min(step.resources.cpus, study.cpus),
                memoryMiB,
                minutes,
              },
              ...(isOrdered ? { anew: anew.order } : {}),
            },
            work: study.work,
            storage: study.storage,
            runtime: study.runtime,
            place: `${where} ${label}`,
          });
          report(result.reused ? 'reused' : 'done', result.seconds, result.key);
          if (isOrdered) for (const { path } of Object.values(result.outputs)) fresh.add(path);
          return result.outputs as Awaited<ReturnType<RunStep>>;
        } catch (error) {
          if (isCancellation(error)) throw error;
          const failure = failureOf(error);
          const next = nextAllowance(failure.code, allowance, study.retries);
          if (!next) {
            report('failed', 0, failure.key, failure);
            throw failureToThrow({ ...failure, subject, session: where, step: label });
          }
          allowance = next;
        }
      }
    };
}
