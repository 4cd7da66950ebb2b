import type { Path, Step } from '../step.ts';

/** Rigid alignment of the follow-up onto the baseline, by their FA maps. FSL flirt (Jenkinson & Smith 2001). */
export const flirt: Step<{ moving: Path; reference: Path; flags: readonly string[] }, 'matrix'> = {
  name: 'flirt',
  argv: ({ moving, reference, flags }) => [
    'flirt',
    '-in',
    moving,
    '-ref',
    reference,
    '-omat',
    'moving_to_reference.mat',
    '-dof',
    '6',
    ...flags,
  ],
  outputs: { matrix: 'moving_to_reference.mat' },
  resources: { cpus: 1, memoryMiB: 2048, minutes: 30 },
};
