import type { Path, Step } from '../step.ts';

/** Some consecutive volumes of a series: here the b0s of one set. FSL fslroi. */
export const fslroi: Step<{ image: Path; first: number; count: number }, 'volumes'> = {
  name: 'fslroi',
  argv: ({ image, first, count }) => ['fslroi', image, 'volumes', String(first), String(count)],
  outputs: { volumes: 'volumes.nii.gz' },
  resources: { cpus: 1, memoryMiB: 2048, minutes: 10 },
};
