/** Options and arguments that several commands share. */

import { Argument, InvalidArgumentError, Option } from 'commander';
import type { Capacity } from '../activities/admission.ts';

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

export const filterOption = () =>
  new Option(
    '--bids-filter-file <file>',
    "which sets to use, as fMRIPrep's filter files say it; retry needs it again (the study file's select stays)",
  );

export const cpusOption = () =>
  new Option('--n-cpus <n>', 'cores that steps may use together (default: all)').argParser(integer);
export const memoryOption = () =>
  new Option(
    '--mem-mb <MiB>',
    'memory that steps may use together (default: nine tenths of the host)',
  ).argParser(integer);

/** What {@link cpusOption} and {@link memoryOption} give. */
export interface CapacityOptions {
  readonly nCpus?: number;
  readonly memMb?: number;
}

/** What steps may use of this host, where the command line says so. */
export function capacityOf({ nCpus, memMb }: CapacityOptions): Partial<Capacity> {
  return {
    ...(nCpus === undefined ? {} : { cpus: nCpus }),
    ...(memMb === undefined ? {} : { memoryMiB: memMb }),
  };
}

export const metricsPortOption = () =>
  new Option('--metrics-port <port>', 'serve Prometheus metrics at this port, under /metrics')
    .env('DELTA_MD_METRICS_PORT')
    .argParser(integer);

/** A whole number above 0. */
export function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('A whole number above 0 is needed.');
  return value;
}

/** A whole number, 0 among them. */
export function wholeNumber(text: string): number {
  return text === '0' ? 0 : integer(text);
}
