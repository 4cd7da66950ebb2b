/** The statistics as tidy tables: one row per test, term or check, with a reason where it could not be made. */
import type { CohortAnalysis } from '../../statistics/plan.ts';
import { ancovas, equivalences, tTests } from './group-tests.ts';
import { correlations, mixedModels, regressions, tableTwo } from './models.ts';
import { sensitivities } from './sensitivity.ts';
import type { Table } from './table.ts';
import { tableOne } from './table-one.ts';

/** Name of the file, without its extension -> its table. */
export function statisticsTables(analysis: CohortAnalysis): Record<string, Table> {
  return {
    group_table1: tableOne(analysis),
    group_table2: tableTwo(analysis),
    group_ttests: tTests(analysis),
    group_regressions: regressions(analysis),
    group_correlations: correlations(analysis),
    group_ancova: ancovas(analysis),
    group_mixed_model: mixedModels(analysis),
    group_sensitivity: sensitivities(analysis),
    group_equivalence: equivalences(analysis),
  };
}
