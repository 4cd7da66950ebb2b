import type { Path, Step } from '../step.ts';

/** Mean over time: the image the brain is cut from. FSL fslmaths -Tmean. */
export const mean: Step<{ series: Path }, 'mean'> = {
  name: 'mean',
  argv: ({ series }) => ['fslmaths', series, '-Tmean', 'mean'],
  outputs: { mean: 'mean.nii.gz' },
  resources: { cpus: 1, memoryMiB: 2048, minutes: 10 },
};
