/** What was written of finished subjects, read back. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Study } from '../config/study.ts';
import type { Drawn } from './report/subject/types.ts';
import type { StepRecord } from './store.ts';

/** What is told of a finished subject: small, no image data. */
export interface SubjectSummary {
  readonly sessions: number;
  /** Regions below the study's coverage, as `ses-1 lBA10`. */
  readonly flagged: readonly string[];
  readonly notes: readonly string[];
}

/** A step behind a subject's results. */
export interface PublishedStep extends StepRecord {
  /** Session it belongs to, or `subject`; absent in outputs of before it was noted. */
  readonly place?: string;
}

/** File of a subject's steps. */
export const stepsPath = (output: string, subject: string) => join(output, 'logs', `${subject}_steps.json`);

/** Records of the steps behind a subject's published results; undefined where it has none. */
export async function readSteps(output: string, subject: string): Promise<PublishedStep[] | undefined> {
  const text = await readFile(stepsPath(output, subject), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** File of a subject's summary. */
export const summaryPath = (study: Study, subject: string) =>
  join(study.output, 'logs', `${subject}_summary.json`);

/** What a finished subject's summary says; undefined where there is none. */
export async function readSummary(study: Study, subject: string): Promise<SubjectSummary | undefined> {
  const text = await readFile(summaryPath(study, subject), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** What was drawn of a subject; nothing where it has no pictures. */
export async function readDrawn(output: string, subject: string): Promise<Drawn> {
  const text = await readFile(join(output, subject, 'figures', 'figures.json'), 'utf8').catch(
    () => undefined,
  );
  return text === undefined ? { figures: [], maps: [] } : JSON.parse(text);
}

/** Subjects' pictures for the group's report, in the order they are shown. */
export async function picturesOf(study: Study, subject: string): Promise<{ caption: string; png: Buffer }[]> {
  const { figures } = await readDrawn(study.output, subject);
  const folder = join(study.output, subject, 'figures');
  const shown = figures
    .filter((figure) => figure.overview)
    .flatMap(({ place, caption, frames }) =>
      frames.map(({ file, label }) => ({
        file,
        caption: `${place === null ? '' : `${place}, `}${label}: ${caption}`,
      })),
    );
  return Promise.all(
    shown.map(async ({ file, caption }) => ({ caption, png: await readFile(join(folder, basename(file))) })),
  );
}
