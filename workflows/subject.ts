/** One subject: its sessions in parallel, the follow-up onto the baseline, the baseline onto the template, MD by region. */
import { defineQuery, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { SubjectMaps, SubjectSummary } from '../activities/index.ts';
import { STEPS_QUERY } from '../pipeline/messages.ts';
import type { FileRef } from '../pipeline/step.ts';
import { applywarp } from '../pipeline/steps/applywarp.ts';
import { flirt } from '../pipeline/steps/flirt.ts';
import { fslReg } from '../pipeline/steps/fsl_reg.ts';
import { type StudyPlan, sessionName } from '../pipeline/study.ts';
import { runOwn, StepBoard, type StepStatus, stepRunner } from './run.ts';
import { processSession, type SessionMaps } from './session.ts';

export interface SubjectInput {
  readonly plan: StudyPlan;
  /** `sub-01` */
  readonly subject: string;
}

/** The steps of a subject so far. */
export const stepsQuery = defineQuery<StepStatus[]>(STEPS_QUERY);

/** Name of the steps that belong to no one session. */
const WHOLE = 'subject';

export async function subjectWorkflow({ plan, subject }: SubjectInput): Promise<SubjectSummary> {
  const board = new StepBoard(setCurrentDetails);
  setHandler(stepsQuery, () => board.list(), { description: 'State of every step of this subject' });

  const oneSession = async (session: string | null): Promise<SessionMaps> => {
    const where = sessionName(session);
    const prepared = await runOwn(subject, where, 'prepare', board, (activities) =>
      activities.prepareSession({ plan, subject, session }),
    );
    return processSession(stepRunner(plan, subject, where, board), plan.profile, prepared);
  };

  const { baseline, followup } = plan.sessions;
  const [first, second] = await bothSettled(
    oneSession(baseline),
    followup === undefined ? undefined : oneSession(followup),
  );

  const run = stepRunner(plan, subject, WHOLE, board);
  const { template } = plan;
  const [toTemplate, toBaseline] = await bothSettled(
    run(fslReg, { fa: first.fa, template }),
    second && run(flirt, { moving: second.fa, reference: first.fa, flags: plan.profile.flirtFlags }),
  );
  const { warp } = toTemplate;

  /** MD of one session on the template, and where on it the session has data. */
  const inTemplate = async (one: SessionMaps, premat?: FileRef) => {
    const where = sessionName(one.session);
    const to = { template, warp, ...(premat ? { premat } : {}) };
    const [md, mask] = await bothSettled(
      run(applywarp, { map: one.md, ...to, interp: 'trilinear' }, `applywarp md ${where}`),
      run(applywarp, { map: one.mask, ...to, interp: 'nn' }, `applywarp mask ${where}`),
    );
    return { ...one, mdInTemplate: md.warped, maskInTemplate: mask.warped };
  };
  const [baselineMaps, followupMaps] = await bothSettled(
    inTemplate(first),
    second && inTemplate(second, toBaseline?.matrix),
  );

  const maps: SubjectMaps = {
    sessions: followupMaps ? [baselineMaps, followupMaps] : [baselineMaps],
    faInTemplate: toTemplate.warped,
    warp,
    affine: toTemplate.affine,
    followupToBaseline: toBaseline?.matrix,
  };
  return runOwn(subject, WHOLE, 'rois', board, (activities) =>
    activities.publishSubject({ plan, subject, maps }),
  );
}

/**
 * Both results; when one fails, the other still finishes first, so that a retry finds its work done.
 * @throws the first failure
 */
async function bothSettled<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]>;
async function bothSettled<A, B>(a: Promise<A>, b: Promise<B> | undefined): Promise<[A, B | undefined]>;
async function bothSettled<A, B>(a: Promise<A>, b: Promise<B> | undefined): Promise<[A, B | undefined]> {
  const [first, second] = await Promise.allSettled([a, b]);
  if (first.status === 'rejected') throw first.reason;
  if (second.status === 'rejected') throw second.reason;
  return [first.value, second.value];
}
