/** The graph of the orchestration bench: subjects x 12 steps that do nothing, so that only the engine counts. */
import type { StudyPlan } from '../../pipeline/study.ts';
import { noopPlan } from '../../test/integration/noop.ts';

/** Steps of one subject: prepare, fslroi, topup, mcflirt, mean, bet, eddy, dtifit, fsl_reg, applywarp twice, rois. */
export const STEPS = 12;

/** One session, one series: the pipeline's own workflows then run exactly {@link STEPS} activities a subject. */
export function benchPlan(study: string, subjectsAtOnce: number): StudyPlan {
  return { ...noopPlan(study, subjectsAtOnce), sessions: { baseline: 'pre' } };
}
