/** The cohort's quality table: a row per subject and session. */
import type { Study } from '../../config/study.ts';
import { LONGITUDINAL_METRICS, SESSION_METRICS } from '../../pipeline/qc/dictionary.ts';
import type { SubjectQc } from '../../pipeline/qc/types.ts';
import { tsv } from '../derivatives.ts';
import { described } from './publish.ts';

/** Files of the group, below the output folder. */
export const GROUP_QC = { table: 'group_qc.tsv', dictionary: 'group_qc.json' } as const;

/**
 * Text of the table and its dictionary. Figures of a pair of sessions stand in the follow-up's row.
 * @param subjects in the order of the rows
 */
export function groupQc(
  study: Study,
  subjects: readonly SubjectQc[],
): { table: string; dictionary: Record<string, object> } {
  const rows = subjects.flatMap(({ sessions, longitudinal }) =>
    sessions.map(({ subject, session, metrics }) => ({
      participant_id: subject,
      session_id: session === null ? null : `ses-${session}`,
      ...metrics,
      ...(study.sessions.length > 1 && session === study.sessions[1].label ? longitudinal?.metrics : {}),
    })),
  );
  // Shells and phase encodings may differ between sessions.
  const found = new Set(rows.flatMap((row) => Object.keys(row)));
  const first = ['participant_id', 'session_id', ...Object.keys(SESSION_METRICS)];
  const last = Object.keys(LONGITUDINAL_METRICS);
  const numbered = [...found].filter((name) => !first.includes(name) && !last.includes(name)).sort();
  const names = [...first, ...numbered, ...last].filter((name) => found.has(name));
  return {
    table: tsv(names, rows),
    dictionary: {
      participant_id: { Description: 'Subject' },
      session_id: { Description: 'Session; figures of both sessions stand in the row of the follow-up' },
      ...described(names.slice(2)),
    },
  };
}
