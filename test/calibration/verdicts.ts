/** What one analysed cohort says of each test: did it reject a truth, does its interval hold it? */
import type { Result } from '../../statistics/errors.ts';
import type { InteractionModel } from '../../statistics/interaction.ts';
import { type FixedEffect, mixedModel, sessionByGroup } from '../../statistics/mixed-model.ts';
import { freedmanLane } from '../../statistics/permutation.ts';
import type { CohortAnalysis, SubjectRow } from '../../statistics/plan.ts';
import { randomStream } from '../../statistics/random.ts';
import { groupEffectAt, type TrialEffects, trialTruth } from '../../statistics/simulated-trial.ts';
import type { TTest } from '../../statistics/t-test.ts';

/** One test of one cohort: wrong once in twenty cohorts, if it is what it says. */
export interface Verdict {
  /** Tests that are alike. */
  readonly family: string;
  readonly test: string;
  readonly wrong: boolean;
}

function known<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`a simulated cohort gave no value: ${result.reason}`);
  return result.value;
}

const LEVEL = 0.05;
const TERMS = ['change', 'group', 'interaction'] as const;

const SESSIONS = ['baseline', 'followup'];
/** Share of follow-up sessions that are taken away before the mixed model sees the cohort. */
const LACKING = 0.1;

/** How MD changes more with treatment, by the mixed model, some subjects lacking their follow-up. */
function sessionTimesGroup(
  effects: TrialEffects,
  table: readonly SubjectRow[],
  roi: string,
  seed: number,
): FixedEffect {
  const random = randomStream(seed);
  const rows = table.flatMap(({ subject, group, baselineMd, change }) => {
    const before = { subject, group, session: SESSIONS[0], value: baselineMd[roi]! };
    const after = { ...before, session: SESSIONS[1], value: before.value - change[roi]! };
    return random.uniform() < LACKING ? [before] : [before, after];
  });
  return mixedModel({ ...sessionByGroup(rows, SESSIONS, effects.groups), method: 'REML' }).fixed[3];
}

const MIXED_FAMILY = `mixed model, session x group, ${100 * LACKING} % of follow-ups lacking`;

/** Of a cohort without effects: whether permutation and the mixed model found one. */
export function falseAlarmsBeyondPlan(
  effects: TrialEffects,
  table: readonly SubjectRow[],
  seed: number,
): Verdict[] {
  const group = table.map((row) => (row.group === effects.groups.treatment ? 1 : 0));
  return effects.scores.flatMap(({ name, region }) => {
    const change = table.map((row) => row.change[region]!);
    const { p } = freedmanLane(
      { name, values: table.map((row) => row.scores[name]!) },
      { name: 'dMD x group', values: change.map((v, i) => v * group[i]) },
      [
        { name: 'dMD', values: change },
        { name: 'group', values: group },
      ],
      { permutations: 999, seed },
    );
    return [
      { family: 'permutation of dMD x group', test: `${name} on ${region}`, wrong: p <= LEVEL },
      {
        family: MIXED_FAMILY,
        test: region,
        wrong: sessionTimesGroup(effects, table, region, seed).p < LEVEL,
      },
    ];
  });
}

/** Of a cohort without effects: whether each test found one at p < .05. */
export function falseAlarms(analysis: CohortAnalysis): Verdict[] {
  const verdicts: Verdict[] = [];
  const add = (family: string, test: string, p: number) => verdicts.push({ family, test, wrong: p < LEVEL });
  const compare = (what: string, test: string, result: Result<TTest>) => {
    const { student, welch } = known(result);
    add(`t-test of ${what}, Student`, test, student.p);
    add(`t-test of ${what}, Welch`, test, welch.p);
  };
  for (const { variable, result } of analysis.outcomeTests) compare('d-score', variable, result);
  for (const { variable, result, winsorized } of analysis.changeTests) {
    compare('dMD', variable, result);
    if (winsorized) compare('dMD Winsorized', variable, winsorized);
  }
  for (const { variable, result } of analysis.baselineTests) compare('baseline MD', variable, result);
  for (const { outcome, roi, change, covariates, result } of analysis.regressions) {
    const { dummyCoded } = known(result);
    for (const term of TERMS)
      add(
        `slope of ${dummyCoded[term].term}, ${change}${covariates.length > 0 ? ', covariates' : ''}`,
        `${outcome} on ${roi}`,
        dummyCoded[term].p,
      );
  }
  for (const { outcome, roi, group, result } of analysis.correlations)
    add('correlation within a group', `${outcome} with ${roi}, ${group}`, known(result).p);
  return verdicts;
}

/**
 * Of a cohort with effects: whether the 95 % intervals miss the truth. Only where the interval's own assumptions hold: the
 * region that the score follows, Welch's interval of the d-scores (whose spread differs between groups), raw dMD.
 */
export function misses(
  analysis: CohortAnalysis,
  effects: TrialEffects,
  table: readonly SubjectRow[],
  seed: number,
): Verdict[] {
  const truth = trialTruth(effects);
  const verdicts: Verdict[] = [];
  const add = (family: string, test: string, [low, high]: readonly [number, number], value: number) =>
    verdicts.push({ family, test, wrong: value < low || value > high });
  for (const { variable, result } of analysis.changeTests) {
    const { student, welch } = known(result);
    add('difference of dMD, Student', variable, student.ci95, truth.changeDifference[variable]);
    add('difference of dMD, Welch', variable, welch.ci95, truth.changeDifference[variable]);
  }
  for (const { variable, result } of analysis.baselineTests)
    add('difference of baseline MD, Student', variable, known(result).student.ci95, 0);
  for (const [i, score] of truth.scores.entries()) {
    const { name, region } = score;
    const mixed = sessionTimesGroup(effects, table, region, seed);
    add(MIXED_FAMILY, region, mixed.ci95, truth.changeDifference[region]);
    const test = analysis.outcomeTests.find(({ variable }) => variable === name)!;
    add('difference of d-score, Welch', name, known(test.result).welch.ci95, score.difference);
    // The model's centre is the cohort's own mean, so the true slope of group differs from cohort to cohort.
    const centre = table.reduce((sum, row) => sum + row.change[region]!, 0) / table.length;
    const group = groupEffectAt(effects.scores[i], centre);
    const ours = ({ outcome, roi }: { outcome: string; roi: string }) => outcome === name && roi === region;
    for (const { change, covariates, result } of analysis.regressions.filter(ours)) {
      if (change === 'winsorized') continue;
      const { dummyCoded }: InteractionModel = known(result);
      const true_ = { change: score.slope, group, interaction: score.interaction };
      for (const term of TERMS)
        add(
          `slope of ${dummyCoded[term].term}${covariates.length > 0 ? ', covariates' : ''}`,
          `${name} on ${region}`,
          dummyCoded[term].ci95,
          true_[term],
        );
    }
    for (const { group: arm, result } of analysis.correlations.filter(ours)) {
      const which = arm === effects.groups.reference ? 'reference' : 'treatment';
      const { ci95 } = known(result);
      if (ci95)
        add('correlation within a group', `${name} with ${region}, ${arm}`, ci95, score.correlation[which]);
    }
  }
  return verdicts;
}
