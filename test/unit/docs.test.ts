import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { analysisPlanGuide, studyFileGuide } from '../../config/docs.ts';

it('docs/study-file.md is what the schema says (npm run build && npm run docs)', async () => {
  const page = await readFile(fileURLToPath(new URL('../../docs/study-file.md', import.meta.url)), 'utf8');
  expect(page).toBe(studyFileGuide());
  for (const key of [
    'sessions.baseline',
    'rois.minimumCoverage',
    'statistics.outcomes[].name',
    'runtime.image',
  ])
    expect(page).toContain(`\`${key}\``);
});

it('docs/analysis-plan.md too', async () => {
  const page = await readFile(fileURLToPath(new URL('../../docs/analysis-plan.md', import.meta.url)), 'utf8');
  expect(page).toBe(analysisPlanGuide());
  for (const key of ['regions.baseline', 'participants.group.reference', 'statistics.winsorize.percentile'])
    expect(page).toContain(`\`${key}\``);
});
