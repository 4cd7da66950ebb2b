/** Reads back what quality control wrote of a subject. */
import type { Study } from '../../config/study.ts';
import { isMissing, readTable } from '../../config/tables.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { derivativePath } from '../derivatives.ts';
import { isThere } from '../whole-file.ts';
import type { Metrics, SubjectQc } from './types.ts';

/** Figures of a session (null: no session level), or of the pair of sessions (undefined). */
export function qcPath(study: Study, subject: string, session: string | null | undefined): string {
  const desc = session === undefined ? 'longitudinal' : 'image';
  return derivativePath(study.output, { subject, session, desc, suffix: 'qc', extension: '.tsv' });
}

async function readMetrics(path: string, subject: string): Promise<Metrics | undefined> {
  if (!(await isThere(path))) return undefined;
  const { table, problems } = await readTable(path);
  if (problems.length > 0 || table.rows.length !== 1)
    throw new DeltaMdError('INPUT_DAMAGED', problems[0]?.message ?? `${path} has not one row`, {
      subject,
      remedy: `Delete the file, then: delta-md retry ${subject}`,
    });
  const { participant_id: _, session: __, ...cells } = table.rows[0].cells;
  return Object.fromEntries(
    Object.entries(cells).map(([name, cell]) => {
      const value = isMissing(cell) ? null : Number(cell);
      if (Number.isNaN(value))
        throw new DeltaMdError('INPUT_DAMAGED', `${path}: ${name} is "${cell}", not a number`, {
          subject,
          remedy: `Delete the file, then: delta-md retry ${subject}`,
        });
      return [name, value];
    }),
  );
}

/** Quality of a subject as published; no sessions where nothing was measured. */
export async function readQc(study: Study, subject: string): Promise<SubjectQc> {
  const sessions: SubjectQc['sessions'][number][] = [];
  for (const { label } of study.sessions) {
    const metrics = await readMetrics(qcPath(study, subject, label), subject);
    if (metrics) sessions.push({ subject, session: label, metrics, notes: [] });
  }
  const pair = await readMetrics(qcPath(study, subject, undefined), subject);
  return { sessions, ...(pair ? { longitudinal: { subject, metrics: pair, notes: [] } } : {}) };
}
