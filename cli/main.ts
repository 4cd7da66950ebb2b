#!/usr/bin/env node
/** The command line: a command's file is loaded when the command is called, so that help and usage errors are quick. */
import { Command, CommanderError } from 'commander';
import { CommandError, EXIT } from './exit-codes.ts';
import { flushTraces } from './temporal/tracing.ts';
import { VERSION } from './version.ts';

/** Every command: its line in the help, and its file. */
const COMMANDS: Readonly<
  Record<string, readonly [string, () => Promise<{ register(program: Command): void }>]>
> = {
  init: ['write a study file from a BIDS folder', () => import('./commands/init.ts')],
  validate: ['check a study file and its data', () => import('./commands/validate.ts')],
  doctor: ['what this machine has and lacks', () => import('./commands/doctor.ts')],
  images: ['container images with the tools', () => import('./commands/images.ts')],
  dev: ['embedded Temporal and a worker, until stopped', () => import('./commands/dev.ts')],
  worker: ['run steps for a Temporal server', () => import('./commands/worker.ts')],
  'codec-server': ['show encrypted payloads in the UI', () => import('./commands/codec-server.ts')],
  run: ['process a cohort, then statistics and report', () => import('./commands/run.ts')],
  status: ['how far a cohort is', () => import('./commands/status.ts')],
  retry: ['process failed subjects again', () => import('./commands/retry.ts')],
  pause: ['let no further subject start', () => import('./commands/pause.ts')],
  resume: ['let subjects of a paused cohort start', () => import('./commands/resume.ts')],
  watch: ['process subjects as their scans arrive', () => import('./commands/watch.ts')],
  throttle: ['change how many subjects run at once', () => import('./commands/throttle.ts')],
  qc: ['review the quality of subjects, and decide', () => import('./commands/qc.ts')],
  cancel: ['stop a running cohort', () => import('./commands/cancel.ts')],
  report: ['make tables, statistics and report again', () => import('./commands/report.ts')],
  stats: ['analyse a table by a plan, without images', () => import('./commands/stats.ts')],
  export: ['results for FSL, SPM, R, SPSS and archives', () => import('./commands/export.ts')],
  logs: ["what a subject's steps print", () => import('./commands/logs.ts')],
  trace: ['every file and command behind one number', () => import('./commands/trace.ts')],
  cache: ['results by content: list, verify, clean', () => import('./commands/cache.ts')],
  simulate: ['make a cohort with known truth', () => import('./commands/simulate.ts')],
  demo: ['a small simulated trial, start to end', () => import('./commands/demo.ts')],
};

const program = new Command('delta-md')
  .description('Regional change in mean diffusivity from longitudinal diffusion MRI, durably.')
  .version(VERSION)
  .exitOverride()
  .addHelpText(
    'after',
    `
A first run on your own data:
  delta-md init /data/bids > study.yaml     then read and complete study.yaml
  delta-md validate study.yaml
  delta-md run study.yaml

Exit codes: 0 done, 1 some subjects failed, 2 bad input or usage, 3 infrastructure`,
  );

/** What BIDS-Apps call some options. */
const ALIASES: Readonly<Record<string, string>> = {
  '--nprocs': '--n-cpus',
  '--session-id': '--session-label',
  '--skip-bids-validator': '--skip-bids-validation',
};

/** Their names work too, and their older spelling with underscores: --participant_label. */
const argv = process.argv.map((word) =>
  word.replace(/^--[a-z]+[-_a-z]*(?==|$)/, (flag) => {
    const dashed = flag.replace(/_/g, '-');
    return ALIASES[dashed] ?? dashed;
  }),
);

try {
  const called = COMMANDS[argv[2] === 'help' ? argv[3] : argv[2]];
  if (called) (await called[1]()).register(program);
  else for (const [name, [summary]] of Object.entries(COMMANDS)) program.command(name).description(summary);
  await program.parseAsync(argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.badInput;
  else if (error instanceof CommandError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  } else if (error instanceof Error && error.name === 'ServiceError') {
    // By name: Temporal's client is not loaded for the sake of an error alone.
    const cause = error.cause as { details?: string; message?: string } | undefined;
    process.stderr.write(
      `Temporal: ${error.message}: ${cause?.details || cause?.message}\n    Is its server well? Try again; delta-md doctor looks at what is here.\n`,
    );
    process.exitCode = EXIT.infrastructure;
  } else {
    process.stderr.write(`delta-md: internal error, please report it\n${(error as Error)?.stack ?? error}\n`);
    process.exitCode = EXIT.infrastructure;
  }
} finally {
  await flushTraces();
}
