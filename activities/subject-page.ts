/** The page of each subject beside the group's report, made from files: what was drawn, measured, decided and recorded. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Study } from '../config/study.ts';
import { writeInto } from './derivatives.ts';
import { CHANGE_MOST } from './draw.ts';
import { readDrawn, readSteps, readSummary } from './published.ts';
import { type Standing, thresholdsOf } from './qc/standing.ts';
import type { LoadedFigure } from './report/subject/figures.ts';
import { renderSubjectPage } from './report/subject/page.ts';
import { packedViewer } from './report/subject/viewer.ts';

/** Name of a subject's page, below the output folder. */
export const pageOf = (subject: string): string => `${subject}.html`;

/**
 * Writes the pages of subjects, each with its place among them.
 * @param cohort how they stand  @param version of delta-md  @param beat called after each page
 */
export async function writeSubjectPages(
  study: Study,
  cohort: readonly Standing[],
  version: string,
  beat: () => void,
): Promise<void> {
  for (const standing of cohort) {
    await writePage(study, standing, cohort, version);
    beat();
  }
}

async function writePage(
  study: Study,
  standing: Standing,
  cohort: readonly Standing[],
  version: string,
): Promise<void> {
  const { subject } = standing;
  const { figures, maps } = await readDrawn(study.output, subject);
  const bytesOf = (file: string) => readFile(join(study.output, subject, 'figures', basename(file)));
  const contentOf = async (file: string) =>
    file.endsWith('.svg') ? (await bytesOf(file)).toString('utf8') : await bytesOf(file);
  const summary = await readSummary(study, subject);
  const page = renderSubjectPage({
    subject,
    study: {
      title: study.title ?? study.study,
      profile: study.profile.name,
      template: basename(study.template),
    },
    version,
    standing,
    cohort: cohort.map(({ qc }) => qc),
    thresholds: thresholdsOf(study.qc),
    notes: summary?.notes ?? [],
    flagged: summary?.flagged ?? [],
    figures: await Promise.all(
      figures.map(
        async ({ frames, ...figure }): Promise<LoadedFigure> => ({
          ...figure,
          frames: await Promise.all(
            frames.map(async ({ file, label }) => ({ label, content: await contentOf(file) })),
          ),
        }),
      ),
    ),
    labels: study.rois.labels,
    changeMost: CHANGE_MOST,
    maps: await Promise.all(maps.map(async (map) => ({ ...map, nifti: await bytesOf(map.file) }))),
    viewer: await packedViewer(),
    steps: (await readSteps(study.output, subject)) ?? [],
  });
  await writeInto(join(study.output, pageOf(subject)), page);
}
