/** Limits of image quality in a study file: do they name metrics, and on the side that is bad. */
import { infoOf, LONGITUDINAL_METRICS, SESSION_METRICS } from '../pipeline/qc/dictionary.ts';
import { type Finding, suggestion } from './problems.ts';
import type { QcSettings } from './schema.ts';

const NAMES = Object.keys({ ...SESSION_METRICS, ...LONGITUDINAL_METRICS });

/** Findings on the limits: a metric that does not exist or has no bad side, a warning that comes after the exclusion. */
export function qcFindings({ thresholds }: QcSettings): Finding[] {
  return Object.entries(thresholds).flatMap(([metric, { warn, exclude }]): Finding[] => {
    const keys = ['qc', 'thresholds', metric];
    const name = `qc.thresholds.${metric}`;
    const info = infoOf(metric);
    if (info?.worse === undefined)
      return [
        {
          keys,
          atKey: true,
          message: `${name} is no metric of quality control`,
          remedy: suggestion(metric, NAMES) ?? 'group_qc.json in the output folder lists the metrics',
        },
      ];
    if (info.worse === 'none')
      return [
        {
          keys,
          atKey: true,
          message: `${name} describes and does not judge: neither high nor low is bad`,
          remedy: 'Delete the line',
        },
      ];
    const isLate =
      warn !== undefined &&
      exclude !== undefined &&
      (info.worse === 'high' ? warn > exclude : warn < exclude);
    return isLate
      ? [
          {
            keys: [...keys, 'warn'],
            message: `${name}: warn (${warn}) comes after exclude (${exclude}), since ${info.worse} values are bad`,
            remedy: 'Swap the two',
          },
        ]
      : [];
  });
}
