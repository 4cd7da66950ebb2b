import type { Path, Step } from '../step.ts';

/** Susceptibility field from b0s of opposed phase encoding. FSL topup (Andersson 2003); acqparams has a row per b0. */
export const topup: Step<{ b0s: Path; acqparams: Path }, 'fieldcoef' | 'movpar' | 'fieldHz' | 'unwarped'> = {
  name: 'topup',
  argv: ({ b0s, acqparams }) => [
    'topup',
    `--imain=${b0s}`,
    `--datain=${acqparams}`,
    '--config=b02b0.cnf',
    '--out=topup',
    '--fout=field_hz',
    '--iout=b0s_unwarped',
  ],
  outputs: {
    fieldcoef: 'topup_fieldcoef.nii.gz',
    movpar: 'topup_movpar.txt',
    fieldHz: 'field_hz.nii.gz',
    unwarped: 'b0s_unwarped.nii.gz',
  },
  resources: { cpus: 1, memoryMiB: 3072, minutes: 180 },
};
