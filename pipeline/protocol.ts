/**
 * The protocol: what is done with a subject, in the order of the paper's method section. It says nothing of who runs a
 * step: workflows run it through Temporal, and `run --plan` walks it to see what is there already.
 */
import type { Profile } from './profile.ts';
import type { FileRef, RunStep } from './step.ts';
import { applywarp } from './steps/applywarp.ts';
import { bet } from './steps/bet.ts';
import { dtifit } from './steps/dtifit.ts';
import { eddy } from './steps/eddy.ts';
import { flirt } from './steps/flirt.ts';
import { fslReg } from './steps/fsl_reg.ts';
import { fslmerge } from './steps/fslmerge.ts';
import { fslroi } from './steps/fslroi.ts';
import { mcflirt } from './steps/mcflirt.ts';
import { mean } from './steps/mean.ts';
import { topup } from './steps/topup.ts';
import { type StudyPlan, sessionName } from './study.ts';

/** What the steps of a session start from: files by content and small numbers. */
export interface PreparedSession {
  readonly session: string | null;
  /** Consecutive b0s to be cut out of a set. */
  readonly b0Runs: readonly { image: FileRef; first: number; count: number; label: string }[];
  /** Series for eddy and the tensor, in order. */
  readonly dwi: readonly FileRef[];
  /** False: topup is skipped; a note says why. */
  readonly topup: boolean;
  /** A row per b0, for topup. */
  readonly acqparamsB0: FileRef;
  /** A row per scheme, for eddy. */
  readonly acqparams: FileRef;
  readonly index: FileRef;
  readonly bvals: FileRef;
  readonly bvecs: FileRef;
  readonly notes: readonly string[];
}

/** What a session hands on. */
export interface SessionMaps {
  readonly session: string | null;
  readonly fa: FileRef;
  readonly md: FileRef;
  readonly v1: FileRef;
  readonly s0: FileRef;
  readonly mask: FileRef;
  readonly dwi: FileRef;
  readonly bvals: FileRef;
  readonly bvecs: FileRef;
  readonly movement: FileRef;
  /** eddy's other files, for quality control; absent where its version or flags do not give them, or from older runs. */
  readonly parameters?: FileRef;
  readonly outlierReport?: FileRef;
  readonly cnrMaps?: FileRef;
  /** The series and its gradients as acquired, and which scheme each volume and each b0 has; absent from older runs. */
  readonly rawDwi?: FileRef;
  readonly rawBvecs?: FileRef;
  readonly acqparams?: FileRef;
  readonly index?: FileRef;
  readonly acqparamsB0?: FileRef;
  /** mcflirt's parameters, where it ran. */
  readonly motion?: FileRef;
  /** b0s as acquired, and undistorted where there was a reversed set. */
  readonly b0s: FileRef;
  readonly unwarped?: FileRef;
  readonly fieldHz?: FileRef;
  /** What a reader of the results must know, such as a skipped step or a value the study file supplied. */
  readonly notes: readonly string[];
}

/** Maps of one session, native and in template space. */
export interface SessionInTemplate extends SessionMaps {
  readonly mdInTemplate: FileRef;
  /** Brain mask on the template's grid. */
  readonly maskInTemplate: FileRef;
}

/** What a subject's numbers and pictures are made of. */
export interface SubjectMaps {
  /** Baseline, then follow-up where there is one. */
  readonly sessions: readonly SessionInTemplate[];
  /** Baseline FA on the template's grid. */
  readonly faInTemplate: FileRef;
  readonly warp: FileRef;
  readonly affine: FileRef;
  readonly followupToBaseline?: FileRef;
}

/** Names of every step that has a tool, in their order. */
export const STEP_NAMES: readonly string[] = [
  fslroi,
  fslmerge,
  topup,
  mcflirt,
  mean,
  bet,
  eddy,
  dtifit,
  flirt,
  fslReg,
  applywarp,
].map(({ name }) => name);

/** Name of the place of steps that belong to no one session. */
export const WHOLE = 'subject';

/** How the protocol has its work done. */
export interface Hands {
  /** Finds and checks the inputs of a session. */
  prepare(session: string | null): Promise<PreparedSession>;
  /** Runs the steps of one place: a session's name, or {@link WHOLE}. */
  runAt(where: string): RunStep;
}

