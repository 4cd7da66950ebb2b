/**
 * The gate before the statistics: the cohort waits until a person has decided on every subject that quality control flags.
 * Verdicts are written beside the outputs before they are answered, so a new run of the workflow finds them there.
 */
import { condition, defineQuery, defineUpdate, setHandler } from '@temporalio/workflow';
import { type Flagged, tidied, type Verdict, whyRefused } from '../pipeline/decisions.ts';
import { REVIEW_QUERY, VERDICT_UPDATE } from '../pipeline/messages.ts';
import type { SubjectStatus } from '../pipeline/roster.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { ownActivities } from './run.ts';

/** Who waits for a verdict. */
export const reviewQuery = defineQuery<readonly Flagged[]>(REVIEW_QUERY);
/** A person's verdict on a finished subject; answers with those that wait still. */
export const verdictUpdate = defineUpdate<readonly Flagged[], [Verdict]>(VERDICT_UPDATE);

/** What the gate needs to know of the cohort. */
export interface Gated {
  readonly plan: StudyPlan;
  /** Status of a subject; undefined: it is none of the cohort's. */
  statusOf(subject: string): SubjectStatus | undefined;
  /** True once verdicts come too late. */
  isOver(): boolean;
  /** Called when the list of those that wait has changed. */
  changed(): void;
}

export class Gate {
  readonly #cohort: Gated;
  /** A list of the flagged may be older than a verdict. */
  readonly #decided = new Set<string>();
  #flagged: readonly Flagged[] = [];

  constructor(cohort: Gated) {
    this.#cohort = cohort;
    setHandler(reviewQuery, () => this.awaiting, {
      description: 'Subjects that wait for a verdict, and why',
    });
    setHandler(verdictUpdate, (verdict) => this.#decide(tidied(verdict)), {
      description: 'Include or exclude a subject: { subject, decision, reason, who }',
      validator: (verdict) => this.#check(tidied(verdict ?? {})),
    });
  }

  get awaiting(): readonly Flagged[] {
    return this.#flagged.filter(({ subject }) => !this.#decided.has(subject));
  }

  /** Waits until nobody waits for a verdict, or until `interrupted`. */
  async wait(flagged: readonly Flagged[], interrupted: () => boolean): Promise<void> {
    this.#flagged = flagged;
    this.#cohort.changed();
    await condition(() => this.awaiting.length === 0 || interrupted());
  }

  #check(verdict: Verdict): void {
    const refused = whyRefused(verdict);
    if (refused !== undefined) throw new Error(refused);
    if (this.#cohort.isOver())
      throw new Error('the cohort is at its statistics; decide when it has ended, then: delta-md report');
    const status = this.#cohort.statusOf(verdict.subject);
    if (status !== 'done')
      throw new Error(
        status === undefined
          ? `${verdict.subject} is not in the cohort`
          : `${verdict.subject} is not done but ${status}`,
      );
  }

  async #decide(verdict: Verdict): Promise<readonly Flagged[]> {
    const { recordDecision } = ownActivities(`verdict on ${verdict.subject}`);
    await recordDecision({
      plan: this.#cohort.plan,
      decision: { ...verdict, when: new Date().toISOString() },
    });
    this.#decided.add(verdict.subject);
    this.#cohort.changed();
    return this.awaiting;
  }
}
