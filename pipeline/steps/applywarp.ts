import type { Path, Step } from '../step.ts';

export interface ApplywarpInputs {
  map: Path;
  template: Path;
  warp: Path;
  premat?: Path;
  /** Trilinear for maps; `nn` (nearest neighbour) keeps a mask a mask. */
  interp: 'trilinear' | 'nn';
}

/**
 * A map to template space in ONE interpolation: `premat` takes the follow-up to the baseline, `warp` the baseline to
 * the template. FSL applywarp.
 */
export const applywarp: Step<ApplywarpInputs, 'warped'> = {
  name: 'applywarp',
  argv: ({ map, template, warp, premat, interp }) => [
    'applywarp',
    '-i',
    map,
    '-r',
    template,
    '-w',
    warp,
    ...(premat ? [`--premat=${premat}`] : []),
    `--interp=${interp}`,
    '-o',
    'warped',
  ],
  outputs: { warped: 'warped.nii.gz' },
  resources: { cpus: 1, memoryMiB: 2048, minutes: 30 },
};
