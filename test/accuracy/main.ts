/** `npm run accuracy [-- GROUP...] [--write]`: one table of figure, bound, pass or fail; exit code 1 when one falls short. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Figure, type Group, keeps, type Laboratory, line } from './figure.ts';
import { groups } from './groups.ts';
import { validationPage } from './page.ts';
import { runTool } from './run-tool.ts';

const ROOT = resolve('delta-md-accuracy');
const PICTURES = resolve('docs/images/validation');
const SHARED = resolve(process.env['DELTA_MD_SHARED'] ?? '../shared');

async function measure(group: Group): Promise<Figure[]> {
  const folder = join(ROOT, group.name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const laboratory: Laboratory = {
    folder,
    shared: SHARED,
    run: (tool, ...argv) => runTool(folder, tool, argv),
    say: (message) => console.error(`  ${message}`),
  };
  console.log(`\n${group.title}`);
  const figures = await group.measure(laboratory);
  for (const figure of figures) console.log(line(figure));
  return figures;
}

const words = process.argv.slice(2);
const wanted = words.filter((word) => !word.startsWith('--'));
const unknown = wanted.filter((name) => !groups.some((group) => group.name === name));
if (unknown.length > 0) {
  console.error(`No group ${unknown.join(', ')}. Groups: ${groups.map(({ name }) => name).join(' ')}`);
  process.exit(2);
}
const chosen = groups.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const results: { group: Group; figures: Figure[] }[] = [];
for (const group of chosen) results.push({ group, figures: await measure(group) });
const all = results.flatMap(({ figures }) => figures);
const short = all.filter((figure) => !keeps(figure));
console.log(`\n${all.length - short.length} of ${all.length} figures keep their bounds`);
if (words.includes('--write'))
  await writeFile(
    'docs/validation.md',
    validationPage(results, (file) => existsSync(join(PICTURES, file))),
  );
process.exitCode = short.length > 0 ? 1 : 0;
