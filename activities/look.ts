/** The protocol walked with hands that look into the store instead of running tools. */
import type { Hands } from '../pipeline/protocol.ts';
import { plan as concrete, type FileRef, type RunStep } from '../pipeline/step.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { prepareSession } from './prepare.ts';
import { runtimeFor } from './runtimes.ts';
import { keyOf, type StepRecord, Store } from './store.ts';

/** A step that was looked for. */
export interface LookedFor {
  readonly where: string;
  /** FSL's name. */
  readonly step: string;
  /** Tells steps of one name apart. */
  readonly label: string;
  /** Its result, where it is there. */
  readonly record?: StepRecord;
}

/** Content of a file that is still to be made. */
const TO_COME = '';

/**
 * Hands for `processSubject` that find each step's result or pretend its files.
 * @param find a result by its key  @param seen told of every step, in the order they are asked for
 * @throws DeltaMdError where the runtime itself is not usable
 */
export async function lookingHands(
  plan: StudyPlan,
  subject: string,
  find: (store: Store, key: string) => Promise<StepRecord | undefined>,
  seen: (step: LookedFor) => void,
): Promise<Hands> {
  const store = new Store(plan.work);
  const runtime = await runtimeFor(plan.runtime);
  const runAt =
    (where: string): RunStep =>
    async (step, inputs, label = step.name) => {
      const run = concrete(step, inputs);
      const isKnown = Object.values(run.inputs).every(({ sha256 }) => sha256 !== TO_COME);
      const record = isKnown ? await find(store, keyOf(run, await runtime.identify(run.argv[0]))) : undefined;
      seen({ where, step: step.name, label, ...(record ? { record } : {}) });
      const files: Record<string, FileRef> = record
        ? store.outputs(record)
        : Object.fromEntries(
            Object.entries(run.outputs).map(([name, path]) => [name, { path, sha256: TO_COME }]),
          );
      return files as Awaited<ReturnType<RunStep>>;
    };
  return { prepare: (session) => prepareSession(plan, subject, session), runAt };
}
