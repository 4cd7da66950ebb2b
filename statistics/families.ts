/** Tests that answer one question about several regions, and their p adjusted for being several. */
import { adjustP } from './multiplicity.ts';
import type { AnalysisPlan, ChangeTest, Family, InteractionCell } from './plan.ts';

/** Group tests of raw dMD, then primary interactions as the plan's `families` says. */
export function familiesOf(
  plan: AnalysisPlan,
  changeTests: readonly ChangeTest[],
  regressions: readonly InteractionCell[],
): Family[] {
  const interactions = (name: string, outcomes: readonly string[]) =>
    family(
      name,
      regressions
        .filter((cell) => outcomes.includes(cell.outcome) && cell.change === 'raw' && !cell.covariates.length)
        .map(({ outcome, roi, result }) => ({
          outcome,
          roi,
          p: result.ok ? result.value.dummyCoded.interaction.p : undefined,
        })),
    );
  const alone = plan.families === 'all' ? [] : plan.outcomes;
  return [
    family(
      'dMD',
      changeTests.map(({ variable, result }) => ({
        roi: variable,
        p: result.ok ? result.value.student.p : undefined,
      })),
    ),
    ...(plan.families === 'all' ? [interactions('all outcomes', plan.outcomes)] : []),
    ...[...alone, ...(plan.exploratory ?? [])].map((name) => interactions(name, [name])),
  ];
}

/** Adjusts the p of those tests that could be made. */
function family(
  name: string,
  tests: readonly { readonly outcome?: string; readonly roi: string; readonly p: number | undefined }[],
): Family {
  const made = tests.flatMap(({ p, ...test }) => (p === undefined ? [] : [{ ...test, p }]));
  const p = made.map((member) => member.p);
  const [holm, fdr] = [adjustP(p, 'holm'), adjustP(p, 'benjamini-hochberg')];
  return { name, members: made.map((member, i) => ({ ...member, holm: holm[i], fdr: fdr[i] })) };
}
