// Writes docs/study-file.md from the schema. Run after a build.
import { writeFile } from 'node:fs/promises';
import { studyFileGuide } from '../dist/config/docs.js';

await writeFile('docs/study-file.md', studyFileGuide());
