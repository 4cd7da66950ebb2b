import type { Path, Step } from '../step.ts';

/**
 * A map to template space in ONE interpolation: `premat` takes the follow-up to the baseline, `warp` the baseline to
 * the template. FSL applywarp.
 */
export const applywarp: Step<{ map: Path; template: Path; warp: Path; premat?: Path }, 'warped'> = {
  name: 'applywarp',
  argv: ({ map, template, warp, premat }) => [
    'applywarp',
    '-i',
    map,
    '-r',
    template,
    '-w',
    warp,
    ...(premat ? [`--premat=${premat}`] : []),
    '-o',
    'warped',
  ],
  outputs: { warped: 'warped.nii.gz' },
  resources: { cpus: 1, memoryMiB: 2048, minutes: 30 },
};
