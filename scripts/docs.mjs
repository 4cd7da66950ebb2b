// Writes docs/study-file.md and docs/analysis-plan.md from the schemas. Run after a build.
import { writeFile } from 'node:fs/promises';
import { analysisPlanGuide, studyFileGuide } from '../dist/config/docs.js';

await writeFile('docs/study-file.md', studyFileGuide());
await writeFile('docs/analysis-plan.md', analysisPlanGuide());
