import type { Path, Step } from '../step.ts';

/** Series joined in time. FSL fslmerge. */
export const fslmerge: Step<{ series: readonly Path[] }, 'merged'> = {
  name: 'fslmerge',
  argv: ({ series }) => ['fslmerge', '-t', 'merged', ...series],
  outputs: { merged: 'merged.nii.gz' },
  resources: { cpus: 1, memoryMiB: 3072, minutes: 10 },
};