/** Its sessions in parallel, the follow-up onto the baseline, the baseline onto the template. */
export async function processSubject(plan: StudyPlan, hands: Hands): Promise<SubjectMaps> {
  const oneSession = async (session: string | null): Promise<SessionMaps> => {
    const prepared = await hands.prepare(session);
    return processSession(hands.runAt(sessionName(session)), plan.profile, prepared);
  };
  const { baseline, followup } = plan.sessions;
  const [first, second] = await bothSettled(
    oneSession(baseline),
    followup === undefined ? undefined : oneSession(followup),
  );

  const run = hands.runAt(WHOLE);
  const { template } = plan;
  const [toTemplate, toBaseline] = await bothSettled(
    run(fslReg, { fa: first.fa, template }),
    second && run(flirt, { moving: second.fa, reference: first.fa, flags: plan.profile.flirtFlags }),
  );
  const { warp } = toTemplate;

  /** MD of one session on the template, and where on it the session has data. */
  const inTemplate = async (one: SessionMaps, premat?: FileRef): Promise<SessionInTemplate> => {
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

  return {
    sessions: followupMaps ? [baselineMaps, followupMaps] : [baselineMaps],
    faInTemplate: toTemplate.warped,
    warp,
    affine: toTemplate.affine,
    followupToBaseline: toBaseline?.matrix,
  };
}

/** Joins series in time; one series needs no tool. */
async function join(run: RunStep, series: readonly FileRef[], label: string): Promise<FileRef> {
  return series.length === 1 ? series[0] : (await run(fslmerge, { series }, label)).merged;
}

/** One session: from its raw sets to tensor maps. */
export async function processSession(
  run: RunStep,
  profile: Profile,
  input: PreparedSession,
): Promise<SessionMaps> {
  const b0Runs = await Promise.all(
    input.b0Runs.map(async ({ image, first, count, label }) => {
      return (await run(fslroi, { image, first, count }, label)).volumes;
    }),
  );
  const b0s = await join(run, b0Runs, 'merge b0s');
  const raw = await join(run, input.dwi, 'merge dwi');

  const field = input.topup ? await run(topup, { b0s, acqparams: input.acqparamsB0 }) : undefined;

  let dwi = raw;
  let motionParameters: FileRef | undefined;
  if (profile.motion !== 'eddy') {
    const motion = await run(mcflirt, { dwi: raw, flags: profile.mcflirtFlags });
    motionParameters = motion.parameters;
    // The paper resamples here and again in eddy; estimating only leaves the one interpolation to eddy.
    if (profile.motion === 'resample') dwi = motion.corrected;
  }

  const { mean: b0 } = await run(mean, { series: field?.unwarped ?? b0s });
  const { mask } = await run(bet, { b0, fraction: profile.betFraction });

  const corrected = await run(eddy, {
    dwi,
    mask,
    acqparams: input.acqparams,
    index: input.index,
    bvecs: input.bvecs,
    bvals: input.bvals,
    ...(field ? { topup_fieldcoef: field.fieldcoef, topup_movpar: field.movpar } : {}),
    flags: profile.eddyFlags,
  });
  const tensor = await run(dtifit, {
    data: corrected.dwi,
    mask,
    bvecs: corrected.bvecs,
    bvals: input.bvals,
    flags: profile.dtifitFlags,
  });

  return {
    session: input.session,
    fa: tensor.fa,
    md: tensor.md,
    v1: tensor.v1,
    s0: tensor.s0,
    mask,
    dwi: corrected.dwi,
    bvals: input.bvals,
    bvecs: corrected.bvecs,
    movement: corrected.movement,
    parameters: corrected.parameters,
    outlierReport: corrected.outlierReport,
    cnrMaps: corrected.cnrMaps,
    rawDwi: raw,
    rawBvecs: input.bvecs,
    acqparams: input.acqparams,
    index: input.index,
    acqparamsB0: input.acqparamsB0,
    motion: motionParameters,
    b0s,
    unwarped: field?.unwarped,
    fieldHz: field?.fieldHz,
    notes: input.notes,
  };
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
