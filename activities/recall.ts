/** A subject that is done already: found whole at one look, instead of step by step. */
import type { Study } from '../config/study.ts';
import { processSubject } from '../pipeline/protocol.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { type LookedFor, lookingHands } from './look.ts';
import { hasPublished, isPublished, publicationKey } from './publish.ts';
import { readSummary, type SubjectSummary } from './published.ts';
import { observeResult } from './telemetry.ts';

/** A step whose result was there. */
export interface RecalledStep {
  readonly where: string;
  readonly label: string;
  readonly key: string;
  /** Seconds the tool ran when the result was made. */
  readonly seconds: number;
}

/** A subject as its results and outputs have it. */
export interface Recalled {
  readonly summary: SubjectSummary;
  readonly steps: readonly RecalledStep[];
}

/**
 * The subject's summary and steps, where every result is there, each file being what its record says, and its outputs
 * were written from them; null where anything is missing or cannot be told, for the steps themselves then say what.
 * @param version of delta-md
 */
export async function recallSubject(
  study: Study,
  plan: StudyPlan,
  subject: string,
  version: string,
): Promise<Recalled | null> {
  if (!(await hasPublished(study, subject))) return null;
  const steps: LookedFor[] = [];
  const maps = await lookingHands(
    plan,
    subject,
    (store, key) => store.findIntact(key),
    (step) => steps.push(step),
  )
    .then((hands) => processSubject(plan, hands))
    .catch(() => undefined);
  const found = steps.flatMap(({ where, label, record }) => (record ? [{ where, label, record }] : []));
  if (!maps || found.length < steps.length) return null;
  if (!(await isPublished(study, subject, await publicationKey(study, maps, version)))) return null;
  const summary = await readSummary(study, subject);
  if (!summary) return null;
  for (const { record } of found) observeResult(record, true);
  return {
    summary,
    steps: found.map(({ where, label, record: { key, seconds } }) => ({ where, label, key, seconds })),
  };
}
