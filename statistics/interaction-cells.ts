/** The interaction models of one outcome and region: raw and Winsorized, alone and with each set of covariates. */
import type { Cohort, RegionalChange } from './cohort.ts';
import { attempt, type Result, unwrap } from './errors.ts';
import { type InteractionInput, interactionChecks, interactionModel } from './interaction.ts';
import { interactionSensitivity } from './interaction-sensitivity.ts';
import { addedLast } from './model-comparison.ts';
import type { InteractionCell, SubjectRow } from './plan.ts';
import { columns, completeRows, covariate, type NumericVariable, score, term } from './variables.ts';

export function interactionCells(
  { plan, rows, treated }: Cohort,
  outcomeName: string,
  exploratory: boolean,
  { roi, raw, winsorized }: RegionalChange,
): InteractionCell[] {
  const outcome = score(outcomeName);
  return [[], ...(plan.covariates ?? [])].flatMap((covariates) => {
    const variables = covariates.map((name) => covariate(name, roi));
    const { complete, leftOut } = completeRows(rows, [outcome, raw, ...variables]);
    const cell = (change: InteractionCell['change'], dMd: Result<NumericVariable>): InteractionCell => {
      const input = attempt(
        (): InteractionInput => ({
          outcome: term(complete, outcome),
          change: term(complete, unwrap(dMd)),
          treated: complete.map(treated),
          covariates: variables.flatMap((variable) => columns(complete, variable)),
        }),
      );
      const fitted = attempt(() => interactionModel(unwrap(input)));
      return {
        outcome: outcomeName,
        exploratory,
        roi,
        change,
        covariates,
        n: complete.length,
        leftOut,
        result: fitted,
        r2Change: attempt(() => {
          const { regression, interaction } = unwrap(fitted).dummyCoded;
          return addedLast(regression, interaction);
        }),
        ...(change === 'raw' && covariates.length === 0 && input.ok ? beside(input.value, complete) : {}),
      };
    };
    return [
      cell('raw', { ok: true, value: raw }),
      ...(winsorized === null ? [] : [cell('winsorized', winsorized)]),
    ];
  });

  /** What is told beside a primary model. */
  function beside(
    input: InteractionInput,
    complete: readonly SubjectRow[],
  ): Pick<InteractionCell, 'checks' | 'sensitivity'> {
    const { checks, sensitivity } = plan;
    const cluster = covariate(sensitivity?.cluster ?? '', roi);
    return {
      ...(checks ? { checks: attempt(() => interactionChecks(input, checks)) } : {}),
      ...(sensitivity
        ? {
            sensitivity: interactionSensitivity(
              input,
              complete.map((row) => row.subject),
              complete.map((row) => cluster.read(row)),
              sensitivity,
            ),
          }
        : {}),
    };
  }
}
