/** What a run would do with subjects, as a script: inputs are found and checked as for a run, no tool is started. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Study } from '../config/study.ts';
import type { Failure } from '../pipeline/failures.ts';
import type { PreparedSession } from '../pipeline/protocol.ts';
import { plannedSteps, type ScriptedSubject, scriptOf } from '../pipeline/script.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { toFailure } from './failures.ts';
import { prepareSession } from './prepare.ts';

/** @returns a bash script for the subjects that can be processed, and why the others cannot */
export async function dryRun(
  study: Study,
  plan: StudyPlan,
  subjects: readonly string[],
  version: string,
): Promise<{ script: string; failures: Failure[] }> {
  // The study's own work folder stays as it is.
  const work = await mkdtemp(join(tmpdir(), 'delta-md-dry-'));
  try {
    const scripted: ScriptedSubject[] = [];
    const failures: Failure[] = [];
    for (const subject of subjects)
      try {
        scripted.push(await scriptedSubject({ ...plan, work }, subject));
      } catch (error) {
        failures.push(toFailure(error, { subject }));
      }
    const script = scriptOf(plan, scripted, {
      by: `delta-md ${version}`,
      study: study.study,
      profile: study.profile.name,
      bids: study.bids,
      gpu: plan.runtime.gpu === true,
    });
    return { script, failures };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function scriptedSubject(plan: StudyPlan, subject: string): Promise<ScriptedSubject> {
  const texts: Record<string, { name: string; text: string }> = {};
  const steps = await plannedSteps(plan, async (session): Promise<PreparedSession> => {
    const prepared = await prepareSession(plan, subject, session);
    const { acqparamsB0, acqparams, index, bvals, bvecs } = prepared;
    for (const { path } of [acqparamsB0, acqparams, index, bvals, bvecs])
      texts[path] = { name: basename(path), text: await readFile(path, 'utf8') };
    return prepared;
  });
  return { subject, steps, texts };
}
