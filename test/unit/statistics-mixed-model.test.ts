/** Mixed models against lme4 with lmerTest (resampling.R), and statsmodels (resampling.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type MixedModel,
  mixedModel,
  type SessionRow,
  sessionByGroup,
} from '../../statistics/mixed-model.ts';
import { randomStream } from '../../statistics/random.ts';
import { linearRegression } from '../../statistics/regression.ts';
import { tTest } from '../../statistics/t-test.ts';

type Expected = Pick<MixedModel, 'variance' | 'icc' | 'logLikelihood' | 'aic'> & {
  fixed: { b: number; se: number; df: number; t: number; p: number }[];
};
interface Fixture {
  name: string;
  subject: string[];
  columns: Record<string, number[]>;
  terms: string[];
  expected: { REML: Expected; ML: Expected };
}
interface Statsmodels {
  name: string;
  REML: { b: number[]; subject: number; residual: number; logLikelihood: number };
  ML: { b: number[]; subject: number; residual: number; logLikelihood: number };
}

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/statistics/${name}.json`, import.meta.url), 'utf8'));
const fixtures: Fixture[] = read('mixed-model');
const statsmodels: Statsmodels[] = read('mixed-model-statsmodels');
const methods = ['REML', 'ML'] as const;

const fitted = ({ subject, columns, terms }: Fixture, method: 'REML' | 'ML') =>
  mixedModel({
    outcome: { name: 'y', values: columns['y'] },
    terms: terms.map((name) => ({ name, values: columns[name] })),
    subject,
    method,
  });

/** Within a share of itself. */
function near(ours: number, theirs: number, share: number, what: string) {
  expect(Math.abs(ours - theirs), `${what}: ${ours} against ${theirs}`).toBeLessThanOrEqual(
    share * Math.abs(theirs),
  );
}

describe.each(fixtures)('as lme4: $name', (fixture) => {
  test.each(methods)('%s', (method) => {
    const ours = fitted(fixture, method);
    const theirs = fixture.expected[method];
    // lme4's optimizer compares deviances, so its variances are good to about 1e-6 of themselves; the likelihood, flat
    // there, to 1e-10. lmerTest differentiates numerically: degrees of freedom to 1e-4.
    near(ours.logLikelihood, theirs.logLikelihood, 1e-9, 'log likelihood');
    near(ours.aic, theirs.aic, 1e-9, 'AIC');
    near(ours.variance.residual, theirs.variance.residual, 1e-5, 'residual variance');
    const total = theirs.variance.subject + theirs.variance.residual;
    expect(Math.abs(ours.variance.subject - theirs.variance.subject)).toBeLessThan(1e-5 * total);
    expect(ours.icc).toBeCloseTo(theirs.icc, 5);
    expect(ours.singular).toBe(theirs.icc < 1e-9);
    expect(ours.fixed).toHaveLength(theirs.fixed.length);
    for (const [k, { b, se, df, t, p }] of theirs.fixed.entries()) {
      const one = ours.fixed[k];
      expect(Math.abs(one.b - b), one.term).toBeLessThan(1e-6 * se);
      near(one.se, se, 1e-5, `se of ${one.term}`);
      expect(Math.abs(one.t - t)).toBeLessThan(1e-5 * (1 + Math.abs(t)));
      near(one.df, df, 1e-4, `df of ${one.term}`);
      near(one.p, p, 1e-3, `p of ${one.term}`);
    }
  });
});

test.each(statsmodels)('as statsmodels: $name', ({ name, ...theirs }) => {
  const fixture = fixtures.find((one) => one.name === name)!;
  for (const method of methods) {
    const ours = fitted(fixture, method);
    const expected = theirs[method];
    near(ours.logLikelihood, expected.logLikelihood, 1e-6, `${method} log likelihood`);
    // Where its optimizer stops: gradients of 1e-10 of a flat likelihood.
    near(ours.variance.residual, expected.residual, 1e-3, `${method} residual variance`);
    near(ours.variance.subject, expected.subject, 1e-3, `${method} subject variance`);
    for (const [k, b] of expected.b.entries())
      expect(Math.abs(ours.fixed[k].b - b)).toBeLessThan(1e-3 * ours.fixed[k].se);
  }
});

/** Two sessions of a trial in mm2/s. */
function trial(seed: number, reference = 31, treatment = 67): SessionRow[] {
  const random = randomStream(seed);
  return Array.from({ length: reference + treatment }, (_, i) => {
    const own = 8e-4 + 4e-5 * random.normal();
    const group = i < reference ? 'vehicle' : 'ketamine';
    const fall = group === 'ketamine' ? 1e-5 : 0;
    return (['baseline', '24h'] as const).map((session) => ({
      subject: `sub-${i}`,
      session,
      group,
      value: own + 1.5e-5 * random.normal() - (session === '24h' ? fall : 0),
    }));
  }).flat();
}
const groups = { reference: 'vehicle', treatment: 'ketamine' };
const sessions = ['baseline', '24h'];

