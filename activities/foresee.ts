/**
 * What a run would do, without doing it: the protocol is walked with hands that look into the store instead of running
 * tools. A step whose result is there is reused; one that is not will be computed, and so will all that rest on it.
 */
import type { Study } from '../config/study.ts';
import type { Failure } from '../pipeline/failures.ts';
import { processSubject } from '../pipeline/protocol.ts';
import { plan as concrete, type FileRef, type RunStep } from '../pipeline/step.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { toFailure } from './failures.ts';
import { prepareSession } from './prepare.ts';
import { isPublished, publicationKey } from './publish.ts';
import { runtimeFor } from './runtimes.ts';
import { keyOf, Store } from './store.ts';

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

/** Content of a file that is still to be made. */
const TO_COME = '';

/** @param version of delta-md  @throws DeltaMdError where the runtime itself is not usable */
export async function foresee(
  study: Study,
  plan: StudyPlan,
  subject: string,
  version: string,
): Promise<Foreseen> {
  const store = new Store(plan.work);
  const runtime = await runtimeFor(plan.runtime);
  const steps: ForeseenStep[] = [];
  const runAt =
    (where: string): RunStep =>
    async (step, inputs, label = step.name) => {
      const run = concrete(step, inputs);
      const isKnown = Object.values(run.inputs).every(({ sha256 }) => sha256 !== TO_COME);
      const record = isKnown ? await store.look(keyOf(run, await runtime.identify(run.argv[0]))) : undefined;
      steps.push({ where, step: step.name, label, isThere: record !== undefined });
      const files: Record<string, FileRef> = record
        ? store.outputs(record)
        : Object.fromEntries(
            Object.entries(run.outputs).map(([name, path]) => [name, { path, sha256: TO_COME }]),
          );
      return files as Awaited<ReturnType<RunStep>>;
    };
  try {
    const maps = await processSubject(plan, {
      prepare: (session) => prepareSession(plan, subject, session),
      runAt,
    });
    const isMade = steps.every((step) => step.isThere);
    const publish =
      !isMade || !(await isPublished(study, subject, await publicationKey(study, maps, version)));
    return { subject, steps, publish };
  } catch (error) {
    return { subject, steps, publish: true, failure: toFailure(error, { subject }) };
  }
}
