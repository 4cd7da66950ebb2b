import { INPUT_FOLDER, type Path, type Step } from '../step.ts';

/** What eddy reads. The topup files come together or not at all: without a reversed set there is no field. */
export interface EddyInputs {
  dwi: Path;
  mask: Path;
  /** A row per distinct acquisition scheme. */
  acqparams: Path;
  /** For each volume the 1-based row of acqparams. */
  index: Path;
  bvecs: Path;
  bvals: Path;
  /** eddy takes the common prefix of topup's two files; staging keeps their names beside each other. */
  topup_fieldcoef?: Path;
  topup_movpar?: Path;
  flags: readonly string[];
}

/** Eddy currents, head motion and susceptibility in one resampling. FSL eddy (Andersson & Sotiropoulos 2016), >= 5.0.9. */
export const eddy: Step<
  EddyInputs,
  'dwi' | 'bvecs' | 'parameters' | 'movement',
  'outlierReport' | 'cnrMaps'
> = {
  name: 'eddy',
  argv: ({ dwi, mask, acqparams, index, bvecs, bvals, topup_fieldcoef, flags }) => [
    'eddy',
    `--imain=${dwi}`,
    `--mask=${mask}`,
    `--acqp=${acqparams}`,
    `--index=${index}`,
    `--bvecs=${bvecs}`,
    `--bvals=${bvals}`,
    ...(topup_fieldcoef ? [`--topup=${INPUT_FOLDER}/topup`] : []),
    '--out=eddy',
    ...flags,
  ],
  outputs: {
    dwi: 'eddy.nii.gz',
    bvecs: 'eddy.eddy_rotated_bvecs',
    parameters: 'eddy.eddy_parameters',
    movement: 'eddy.eddy_movement_rms',
  },
  optional: {
    outlierReport: 'eddy.eddy_outlier_report',
    cnrMaps: 'eddy.eddy_cnr_maps.nii.gz',
  },
  resources: { cpus: 2, memoryMiB: 4096, minutes: 720, gpu: true },
};
