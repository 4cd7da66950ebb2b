/** `npm run bench [-- --write]`: times of the toolkit beside those of its peers, in one run. Exit code 1 when a promise is not kept. */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { median } from '../test/accuracy/measures.ts';
import { type Growth, holds, type Race, ratio } from './race.ts';
import { races } from './races.ts';

const seconds = (values: readonly number[]) => {
  if (values.length === 0) return 'not installed';
  const digits = (value: number) => value.toPrecision(3).replace(/\.0+$/, '');
  const range =
    values.length > 1 ? ` (${digits(Math.min(...values))} to ${digits(Math.max(...values))})` : '';
  return `${digits(median(values))} s${range}`;
};

function rows(found: readonly Race[]): string[][] {
  return found.map((race) => [
    race.what,
    seconds(race.ours),
    race.peer,
    race.peer === 'none' ? '' : seconds(race.theirs),
    race.theirs.length === 0 ? '' : `${ratio(race).toPrecision(3)} x`,
    race.promise === undefined
      ? ''
      : 'seconds' in race.promise
        ? `<= ${race.promise.seconds} s`
        : `>= ${race.promise.ratio} x`,
    { true: 'kept', false: 'NOT KEPT', undefined: '' }[String(holds(race))] ?? '',
    race.peakMb === undefined ? '' : `${Math.round(race.peakMb)} MB`,
  ]);
}

const HEAD = ['what', 'ours', 'peer', "peer's", 'ratio', 'promised', '', 'peak memory'];

function printed(table: readonly string[][]): string {
  const widths = HEAD.map((_, c) => Math.max(...table.map((row) => row[c].length)));
  return table
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const grown = ({ what, points }: Growth) =>
  `${what}: ${points.map(({ at, seconds: s }) => `${at}: ${s.toFixed(1)} s`).join(', ')}`;

const { races: found, growth } = await races({
  folder: resolve('delta-md-bench'),
  shared: resolve(process.env['DELTA_MD_SHARED'] ?? '../shared'),
  say: (message) => console.error(`  ${message}`),
});
const table = rows(found);
console.log(printed([HEAD, ...table]));
console.log(growth.map(grown).join('\n'));
if (process.argv.includes('--write')) {
  const markdown = [HEAD, HEAD.map(() => '---'), ...table].map((row) => `| ${row.join(' | ')} |`).join('\n');
  await writeFile(
    'docs/speed.md',
    `# How fast the built-in toolkit is

Written by \`npm run bench -- --write\` on ${cpus().length} cores (${cpus()[0].model.trim()}); not by hand. Wall times of whole commands, reading and writing included; where a
job ran more than once: median (range), ours and the peer's in turn. The ratio is theirs over ours. FSL is not installed: its times are those of FSL 5.0.9 on a scan of this size,
scaled by how long dipy's fit takes here and took there.

${markdown}

How time grows:

${growth.map((g) => `- ${grown(g)}`).join('\n')}
`,
  );
}
process.exitCode = found.some((race) => holds(race) === false) ? 1 : 0;
