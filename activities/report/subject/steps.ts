/** The steps behind a subject's results: when, where, how long, and the command as one would paste it. */

import type { PublishedStep } from '../../published.ts';
import * as format from '../format.ts';
import { type Html, html, table } from '../markup.ts';

/** A word of a command line, quoted where a shell would read it otherwise. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** First digits of a digest, as git shortens it. */
const short = (digest: string) => digest.replace(/^sha256:/, '').slice(0, 8);

/** `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${format.fixed(seconds, 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function stepSection(steps: readonly PublishedStep[]): Html {
  if (steps.length === 0) return html`<p>No step is recorded.</p>`;
  const total = steps.reduce((sum, { seconds }) => sum + seconds, 0);
  const rows = table(html`Steps <small>${duration(total)} of work in all</small>`, steps, [
    { head: 'step', cell: (step) => step.step, kind: 'words' },
    { head: 'of', cell: (step) => step.place ?? '', kind: 'words' },
    { head: 'started (UTC)', cell: ({ started }) => started.slice(0, 19).replace('T', ' '), kind: 'words' },
    { head: 'time', cell: ({ seconds }) => duration(seconds) },
    {
      head: 'memory',
      cell: ({ peakMemoryMiB }) => (peakMemoryMiB === undefined ? '' : `${Math.round(peakMemoryMiB)} MiB`),
    },
    { head: 'command', cell: command, kind: 'sentence' },
  ]);
  return html`${rows}<p class="soft">Commands run in a folder of their own that holds their inputs in <code>in/</code>.</p>`;
}

function command({ argv, inputs, tool, runtime, host, key }: PublishedStep): Html {
  return html`<details><summary>${argv[0]}</summary><pre>${argv.map(shellWord).join(' ')}</pre>
<pre>${Object.entries(inputs)
    .map(
      ([staged, { path, sha256 }]) => `${staged}  ${short(sha256)}  ${path.slice(path.lastIndexOf('/') + 1)}`,
    )
    .join('\n')}</pre>
<div class="soft">${tool.version} · ${runtime} on ${host} · result ${short(key)}</div></details>`;
}
