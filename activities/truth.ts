/** For simulated cohorts: how well what was planted came out. */
import { join } from 'node:path';
import type { Study } from '../config/study.ts';
import { readTable } from '../config/tables.ts';
import type { SubjectRow } from '../statistics/plan.ts';
import type { TruthRow } from './report/types.ts';

/** Where the simulator keeps the truth, below the BIDS folder. Real cohorts have none. */
export const TRUTH_TABLE = join('derivatives', 'truth', 'truth_roi_md.tsv');

/**
 * Compares measured MD and dMD with the simulator's, per region.
 * @returns undefined where the dataset is not simulated
 */
export async function recoveredTruth(
  study: Study,
  table: readonly SubjectRow[],
): Promise<TruthRow[] | undefined> {
  const { table: truth, problems } = await readTable(join(study.bids, TRUTH_TABLE));
  if (problems.length > 0) return undefined;
  const [baseline, followup] = study.sessions;
  const planted = new Map(
    truth.rows.map(({ cells }) => [
      `${cells['participant_id']} ${cells['session']} ${cells['roi']}`,
      Number(cells['md']),
    ]),
  );
  const at = (subject: string, label: string | null, roi: string) =>
    planted.get(`${subject} ${label} ${roi}`);
  const rows: TruthRow[] = [];
  for (const { name } of study.rois.labels) {
    const md: [number, number][] = [];
    const change: [number, number][] = [];
    for (const row of table) {
      const before = at(row.subject, baseline.label, name);
      const measured = row.baselineMd[name];
      if (before !== undefined && measured != null) md.push([before, measured]);
      const after = followup && at(row.subject, followup.label, name);
      const measuredChange = row.change[name];
      if (before !== undefined && after !== undefined && measuredChange != null)
        change.push([before - after, measuredChange]);
    }
    if (md.length > 0) rows.push(compare(name, 'MD', md));
    if (change.length > 0) rows.push(compare(name, 'dMD', change));
  }
  return rows;
}

function compare(roi: string, quantity: TruthRow['quantity'], pairs: readonly [number, number][]): TruthRow {
  const n = pairs.length;
  const mean = (k: 0 | 1) => pairs.reduce((sum, pair) => sum + pair[k], 0) / n;
  const [truth, measured] = [mean(0), mean(1)];
  let squares = 0;
  let [xx, yy, xy] = [0, 0, 0];
  for (const [x, y] of pairs) {
    squares += (y - x) ** 2;
    xx += (x - truth) ** 2;
    yy += (y - measured) ** 2;
    xy += (x - truth) * (y - measured);
  }
  const correlation = n > 2 && xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : null;
  return { roi, quantity, n, truth, measured, rmse: Math.sqrt(squares / n), correlation };
}
