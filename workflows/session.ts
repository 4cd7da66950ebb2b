/** One session: from its raw sets to tensor maps, in the order of the paper's method section. */
import type { PreparedSession } from '../activities/index.ts';
import type { Profile } from '../pipeline/profile.ts';
import type { FileRef } from '../pipeline/step.ts';
import { bet } from '../pipeline/steps/bet.ts';
import { dtifit } from '../pipeline/steps/dtifit.ts';
import { eddy } from '../pipeline/steps/eddy.ts';
import { fslmerge } from '../pipeline/steps/fslmerge.ts';
import { fslroi } from '../pipeline/steps/fslroi.ts';
import { mcflirt } from '../pipeline/steps/mcflirt.ts';
import { mean } from '../pipeline/steps/mean.ts';
import { topup } from '../pipeline/steps/topup.ts';
import type { RunStep } from './run.ts';

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
  /** mcflirt's parameters, where it ran. */
  readonly motion?: FileRef;
  /** b0s as acquired, and undistorted where there was a reversed set. */
  readonly b0s: FileRef;
  readonly unwarped?: FileRef;
  readonly fieldHz?: FileRef;
  /** What a reader of the results must know, such as a skipped step or a value the study file supplied. */
  readonly notes: readonly string[];
}

/** Joins series in time; one series needs no tool. */
async function join(run: RunStep, series: readonly FileRef[], label: string): Promise<FileRef> {
  return series.length === 1 ? series[0] : (await run(fslmerge, { series }, label)).merged;
}

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
    motion: motionParameters,
    b0s,
    unwarped: field?.unwarped,
    fieldHz: field?.fieldHz,
    notes: input.notes,
  };
}
