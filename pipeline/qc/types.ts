/** What quality control says of a session, a volume and a pair of sessions. Plain data. */

/** One figure per metric name; null where it cannot be told (and notes say why). */
export type Metrics = Readonly<Record<string, number | null>>;

/** Quality of one session. */
export interface SessionQc {
  /** `sub-01` */
  readonly subject: string;
  /** Without `ses-`; null: the data have no session level. */
  readonly session: string | null;
  readonly metrics: Metrics;
  /** What a person must know: why a figure is missing, what is wrong and how it is mended. */
  readonly notes: readonly string[];
}

/** Quality of one volume, under the names of QSIPrep's confounds file where it has the figure. */
export type VolumeQc = {
  /** Power 2012: sum of the absolute changes against the volume before, rotations as mm at 50 mm; null: the first. */
  readonly framewise_displacement: number | null;
  /** Head position as eddy found it: mm and radians. */
  readonly trans_x: number;
  readonly trans_y: number;
  readonly trans_z: number;
  readonly rot_x: number;
  readonly rot_y: number;
  readonly rot_z: number;
  /** s/mm2 */
  readonly bval: number;
  /** Gradient direction as acquired. */
  readonly grad_x: number;
  readonly grad_y: number;
  readonly grad_z: number;
  /** Row of acqparams: which phase encoding. */
  readonly pe: number;
  /** Slices that eddy calls outliers; null where eddy wrote no report. */
  readonly outlier_slices: number | null;
  /** Slices without signal, and slices with stripes or flashes, in the raw volume. */
  readonly dropped_slices: number;
  readonly spiked_slices: number;
  /** Correlation with the nearest neighbour in q space, in the mask; null where there is none. */
  readonly raw_neighbor_corr: number | null;
  readonly t1_neighbor_corr: number | null;
};

/** A subject's two sessions against each other. */
export interface LongitudinalQc {
  readonly subject: string;
  readonly metrics: Metrics;
  readonly notes: readonly string[];
}

/** All that was found of a subject. */
export interface SubjectQc {
  readonly sessions: readonly SessionQc[];
  /** Absent with one session. */
  readonly longitudinal?: LongitudinalQc;
}

/** What a metric means. */
export interface MetricInfo {
  readonly description: string;
  readonly units?: string;
  /** Which direction is bad; `none` where the figure describes and does not judge. */
  readonly worse: 'high' | 'low' | 'none';
}
