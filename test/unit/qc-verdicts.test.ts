/** Verdicts in words: limits, outliers of the cohort, drift between sessions; and what a person's decision makes of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasonText, standingOf, thresholdsOf } from '../../activities/qc/standing.ts';
import { verdictsOf } from '../../activities/qc/verdicts.ts';
import type { Decision } from '../../pipeline/decisions.ts';
import { DEFAULT_THRESHOLDS } from '../../pipeline/qc/thresholds.ts';
import type { Metrics, SubjectQc } from '../../pipeline/qc/types.ts';

const rules = { thresholds: DEFAULT_THRESHOLDS, mad: 3.5 };

function qcOf(subject: string, pre: Metrics, post: Metrics = {}, pair?: Metrics): SubjectQc {
  return {
    sessions: [
      { subject, session: 'pre', metrics: pre, notes: [] },
      { subject, session: 'post', metrics: post, notes: [] },
    ],
    ...(pair ? { longitudinal: { subject, metrics: pair, notes: [] } } : {}),
  };
}

const verdict = (pre: Metrics, post?: Metrics, pair?: Metrics, with_ = rules) =>
  verdictsOf([{ subject: 'sub-01', qc: qcOf('sub-01', pre, post, pair) }], with_)[0];

/** Cohort of one figure per session: of the first session as given, of the second the same. */
function cohortOf(metric: string, values: readonly number[], more: (i: number) => Metrics = () => ({})) {
  return values.map((value, i) => {
    const subject = `sub-${String(i + 1).padStart(2, '0')}`;
    const metrics = { [metric]: value, ...more(i) };
    return { subject, qc: { sessions: [{ subject, session: 'pre', metrics, notes: [] }] } };
  });
}

describe('limits', () => {
  it('says which figure of which session is beyond which limit', () => {
    const found = verdict({ mean_fd: 0.2 }, { mean_fd: 1.9, qc_outliers_tot: 12.34 });
    expect(found.level).toBe('exclude');
    expect(found.sessions).toEqual([
      { session: 'pre', level: 'pass' },
      { session: 'post', level: 'exclude' },
    ]);
    expect(found.reasons).toEqual([
      expect.objectContaining({ level: 'exclude', metric: 'qc_outliers_tot', session: 'post' }),
      {
        level: 'warn',
        metric: 'mean_fd',
        session: 'post',
        why: 'mean framewise displacement 1.9 mm, above 1',
      },
    ]);
    expect(found.reasons[0].why).toMatch(/^slices eddy found to be outliers.* 12\.3 %, above 10$/);
  });

  it('passes good figures, and figures that are not known', () => {
    expect(verdict({ mean_fd: 0.2, template_corr: 0.9 }, { mean_fd: null })).toMatchObject({
      level: 'pass',
      reasons: [],
    });
  });

  it('low is bad where the metric says so', () => {
    expect(verdict({ template_corr: 0.41 }).reasons[0].why).toMatch(/0\.41, below 0\.6$/);
  });

  it('never shows a value that looks like its limit', () => {
    expect(verdict({ mean_fd: 1.00004 }).reasons[0].why).toContain('1.00004 mm, above 1');
    expect(verdict({ mean_fd: 1 }).reasons[0].why).toContain('1 mm, at the limit of 1');
  });

  it('of a study file come before the usual ones, each part by itself', () => {
    const own = thresholdsOf({ thresholds: { mean_fd: { exclude: 1.5 }, b0_median_snr: { exclude: 8 } } });
    expect(own.find(({ metric }) => metric === 'mean_fd')).toEqual({
      metric: 'mean_fd',
      warn: 1,
      exclude: 1.5,
    });
    expect(own.find(({ metric }) => metric === 'b0_median_snr')).toMatchObject({ warn: 8, exclude: 8 });
    expect(own).toHaveLength(DEFAULT_THRESHOLDS.length + 1);
    const with_ = { ...rules, thresholds: own };
    expect(verdict({ mean_fd: 1.9 }, {}, undefined, with_).level).toBe('exclude');
    expect(verdict({ b0_median_snr: 7 }, {}, undefined, with_).level).toBe('exclude');
  });

  it('a subject without any metric is warned of', () => {
    const [found] = verdictsOf([{ subject: 'sub-01', qc: { sessions: [] } }], rules);
    expect(found.level).toBe('warn');
    expect(found.reasons[0].why).toContain('no quality metrics');
  });
});

describe('pairs of sessions', () => {
  it.each([
    ['csf_md_drift', 7.5, '%'],
    ['gain_drift', 6, '%'],
    ['protocol_differences', 2, ''],
  ])('%s warns, of the pair and not of a session', (metric, value, units) => {
    const found = verdict({}, {}, { [metric]: value });
    expect(found).toMatchObject({ level: 'warn', reasons: [{ metric, level: 'warn' }] });
    expect(found.reasons[0].session).toBeUndefined();
    expect(found.reasons[0].why).toContain(`${value}${units && ` ${units}`}, above`);
    expect(found.sessions.map(({ level }) => level)).toEqual(['pass', 'pass']);
  });
});

