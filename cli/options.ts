/** Options and arguments that several commands share. */
import { Argument, InvalidArgumentError, Option } from 'commander';

export const JSON_OPTION = () =>
  new Option('--json', 'print the result as JSON on stdout; words go to stderr');
export const studyArgument = () => new Argument('<study>', 'study file (YAML); delta-md init writes one');
export const workDirOption = () =>
  new Option('-w, --work-dir <folder>', 'scratch folder, instead of the one the study file names');
export const temporalOption = () =>
  new Option('--temporal-address <host:port>', 'Temporal server to use; TEMPORAL_TLS_* variables secure it')
    .env('TEMPORAL_ADDRESS')
    // The variables that secure a connection belong to the address of the environment (cli/temporal/tls.ts).
    .argParser((address) => (process.env['TEMPORAL_ADDRESS'] = address));

/** A whole number above 0. */
export function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('A whole number above 0 is needed.');
  return value;
}
