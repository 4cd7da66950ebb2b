/** What a run would do, for people and scripts. */
import { holdings } from '../activities/cache.ts';
import { type Foreseen, foresee, isUnchanged } from '../activities/foresee.ts';
import type { Study } from '../config/study.ts';
import type { SubjectRow } from '../pipeline/roster.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { clock, columns, type Output } from './output.ts';
import { VERSION } from './version.ts';

/** Tools of one step that a run would start. */
export interface StepForecast {
  readonly step: string;
  readonly there: number;
  readonly toCompute: number;
  /** Tool time to come, from what the step took so far; null where it never ran. */
  readonly seconds: number | null;
}

export interface Forecast {
  readonly subjects: readonly Foreseen[];
  readonly steps: readonly StepForecast[];
}

/** Looks ahead for every waiting subject. */
export async function forecast(
  study: Study,
  plan: StudyPlan,
  rows: readonly SubjectRow[],
): Promise<Forecast> {
  const subjects: Foreseen[] = [];
  for (const { subject, status } of rows)
    if (status === 'waiting') subjects.push(await foresee(study, plan, subject, VERSION));
  const taken = new Map(
    (await holdings(plan.work)).map(({ step, results, seconds }) => [step, seconds / results]),
  );
  const steps = new Map<string, StepForecast>();
  for (const { step, isThere } of subjects.flatMap((one) => one.steps)) {
    const before = steps.get(step) ?? { step, there: 0, toCompute: 0, seconds: null };
    const toCompute = before.toCompute + (isThere ? 0 : 1);
    const each = taken.get(step);
    steps.set(step, {
      step,
      there: before.there + (isThere ? 1 : 0),
      toCompute,
      seconds: each === undefined ? null : toCompute * each,
    });
  }
  return { subjects, steps: [...steps.values()] };
}

export function sayForecast({ subjects, steps }: Forecast, out: Output): void {
  for (const line of columns(
    steps.map(({ step, there, toCompute, seconds }) => [
      step,
      String(there),
      String(toCompute),
      toCompute === 0 ? '' : seconds === null ? 'time unknown' : clock(seconds),
    ]),
    ['step', 'there', 'to compute', 'of tools'],
  ))
    out.say(line);
  const unchanged = subjects.filter(isUnchanged).length;
  const wrong = subjects.filter(({ failure }) => failure !== undefined);
  const known = steps.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0);
  out.say();
  out.say(
    `${subjects.length - unchanged - wrong.length} subjects to process, ${unchanged} unchanged${wrong.length > 0 ? `, ${wrong.length} that will fail` : ''}; ${clock(known)} of tools, as far as is known`,
  );
  for (const { subject, failure } of wrong) out.say(`${subject}: ${failure?.code} ${failure?.message}`);
}
