/** The plan of a trial: who is left out and why, and that one bad cell does not lose the rest. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analysePlan } from '../../statistics/analyse.ts';
import type { AnalysisPlan, SubjectRow } from '../../statistics/plan.ts';

const plan: AnalysisPlan = {
  groups: { reference: 'vehicle', treatment: 'ketamine' },
  rois: ['lBA10', 'vACC'],
  outcomes: ['MADRS'],
  exploratory: ['QIDS'],
  covariates: [['age', 'baselineMd'], ['site']],
  winsorize: 'tukey',
};

/** Twenty subjects, ten a group, numbers that vary without chance. */
const table: SubjectRow[] = Array.from({ length: 20 }, (_, i) => ({
  subject: `sub-${String(i + 1).padStart(2, '0')}`,
  group: i < 10 ? 'vehicle' : 'ketamine',
  change: { lBA10: Math.sin(i * 7) * 1e-5, vACC: Math.cos(i * 5) * 1e-5 },
  baselineMd: { lBA10: 8e-4 + Math.sin(i * 3) * 1e-5, vACC: 8e-4 + Math.cos(i * 2) * 1e-5 },
  scores: { MADRS: 10 + Math.sin(i * 11) * 5 + (i < 10 ? 0 : 4), QIDS: 5 + Math.cos(i * 13) * 3 },
  covariates: { age: 30 + ((i * 37) % 23), site: ['Houston', 'Pittsburgh', 'Boston'][i % 3] },
}));

const replaced = (index: number, change: Partial<SubjectRow>) =>
  table.map((row, i) => (i === index ? { ...row, ...change } : row));

