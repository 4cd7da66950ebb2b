/** Following a cohort to its end: a live table on a terminal, plain lines elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Client,
  QueryNotRegisteredError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { createLogUpdate } from 'log-update';
import pc from 'picocolors';
import type { Flagged } from '../pipeline/decisions.ts';
import { REVIEW_QUERY, STEPS_QUERY, TABLE_QUERY } from '../pipeline/messages.ts';
import { type Roster, rowsOf, type SubjectRow } from '../pipeline/roster.ts';
import { type StudyPlan, sessionName } from '../pipeline/study.ts';
import type { CohortResult, cohortWorkflow, StepStatus } from '../workflows/index.ts';
import { CommandError, EXIT } from './exit-codes.ts';
import type { Output } from './output.ts';
import { awaitingLines, headline, liveTable, reason, type Snapshot } from './progress.ts';

const POLL_MS = 1000;
/** With more subjects than this, only those that run are asked for their steps. */
const LISTED = 200;
/** On no terminal, how often the headline is repeated. */
const REMIND_SECONDS = 30;

/** Who waits at the gate of a cohort; undefined where it has none. */
export async function waitingAt(cohort: WorkflowHandle): Promise<readonly Flagged[] | undefined> {
  try {
    return await cohort.query<readonly Flagged[]>(REVIEW_QUERY);
  } catch (error) {
    if (error instanceof QueryNotRegisteredError) return undefined;
    throw error;
  }
}

/** Asks a cohort, and those of its subjects that run, how far they are. */
export class CohortView {
  readonly #client: Client;
  readonly #handle: WorkflowHandle<typeof cohortWorkflow>;
  readonly #study: string;
  readonly #sessions: readonly string[];
  readonly #steps = new Map<string, readonly StepStatus[]>();
  readonly #settled = new Set<string>();

  constructor(
    client: Client,
    handle: WorkflowHandle<typeof cohortWorkflow>,
    plan: Pick<StudyPlan, 'study' | 'sessions'>,
  ) {
    this.#client = client;
    this.#handle = handle;
    this.#study = plan.study;
    const { baseline, followup } = plan.sessions;
    this.#sessions = [sessionName(baseline), ...(followup === undefined ? [] : [sessionName(followup)])];
  }

  async look(): Promise<Snapshot> {
    const rows = rowsOf(await this.#handle.query<Roster>(TABLE_QUERY));
    await Promise.all(
      rows.map(async ({ subject, status }) => {
        const ended = status === 'done' || status === 'failed';
        if (status === 'running') this.#settled.delete(subject);
        if (!(status === 'running' || (ended && rows.length <= LISTED && !this.#settled.has(subject))))
          return;
        try {
          const child = this.#client.workflow.getHandle(`${this.#study}/${subject}`);
          this.#steps.set(subject, await child.query<StepStatus[]>(STEPS_QUERY));
          if (ended) this.#settled.add(subject);
        } catch {
          // The child is about to start, or no worker answers; the next look tells.
        }
      }),
    );
    const isAtWork = rows.some(({ status }) => status === 'running' || status === 'waiting');
    // A worker of an earlier version knows of no gate.
    const awaiting = isAtWork ? [] : await waitingAt(this.#handle).catch(() => undefined);
    return { rows, steps: this.#steps, sessions: this.#sessions, awaiting };
  }
}

/**
 * Watches until the cohort ends.
 * @param signal ends the watching, not the cohort
 * @throws CommandError when the cohort was cancelled or itself failed
 */
export async function watchCohort(
  client: Client,
  view: CohortView,
  handle: WorkflowHandle<typeof cohortWorkflow>,
  out: Output,
  signal: AbortSignal,
): Promise<CohortResult> {
  let result: CohortResult | undefined;
  let problem: unknown;
  // Calls of ours end with the signal: the connection is closed right after, and must find none under way.
  const asking = <T>(call: () => Promise<T>) => client.withAbortSignal(signal, call);
  const ended = asking(() => handle.result()).then(
    (value) => (result = value),
    (error) => (problem = error),
  );
  const live = process.stdout.isTTY && !out.json ? createLogUpdate(process.stdout) : undefined;
  const show = live ? liveDisplay(live) : plainDisplay(out);
  const started = Date.now();
  for (let over = false; !over; ) {
    over = await Promise.race([ended.then(() => true), sleep(POLL_MS, false)]);
    if (signal.aborted) {
      live?.done();
      await ended;
      throw signal.reason;
    }
    // The server or the worker may be away for a moment; Temporal carries on when they are back.
    const snapshot = await asking(() => view.look()).catch(() => undefined);
    if (snapshot) show(snapshot, (Date.now() - started) / 1000);
  }
  live?.done();
  if (result) return result;
  if (problem instanceof WorkflowFailedError) {
    const cause = problem.cause as Error | undefined;
    throw new CommandError(
      cause?.name === 'CancelledFailure'
        ? 'The cohort was cancelled.'
        : `The cohort failed: ${cause?.message}`,
      EXIT.infrastructure,
    );
  }
  throw problem;
}

type Display = (snapshot: Snapshot, elapsed: number) => void;

function liveDisplay(update: (text: string) => void): Display {
  return (snapshot, elapsed) => {
    const { rows = 40, columns = 100 } = process.stdout;
    update(liveTable(snapshot, elapsed, rows, columns).join('\n'));
  };
}

/** Every change of a subject once, and from time to time how far all are. */
function plainDisplay(out: Output): Display {
  const told = new Map<string, string>();
  let reminded = 0;
  return (snapshot, elapsed) => {
    for (const row of snapshot.rows) {
      if (told.get(row.subject) === row.status || row.status === 'waiting') continue;
      told.set(row.subject, row.status);
      out.say(`${row.subject} ${row.status}${reason(row) ? `: ${reason(row)}` : ''}`);
    }
    for (const line of awaitingLines(snapshot.awaiting)) {
      if (told.has(line)) continue;
      told.set(line, '');
      out.say(line);
    }
    if (elapsed - reminded < REMIND_SECONDS) return;
    reminded = elapsed;
    out.say(headline(snapshot, elapsed));
  };
}

/** Every subject that is not done, with the reason and the remedy. */
export function failures(rows: readonly SubjectRow[]): string[] {
  return rows
    .filter((row) => row.status === 'failed' || row.status === 'excluded')
    .flatMap((row) => [
      `${row.status === 'failed' ? pc.red('✗') : '–'} ${row.subject} ${row.status}: ${reason(row)}`,
      ...(row.failure ? [`    ${row.failure.remedy}`] : []),
      ...(row.failure?.log ? row.failure.log.split('\n').map((line) => pc.dim(`    | ${line}`)) : []),
    ]);
}
