/** The profiles a study file can name. Data only: nothing in the code asks for a profile by name. */
import type { Profile } from '../pipeline/profile.ts';

/**
 * The reference of mcflirt is a b0, the series mostly diffusion-weighted: the default cost, normalized correlation, takes
 * the difference in contrast for movement of millimetres (measured on the real scans of test/real).
 */
const ACROSS_CONTRASTS = ['-cost', 'mutualinfo'] as const;

export const PROFILES = {
  'fsl-5.0': {
    name: 'fsl-5.0',
    summary: 'The published pipeline, flag for flag: FSL 5.0, mcflirt resamples before eddy.',
    motion: 'resample',
    mcflirtFlags: ACROSS_CONTRASTS,
    betFraction: 0.3,
    eddyFlags: [],
    dtifitFlags: ['--wls'],
    flirtFlags: ['-cost', 'corratio'],
  },
  modern: {
    name: 'modern',
    summary: 'FSL 6: eddy alone corrects motion, replaces outlier slices and writes CNR maps.',
    motion: 'eddy',
    mcflirtFlags: [],
    betFraction: 0.3,
    eddyFlags: ['--repol', '--cnr_maps'],
    dtifitFlags: ['--wls'],
    flirtFlags: ['-cost', 'corratio'],
  },
  toolkit: {
    name: 'toolkit',
    summary: 'For the built-in tools: one interpolation in eddy, mcflirt only measures motion.',
    motion: 'estimate',
    mcflirtFlags: ACROSS_CONTRASTS,
    betFraction: 0.3,
    eddyFlags: ['--flm=quadratic'],
    dtifitFlags: ['--wls'],
    flirtFlags: ['-cost', 'corratio'],
  },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;
