/** A session's figures under the names of eddy_quad's qc.json (Bastiani 2019, NeuroImage 184:801). */
import { meanOf, standardDeviation } from '../../imaging/qc/numbers.ts';
import { b0sOf, shellsOf, weightedOf } from '../../imaging/qc/shells.ts';
import type { MeasuredSession } from './session.ts';

/** As `qc.json` has it; a figure that is not known is null, and its flag false. */
export function eddyQuad(found: MeasuredSession): Record<string, unknown> {
  const { metrics, protocol, parameters, spreads, displacement } = found;
  const { bvals, schemes, index, grid } = protocol;
  const shells = shellsOf(bvals);
  const distinct = [...new Set(shells)].filter((b) => b > 0).sort((a, b) => a - b);
  const rows = [...schemes.keys()].map((row) => row + 1);
  const column = (p: number) => (parameters ?? []).map((row) => row[p]);
  const vectors = schemes.map(({ axis, sign }) => [0, 1, 2].map((c) => (c === axis ? sign : 0)));
  return {
    data_no_dw_vols: weightedOf(bvals).length,
    data_no_b0_vols: b0sOf(bvals).length,
    data_no_PE_dirs: schemes.length,
    // Volumes per scheme: the b0s, then each shell.
    data_protocol: rows.flatMap((row) =>
      [0, ...distinct].map((b) => shells.filter((shell, t) => shell === b && index[t] === row).length),
    ),
    data_no_shells: distinct.length,
    data_unique_bvals: distinct,
    data_unique_pes: vectors,
    data_eddy_para: schemes.flatMap(({ readoutSeconds }, row) => [...vectors[row], readoutSeconds]),
    data_vox_size: [...grid.voxelSizes],
    qc_mot_abs: metrics['qc_mot_abs'] ?? null,
    qc_mot_rel: metrics['qc_mot_rel'] ?? null,
    qc_params_flag: parameters !== undefined,
    // Means of the movement's six parameters, standard deviations of the linear eddy-current terms.
    qc_params_avg: parameters
      ? [
          ...[0, 1, 2, 3, 4, 5].map((p) => meanOf(column(p))),
          ...[6, 7, 8].map((p) => standardDeviation(column(p))),
        ]
      : null,
    qc_s2v_params_flag: false,
    qc_s2v_params_avg_std: null,
    qc_field_flag: displacement.length > 0,
    qc_vox_displ_std: displacement.length > 0 ? displacement : null,
    qc_ol_flag: metrics['qc_outliers_tot'] !== undefined,
    qc_outliers_tot: metrics['qc_outliers_tot'] ?? null,
    qc_outliers_b: distinct.map((b) => metrics[`qc_outliers_b${b}`] ?? null),
    qc_outliers_pe: rows.map((row) => metrics[`qc_outliers_pe${row}`] ?? null),
    qc_cnr_flag: found.hasCnrMaps,
    qc_cnr_avg: spreads.map(({ mean }) => mean),
    qc_cnr_std: spreads.map(({ deviation }) => deviation),
    qc_rss_flag: false,
  };
}
