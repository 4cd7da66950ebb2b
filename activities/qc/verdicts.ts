/**
 * From metrics to verdicts, in words: each figure against its limits, and against the cohort. A pair of sessions is held to
 * limits like a session: drift of fluid MD and of the gain, and protocols that differ, are metrics of the pair. Pure.
 */

import { infoOf } from '../../pipeline/qc/dictionary.ts';
import { crossings, type Threshold } from '../../pipeline/qc/thresholds.ts';
import type { MetricInfo, Metrics, SubjectQc } from '../../pipeline/qc/types.ts';
import { quantile } from '../../statistics/descriptive.ts';

/** From good to bad. */
export const LEVELS = ['pass', 'warn', 'exclude'] as const;
export type Level = (typeof LEVELS)[number];

/** Why a verdict is not `pass`. */
export interface Reason {
  readonly level: Exclude<Level, 'pass'>;
  /** Name of the metric; absent where nothing was measured. */
  readonly metric?: string;
  /** Without `ses-`, null without a session level; absent where it is about the pair of sessions. */
  readonly session?: string | null;
  /** Such as `mean framewise displacement 1.9 mm, above 1`. */
  readonly why: string;
}

export interface SubjectVerdict {
  readonly subject: string;
  readonly level: Level;
  readonly sessions: readonly { readonly session: string | null; readonly level: Level }[];
  /** Worst first. */
  readonly reasons: readonly Reason[];
}

/** What figures are held against. */
export interface Rules {
  readonly thresholds: readonly Threshold[];
  /** Modified z-score beyond which a figure is an outlier of its cohort. */
  readonly mad: number;
}

/** A set of sessions, or of pairs, to be compared with each other. */
interface Measured {
  readonly subject: string;
  readonly session?: string | null;
  readonly metrics: Metrics;
}

/** A spread estimated from fewer is too loose to call anything an outlier of it. */
const LEAST_FOR_OUTLIERS = 10;
/** The median absolute deviation of a normal distribution is so many standard deviations. */
const MAD_OF_SD = 0.6745;

export const worstOf = (reasons: Iterable<Pick<Reason, 'level'>>): Level =>
  [...reasons].reduce<Level>(
    (worst, { level }) => (LEVELS.indexOf(level) > LEVELS.indexOf(worst) ? level : worst),
    'pass',
  );

/** Names in a sentence where the description is none. */
const NAMES: Readonly<Record<string, string>> = {
  csf_md_drift: 'change of the MD of fluid between the sessions',
  gain_drift: 'change of the b0/DWI gain between the sessions',
  protocol_differences: 'differences of protocol between the sessions:',
};

/** The metric's name in a sentence: its description without asides and explanations. */
function nameOf(metric: string): string {
  if (Object.hasOwn(NAMES, metric)) return NAMES[metric];
  const [words] = (infoOf(metric)?.description ?? metric).replace(/\s*\([^)]*\)/g, '').split(/[,:;]/, 1);
  // Abbreviations (FA, MD) and people's names stay as they are.
  return /^(?!Dice|Nyquist)[A-Z][a-z]/.test(words) ? words[0].toLowerCase() + words.slice(1) : words;
}

function withUnits(value: string, info: MetricInfo | undefined): string {
  return info?.units === undefined ? value : `${value} ${info.units}`;
}

/** Three figures, or as many as tell a value from its limit where it is beyond it. */
function figures(value: number, limit: number): string {
  const text = (x: number, digits: number) => String(Number(x.toPrecision(digits)));
  let digits = 3;
  while (digits < 15 && value !== limit && text(value, digits) === text(limit, digits)) digits++;
  return text(value, digits);
}

function beyondLimits({ session, metrics }: Measured, thresholds: readonly Threshold[]): Reason[] {
  return crossings(metrics, thresholds).map(({ metric, value, level, warn, exclude }) => {
    const limit = level === 'exclude' ? exclude! : warn;
    const info = infoOf(metric);
    const side = value === limit ? 'at the limit of' : info?.worse === 'high' ? 'above' : 'below';
    const shown = withUnits(figures(value, limit), info);
    return { level, metric, session, why: `${nameOf(metric)} ${shown}, ${side} ${limit}` };
  });
}

/**
 * The smallest distance from the median that matters: half the way to where somebody should look. Spreads of good cohorts
 * are narrow, and their outermost figures are good ones. Without a limit, a tenth of the median.
 */
function leastThatMatters(centre: number, threshold: Threshold | undefined): number {
  return threshold === undefined ? Math.abs(centre) / 10 : Math.abs(threshold.warn - centre) / 2;
}

