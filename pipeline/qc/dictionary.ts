/**
 * The data dictionary of quality control: what each metric means, its unit, and which direction is bad. Names are those
 * of QSIPrep's `_desc-image_qc.tsv` and of eddy_quad's `qc.json` where the figure is the same.
 */
import type { MetricInfo } from './types.ts';

const AXES = ['x', 'y', 'z'] as const;

/** Facts of a series, under `raw_` as acquired and under `t1_` as corrected (QSIPrep's prefix; here in native space). */
function seriesMetrics(prefix: string, what: string): Record<string, MetricInfo> {
  return {
    ...Object.fromEntries(
      AXES.map((axis) => [
        `${prefix}_dimension_${axis}`,
        { description: `Voxels along ${axis} of the series ${what}`, worse: 'none' },
      ]),
    ),
    ...Object.fromEntries(
      AXES.map((axis) => [
        `${prefix}_voxel_size_${axis}`,
        { description: `Voxel size along ${axis} of the series ${what}`, units: 'mm', worse: 'none' },
      ]),
    ),
    [`${prefix}_max_b`]: {
      description: `Largest b value of the series ${what}`,
      units: 's/mm^2',
      worse: 'none',
    },
    [`${prefix}_num_directions`]: {
      description: `Diffusion-weighted volumes of the series ${what}`,
      worse: 'low',
    },
    [`${prefix}_neighbor_corr`]: {
      description: `Neighbouring DWI correlation (Yeh 2019) ${what}: mean over the weighted volumes of the correlation with their nearest neighbour in q space, all voxels`,
      worse: 'low',
    },
    [`${prefix}_masked_neighbor_corr`]: {
      description: `Neighbouring DWI correlation (Yeh 2019) ${what}, voxels of the brain mask`,
      worse: 'low',
    },
    [`${prefix}_num_bad_slices`]: {
      description: `Slices that lost their signal in the series ${what}`,
      units: 'slices',
      worse: 'high',
    },
  };
}

const MOTION: Record<string, MetricInfo> = {
  qc_mot_abs: {
    description: 'Mean over volumes of the RMS displacement of the brain against the first volume (eddy)',
    units: 'mm',
    worse: 'high',
  },
  qc_mot_rel: {
    description: 'Mean over volumes of the RMS displacement of the brain against the volume before (eddy)',
    units: 'mm',
    worse: 'high',
  },
  mot_abs_max: {
    description: 'Largest RMS displacement of the brain against the first volume',
    units: 'mm',
    worse: 'high',
  },
  mot_rel_max: {
    description: 'Largest RMS displacement of the brain between consecutive volumes',
    units: 'mm',
    worse: 'high',
  },
  mean_fd: {
    description: 'Mean framewise displacement (Power 2012, rotations on a sphere of 50 mm)',
    units: 'mm',
    worse: 'high',
  },
  max_fd: { description: 'Largest framewise displacement', units: 'mm', worse: 'high' },
  max_rotation: { description: 'Largest rotation about one axis', units: 'rad', worse: 'high' },
  max_translation: { description: 'Largest translation along one axis', units: 'mm', worse: 'high' },
  max_rel_rotation: {
    description: 'Largest rotation about one axis between consecutive volumes',
    units: 'rad',
    worse: 'high',
  },
  max_rel_translation: {
    description: 'Largest translation along one axis between consecutive volumes',
    units: 'mm',
    worse: 'high',
  },
  bvec_rotation_mean: {
    description: 'Mean angle by which head rotation turned the gradient directions',
    units: 'degrees',
    worse: 'high',
  },
  bvec_rotation_max: {
    description: 'Largest angle by which head rotation turned a gradient direction',
    units: 'degrees',
    worse: 'high',
  },
  ...Object.fromEntries(
    AXES.map((axis) => [
      `eddy_current_std_${axis}`,
      {
        description: `Standard deviation over volumes of the linear eddy-current term along ${axis} (eddy_quad: qc_params_avg, 7 to 9)`,
        units: 'Hz/mm',
        worse: 'high',
      } as const,
    ]),
  ),
};

const SIGNAL: Record<string, MetricInfo> = {
  qc_outliers_tot: { description: 'Slices eddy found to be outliers, of all', units: '%', worse: 'high' },
  max_outlier_slices: {
    description: 'Most outlier slices in one volume, of its slices',
    units: '%',
    worse: 'high',
  },
  raw_bad_slices: {
    description: 'Slices that lost their signal in the raw series, of all',
    units: '%',
    worse: 'high',
  },
  raw_num_spikes: {
    description:
      'Slices of the raw series with stripes or flashes: residuals far above those of the same slice elsewhere',
    units: 'slices',
    worse: 'high',
  },
  b0_median_snr: {
    description:
      'Median SNR of the b0s in the brain: over time with three or more, else from the difference of two (NEMA MS 1)',
    worse: 'low',
  },
  tensor_residual: {
    description: 'Median over the brain of the RMS residual of the tensor fit over the signal at b = 0',
    units: '%',
    worse: 'high',
  },
  signal_drift: {
    description: 'Change of the b0 signal in the brain over the series, by a straight line (Vos 2017)',
    units: '%',
    worse: 'none',
  },
  signal_drift_abs: {
    description: 'Largest change of the b0 signal in the brain over a set, whatever its sign',
    units: '%',
    worse: 'high',
  },
  ghost_ratio: {
    description:
      'Nyquist ghost: signal half a field of view along the phase encoding from the brain, less the background, over the signal of the brain (Giannelli 2010)',
    units: '%',
    worse: 'high',
  },
};

