/** From a study file to what the orchestration starts with, and back. */
import { loadStudy } from '../config/load.ts';
import type { Study, StudySettings } from '../config/study.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import type { SubjectRow } from '../pipeline/roster.ts';
import type { SessionPlan, StudyPlan } from '../pipeline/study.ts';
import { discoverCohort } from './bids/cohort.ts';
import { requireOnTemplate } from './regions.ts';
import { readyStudy } from './standard.ts';
import { hashFile } from './store.ts';

/** Baseline and follow-up of a study, by label. */
export function sessionsOf(study: Pick<StudySettings, 'sessions'>): SessionPlan {
  const label = (role: string) => study.sessions.find((session) => session.role === role)?.label;
  return { baseline: label('baseline') ?? label('only') ?? null, followup: label('followup') ?? undefined };
}

/**
 * The plan of a study, which stays fixed while its subjects run.
 * @param directions labels that a complete session holds  @param nCpus cores that steps may use together
 */
export async function planOf(study: Study, directions: readonly string[], nCpus: number): Promise<StudyPlan> {
  const { resources } = study;
  return {
    study: study.study,
    studyFile: study.file,
    work: study.work,
    ...(study.storage === undefined ? {} : { storage: study.storage }),
    sessions: sessionsOf(study),
    directions,
    profile: study.profile,
    template: { path: study.template, sha256: await hashFile(study.template) },
    runtime: study.runtime,
    retries: { toolRetries: study.retries.tool, memoryLimitMiB: resources.memoryLimitMiB },
    cpus: resources.cpus,
    memoryMiB: resources.memoryMiB,
    timeFactor: resources.timeFactor,
    subjectsAtOnce: resources.subjectsAtOnce ?? nCpus,
    ...(study.qc.gate === 'review' ? { gate: study.qc.gate } : {}),
  };
}

/**
 * The plan of a study and its table: subjects waiting, or excluded and why.
 * @throws DeltaMdError for a wrong participants table, or regions on another grid than the template
 */
export async function planCohort(
  study: Study,
  nCpus: number,
): Promise<{ plan: StudyPlan; rows: SubjectRow[] }> {
  await requireOnTemplate(study.rois.image, study.template);
  const { subjects, directions } = await discoverCohort(study);
  return {
    plan: await planOf(study, directions, nCpus),
    rows: subjects.map(({ subject, group, excluded }) => ({
      subject,
      group,
      ...(excluded ? { status: 'excluded', why: excluded.reason } : { status: 'waiting' }),
    })),
  };
}

/**
 * A study file's content, ready to be run.
 * @param work the folder this run works in, where it is another than the file's
 * @throws DeltaMdError CONFIG_INVALID with every problem and its line
 */
export async function studyIn(file: string, work?: string): Promise<Study> {
  const loaded = await loadStudy(file);
  if (loaded.ok) return readyStudy({ ...loaded.study, work: work ?? loaded.study.work });
  const problems = loaded.problems.map((p) => `line ${p.line}: ${p.message}. ${p.remedy}`);
  throw new DeltaMdError('CONFIG_INVALID', `${file}: ${problems.join('; ')}`);
}

/**
 * The study of a running plan: the study file as it is now, with what the command line changed for this run.
 * @throws DeltaMdError CONFIG_INVALID with every problem and its line
 */
export async function studyOf(plan: StudyPlan): Promise<Study> {
  const { baseline, followup } = plan.sessions;
  return {
    ...(await studyIn(plan.studyFile, plan.work)),
    ...(plan.select === undefined ? {} : { select: plan.select }),
    sessions:
      followup === undefined
        ? [{ role: 'only', label: baseline }]
        : [
            { role: 'baseline', label: baseline },
            { role: 'followup', label: followup },
          ],
  };
}
