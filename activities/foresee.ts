/**
 * What a run would do, without doing it: a step whose result is there is reused; one that is not will be computed, and
 * so will all that rest on it.
 */
import type { Study } from '../config/study.ts';
import type { Failure } from '../pipeline/failures.ts';
import { processSubject } from '../pipeline/protocol.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { toFailure } from './failures.ts';
import { lookingHands } from './look.ts';
import { isPublished, publicationKey } from './publish.ts';

export interface ForeseenStep {
  readonly where: string;
  /** FSL's name. */
  readonly step: string;
  /** Tells steps of one name apart. */
  readonly label: string;
  readonly isThere: boolean;
}

/** What one subject would need. */
export interface Foreseen {
  readonly subject: string;
  readonly steps: readonly ForeseenStep[];
  /** False when its published outputs are those that the run would write. */
  readonly publish: boolean;
  /** Why it cannot be processed; its steps are then those known up to there. */
  readonly failure?: Failure;
}

/** True when a run would leave the subject as it is. */
export function isUnchanged({ steps, publish, failure }: Foreseen): boolean {
  return !publish && failure === undefined && steps.every((step) => step.isThere);
}

/** @param version of delta-md  @throws DeltaMdError where the runtime itself is not usable */
export async function foresee(
  study: Study,
  plan: StudyPlan,
  subject: string,
  version: string,
): Promise<Foreseen> {
  const steps: ForeseenStep[] = [];
  const hands = await lookingHands(
    plan,
    subject,
    (store, key) => store.look(key),
    ({ record, ...step }) => steps.push({ ...step, isThere: record !== undefined }),
  );
  try {
    const maps = await processSubject(plan, hands);
    const isMade = steps.every((step) => step.isThere);
    const publish =
      !isMade || !(await isPublished(study, subject, await publicationKey(study, maps, version)));
    return { subject, steps, publish };
  } catch (error) {
    return { subject, steps, publish: true, failure: toFailure(error, { subject }) };
  }
}
