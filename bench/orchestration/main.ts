/**
 * `npm run bench:orchestration [-- --subjects 1000] [--write]`: the engine alone, on a graph of steps that do nothing, beside
 * Snakemake, Nipype and pydra on the same graph in the same run.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type EngineRun, runEngine } from './engine.ts';
import { STEPS } from './graph.ts';

const execute = promisify(execFile);
const PYTHON = process.env['DELTA_MD_BENCH_PYTHON'] ?? 'python3';
const FOLDER = resolve('delta-md-bench', 'orchestration');
/** Nipype's and pydra's graphs are resolved in memory and grow faster than linearly: a tenth of the subjects must do. */
const SHARE = { snakemake: 1, nipype: 0.1, pydra: 0.1 } as const;

const option = process.argv.indexOf('--subjects');
const subjects = option > 0 ? Number(process.argv[option + 1]) : 1000;

interface PeerRun {
  readonly name: string;
  readonly subjects: number;
  readonly seconds: number;
  readonly peakMb: number;
}

async function peer(name: keyof typeof SHARE): Promise<PeerRun | undefined> {
  const n = Math.max(1, Math.round(subjects * SHARE[name]));
  const folder = join(FOLDER, name);
  const argv = [resolve('bench/orchestration/peers.py'), name, String(n), String(STEPS), folder];
  if (
    !(await execute(PYTHON, ['-c', `import ${name}`]).then(
      () => true,
      () => false,
    ))
  )
    return undefined;
  const { stdout } = await execute(PYTHON, argv, { maxBuffer: 1e9 });
  const { seconds, peak_mb: peakMb } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  return { name, subjects: n, seconds, peakMb };
}

const ms = (seconds: number, n: number) => (1000 * seconds) / (n * STEPS);

await rm(FOLDER, { recursive: true, force: true });
await mkdir(FOLDER, { recursive: true });
const lines: string[][] = [
  ['engine', 'subjects x steps', 'seconds', 'ms a step', 'memory', 'resume after SIGKILL at half'],
];
const ours: EngineRun[] = [];
for (const [n, kill] of [
  [Math.max(1, Math.round(subjects / 10)), false],
  [subjects, false],
  [subjects, true],
] as const) {
  const run = await runEngine(join(FOLDER, `delta-md-${n}-${kill}`), n, kill);
  ours.push(run);
  lines.push([
    `delta-md${kill ? ', worker killed' : ''}`,
    `${n} x ${STEPS}`,
    run.seconds.toFixed(1),
    run.msPerStep.toFixed(2),
    `worker ${run.workerMb.toFixed(0)} MB, server ${run.serverMb.toFixed(0)} MB`,
    run.resumeSeconds === undefined ? '' : `${run.resumeSeconds.toFixed(1)} s`,
  ]);
  console.error(lines.at(-1)?.join('  '));
}
const whole = ours[1];
for (const name of Object.keys(SHARE) as (keyof typeof SHARE)[]) {
  const run = await peer(name);
  lines.push(
    run === undefined
      ? [name, '', 'not installed', '', '', '']
      : [
          name,
          `${run.subjects} x ${STEPS}`,
          run.seconds.toFixed(1),
          `${ms(run.seconds, run.subjects).toFixed(2)} (${(ms(run.seconds, run.subjects) / whole.msPerStep).toFixed(1)} x ours)`,
          `${run.peakMb.toFixed(0)} MB`,
          '',
        ],
  );
  console.error(lines.at(-1)?.join('  '));
}
const widths = lines[0].map((_, c) => Math.max(...lines.map((row) => row[c].length)));
console.log(
  lines
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n'),
);
if (process.argv.includes('--write')) {
  const [head, ...rows] = lines;
  await writeFile(
    'docs/speed-orchestration.md',
    `# What the orchestration costs

Written by \`npm run bench:orchestration -- --write\` on ${cpus().length} cores (${cpus()[0].model.trim()}); not by hand. Steps do nothing, so that only the engine counts: the real workflows
on the real dev server with its database on disk, and the same graph on other engines.

${[head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')}
`,
  );
}
