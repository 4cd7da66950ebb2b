#!/usr/bin/env node
/** The command line: one file per command; this one only lists them and turns errors into exit codes. */
import { Command, CommanderError } from 'commander';
import { register as cancel } from './commands/cancel.ts';
import { register as demo } from './commands/demo.ts';
import { register as dev } from './commands/dev.ts';
import { register as doctor } from './commands/doctor.ts';
import { register as init } from './commands/init.ts';
import { register as report } from './commands/report.ts';
import { register as retry } from './commands/retry.ts';
import { register as run } from './commands/run.ts';
import { register as simulate } from './commands/simulate.ts';
import { register as status } from './commands/status.ts';
import { register as validate } from './commands/validate.ts';
import { register as worker } from './commands/worker.ts';
import { CommandError, EXIT } from './exit-codes.ts';
import { VERSION } from './version.ts';

const program = new Command('delta-md')
  .description('Regional change in mean diffusivity from longitudinal diffusion MRI, durably.')
  .version(VERSION)
  .exitOverride()
  .configureHelp({ sortSubcommands: false })
  .addHelpText(
    'after',
    `
A first run on your own data:
  delta-md init /data/bids > study.yaml     then read and complete study.yaml
  delta-md validate study.yaml
  delta-md run study.yaml

Exit codes: 0 done, 1 some subjects failed, 2 bad input or usage, 3 infrastructure`,
  );

for (const register of [
  init,
  validate,
  doctor,
  dev,
  worker,
  run,
  status,
  retry,
  cancel,
  report,
  simulate,
  demo,
])
  register(program);

/** BIDS-Apps' older spelling works too: --participant_label. */
const argv = process.argv.map((word) =>
  word.replace(/^--[a-z]+_[a-z_]+(?==|$)/, (flag) => flag.replace(/_/g, '-')),
);

try {
  await program.parseAsync(argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.badInput;
  else if (error instanceof CommandError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  } else {
    process.stderr.write(`delta-md: internal error, please report it\n${(error as Error)?.stack ?? error}\n`);
    process.exitCode = EXIT.infrastructure;
  }
}
