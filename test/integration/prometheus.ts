/** A real Prometheus (Debian's package) that scrapes one worker, for tests of dashboard and alerts. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from './harness.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));

/** What Prometheus' HTTP API answers; `data` is absent from an error. */
interface Answer<T> {
  readonly data?: T;
  readonly error?: string;
}

interface Vector {
  readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
}

interface Rule {
  readonly name: string;
  /** `ok`, `err`, or `unknown` before its first evaluation. */
  readonly health: string;
  readonly lastError?: string;
}

/** True where this machine has Prometheus. */
export function hasPrometheus(): boolean {
  try {
    execFileSync('prometheus', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts Prometheus with the configuration of examples/, but each second and at these ports.
 * @param worker port of the worker's metrics
 * @param port of Prometheus itself
 */
export async function startPrometheus(worker: number, port: number) {
  const folder = await mkdtemp(join(tmpdir(), 'delta-md-prometheus-'));
  await cp(EXAMPLES, folder, { recursive: true });
  const file = join(folder, 'prometheus.yml');
  const config = await readFile(file, 'utf8');
  await writeFile(
    file,
    config.replace('localhost:9464', `127.0.0.1:${worker}`).replace(/(_interval): \d+s/g, '$1: 1s'),
  );
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  const ask = async <T>(path: string): Promise<Answer<T>> =>
    (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json() as Promise<Answer<T>>;
  await waitFor(async () => {
    const answer = await ask<Vector>('query?query=up').catch(() => undefined);
    return (answer?.data?.result.length ?? 0) > 0;
  });
  return {
    /** Samples that an expression has now. @throws with Prometheus' words where it is none */
    async query(expression: string): Promise<Vector['result']> {
      const { data, error } = await ask<Vector>(`query?query=${encodeURIComponent(expression)}`);
      if (!data) throw new Error(`${expression}: ${error}`);
      return data.result;
    },
    /** Every alert rule: its health, and its last error. */
    async rules(): Promise<readonly Rule[]> {
      const { data } = await ask<{ groups: { rules: Rule[] }[] }>('rules');
      return data?.groups.flatMap((group) => group.rules) ?? [];
    },
    async stop(): Promise<void> {
      child.kill('SIGTERM');
      await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
