/** The group's results for a terminal: dMD by group, statistics, and how well a simulated truth came out. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pc from 'picocolors';
import { type FinalRow, GROUP_FILES } from '../activities/finish.ts';
import type { TruthRow } from '../activities/report/types.ts';
import type { CohortAnalysis } from '../statistics/plan.ts';
import { columns } from './output.ts';

async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

/** The table of a study's last finished run, from its outputs. */
export async function lastRows(output: string): Promise<FinalRow[] | undefined> {
  return (await readJson<{ rows: FinalRow[] }>(join(output, GROUP_FILES.cohort)))?.rows;
}

const um = (mm2PerS: number, digits = 3) => (mm2PerS * 1e3).toFixed(digits);
const pText = (p: number) => (p < 0.001 ? '< .001' : `= ${p.toFixed(3).replace(/^0/, '')}`);

function changeLines({ plan, changeTests }: CohortAnalysis): string[] {
  const rows = changeTests.map(({ variable, result }) => {
    if (!result.ok) return [variable, '', '', result.reason, ''];
    const { first, second, student } = result.value;
    return [
      variable,
      `${um(first.mean, 4)} ± ${um(first.sd, 4)}`,
      `${um(second.mean, 4)} ± ${um(second.sd, 4)}`,
      `t(${student.df}) = ${student.t.toFixed(2)}`,
      `p ${pText(student.p)}`,
    ];
  });
  return columns(rows, ['dMD (1e-3 mm2/s)', plan.groups.reference, plan.groups.treatment, '', '']);
}

function outcomeLines({ outcomeTests }: CohortAnalysis): string[] {
  return outcomeTests.map(({ variable, result }) =>
    result.ok
      ? `d-${variable}: t(${result.value.student.df}) = ${result.value.student.t.toFixed(2)}, p ${pText(result.value.student.p)}`
      : `d-${variable}: ${result.reason}`,
  );
}

function regressionLines({ regressions }: CohortAnalysis): string[] {
  const primary = regressions.filter((r) => r.covariates.length === 0 && r.change === 'raw');
  const rows = primary.map(({ outcome, roi, n, result }) => {
    if (!result.ok) return [`d-${outcome}`, roi, String(n), result.reason, '', ''];
    const { interaction, regression } = result.value.dummyCoded;
    return [
      `d-${outcome}`,
      roi,
      String(n),
      `beta = ${interaction.beta.toFixed(3)}`,
      `t = ${interaction.t.toFixed(3)}, p ${pText(interaction.p)}`,
      `R2 = ${regression.r2.toFixed(3)}`,
    ];
  });
  return columns(rows, ['outcome', 'region', 'n', 'dMD x group', '', '']);
}

function truthLines(truth: readonly TruthRow[]): string[] {
  return columns(
    truth.map(({ roi, quantity, truth, measured, rmse, correlation }) => [
      roi,
      quantity,
      um(truth, 4),
      um(measured, 4),
      um(rmse, 4),
      correlation === null ? '' : correlation.toFixed(2),
    ]),
    ['region', '', 'truth', 'measured', 'RMSE', 'r'],
  );
}

/** Lines to print after a run; empty where a study has neither statistics nor truth. */
export async function resultLines(outputFolder: string): Promise<string[]> {
  const analysis = await readJson<CohortAnalysis>(join(outputFolder, GROUP_FILES.statistics));
  const truth = await readJson<TruthRow[]>(join(outputFolder, GROUP_FILES.truth));
  const heading = (text: string) => ['', pc.bold(text)];
  return [
    ...(analysis
      ? [
          ...heading('Change in mean diffusivity by group'),
          ...changeLines(analysis),
          ...heading('Outcomes by group'),
          ...outcomeLines(analysis),
          ...heading('Does dMD predict the outcome differently in the groups?'),
          ...regressionLines(analysis),
        ]
      : []),
    ...(truth ? [...heading('Recovered truth (1e-3 mm2/s)'), ...truthLines(truth)] : []),
  ];
}
