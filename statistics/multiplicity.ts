/** p values adjusted for the number of tests, as R's p.adjust. */
import { StatisticsError } from './errors.ts';

export type Adjustment = 'bonferroni' | 'holm' | 'benjamini-hochberg';

/**
 * Adjusts the p values of one family of tests; the order is kept.
 * - `bonferroni`: p times the number of tests. Family-wise error.
 * - `holm`: step-down Bonferroni (Holm 1979); never less powerful. Family-wise error.
 * - `benjamini-hochberg`: step-up (Benjamini & Hochberg 1995). False discovery rate.
 * @throws StatisticsError NOT_FINITE where a p is missing: whether it counts as a test is for the caller to decide.
 * @throws RangeError where a p is outside 0 to 1
 */
export function adjustP(p: readonly number[], method: Adjustment): number[] {
  if (!p.every(Number.isFinite)) throw new StatisticsError('NOT_FINITE', 'a p value is missing');
  if (p.some((v) => v < 0 || v > 1)) throw new RangeError('adjustP: a p value is outside 0 to 1');
  const m = p.length;
  if (method === 'bonferroni') return p.map((v) => Math.min(1, m * v));
  const ascending = p.map((_, i) => i).sort((a, b) => p[a] - p[b]);
  const adjusted: number[] = new Array(m);
  if (method === 'holm') {
    let least = 0;
    ascending.forEach((i, rank) => {
      least = Math.max(least, Math.min(1, (m - rank) * p[i]));
      adjusted[i] = least;
    });
  } else {
    let most = 1;
    for (let rank = m; rank >= 1; rank--) {
      const i = ascending[rank - 1];
      most = Math.min(most, (m / rank) * p[i]);
      adjusted[i] = most;
    }
  }
  return adjusted;
}