/**
 * Figures far from the others' (Iglewicz & Hoaglin 1993, modified z-score), on the side that is bad for the metric; metrics
 * that only describe have none. Where more than half of the values are the same, nothing can be said of the spread.
 */
function outliers(group: readonly Measured[], { thresholds, mad }: Rules): Map<Measured, Reason[]> {
  const found = new Map<Measured, Reason[]>();
  const names = new Set(group.flatMap(({ metrics }) => Object.keys(metrics)));
  for (const metric of names) {
    const info = infoOf(metric);
    if (info === undefined || info.worse === 'none') continue;
    const known = group.flatMap((one) => {
      const value = one.metrics[metric];
      return typeof value === 'number' && Number.isFinite(value) ? [{ one, value }] : [];
    });
    if (known.length < LEAST_FOR_OUTLIERS) continue;
    const values = known.map(({ value }) => value);
    const centre = quantile(values, 0.5);
    const spread = quantile(
      values.map((value) => Math.abs(value - centre)),
      0.5,
    );
    if (spread <= 10 * Number.EPSILON * Math.abs(centre)) continue;
    const sign = info.worse === 'low' ? -1 : 1;
    const least = leastThatMatters(
      centre,
      thresholds.find((threshold) => threshold.metric === metric),
    );
    for (const { one, value } of known) {
      const beyond = sign * (value - centre);
      if ((MAD_OF_SD * beyond) / spread <= mad || beyond < least) continue;
      const shown = withUnits(figures(value, centre), info);
      found.set(one, [
        ...(found.get(one) ?? []),
        {
          level: 'warn',
          metric,
          session: one.session,
          why: `${nameOf(metric)} ${shown}, an outlier of the cohort (median ${figures(centre, value)})`,
        },
      ]);
    }
  }
  return found;
}

/** Facts of the acquisition: sessions that differ in them are compared with their own kind only. */
const PROTOCOL = /^raw_(dimension_|voxel_size_|max_b$|num_directions$)/;

/** Protocol of a session, by its metrics; scanners round voxel sizes differently. */
function signatureOf({ metrics }: Measured): string {
  return Object.keys(metrics)
    .filter((name) => PROTOCOL.test(name))
    .sort()
    .map((name) => `${name} ${metrics[name]?.toFixed(2)}`)
    .join(', ');
}

/** Outliers of all sessions, protocol by protocol. */
function outliersByProtocol(sessions: readonly Measured[], rules: Rules): Map<Measured, Reason[]> {
  const groups = new Map<string, Measured[]>();
  for (const one of sessions) {
    const signature = signatureOf(one);
    groups.set(signature, [...(groups.get(signature) ?? []), one]);
  }
  return new Map([...groups.values()].flatMap((group) => [...outliers(group, rules)]));
}

/**
 * Verdicts on the subjects of a cohort, in its order. Outliers of the cohort only warn. A subject without any metric is
 * warned of: nobody knows how good its data are.
 */
export function verdictsOf(
  cohort: readonly { readonly subject: string; readonly qc: SubjectQc }[],
  rules: Rules,
): SubjectVerdict[] {
  const measured = cohort.map(({ subject, qc }) => ({
    subject,
    sessions: qc.sessions.map(({ session, metrics }): Measured => ({ subject, session, metrics })),
    pair: qc.longitudinal && { subject, metrics: qc.longitudinal.metrics },
  }));
  const far = new Map([
    ...outliersByProtocol(
      measured.flatMap(({ sessions }) => sessions),
      rules,
    ),
    ...outliers(
      measured.flatMap(({ pair }) => pair ?? []),
      rules,
    ),
  ]);
  return measured.map(({ subject, sessions, pair }) => {
    const reasonsOf = (one: Measured): Reason[] => {
      const beyond = beyondLimits(one, rules.thresholds);
      const told = new Set(beyond.map(({ metric }) => metric));
      // A figure beyond its limit need not be called an outlier, too.
      return [...beyond, ...(far.get(one) ?? []).filter(({ metric }) => !told.has(metric))];
    };
    const reasons = [...sessions, ...(pair ? [pair] : [])].flatMap(reasonsOf);
    if (sessions.length === 0)
      reasons.push({
        level: 'warn',
        why: 'no quality metrics: made by an earlier version, retry the subject',
      });
    return {
      subject,
      level: worstOf(reasons),
      sessions: sessions.map((one) => ({ session: one.session ?? null, level: worstOf(reasonsOf(one)) })),
      reasons: reasons.sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level)),
    };
  });
}
