/** How the subjects of a study stand: what the figures say, what a person decided, and what follows for the statistics. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { QcSettings } from '../../config/schema.ts';
import type { Study } from '../../config/study.ts';
import type { Decision, Flagged } from '../../pipeline/decisions.ts';
import { DEFAULT_THRESHOLDS, type Threshold } from '../../pipeline/qc/thresholds.ts';
import type { SubjectQc } from '../../pipeline/qc/types.ts';
import { lastDecisions, readDecisions } from './decisions.ts';
import { readSubjectQc } from './publish.ts';
import { LEVELS, type SubjectVerdict, verdictsOf } from './verdicts.ts';

/** A subject's verdict with what came of it. */
export interface Standing extends SubjectVerdict {
  readonly qc: SubjectQc;
  /** The last word of a person. */
  readonly decision?: Decision;
  /** Why the statistics leave it out; absent: they do not. */
  readonly excluded?: string;
  /** Flagged, and nobody has decided. */
  readonly awaits: boolean;
}

/** The usual limits, and what the study file says instead. */
export function thresholdsOf({ thresholds }: Pick<QcSettings, 'thresholds'>): Threshold[] {
  const usual = new Map(DEFAULT_THRESHOLDS.map((threshold) => [threshold.metric, threshold]));
  const own = Object.entries(thresholds).map(([metric, { warn, exclude }]): Threshold => {
    const before = usual.get(metric);
    usual.delete(metric);
    const last = exclude ?? before?.exclude;
    return {
      metric,
      warn: warn ?? before?.warn ?? (last as number),
      ...(last === undefined ? {} : { exclude: last }),
    };
  });
  return [...own, ...usual.values()];
}

/** The reasons for the level a subject has, in one sentence. */
export function reasonText({ level, reasons }: SubjectVerdict): string {
  return reasons
    .filter((reason) => reason.level === level)
    .map(({ session, why }) => (session ? `ses-${session}: ${why}` : why))
    .join('; ');
}

/** What a verdict and a decision come to. A person's word counts more than any figure. */
export function standingOf(
  verdict: SubjectVerdict,
  decision: Decision | undefined,
  exclude: QcSettings['exclude'],
): Pick<Standing, 'decision' | 'excluded' | 'awaits'> {
  if (decision)
    return {
      decision,
      awaits: false,
      ...(decision.decision === 'exclude'
        ? { excluded: `excluded by QC: ${decision.reason} (${decision.who}, ${decision.when.slice(0, 10)})` }
        : {}),
    };
  if (verdict.level === 'exclude' && exclude === 'automatic')
    return { awaits: false, excluded: `excluded by QC: ${reasonText(verdict)}` };
  return { awaits: verdict.level !== 'pass' };
}

/**
 * How subjects stand, in the order given; they are the cohort that each is compared with.
 * @throws DeltaMdError CONFIG_INVALID for wrong lines of qc.tsv, INPUT_DAMAGED for tables that cannot be read
 */
export async function standings(study: Study, subjects: readonly string[]): Promise<Standing[]> {
  const decisions = lastDecisions(await readDecisions(study));
  const cohort: { subject: string; qc: SubjectQc }[] = [];
  for (const subject of subjects) cohort.push({ subject, qc: await readSubjectQc(study, subject) });
  const rules = { thresholds: thresholdsOf(study.qc), mad: study.qc.outliers.mad };
  return verdictsOf(cohort, rules).map((verdict, i) => ({
    ...verdict,
    qc: cohort[i].qc,
    ...standingOf(verdict, decisions.get(verdict.subject), study.qc.exclude),
  }));
}

/** Those that wait for a decision, worst first. Details and payloads are small: of many reasons the first must do. */
export function awaiting(all: readonly Standing[]): Flagged[] {
  return all
    .filter(({ awaits }) => awaits)
    .sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level))
    .map((one) => {
      const text = reasonText(one);
      return { subject: one.subject, why: text.length <= SHOWN ? text : `${text.slice(0, SHOWN)} ...` };
    });
}

/** Characters of the reasons that travel: with 5,000 subjects far below the 2 MB of a payload. */
const SHOWN = 200;

/** Subjects of a study with outputs, sorted; those the study file excludes are none of them. */
export async function publishedSubjects({ output, exclude }: Study): Promise<string[]> {
  const names = await readdir(join(output, 'logs')).catch(() => []);
  return names
    .flatMap((name) => /^(sub-[A-Za-z0-9]+)_published\.json$/.exec(name)?.[1] ?? [])
    .filter((subject) => exclude[subject] === undefined)
    .sort();
}
