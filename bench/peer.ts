/** Peers: programs a user would otherwise pick. Those that this machine lacks are named and left out. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const PYTHON = process.env['DELTA_MD_BENCH_PYTHON'] ?? 'python3';
const SCRIPT = resolve('bench/peers.py');

/** Seconds of a peer's work; undefined where the peer is not installed. */
export type PeerTime = number | undefined;

async function has(command: string, ...argv: string[]): Promise<boolean> {
  return execute(command, argv).then(
    () => true,
    () => false,
  );
}

/** Runs a peer of bench/peers.py. @param module the Python package it needs */
export async function python(module: string, name: string, ...argv: string[]): Promise<PeerTime> {
  if (!(await has(PYTHON, '-c', `import ${module}`))) return undefined;
  const { stdout } = await execute(PYTHON, [SCRIPT, name, ...argv], { maxBuffer: 1e9 });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  return (JSON.parse(last) as { seconds: number }).seconds;
}

/** Times commands, one after the other. */
export async function commands(folder: string, list: readonly (readonly string[])[]): Promise<PeerTime> {
  for (const [command] of list) if (!(await has('which', command))) return undefined;
  const started = performance.now();
  for (const [command, ...argv] of list) await execute(command, argv, { cwd: folder, maxBuffer: 1e9 });
  return (performance.now() - started) / 1000;
}