describe('outliers of the cohort', () => {
  // Spread of SNR such as ten healthy subjects have.
  const usual = [20, 21, 19, 20.5, 19.5, 20.2, 19.8, 21.2, 18.9, 20.1, 19.9, 20.6];

  it('finds a figure far from the others, on the bad side only, and only warns', () => {
    const found = verdictsOf(cohortOf('b0_median_snr', [...usual, 10, 30]), rules);
    expect(found.filter(({ level }) => level !== 'pass').map(({ subject }) => subject)).toEqual(['sub-13']);
    expect(found[12].reasons).toEqual([
      {
        level: 'warn',
        metric: 'b0_median_snr',
        session: 'pre',
        why: expect.stringMatching(
          /^median SNR of the b0s in the brain 10, an outlier of the cohort \(median 20\.1\)$/,
        ),
      },
    ]);
  });

  it('is strict or lenient as asked', () => {
    const cohort = cohortOf('b0_median_snr', [...usual, 10]);
    expect(verdictsOf(cohort, { ...rules, mad: 20 }).every(({ level }) => level === 'pass')).toBe(true);
  });

  it('says nothing of few subjects, of equal values, and of metrics that only describe', () => {
    const none = (cohort: ReturnType<typeof cohortOf>) =>
      expect(verdictsOf(cohort, rules).every(({ level }) => level === 'pass')).toBe(true);
    none(cohortOf('b0_median_snr', [...usual.slice(0, 8), 1]));
    none(cohortOf('b0_median_snr', [...usual.map(() => 20), 1]));
    none(cohortOf('fieldmap_hz_mean', [...usual, 1000]));
  });

  it('finds nothing in the outermost of good figures', () => {
    const good = usual.map((value) => 1 - value / 2000);
    const none = (metric: string, values: readonly number[]) =>
      expect(verdictsOf(cohortOf(metric, values), rules).every(({ level }) => level === 'pass')).toBe(true);
    // A limit of 0.6: from 0.99 half the way is to 0.795.
    none('template_corr', [...good, 0.8]);
    expect(verdictsOf(cohortOf('template_corr', [...good, 0.79]), rules)[12].level).toBe('warn');
    // No limit: a tenth of the median.
    none('coregistration_dice', [...good, 0.9]);
    expect(verdictsOf(cohortOf('coregistration_dice', [...good, 0.89]), rules)[12].level).toBe('warn');
  });

  it('compares sessions with those of their own protocol', () => {
    // A third of the sessions come from a scanner with half the SNR.
    const values = [...usual, ...usual, ...usual.map((value) => value / 2)];
    const protocol = (i: number) => ({ raw_voxel_size_x: i < 2 * usual.length ? 2 : 2.5 });
    const flagged = (cohort: ReturnType<typeof cohortOf>) =>
      verdictsOf(cohort, rules).filter(({ level }) => level === 'warn').length;
    expect(flagged(cohortOf('b0_median_snr', values))).toBe(usual.length);
    expect(flagged(cohortOf('b0_median_snr', values, protocol))).toBe(0);
  });

  it('a figure beyond its limit is not called an outlier, too', () => {
    const found = verdictsOf(cohortOf('template_corr', [...usual.map((x) => x / 25), 0.1]), rules);
    expect(found[12].reasons.map(({ why }) => why)).toEqual([expect.stringContaining('below 0.6')]);
  });

  it('does not depend on the order of the cohort', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 50, noNaN: true }), { minLength: 10, maxLength: 30 }),
        fc.integer(),
        (values, seed) => {
          const cohort = cohortOf('b0_median_snr', values);
          const turn = Math.abs(seed) % cohort.length;
          const shuffled = [...cohort.slice(turn), ...cohort.slice(0, turn)].reverse();
          const levels = (found: ReturnType<typeof verdictsOf>) =>
            Object.fromEntries(found.map(({ subject, level }) => [subject, level]));
          expect(levels(verdictsOf(shuffled, rules))).toEqual(levels(verdictsOf(cohort, rules)));
        },
      ),
    );
  });
});

describe('what a decision makes of a verdict', () => {
  const bad = verdict({ qc_outliers_tot: 12 }, { mean_fd: 2 });
  const doubtful = verdict({ mean_fd: 2 });
  const decision: Decision = {
    subject: 'sub-01',
    decision: 'include',
    reason: 'outliers are in the neck',
    who: 'A. Weber',
    when: '2026-03-31T14:05:00Z',
  };

  it('a limit excludes by itself where the study says so, with the reasons of that level', () => {
    const standing = standingOf(bad, undefined, 'automatic');
    expect(standing).toEqual({ awaits: false, excluded: `excluded by QC: ${reasonText(bad)}` });
    expect(reasonText(bad)).toMatch(/^ses-pre: slices/);
    expect(reasonText(bad)).not.toContain('framewise');
  });

  it('where a person excludes, it waits for one', () => {
    expect(standingOf(bad, undefined, 'person')).toEqual({ awaits: true });
  });

  it('a warning waits, a pass does not', () => {
    expect(standingOf(doubtful, undefined, 'automatic')).toEqual({ awaits: true });
    expect(standingOf(verdict({}), undefined, 'automatic')).toEqual({ awaits: false });
  });

  it("a person's word counts more than any limit", () => {
    expect(standingOf(bad, decision, 'automatic')).toEqual({ decision, awaits: false });
    const exclude = { ...decision, decision: 'exclude', reason: 'moved' } as const;
    expect(standingOf(verdict({}), exclude, 'person')).toEqual({
      decision: exclude,
      awaits: false,
      excluded: 'excluded by QC: moved (A. Weber, 2026-03-31)',
    });
  });
});
