import type { Path, Step } from '../step.ts';

/** Head motion of each volume against the first. FSL mcflirt (Jenkinson 2002). */
export const mcflirt: Step<{ dwi: Path; flags: readonly string[] }, 'corrected' | 'parameters'> = {
  name: 'mcflirt',
  argv: ({ dwi, flags }) => ['mcflirt', '-in', dwi, '-out', 'dwi_mc', '-refvol', '0', '-plots', ...flags],
  outputs: { corrected: 'dwi_mc.nii.gz', parameters: 'dwi_mc.par' },
  resources: { cpus: 1, memoryMiB: 3072, minutes: 60 },
};
