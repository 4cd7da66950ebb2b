/** From a result back to everything it was made of. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileRef } from '../pipeline/step.ts';
import type { StepRecord } from './store.ts';

/**
 * Records of all steps behind some results, each once, a step after those it builds on.
 * A file without a record beside it is an input of the study and ends its branch.
 */
export async function recordsBehind(results: readonly FileRef[]): Promise<StepRecord[]> {
  const seen = new Set<string>();
  const records: StepRecord[] = [];
  const visit = async ({ path }: FileRef): Promise<void> => {
    const folder = dirname(path);
    if (seen.has(folder)) return;
    seen.add(folder);
    const text = await readFile(join(folder, 'record.json'), 'utf8').catch(() => undefined);
    if (text === undefined) return;
    const record: StepRecord = JSON.parse(text);
    for (const input of Object.values(record.inputs)) await visit(input);
    records.push(record);
  };
  for (const result of results) await visit(result);
  return records;
}
