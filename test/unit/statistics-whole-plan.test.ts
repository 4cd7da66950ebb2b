/** A whole plan over one cohort against R's and Python's figures for it (plan.R, plan.py), whatever the order of the rows. */
import { describe, expect, test } from 'vitest';
import { analysePlan } from '../../statistics/analyse.ts';
import { type Result, unwrap } from '../../statistics/errors.ts';
import type { AnalysisPlan, CohortAnalysis, SubjectRow } from '../../statistics/plan.ts';
import { randomStream, shuffle } from '../../statistics/random.ts';
import { agree, reference } from '../fixtures/statistics/agree.ts';

type Numbers = readonly (number | null)[];
interface Fixture {
  columns: Record<'subject' | 'group' | 'site' | 'sex' | 'drug', (string | null)[]> &
    Record<'age' | 'pre' | 'post' | `md_${'a' | 'b'}_${1 | 2}`, Numbers>;
  // biome-ignore lint/suspicious/noExplicitAny: as R wrote it; every number is compared by its path
  expected: any;
}

const { columns, expected } = reference<Fixture>('plan');
// biome-ignore lint/suspicious/noExplicitAny: as above
const python = reference<any>('plan-python');

const fall = (a: number | null, b: number | null) => (a === null || b === null ? null : a - b);
const table = columns.subject.map((subject, i): SubjectRow => {
  const md = (roi: 'a' | 'b', session: 1 | 2) => columns[`md_${roi}_${session}`][i];
  const [baseline, followup] = [columns.pre[i], columns.post[i]];
  return {
    subject: subject!,
    group: columns.group[i]!,
    ...(subject === expected.excluded ? { excluded: 'moved too much' } : {}),
    change: { a: fall(md('a', 1), md('a', 2)), b: fall(md('b', 1), md('b', 2)) },
    baselineMd: { a: md('a', 1), b: md('b', 1) },
    followupMd: { a: md('a', 2), b: md('b', 2) },
    scores: { MADRS: fall(baseline, followup) },
    sessionScores: { MADRS: { baseline, followup } },
    covariates: { site: columns.site[i] },
    characteristics: { age: columns.age[i], sex: columns.sex[i], drug: columns.drug[i], pre: baseline },
  };
});
const plan: AnalysisPlan = {
  groups: { reference: 'vehicle', treatment: 'ketamine' },
  rois: ['a', 'b'],
  outcomes: ['MADRS'],
  characteristics: ['age', 'sex', 'drug', 'pre'],
  winsorize: { percentile: 10 },
  checks: { permutations: 500, seed: 1 },
  sensitivity: {
    equivalence: { d: 0.4, outcomes: { MADRS: 3 } },
    bootstrap: { resamples: 300, seed: 1 },
    cluster: 'site',
  },
};
const analysis = analysePlan(plan, table);
const primary = (of: CohortAnalysis) => of.regressions.filter((cell) => cell.change === 'raw');

describe('as R', () => {
  test('Table 1', () => {
    expect(agree(analysis.tableOne, expected.exact.tableOne)).toBeGreaterThan(40);
  });

  test('group tests, their sensitivity and analyses of covariance', () => {
    // The smallest detectable d is found back through R's noncentral pt, exact to some 1e-12 absolute.
    expect(agree(analysis.outcomeTests, expected.exact.outcomeTests, '', 1e-8)).toBeGreaterThan(30);
    expect(agree(analysis.changeTests, expected.exact.changeTests, '', 1e-8)).toBeGreaterThan(60);
  });

  test('primary interactions from all sides', () => {
    expect(agree(primary(analysis), expected.exact.models, '', 1e-8)).toBeGreaterThan(100);
  });

  test('Bayes factors', () => {
    // BayesFactor integrates to about 1e-6 of itself.
    const bf = ({ sensitivity }: { sensitivity?: { bayesFactor: Result<number> } }) =>
      unwrap(sensitivity!.bayesFactor);
    agree(bf(analysis.outcomeTests[0]), expected.bayes.outcome, 'outcome', 1e-5);
    agree(analysis.changeTests.map(bf), expected.bayes.change, 'change', 1e-5);
    agree(primary(analysis).map(bf), expected.bayes.interaction, 'interaction', 1e-5);
  });

  test('mixed models of whatever sessions there are', () => {
    for (const [k, { n, result }] of analysis.mixedModels.entries()) {
      const theirs = expected.mixedModels[k];
      const ours = unwrap(result);
      expect([n, ours.observations]).toEqual([theirs.n, theirs.result.value.observations]);
      // lmer's optimizer leaves its variances good to about 1e-6 of themselves; lmerTest differentiates numerically.
      for (const [i, { b, se, df, t }] of theirs.result.value.fixed.entries()) {
        expect(Math.abs(ours.fixed[i].b - b)).toBeLessThan(1e-5 * se);
        agree(ours.fixed[i].se, se, 'se', 1e-5);
        agree(ours.fixed[i].df, df, 'df', 1e-3);
        expect(Math.abs(ours.fixed[i].t - t)).toBeLessThan(1e-4);
      }
    }
  });
});

