import type { Path, Step } from '../step.ts';

/** Brain mask from a b0. FSL bet (Smith 2002). `fraction` 0.3 keeps more than the default 0.5, which eats into b0 images. */
export const bet: Step<{ b0: Path; fraction: number }, 'brain' | 'mask'> = {
  name: 'bet',
  argv: ({ b0, fraction }) => ['bet', b0, 'b0_brain', '-m', '-f', String(fraction)],
  outputs: { brain: 'b0_brain.nii.gz', mask: 'b0_brain_mask.nii.gz' },
  resources: { cpus: 1, memoryMiB: 1024, minutes: 10 },
};
