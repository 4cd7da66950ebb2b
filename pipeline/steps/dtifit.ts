import type { Path, Step } from '../step.ts';

/** Voxel-wise tensor by weighted least squares. FSL dtifit; weights: square of the measured signal. */
export const dtifit: Step<
  { data: Path; mask: Path; bvecs: Path; bvals: Path; flags: readonly string[] },
  'fa' | 'md' | 'v1' | 's0'
> = {
  name: 'dtifit',
  argv: ({ data, mask, bvecs, bvals, flags }) => [
    'dtifit',
    '-k',
    data,
    '-m',
    mask,
    '-r',
    bvecs,
    '-b',
    bvals,
    '-o',
    'dti',
    ...flags,
  ],
  outputs: { fa: 'dti_FA.nii.gz', md: 'dti_MD.nii.gz', v1: 'dti_V1.nii.gz', s0: 'dti_S0.nii.gz' },
  resources: { cpus: 1, memoryMiB: 2048, minutes: 30 },
};
