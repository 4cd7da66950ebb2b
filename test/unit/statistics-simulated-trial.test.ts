/** The simulated table: its size, its truth, that the plan finds it, and what the command writes. */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { simulateTable } from '../../cli/simulated-table.ts';
import { readTable } from '../../config/tables.ts';
import { analysePlan } from '../../statistics/analyse.ts';
import { mean, sd } from '../../statistics/descriptive.ts';
import { pearson } from '../../statistics/pearson.ts';
import { randomStream } from '../../statistics/random.ts';
import {
  groupEffectAt,
  PLANTED_TRIAL,
  simulateTrial,
  trialPlan,
  trialTable,
  trialTruth,
  withoutEffects,
} from '../../statistics/simulated-trial.ts';

/** A cohort so large that estimates come near the truth. */
const LARGE = { ...PLANTED_TRIAL, n: { reference: 2000, treatment: 2000 } };

describe('a simulated trial', () => {
  test('has the published size, equal for equal seeds, groups dealt at random', () => {
    const cohort = simulateTrial(PLANTED_TRIAL, randomStream(1));
    const groups = cohort.map(({ group }) => group);
    expect(groups.filter((group) => group === 'vehicle')).toHaveLength(31);
    expect(groups.filter((group) => group === 'ketamine')).toHaveLength(67);
    expect(new Set(cohort.map(({ subject }) => subject)).size).toBe(98);
    expect(simulateTrial(PLANTED_TRIAL, randomStream(1))).toEqual(cohort);
    const other = simulateTrial(PLANTED_TRIAL, randomStream(2));
    expect(other.map(({ group }) => group)).not.toEqual(groups);
  });

  test('scores are whole and within their range; a score that starts at its end stays there', () => {
    const low = {
      ...PLANTED_TRIAL,
      scores: PLANTED_TRIAL.scores.map((score) => ({ ...score, baseline: { mean: 2, sd: 3 } })),
    };
    for (const { scores } of simulateTrial(low, randomStream(3)))
      for (const { name, range } of low.scores)
        for (const points of Object.values(scores[name])) {
          expect(Number.isInteger(points)).toBe(true);
          expect(points).toBeGreaterThanOrEqual(range[0]);
          expect(points).toBeLessThanOrEqual(range[1]);
        }
  });

  test('regions have the spread and correlation that were asked for', () => {
    const cohort = simulateTrial(LARGE, randomStream(4)).filter(({ group }) => group === 'vehicle');
    const change = (roi: string) => cohort.map((person) => person.change[roi]);
    // Of 2000: 4 standard errors, sd / sqrt n, sd / sqrt 2n, (1 - r2) / sqrt n.
    expect(Math.abs(mean(change('vACC')))).toBeLessThan((4 * 2e-5) / Math.sqrt(2000));
    expect(Math.abs(sd(change('vACC')) / 2e-5 - 1)).toBeLessThan(4 / Math.sqrt(4000));
    const { r } = pearson(change('vACC'), change('lBA10'));
    expect(Math.abs(r - 0.4)).toBeLessThan((4 * 0.84) / Math.sqrt(2000));
    const md = cohort.map(({ baselineMd }) => baselineMd['lBA10']);
    expect(Math.abs(mean(md) - 8e-4)).toBeLessThan((4 * 4e-5) / Math.sqrt(2000));
  });

  test('the plan finds the truth in a large cohort', () => {
    const table = trialTable(simulateTrial(LARGE, randomStream(5)));
    const analysis = analysePlan(trialPlan(LARGE), table);
    const truth = trialTruth(LARGE);
    /** Within 4 standard errors. */
    const near = (value: number, true_: number, se: number) =>
      expect(Math.abs(value - true_)).toBeLessThan(4 * se);
    for (const { variable, result } of analysis.changeTests) {
      if (!result.ok) throw new Error(result.reason);
      near(result.value.difference, truth.changeDifference[variable], result.value.welch.se);
    }
    for (const [i, score] of truth.scores.entries()) {
      const { result } = analysis.outcomeTests[i];
      if (!result.ok) throw new Error(result.reason);
      near(result.value.difference, score.difference, result.value.welch.se);
      const about = (cell: { outcome: string; roi: string }) =>
        cell.outcome === score.name && cell.roi === score.region;
      const centre = mean(table.map((row) => row.change[score.region]!));
      const models = analysis.regressions.filter((cell) => about(cell) && cell.change === 'raw');
      expect(models.map(({ covariates }) => covariates.length)).toEqual([0, 3]);
      for (const { result: model } of models) {
        if (!model.ok) throw new Error(model.reason);
        const { change, group, interaction, regression } = model.value.dummyCoded;
        near(change.b, score.slope, change.se);
        near(group.b, groupEffectAt(LARGE.scores[i], centre), group.se);
        near(interaction.b, score.interaction, interaction.se);
        const resistance = regression.slopes.find(({ term }) => term === 'treatment_resistance');
        expect(resistance === undefined).toBe(regression.slopes.length === 3);
        if (resistance) near(resistance.b, LARGE.scores[i].resistance, resistance.se);
      }
      for (const { group, result: correlation } of analysis.correlations.filter(about)) {
        if (!correlation.ok) throw new Error(correlation.reason);
        const expected = score.correlation[group === 'vehicle' ? 'reference' : 'treatment'];
        near(Math.atanh(correlation.value.r), Math.atanh(expected), 1 / Math.sqrt(2000 - 3));
      }
    }
  });

  test('without effects the truth is zero everywhere', () => {
    const { changeDifference, scores } = trialTruth(withoutEffects(PLANTED_TRIAL));
    expect(Object.values(changeDifference).every((value) => value === 0)).toBe(true);
    for (const { difference, slope, interaction, correlation } of scores)
      expect(
        [difference, slope, interaction, correlation.reference, correlation.treatment].map(Math.abs),
      ).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('on disk', () => {
  test('tables, plan and truth; a folder that is not empty is refused', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'simulated-table-'));
    try {
      const options = { seed: 3, n: { reference: 4, treatment: 5 }, effects: true };
      const { participants, roiMd, plan } = await simulateTable(join(folder, 'a'), options);
      const people = (await readTable(participants)).table;
      expect(people.rows).toHaveLength(9);
      expect(people.rows[0].cells).toMatchObject({ participant_id: 'sub-01' });
      expect(Object.keys(people.rows[0].cells)).toEqual(
        expect.arrayContaining(['group', 'treatment_resistance', 'madrs_baseline', 'qids_24h']),
      );
      const md = (await readTable(roiMd)).table.rows.map(({ cells }) => cells);
      expect(md).toHaveLength(9 * 2 * 7);
      // The table's two sessions differ by the change that was drawn, to the ten digits written.
      const [person] = simulateTrial({ ...PLANTED_TRIAL, n: options.n }, randomStream(3));
      const at = (session: string) =>
        Number(md.find((row) => row['roi'] === 'vACC' && row['session'] === session)!['md']);
      expect(Math.abs(at('baseline') - at('24h') - person.change['vACC'])).toBeLessThan(1e-12);
      const told = JSON.parse(await readFile(plan, 'utf8'));
      for (const name of told.plan.covariates[0])
        if (name !== 'baselineMd') expect(people.rows[0].cells).toHaveProperty(name);
      expect(told).toMatchObject({
        seed: 3,
        plan: { outcomes: ['MADRS', 'QIDS'] },
        truth: { changeDifference: { vACC: -1e-5 } },
      });
      const again = await simulateTable(join(folder, 'b'), options);
      expect(await readFile(again.roiMd)).toEqual(await readFile(roiMd));
      const none = await simulateTable(join(folder, 'c'), { ...options, effects: false });
      expect(JSON.parse(await readFile(none.plan, 'utf8')).truth.changeDifference.vACC).toBe(0);
      await expect(simulateTable(join(folder, 'a'), options)).rejects.toThrow('is not empty');
      expect((await readdir(folder)).sort()).toEqual(['a', 'b', 'c']);
      await mkdir(join(folder, 'empty'));
      await simulateTable(join(folder, 'empty'), options);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