const TISSUE: Record<string, MetricInfo> = {
  fa_wm_mean: { description: 'Mean FA of white matter (FA > 0.25 and MD < 1.1e-3 mm2/s)', worse: 'low' },
  md_wm_mean: { description: 'Mean MD of white matter', units: 'mm^2/s', worse: 'none' },
  fa_gm_mean: { description: 'Mean FA of grey matter (FA < 0.2 and MD 0.6 to 1.2e-3 mm2/s)', worse: 'none' },
  md_gm_mean: { description: 'Mean MD of grey matter', units: 'mm^2/s', worse: 'none' },
  md_csf_mean: {
    description: 'Mean MD of fluid (FA < 0.2 and MD > 2e-3 mm2/s)',
    units: 'mm^2/s',
    worse: 'none',
  },
  brain_volume: { description: 'Volume of the brain mask', units: 'ml', worse: 'low' },
  brain_cut_superior: {
    description: 'Brain in the topmost slice of the field of view, of its largest slice: the vertex is cut',
    units: '%',
    worse: 'high',
  },
  brain_cut_inferior: {
    description: 'Brain in the lowest slice of the field of view, of its largest slice: the base is cut',
    units: '%',
    worse: 'high',
  },
};

const GRADIENTS: Record<string, MetricInfo> = {
  bvec_coherence: {
    description:
      'Fibre coherence (Schilling 2019) of the gradient table as given, over the best of its 24 axis orders and signs; 1: it is the best',
    worse: 'low',
  },
  bvec_margin: {
    description:
      'Fibre coherence of the table as given over the best other; below 1 another table fits better',
    worse: 'low',
  },
};

const SUSCEPTIBILITY: Record<string, MetricInfo> = {
  ...Object.fromEntries(
    [
      ['median', 'Median'],
      ['minimum', 'Lowest value'],
      ['maximum', 'Highest value'],
      ['mean', 'Mean'],
      ['standard_deviation', 'Standard deviation'],
    ].map(([name, words]) => [
      `fieldmap_hz_${name}`,
      {
        description: `${words} of the susceptibility field in the brain`,
        units: 'Hz',
        worse: 'none',
      } as const,
    ]),
  ),
  qc_vox_displ_std: {
    description: 'Standard deviation in the brain of the displacement by the susceptibility field',
    units: 'voxels',
    worse: 'none',
  },
  ap_pa_corr_raw: {
    description: 'Correlation in the brain of the mean b0s of opposed phase encoding, as acquired',
    worse: 'none',
  },
  ap_pa_corr: {
    description: 'Correlation in the brain of the mean b0s of opposed phase encoding, after topup',
    worse: 'low',
  },
  ap_pa_gain: {
    description:
      'What topup closed of the gap between opposed b0s: 1 - (1 - r after)/(1 - r before); at or below 0 it made them worse',
    worse: 'low',
  },
};

const REGISTRATION: Record<string, MetricInfo> = {
  mni_dice_distance: {
    description: '1 - Dice overlap of the brain mask and the template, in template space',
    worse: 'high',
  },
  template_coverage: { description: "Share of the template's brain that has data", worse: 'low' },
  template_corr: {
    description: 'Correlation of FA with the template, in the template’s brain',
    worse: 'low',
  },
  warp_jacobian_min: {
    description: 'Smallest Jacobian of the warp in the brain; 0 or less: folded',
    worse: 'low',
  },
  warp_jacobian_max: { description: 'Largest Jacobian of the warp in the brain', worse: 'high' },
  warp_folds: {
    description: 'Template voxels of the brain where the warp folds',
    units: 'voxels',
    worse: 'high',
  },
  roi_coverage_min: { description: 'Smallest share of a region that has data', worse: 'low' },
};