describe('the plan', () => {
  test('covers every outcome, region, covariate set and group, in order', () => {
    const analysis = analysePlan(plan, table);
    expect(analysis.n).toEqual({ reference: 10, treatment: 10 });
    expect(analysis.outcomeTests.map((c) => [c.variable, c.exploratory])).toEqual([
      ['MADRS', false],
      ['QIDS', true],
    ]);
    expect(analysis.changeTests.map((c) => c.variable)).toEqual(['lBA10', 'vACC']);
    expect(analysis.baselineTests.map((c) => c.variable)).toEqual(['lBA10', 'vACC']);
    // 2 outcomes x 2 regions x (no, two sets of) covariates x (raw, Winsorized).
    expect(analysis.regressions).toHaveLength(2 * 2 * 3 * 2);
    expect(analysis.correlations).toHaveLength(2 * 2 * 2);
    expect(analysis.regressions.every((c) => c.n === 20 && c.result.ok && c.leftOut.length === 0)).toBe(true);
    const bySite = analysis.regressions.find((c) => c.covariates[0] === 'site')!.result;
    if (!bySite.ok) throw new Error(bySite.reason);
    expect(bySite.value.dummyCoded.regression.slopes.map((s) => s.term)).toEqual([
      'dMD',
      'group',
      'dMD x group',
      'site=Houston',
      'site=Pittsburgh',
    ]);
  });

  test('adjusts p by families of regions, and checks primary interactions of raw dMD where asked to', () => {
    const { families, changeTests, regressions } = analysePlan(
      { ...plan, checks: { permutations: 2000, seed: 1 } },
      table,
    );
    expect(families.map(({ name, members }) => [name, members.map(({ roi }) => roi)])).toEqual([
      ['dMD', ['lBA10', 'vACC']],
      ['MADRS', ['lBA10', 'vACC']],
      ['QIDS', ['lBA10', 'vACC']],
    ]);
    for (const { members } of families) {
      const [low, high] = [...members].sort((a, b) => a.p - b.p);
      // Of two tests Holm doubles the smaller p; neither method makes one smaller.
      expect(low.holm).toBeCloseTo(Math.min(1, 2 * low.p), 12);
      expect(high.holm).toBeGreaterThanOrEqual(Math.max(high.p, low.holm));
      expect(high.fdr).toBeCloseTo(high.p, 12);
    }
    for (const { effect, result } of changeTests) {
      if (!effect.ok || !result.ok) throw new Error('no effect');
      expect(effect.value.cohensD.value).toBeCloseTo(result.value.cohensD, 12);
      expect(Math.abs(effect.value.hedgesG.value)).toBeLessThan(Math.abs(result.value.cohensD));
    }
    for (const { checks, result, change, covariates } of regressions) {
      const isPrimary = change === 'raw' && covariates.length === 0;
      expect(checks !== undefined).toBe(isPrimary);
      if (!checks) continue;
      if (!checks.ok || !result.ok) throw new Error('no checks');
      const { interaction } = result.value.dummyCoded;
      expect(checks.value.hc3.b).toBeCloseTo(interaction.b, 6);
      expect(checks.value.hc3.se).not.toBe(interaction.se);
      // Errors here are even: three standard errors of 2000 permutations.
      const se = Math.sqrt((interaction.p * (1 - interaction.p)) / 2000);
      expect(Math.abs(checks.value.permutation.p - interaction.p)).toBeLessThan(3 * se + 0.03);
    }
  });

  test('both codings give the interaction one t', () => {
    for (const { result } of analysePlan(plan, table).regressions) {
      if (!result.ok) throw new Error(result.reason);
      const { dummyCoded, zScored } = result.value;
      expect(dummyCoded.interaction.t).toBeCloseTo(zScored.interaction.t, 9);
      // z-scored columns: the slope is already the standardized one, for all but the unscaled product.
      expect(zScored.change.b).toBeCloseTo(zScored.change.beta, 12);
    }
  });

  test('differences are reference minus treatment', () => {
    const { result } = analysePlan(plan, table).outcomeTests[0];
    if (!result.ok) throw new Error(result.reason);
    expect(result.value.second.mean).toBeGreaterThan(result.value.first.mean);
    expect(result.value.difference).toBeLessThan(0);
    expect(result.value.student.t).toBeLessThan(0);
    expect(result.value.student.df).toBe(18);
  });

  test('leaves a subject out only where a value is missing, and says which', () => {
    const rows = replaced(3, {
      scores: { MADRS: null, QIDS: 4 },
      change: { lBA10: 1e-5, vACC: Number.NaN },
    });
    const analysis = analysePlan(plan, rows);
    const cell = (outcome: string, roi: string) =>
      analysis.regressions.find((c) => c.outcome === outcome && c.roi === roi && c.covariates.length === 0)!;
    expect(cell('QIDS', 'lBA10').n).toBe(20);
    expect(cell('MADRS', 'lBA10').leftOut).toEqual([{ subject: 'sub-04', why: 'no MADRS' }]);
    expect(cell('MADRS', 'vACC').leftOut).toEqual([{ subject: 'sub-04', why: 'no MADRS, no dMD in vACC' }]);
    expect(analysis.changeTests[0].n).toBe(20);
    expect(analysis.changeTests[1].n).toBe(19);
  });

  test('other groups and repeated subjects are left out by name', () => {
    const rows = [...replaced(0, { group: 'open label' }), table[5]];
    expect(analysePlan(plan, rows).leftOut).toEqual([
      { subject: 'sub-01', why: 'group open label is not compared' },
      { subject: 'sub-06', why: 'a second row of this subject' },
    ]);
  });

  test('one bad region costs its own cells only', () => {
    const rows = table.map((row) => ({ ...row, change: { ...row.change, vACC: 0 } }));
    const { changeTests, regressions } = analysePlan(plan, rows);
    expect(changeTests[1].result).toMatchObject({ ok: false, code: 'CONSTANT' });
    expect(changeTests[1].winsorized).toMatchObject({ ok: false, code: 'CONSTANT' });
    expect(changeTests[0].result.ok).toBe(true);
    for (const { roi, result } of regressions) expect(result.ok).toBe(roi === 'lBA10');
  });

  test('names the subjects that Winsorizing pulled in', () => {
    const rows = replaced(12, { change: { lBA10: 9e-4, vACC: 1e-6 } });
    const { changeTests } = analysePlan(plan, rows);
    expect(changeTests.map((c) => c.pulled)).toEqual([['sub-13'], []]);
    expect(analysePlan({ ...plan, winsorize: 'none' }, rows).changeTests[0].winsorized).toBeNull();
    const few = analysePlan({ ...plan, winsorize: { percentile: 5 } }, rows.slice(8, 10));
    expect(few.changeTests[0].winsorized).toMatchObject({ ok: false, code: 'TOO_FEW' });
    expect(few.regressions.every(({ result }) => !result.ok)).toBe(true);
  });

  test('an empty table gives reasons, not an exception', () => {
    const analysis = analysePlan(plan, []);
    const results = [...analysis.outcomeTests, ...analysis.changeTests, ...analysis.regressions];
    expect(results.every(({ result }) => !result.ok)).toBe(true);
  });

  test('never a number that is none, whatever the table', () => {
    const value = fc.oneof(
      fc.constant(null),
      fc.constant(0),
      fc.integer({ min: -2, max: 2 }),
      fc.double({ noNaN: false }),
      fc.double({ min: -1e-5, max: 1e-5, noNaN: true }),
    );
    const row = fc.record({
      subject: fc.integer({ min: 1, max: 30 }).map(String),
      group: fc.constantFrom('vehicle', 'ketamine', ''),
      change: fc.record({ lBA10: value, vACC: value }),
      baselineMd: fc.record({ lBA10: value, vACC: value }),
      scores: fc.record({ MADRS: value, QIDS: value }),
      sessionScores: fc.record({ MADRS: fc.record({ baseline: value, followup: value }) }),
      covariates: fc.record({ age: value, site: fc.constantFrom('A', 'B', null) }),
      characteristics: fc.record({ age: value, site: fc.constantFrom('A', 'B', null) }),
    });
    const everything: AnalysisPlan = {
      ...plan,
      characteristics: ['age', 'site'],
      winsorize: { percentile: 10 },
      checks: { permutations: 20, seed: 1 },
      sensitivity: { equivalence: { d: 0.5 }, bootstrap: { resamples: 20, seed: 1 }, cluster: 'site' },
    };
    fc.assert(
      fc.property(fc.array(row, { maxLength: 24 }), (rows) => {
        visit(analysePlan(everything, rows));
      }),
      { seed: 24, numRuns: 150 },
    );
  });
});

function visit(value: unknown, path = 'analysis'): void {
  if (typeof value === 'number') expect(Number.isFinite(value), `${path} = ${value}`).toBe(true);
  else if (value !== null && typeof value === 'object')
    for (const [key, inner] of Object.entries(value)) visit(inner, `${path}.${key}`);
}
