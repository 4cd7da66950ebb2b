import type { Path, Step } from '../step.ts';

/** Affine then non-linear registration of an FA map to the template. FSL fsl_reg -FA (flirt, then fnirt). */
export const fslReg: Step<{ fa: Path; template: Path }, 'affine' | 'warp' | 'warped'> = {
  name: 'fsl_reg',
  argv: ({ fa, template }) => ['fsl_reg', fa, template, 'fa_to_template', '-FA'],
  outputs: {
    affine: 'fa_to_template.mat',
    warp: 'fa_to_template_warp.nii.gz',
    warped: 'fa_to_template.nii.gz',
  },
  resources: { cpus: 1, memoryMiB: 3072, minutes: 120 },
};
