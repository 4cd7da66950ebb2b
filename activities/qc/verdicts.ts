/**
 * From metrics to verdicts, in words: each figure against its thresholds, against the cohort, and one session against the
 * other. Pure.
 */
import { median } from '../../statistics/descriptive.ts';
import type { MetricInfo, Metrics, SubjectQc } from './types.ts';

/** From good to bad. */
export const LEVELS = ['pass', 'warn', 'exclude'] as const;
export type Level = (typeof LEVELS)[number];

/** Where a metric begins to be doubtful, and where it cannot be used. */
export interface Threshold {
  readonly warn?: number;
  readonly exclude?: number;
}

/** Why a verdict is not `pass`. */
export interface Reason {
  readonly level: Exclude<Level, 'pass'>;
  /** Name of the metric; absent where none was measured. */
  readonly metric?: string;
  /** Without `ses-`; absent where it is about the pair of sessions, or there is no session level. */
  readonly session?: string;
  readonly why: string;
}

/** Worst reasons first. */
export interface SubjectVerdict {
  readonly subject: string;
  readonly level: Level;
  readonly sessions: readonly { readonly session: string | null; readonly level: Level }[];
  readonly reasons: readonly Reason[];
}

/** What figures are held against. */
export interface Rules {
  readonly dictionary: Readonly<Record<string, MetricInfo>>;
  readonly thresholds: Readonly<Record<string, Threshold>>;
  /** Modified z-score from which a figure is an outlier of its cohort. */
  readonly mad: number;
}

const badness = (level: Level) => LEVELS.indexOf(level);
const worstOf = (reasons: readonly Reason[]): Level =>
  reasons.reduce<Level>((worst, { level }) => (badness(level) > badness(worst) ? level : worst), 'pass');

/** Three figures, or as many as tell a value from its limit. */
function apart(value: number, limit: number): [string, string] {
  for (let digits = 3; digits < 15; digits++) {
    const texts: [string, string] = [plain(value, digits), plain(limit, digits)];
    if (texts[0] !== texts[1]) return texts;
  }
  return [String(value), String(limit)];
}

const plain = (value: number, digits = 3) => String(Number(value.toPrecision(digits)));

/** `Mean framewise displacement` */
const nameOf = (metric: string, { description }: MetricInfo) => description || metric;

const withUnits = (value: string, { units }: MetricInfo) => (units === undefined ? value : `${value} ${units}`);

function againstThreshold(
  metric: string,
  value: number,
  info: MetricInfo,
  { warn, exclude }: Threshold,
): Pick<Reason, 'level' | 'metric' | 'why'> | undefined {
  if (info.worse === 'none') return undefined;
  const isBeyond = (limit: number | undefined): limit is number =>
    limit !== undefined && (info.worse === 'high' ? value > limit : value < limit);
  const level = isBeyond(exclude) ? 'exclude' : isBeyond(warn) ? 'warn' : undefined;
  if (level === undefined) return undefined;
  const [shown, limit] = apart(value, (level === 'exclude' ? exclude : warn) as number);
  const side = info.worse === 'high' ? 'above' : 'below';
  return { level, metric, why: `${nameOf(metric, info)} ${withUnits(shown, info)}, ${side} ${limit}` };
}
