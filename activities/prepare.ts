/** A session before its first step: inputs found and checked, the small text files FSL wants written by content. */
import { basename } from 'node:path';
import { readGradients } from '../imaging/gradients.ts';
import { type DwiSet, eddyTexts, gradientTexts, topupInput } from '../pipeline/acquisition.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import type { PreparedSession } from '../pipeline/protocol.ts';
import type { FileRef } from '../pipeline/step.ts';
import type { StudyPlan } from '../pipeline/study.ts';
import { discoverSession } from './bids/session.ts';
import { studyOf } from './plan.ts';
import { Store } from './store.ts';

const ref = ({ path, sha256 }: FileRef): FileRef => ({ path, sha256 });

export async function prepareSession(
  plan: StudyPlan,
  subject: string,
  session: string | null,
): Promise<PreparedSession> {
  const input = await discoverSession(await studyOf(plan), subject, session, plan.directions);
  const dwi = input.sets.filter((set) => set.role === 'dwi');
  const gradients = await Promise.all(
    dwi.map((set) => readGradients(need(set.bval).path, need(set.bvec).path, set.volumes, set.image.path)),
  );
  // Without topup only the series themselves give b0s; with it, the fieldmaps' come along.
  const b0Sets = input.topup === true ? input.sets : dwi;
  const { ranges, acqparams: acqparamsB0 } = topupInput(b0Sets);
  const { acqparams, index } = eddyTexts(dwi);
  const { bvals, bvecs } = gradientTexts(gradients);
  const store = new Store(plan.work);
  return {
    session,
    b0Runs: ranges.map(({ set, first, count }) => ({
      image: ref(b0Sets[set].image),
      first,
      count,
      label: `b0 ${setName(b0Sets[set])}${first === 0 ? '' : ` from ${first}`}`,
    })),
    dwi: dwi.map((set) => ref(set.image)),
    topup: input.topup === true,
    acqparamsB0: await store.putText('acqparams_b0.txt', acqparamsB0),
    acqparams: await store.putText('acqparams.txt', acqparams),
    index: await store.putText('index.txt', index),
    bvals: await store.putText('dwi.bval', bvals),
    bvecs: await store.putText('dwi.bvec', bvecs),
    notes: input.notes,
  };
}

function need<T>(file: T | undefined): T {
  if (file === undefined)
    throw new DeltaMdError('INTERNAL', 'a diffusion set came without its gradient table');
  return file;
}

/** What tells a set apart within its session: `AP`, `AP run-2`, else its file name. */
function setName({ dir, run, image }: DwiSet): string {
  if (!dir) return basename(image.path).replace(/\.nii(\.gz)?$/, '');
  return run ? `${dir} run-${run}` : dir;
}
