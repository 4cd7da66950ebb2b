/**
 * What may differ between ways of preprocessing, as plain data. A profile says which flags each FSL command gets beyond
 * those every run needs, and what becomes of head motion found before `eddy`.
 */

/**
 * Head motion, before eddy:
 * - `resample`: mcflirt resamples the series and eddy corrects what is left (the published pipeline; interpolates twice);
 * - `estimate`: mcflirt's parameters are kept as a quality measure, eddy gets the series as acquired;
 * - `eddy`: mcflirt does not run, eddy alone estimates and corrects motion.
 */
export type MotionHandling = 'resample' | 'estimate' | 'eddy';

export interface Profile {
  readonly name: string;
  /** One sentence for help and methods texts. */
  readonly summary: string;
  readonly motion: MotionHandling;
  readonly mcflirtFlags: readonly string[];
  /** bet -f: fractional intensity threshold, 0 to 1; smaller keeps more. */
  readonly betFraction: number;
  readonly eddyFlags: readonly string[];
  /** Among them the weighting, which fixes the estimator of MD for the whole study. */
  readonly dtifitFlags: readonly string[];
  /** Of the alignment of the follow-up session onto the baseline (6 degrees of freedom). */
  readonly flirtFlags: readonly string[];
}
