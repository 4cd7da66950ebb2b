/**
 * Default limits of the metrics. Those with a figure of their own rest on the detection table (`npm run qc:detection`)
 * and on common practice; a study file may set others.
 */
import { infoOf } from './dictionary.ts';
import type { Metrics } from './types.ts';

/** Limits of a metric: beyond `warn` somebody should look, beyond `exclude` the data are not usable. */
export interface Threshold {
  readonly metric: string;
  readonly warn: number;
  readonly exclude?: number;
}

export const DEFAULT_THRESHOLDS: readonly Threshold[] = [
  { metric: 'mot_abs_max', warn: 3 },
  { metric: 'qc_mot_rel', warn: 1 },
  { metric: 'mean_fd', warn: 1 },
  { metric: 'qc_outliers_tot', warn: 5, exclude: 10 },
  { metric: 'raw_bad_slices', warn: 1.5 },
  { metric: 'raw_num_spikes', warn: 1 },
  { metric: 'signal_drift_abs', warn: 3 },
  { metric: 'bvec_margin', warn: 1 },
  { metric: 'ap_pa_gain', warn: 0.2 },
  { metric: 'brain_cut_superior', warn: 40 },
  { metric: 'brain_cut_inferior', warn: 50 },
  { metric: 'template_coverage', warn: 0.9 },
  { metric: 'template_corr', warn: 0.6 },
  { metric: 'warp_folds', warn: 1 },
  { metric: 'roi_coverage_min', warn: 0.5 },
  { metric: 'coregistration_corr', warn: 0.7 },
  { metric: 'csf_md_drift', warn: 5 },
  { metric: 'gain_drift', warn: 5 },
  { metric: 'protocol_differences', warn: 1 },
];

/** Verdict on one metric. */
export interface Crossing extends Threshold {
  readonly value: number;
  readonly level: 'warn' | 'exclude';
}

/** True where a value is at or beyond a limit, on the metric's bad side. A metric without a bad side has no limit. */
export function isBeyond(metric: string, value: number, limit: number): boolean {
  const worse = infoOf(metric)?.worse;
  return worse === 'high' ? value >= limit : worse === 'low' ? value <= limit : false;
}

/** Thresholds that metrics cross; a figure that is not known crosses none. */
export function crossings(
  metrics: Metrics,
  thresholds: readonly Threshold[] = DEFAULT_THRESHOLDS,
): Crossing[] {
  return thresholds.flatMap((threshold): Crossing[] => {
    const value = metrics[threshold.metric];
    if (value === null || value === undefined) return [];
    const { metric, warn, exclude } = threshold;
    if (exclude !== undefined && isBeyond(metric, value, exclude))
      return [{ ...threshold, value, level: 'exclude' }];
    return isBeyond(metric, value, warn) ? [{ ...threshold, value, level: 'warn' }] : [];
  });
}
