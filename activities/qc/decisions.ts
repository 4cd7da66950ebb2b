/**
 * `qc.tsv` beside the outputs: what people decided of subjects, one line per decision. Lines are only ever added; the last
 * one of a subject counts. People edit it by hand, too, so it is checked whenever it is read.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Problem } from '../../config/problems.ts';
import { suggestOrList } from '../../config/problems.ts';
import type { Study } from '../../config/study.ts';
import { isMissing, readTable, type Table } from '../../config/tables.ts';
import { CHOICES, type Choice, type Decision, whyRefused } from '../../pipeline/decisions.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { tsv, writeInto, writeJsonInto } from '../derivatives.ts';
import { acquire } from '../lease.ts';
import { isThere } from '../whole-file.ts';

const COLUMNS = ['participant_id', 'session', 'decision', 'reason', 'who', 'when'] as const;

const MEANING = {
  participant_id: 'Subject',
  session: 'Session that the reason is about; the decision is about the subject',
  decision: {
    Description: 'The last line of a subject counts',
    Levels: { include: 'Used by the statistics', exclude: 'Left out of the statistics' },
  },
  reason: 'Why',
  who: 'Who decided',
  when: 'When, ISO 8601',
};

/** Path of the decisions of a study. */
export const decisionsPath = (study: Study) => join(study.output, 'qc.tsv');

const time = z.union([z.iso.datetime({ offset: true, local: true }), z.iso.date()]);

/** Decisions in the order of the file, and every line that cannot be one. @param known subjects of the study */
export function decisionsIn(
  { file, columns, rows }: Table,
  known: readonly string[],
): { decisions: Decision[]; problems: Problem[] } {
  const problems: Problem[] = [];
  const problem = (line: number, message: string, remedy: string) =>
    problems.push({ file, line, column: 1, path: '', message: `${file}, line ${line}: ${message}`, remedy });
  for (const column of COLUMNS)
    if (!columns.includes(column))
      problem(1, `there is no column "${column}"`, suggestOrList(column, columns, 'Its columns'));
  if (problems.length > 0) return { decisions: [], problems };
  const decisions = rows.map(({ line, cells }): Decision => {
    const decision: Decision = {
      subject: cells['participant_id'],
      ...(isMissing(cells['session']) ? {} : { session: cells['session'].replace(/^ses-/, '') }),
      decision: cells['decision'] as Choice,
      reason: cells['reason'],
      who: cells['who'],
      when: cells['when'],
    };
    const refused = whyRefused(decision);
    if (refused !== undefined)
      problem(
        line,
        refused,
        CHOICES.includes(decision.decision)
          ? `Each line needs ${COLUMNS.join(', ')}; write n/a where it is about no one session`
          : suggestOrList(cells['decision'], CHOICES, 'Decisions'),
      );
    else if (!known.includes(decision.subject))
      problem(
        line,
        `there is no ${decision.subject} in this study`,
        suggestOrList(decision.subject, known, 'Subjects'),
      );
    if (!time.safeParse(decision.when).success)
      problem(line, `"${decision.when}" is no time`, 'Write it as 2026-03-31T14:05:00Z or 2026-03-31');
    return decision;
  });
  return { decisions, problems };
}

/** Subjects of a study: those with scans. */
async function knownSubjects({ bids }: Study): Promise<string[]> {
  return (await readdir(bids)).filter((name) => name.startsWith('sub-')).sort();
}

async function readHistory(study: Study): Promise<{ columns: readonly string[]; decisions: Decision[] }> {
  const file = decisionsPath(study);
  if (!(await isThere(file))) return { columns: COLUMNS, decisions: [] };
  const { table, problems: unreadable } = await readTable(file);
  const { decisions, problems } =
    unreadable.length > 0
      ? { decisions: [], problems: unreadable }
      : decisionsIn(table, await knownSubjects(study));
  if (problems.length > 0)
    throw new DeltaMdError('CONFIG_INVALID', problems.map(({ message }) => message).join('; '), {
      remedy: [...new Set(problems.map(({ remedy }) => remedy))].join('; '),
    });
  return { columns: table.columns, decisions };
}

/**
 * Every decision so far, oldest first; none where there is no file.
 * @throws DeltaMdError CONFIG_INVALID with every wrong line
 */
export async function readDecisions(study: Study): Promise<Decision[]> {
  return (await readHistory(study)).decisions;
}

/** What holds now, by subject. */
export function lastDecisions(history: readonly Decision[]): Map<string, Decision> {
  return new Map(history.map((decision) => [decision.subject, decision]));
}

const isSame = (a: Decision, b: Decision) =>
  COLUMNS.every((column) => cellsOf(a)[column] === cellsOf(b)[column]);

function cellsOf({ subject, session, ...rest }: Decision): Record<(typeof COLUMNS)[number], string> {
  return { participant_id: subject, session: session ?? 'n/a', ...rest };
}

/**
 * Adds a decision to the file, which is replaced whole. Told again, by a retry, it is not added again.
 * @param decision with its words tidied
 * @throws DeltaMdError CONFIG_INVALID where it cannot be one, or the file as it is has a wrong line
 */
export async function recordDecision(study: Study, decision: Decision): Promise<void> {
  const file = decisionsPath(study);
  const { problems } = decisionsIn(
    { file, columns: COLUMNS, rows: [{ line: 1, cells: cellsOf(decision) }] },
    await knownSubjects(study),
  );
  if (problems.length > 0)
    throw new DeltaMdError('CONFIG_INVALID', problems[0].message, { remedy: problems[0].remedy });
  // A worker and a command may both have something to add.
  const lease = await acquire(join(study.output, '.qc.tsv.lease'), new AbortController().signal);
  try {
    const { columns, decisions } = await readHistory(study);
    const last = lastDecisions(decisions).get(decision.subject);
    if (last && isSame(last, decision)) return;
    const [head, line] = tsv(columns, [cellsOf(decision)]).split('\n');
    const before = (await isThere(file)) ? await readFile(file, 'utf8') : head;
    // A spreadsheet may have written it: its own line ends are kept.
    const end = before.includes('\r\n') ? '\r\n' : '\n';
    await writeInto(file, `${before.replace(/[\r\n]+$/, '')}${end}${line}${end}`);
    await writeJsonInto(file.replace('.tsv', '.json'), MEANING);
  } finally {
    await lease.release();
  }
}
