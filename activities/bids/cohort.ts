/** Who is in the study: a cheap look at the folders and the participants table, no image is opened. */
import { join } from 'node:path';
import { readParticipants } from '../../config/participants.ts';
import type { Study } from '../../config/study.ts';
import { foldersIn, namesIn } from './files.ts';
import { directionLabel, isNifti, parseName, selected } from './names.ts';

export interface CohortSubject {
  /** With `sub-`. */
  readonly subject: string;
  readonly group?: string;
  /** Labels of the study's sessions that have diffusion images, without `ses-`; null: no session level. */
  readonly sessions: readonly (string | null)[];
  readonly excluded?: { readonly reason: string };
}

export interface Cohort {
  /** Sorted by name; subjects of the participants table without a folder are among them. */
  readonly subjects: readonly CohortSubject[];
  /** Direction labels that most sessions have: what a complete session is expected to hold. */
  readonly directions: readonly string[];
}

/** Folder of one session. */
export function sessionFolder(bids: string, subject: string, session: string | null): string {
  return session === null ? join(bids, subject) : join(bids, subject, `ses-${session}`);
}

/** Images of a session by name: diffusion series, and EPIs of `fmap/`. */
async function listSession(study: Study, subject: string, session: string | null) {
  const folder = sessionFolder(study.bids, subject, session);
  const images = async (datatype: string, suffix: string) =>
    (await namesIn(join(folder, datatype)))
      .flatMap((name) => parseName(name) ?? [])
      .filter((n) => isNifti(n) && n.suffix === suffix && selected(n, study.select));
  return { dwi: await images('dwi', 'dwi'), fmap: await images('fmap', 'epi') };
}

/**
 * Lists the subjects of a study with their group, sessions and, where they are left out, why.
 * @throws DeltaMdError CONFIG_INVALID where the participants table is wrong
 */
export async function discoverCohort(study: Study): Promise<Cohort> {
  const participants = new Map((await readParticipants(study)).map((p) => [p.subject, p]));
  const onDisk = await foldersIn(study.bids, 'sub-');
  const sessionsWith = new Map<string, number>();
  let sessionCount = 0;
  const subjects: CohortSubject[] = [];
  for (const subject of [...new Set([...onDisk, ...participants.keys()])].sort()) {
    const sessions: (string | null)[] = [];
    for (const { label } of study.sessions) {
      const { dwi, fmap } = await listSession(study, subject, label);
      if (dwi.length === 0) continue;
      sessions.push(label);
      sessionCount++;
      for (const dir of new Set([...dwi, ...fmap].flatMap((n) => directionLabel(n) ?? [])))
        sessionsWith.set(dir, (sessionsWith.get(dir) ?? 0) + 1);
    }
    const participant = participants.get(subject);
    const reason = exclusion(study, subject, sessions, onDisk.includes(subject), participant);
    subjects.push({
      subject,
      ...(participant?.group === undefined ? {} : { group: participant.group }),
      sessions,
      ...(reason === undefined ? {} : { excluded: { reason } }),
    });
  }
  const directions = [...sessionsWith].filter(([, n]) => 2 * n > sessionCount).map(([dir]) => dir);
  return { subjects, directions: directions.sort() };
}

function exclusion(
  study: Study,
  subject: string,
  sessions: readonly (string | null)[],
  hasFolder: boolean,
  participant: { readonly group?: string } | undefined,
): string | undefined {
  if (study.exclude[subject] !== undefined) return study.exclude[subject];
  if (!hasFolder) return 'in the participants table, but without a folder in the dataset';
  const missing = study.sessions.filter(({ label }) => !sessions.includes(label));
  if (missing.length > 0) {
    const labels = missing.map(({ label }) => (label === null ? 'dwi folder' : `ses-${label}`));
    return `no diffusion images in ${labels.join(' and ')}`;
  }
  if (study.participants === undefined) return undefined;
  if (participant === undefined) return 'not in the participants table';
  return participant.group === undefined ? 'no group in the participants table' : undefined;
}