describe('session x group', () => {
  test('with both sessions of everybody, the product is the t-test of dMD', () => {
    const rows = trial(1);
    const model = mixedModel({ ...sessionByGroup(rows, sessions, groups), method: 'REML' });
    expect(model.fixed.map(({ term }) => term)).toEqual([
      '(intercept)',
      'session=24h',
      'group',
      'session=24h x group',
    ]);
    const change = (group: string) =>
      rows
        .filter((row) => row.group === group && row.session === 'baseline')
        .map((row) => row.value - rows.find((r) => r.subject === row.subject && r.session === '24h')!.value);
    const { student, difference } = tTest(change('vehicle'), change('ketamine'));
    const product = model.fixed[3];
    // The slope is the rise with treatment beyond that without: -(fall of ketamine - fall of vehicle).
    expect(product.b / difference).toBeCloseTo(1, 8);
    expect(product.t).toBeCloseTo(student.t, 7);
    expect(product.df).toBeCloseTo(96, 6);
    expect(product.p).toBeCloseTo(student.p, 8);
    expect([model.observations, model.subjects, model.singular]).toEqual([196, 98, false]);
  });

  test('covers the planted change with sessions lacking at random', () => {
    let covered = 0;
    const cohorts = 200;
    for (let seed = 1; seed <= cohorts; seed++) {
      const random = randomStream(50, seed);
      const rows = trial(seed, 12, 12).filter(() => random.uniform() > 0.2);
      const [, , , { ci95 }] = mixedModel({
        ...sessionByGroup(rows, sessions, groups),
        method: 'REML',
      }).fixed;
      if (ci95[0] < -1e-5 && ci95[1] > -1e-5) covered++;
    }
    // 95 %, with 4 Monte-Carlo standard errors of 1.54 points.
    expect(Math.abs(covered / cohorts - 0.95)).toBeLessThan(0.062);
  });

  test('without variance between subjects it is the ordinary regression', () => {
    const fixture = fixtures.find(({ name }) => name === 'no variance between subjects')!;
    const model = fitted(fixture, 'REML');
    const plain = linearRegression(
      { name: 'y', values: fixture.columns['y'] },
      fixture.terms.map((name) => ({ name, values: fixture.columns[name] })),
    );
    expect(model).toMatchObject({ singular: true, icc: 0, variance: { subject: 0 } });
    for (const [k, slope] of plain.slopes.entries()) {
      expect(model.fixed[k + 1].se / slope.se).toBeCloseTo(1, 9);
      expect(model.fixed[k + 1].df).toBeCloseTo(plain.df2, 6);
      expect(model.fixed[k + 1].ci95[0]).toBeCloseTo(slope.ci95[0], 9);
    }
  });

  test('does not depend on units', () => {
    const fixture = fixtures[2];
    const plain = fitted(fixture, 'REML');
    const scaled = { ...fixture.columns, y: fixture.columns['y'].map((v) => 1e-9 * v) };
    const small = fitted({ ...fixture, columns: scaled }, 'REML');
    for (const [k, { t, df }] of plain.fixed.entries()) {
      expect(small.fixed[k].t / t).toBeCloseTo(1, 8);
      expect(small.fixed[k].df / df).toBeCloseTo(1, 6);
    }
    const { observations } = plain;
    const gained = -(observations - plain.fixed.length) * Math.log(1e-9);
    expect(small.logLikelihood - plain.logLikelihood).toBeCloseTo(gained, 6);
  });

  test('degenerate input is named', () => {
    const rows = trial(1, 4, 4);
    const input = { ...sessionByGroup(rows, sessions, groups), method: 'REML' } as const;
    const twice = { ...input, terms: [...input.terms, { ...input.terms[0], name: 'again' }] };
    expect(() => mixedModel(twice)).toThrow('again is a combination');
    const once = rows.filter(({ session }) => session === 'baseline');
    const alone = { ...sessionByGroup(once, sessions, groups), method: 'REML' } as const;
    expect(() => mixedModel(alone)).toThrow('session=24h does not vary');
    expect(() => mixedModel({ ...alone, terms: [alone.terms[1]] })).toThrow('no subject was measured twice');
    const still = rows.map((row, i) => ({ ...row, value: rows[i - (i % 2)].value }));
    expect(() => mixedModel({ ...sessionByGroup(still, sessions, groups), method: 'REML' })).toThrow(
      /within subjects|without error/,
    );
    expect(() => mixedModel({ ...sessionByGroup([], sessions, groups), method: 'ML' })).toThrow(
      'of at least',
    );
  });
});