describe('as scipy and statsmodels', () => {
  test('Table 1', () => {
    const [age, sex, drug] = analysis.tableOne;
    if (age.kind !== 'numeric' || sex.kind !== 'categorical' || drug.kind !== 'categorical')
      throw new Error('of another kind');
    const { student, welch } = unwrap(age.test);
    const rank = unwrap(age.rankTest).p;
    agree({ student: student.p, welch: welch.p, rank }, python.age);
    const { chiSquare, fisherP } = unwrap(sex.test);
    agree({ chiSquare: chiSquare.p, fisher: unwrap(fisherP) }, python.sex);
    agree({ chiSquare: unwrap(drug.test).chiSquare.p }, python.drug);
  });

  test('group test, equivalence and analysis of covariance', () => {
    const [outcome] = analysis.outcomeTests;
    expect(agree(outcome, python.outcome)).toBe(6);
    // scipy's normal quantiles (AS 111) are good to some 1e-9.
    agree(unwrap(outcome.sensitivity!.shapiroWilk).p, python.outcomeShapiroP, 'Shapiro-Wilk', 2e-7);
    expect(agree(unwrap(outcome.ancova!.result), python.ancova)).toBe(3);
  });

  test('primary interactions and mixed models', () => {
    // statsmodels solves by singular values, and loses a digit or two.
    expect(agree(primary(analysis), python.models, '', 1e-8)).toBe(18);
    for (const [k, { result }] of analysis.mixedModels.entries())
      for (const [i, { b, se }] of python.mixedModels[k].entries()) {
        // Its optimizer stops by the likelihood, which is flat there: standard errors to some 1e-4, where R's agree to 1e-5.
        const ours = unwrap(result).fixed[i];
        expect(Math.abs(ours.b - b)).toBeLessThan(1e-4 * se);
        agree(ours.se, se, 'se', 1e-3);
      }
  });
});

describe('whatever the order of the rows', () => {
  test('every number is the same, permutations and resamples among them', () => {
    const shuffled = [...table];
    shuffle(shuffled, randomStream(5));
    expect(shuffled).not.toEqual(table);
    expect(analysePlan(plan, shuffled)).toEqual(analysis);
  });

  test('the excluded subject is in no test, and named with its reason', () => {
    expect(analysis.leftOut).toEqual([{ subject: expected.excluded, why: 'moved too much' }]);
    const others = table.filter(({ excluded }) => excluded === undefined);
    expect({ ...analysePlan(plan, others), leftOut: analysis.leftOut }).toEqual(analysis);
  });
});

describe('what is composed of parts', () => {
  test('no draw of permutation or bootstrap is kept', () => {
    // 60 subjects, 2 regions: some 60 kB; 500 draws of a slope would be 10 kB each.
    expect(JSON.stringify(analysis).length).toBeLessThan(100_000);
  });

  test('with both sessions of everybody, the mixed model tests what the t-test of dMD does', () => {
    const complete = table.filter(({ change }) => change['a'] !== null && change['b'] !== null);
    const { changeTests, mixedModels } = analysePlan(plan, complete);
    for (const [k, { result }] of mixedModels.entries()) {
      const { student } = unwrap(changeTests[k].result);
      const { b, t, df } = unwrap(result).fixed[3];
      // dMD falls by what MD rises; reference minus treatment of the fall is treatment minus reference of the rise.
      agree([b, t, df], [unwrap(changeTests[k].result).difference, student.t, student.df], 'product', 1e-6);
    }
  });

  test('bootstrap intervals lie about the least squares slopes', () => {
    for (const { result, sensitivity } of primary(analysis)) {
      const { dummyCoded } = unwrap(result);
      const intervals = unwrap(sensitivity!.bootstrap!);
      for (const name of ['change', 'group', 'interaction'] as const) {
        agree(intervals[name].estimate, dummyCoded[name].b, name, 1e-8);
        expect(intervals[name].ci95[0]).toBeLessThan(dummyCoded[name].b);
        expect(intervals[name].ci95[1]).toBeGreaterThan(dummyCoded[name].b);
      }
    }
  });

  test('families of all outcomes together', () => {
    const rows = table.map((row) => ({
      ...row,
      scores: { ...row.scores, QIDS: row.baselineMd['b'] ?? null },
    }));
    const { families } = analysePlan({ ...plan, outcomes: ['MADRS', 'QIDS'], families: 'all' }, rows);
    expect(families.map(({ name, members }) => [name, members.map((m) => `${m.outcome} ${m.roi}`)])).toEqual([
      ['dMD', ['undefined a', 'undefined b']],
      ['all outcomes', ['MADRS a', 'MADRS b', 'QIDS a', 'QIDS b']],
    ]);
    const [least] = [...families[1].members].sort((x, y) => x.p - y.p);
    expect(least.holm).toBeCloseTo(Math.min(1, 4 * least.p), 12);
  });

  test('what is not known costs its own part only, with a reason', () => {
    const lacking = table.map((row) => (row.subject === 'sub-01' ? { ...row, covariates: {} } : row));
    const [{ sensitivity, result }] = primary(analysePlan(plan, lacking));
    expect(result.ok).toBe(true);
    expect(sensitivity!.clusterRobust).toMatchObject({ ok: false, reason: 'sub-01 has no site' });
    const { followupMd: _, sessionScores: __, ...bare } = table[0];
    const changesOnly = table.map((row) => ({
      ...bare,
      ...row,
      baselineMd: {},
      followupMd: {},
      sessionScores: {},
    }));
    const { outcomeTests, changeTests, mixedModels } = analysePlan(plan, changesOnly);
    expect([...outcomeTests, ...changeTests].map(({ ancova }) => ancova)).toEqual([null, null, null]);
    expect(mixedModels[0]).toMatchObject({ n: 0, result: { ok: false, code: 'TOO_FEW' } });
    const tiny = analysePlan(plan, table.slice(0, 5));
    const reasons = primary(tiny).flatMap(({ sensitivity: parts }) =>
      Object.values(parts ?? {}).flatMap((part) => (part && !part.ok ? [part.reason] : [])),
    );
    expect(reasons.length).toBeGreaterThan(5);
    for (const reason of reasons) expect(reason).toMatch(/\w+ \w+/);
  });
});
