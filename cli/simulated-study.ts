/** A simulated cohort with its study file: what `simulate` writes and `demo` runs. */
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type CohortOptions, SESSIONS, simulateCohort } from '../imaging/phantom/index.ts';

/** Writes `<folder>/bids` and `<folder>/study.yaml`. @returns path of the study file */
export async function simulateStudy(
  folder: string,
  name: string,
  options: Omit<CohortOptions, 'outDir'>,
  onProgress: (fraction: number, message: string) => void,
): Promise<string> {
  const cohort = await simulateCohort({ ...options, outDir: join(folder, 'bids') }, onProgress);
  const at = (path: string) => `./${relative(folder, path)}`;
  const file = join(folder, 'study.yaml');
  await writeFile(
    file,
    `# A simulated two-session trial with known truth (bids/derivatives/truth).
study: ${name}
title: Simulated ketamine trial
bids: ./bids
work: ./work
sessions: { baseline: ${SESSIONS[0]}, followup: ${SESSIONS[1]} }
participants:
  group: { column: group, reference: vehicle, treatment: ketamine }
profile: toolkit
template: ${at(cohort.template.fa)}
rois: { image: ${at(cohort.template.labels)}, labels: ${at(cohort.template.table)} }
statistics:
  outcomes:
    - { name: MADRS, baseline: madrs_baseline, followup: madrs_24h }
    - { name: QIDS, baseline: qids_baseline, followup: qids_24h }
  winsorize: tukey
`,
  );
  return file;
}