const LONGITUDINAL: Record<string, MetricInfo> = {
  coregistration_corr: {
    description: 'Correlation in the brain of both sessions’ FA after alignment',
    worse: 'low',
  },
  coregistration_dice: {
    description: 'Dice overlap of both sessions’ brain masks after alignment',
    worse: 'low',
  },
  md_wm_difference: {
    description: 'Median over white matter of MD(baseline) - MD(follow-up), of their mean',
    units: '%',
    worse: 'none',
  },
  md_wm_cv: {
    description: 'Median over white matter of the within-subject coefficient of variation of MD',
    units: '%',
    worse: 'high',
  },
  md_icc: {
    description:
      'Agreement of MD between sessions over the voxels of grey and white matter: ICC(A,1) (McGraw & Wong 1996)',
    worse: 'low',
  },
  csf_md_ratio: {
    description: 'MD of fluid, follow-up over baseline: it should not change',
    worse: 'none',
  },
  gain_ratio: {
    description:
      'b0 over weighted signal in the brain, follow-up over baseline: scaling of b0s alone biases MD',
    worse: 'none',
  },
  csf_md_drift: { description: 'Distance of csf_md_ratio from 1', units: '%', worse: 'high' },
  gain_drift: { description: 'Distance of gain_ratio from 1', units: '%', worse: 'high' },
  protocol_differences: {
    description: 'Differences between the sessions’ grids, b values, directions and phase encodings',
    worse: 'high',
  },
};

/** Metrics of a session with fixed names, in the order of the table's columns. */
export const SESSION_METRICS: Readonly<Record<string, MetricInfo>> = {
  ...seriesMetrics('raw', 'as acquired'),
  ...seriesMetrics('t1', 'as corrected'),
  ...MOTION,
  ...SIGNAL,
  ...TISSUE,
  ...GRADIENTS,
  ...SUSCEPTIBILITY,
  ...REGISTRATION,
};

/** Metrics of two sessions of a subject. */
export const LONGITUDINAL_METRICS: Readonly<Record<string, MetricInfo>> = LONGITUDINAL;

/** Columns of the confounds file, in their order. */
export const CONFOUNDS: Readonly<Record<string, MetricInfo>> = {
  framewise_displacement: {
    description: 'Framewise displacement (Power 2012, rotations on a sphere of 50 mm)',
    units: 'mm',
    worse: 'high',
  },
  ...Object.fromEntries(
    AXES.map((axis) => [
      `trans_${axis}`,
      { description: `Translation along ${axis} (eddy)`, units: 'mm', worse: 'none' } as const,
    ]),
  ),
  ...Object.fromEntries(
    AXES.map((axis) => [
      `rot_${axis}`,
      { description: `Rotation about ${axis} (eddy)`, units: 'rad', worse: 'none' } as const,
    ]),
  ),
  bval: { description: 'b value', units: 's/mm^2', worse: 'none' },
  ...Object.fromEntries(
    AXES.map((axis) => [
      `grad_${axis}`,
      { description: `Gradient direction as acquired, ${axis}`, worse: 'none' } as const,
    ]),
  ),
  pe: { description: 'Row of acqparams: which phase encoding', worse: 'none' },
  outlier_slices: { description: 'Slices eddy found to be outliers', units: 'slices', worse: 'high' },
  dropped_slices: {
    description: 'Slices of the raw volume that lost their signal',
    units: 'slices',
    worse: 'high',
  },
  spiked_slices: {
    description: 'Slices of the raw volume with stripes or flashes',
    units: 'slices',
    worse: 'high',
  },
  raw_neighbor_corr: {
    description: 'Correlation of the raw volume with its nearest neighbour in q space, in the brain',
    worse: 'low',
  },
  t1_neighbor_corr: {
    description: 'Correlation of the corrected volume with its nearest neighbour in q space, in the brain',
    worse: 'low',
  },
};

/** Metrics that come once per shell or phase encoding: what the number in their name means. */
const NUMBERED: readonly (readonly [RegExp, (n: string, part: string) => MetricInfo])[] = [
  [
    /^qc_outliers_b(\d+)$/,
    (b) => ({ description: `Outlier slices of the volumes at b = ${b}`, units: '%', worse: 'high' }),
  ],
  [
    /^qc_outliers_pe(\d+)$/,
    (row) => ({
      description: `Outlier slices of the volumes with the phase encoding of row ${row} of acqparams`,
      units: '%',
      worse: 'high',
    }),
  ],
  [
    /^b(\d+)_median_cnr$/,
    (b) => ({
      description: `Median contrast-to-noise at b = ${b}: SD over directions of the predicted signal over that of the residual`,
      worse: 'low',
    }),
  ],
  [
    /^CNR(\d+)_(mean|median|standard_deviation)$/,
    (i, part) => ({
      description: `${part.replace('_', ' ')} over the brain of ${i === '0' ? 'the SNR of the b0s' : `the contrast-to-noise of shell ${i}, from the lowest b`}`,
      worse: part === 'standard_deviation' ? 'none' : 'low',
    }),
  ],
];

/** What a metric means; undefined for a name that is none. */
export function infoOf(name: string): MetricInfo | undefined {
  for (const fixed of [SESSION_METRICS, LONGITUDINAL_METRICS, CONFOUNDS])
    if (Object.hasOwn(fixed, name)) return fixed[name];
  for (const [pattern, info] of NUMBERED) {
    const match = pattern.exec(name);
    if (match) return info(match[1], match[2] ?? '');
  }
  return undefined;
}
