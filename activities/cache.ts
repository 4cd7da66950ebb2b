/** The store of results as a whole: what it holds, whether it is sound, what nobody needs any more. */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readSteps } from './published.ts';
import { hashFile, type StepRecord } from './store.ts';

/** Results of one step. */
export interface Holding {
  readonly step: string;
  readonly results: number;
  readonly bytes: number;
  /** Seconds of tools that the results save. */
  readonly seconds: number;
}

/** A result that is not what its record says. */
export interface Unsound {
  readonly key: string;
  readonly step: string;
  readonly file: string;
  readonly problem: 'missing' | 'changed';
}

const folders = async (path: string): Promise<string[]> =>
  (await readdir(path, { withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(path, entry.name));

/** Every finished result of a work folder: its folder and its record. */
async function* results(work: string): AsyncGenerator<{ folder: string; record: StepRecord }> {
  for (const shelf of await folders(join(work, 'store')))
    for (const folder of await folders(shelf)) {
      const text = await readFile(join(folder, 'record.json'), 'utf8').catch(() => undefined);
      if (text !== undefined) yield { folder, record: JSON.parse(text) };
    }
}

const bytesOf = (record: StepRecord) =>
  Object.values(record.outputs).reduce((sum, { bytes }) => sum + bytes, 0);

/** What the store holds, the largest first. */
export async function holdings(work: string): Promise<Holding[]> {
  const bySteps = new Map<string, Holding>();
  for await (const { record } of results(work)) {
    const before = bySteps.get(record.step) ?? { step: record.step, results: 0, bytes: 0, seconds: 0 };
    bySteps.set(record.step, {
      step: record.step,
      results: before.results + 1,
      bytes: before.bytes + bytesOf(record),
      seconds: before.seconds + record.seconds,
    });
  }
  return [...bySteps.values()].sort((a, b) => b.bytes - a.bytes);
}

/**
 * Hashes every file of the store again. A result that fails is removed, so that the next run computes it anew.
 */
export async function verify(work: string): Promise<{ checked: number; unsound: Unsound[] }> {
  const unsound: Unsound[] = [];
  let checked = 0;
  for await (const { folder, record } of results(work)) {
    const before = unsound.length;
    for (const { file, sha256 } of Object.values(record.outputs)) {
      const path = join(folder, file);
      const found = await hashFile(path).catch(() => undefined);
      if (found === sha256) continue;
      const problem = found === undefined ? 'missing' : 'changed';
      unsound.push({ key: record.key, step: record.step, file: path, problem });
    }
    if (unsound.length > before) await rm(folder, { recursive: true, force: true });
    checked++;
  }
  return { checked, unsound };
}

/** Keys of every result behind the published outputs of a study. */
async function keysInUse(output: string): Promise<Set<string>> {
  const used = new Set<string>();
  for (const name of await readdir(join(output, 'logs')).catch(() => [])) {
    const subject = /^(.*)_steps\.json$/.exec(name)?.[1];
    if (subject === undefined) continue;
    for (const { key } of (await readSteps(output, subject)) ?? []) used.add(key);
  }
  return used;
}

/**
 * Removes results that no published output of the study rests on, and what failed steps left, once they are older than
 * `days`: a cohort that runs may still want younger ones.
 * @param dryRun only says what would go
 */
export async function collect(
  work: string,
  output: string,
  days: number,
  dryRun: boolean,
): Promise<{ results: number; failed: number; bytes: number }> {
  const used = await keysInUse(output);
  const before = Date.now() - days * 86_400_000;
  const isOld = async (folder: string) => (await stat(folder)).mtimeMs <= before;
  const remove = async (folder: string) => {
    if (!dryRun) await rm(folder, { recursive: true, force: true });
  };
  const gone = { results: 0, failed: 0, bytes: 0 };
  for await (const { folder, record } of results(work)) {
    if (used.has(basename(folder)) || !(await isOld(folder))) continue;
    gone.results++;
    gone.bytes += bytesOf(record);
    await remove(folder);
  }
  for (const folder of await folders(join(work, 'failed'))) {
    if (!(await isOld(folder))) continue;
    gone.failed++;
    for (const name of await readdir(folder)) gone.bytes += (await stat(join(folder, name))).size;
    await remove(folder);
  }
  return gone;
}
