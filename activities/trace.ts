/** From one regional number back to the scans: every file and command behind it, told by content. */
import { basename, dirname } from 'node:path';
import type { Study } from '../config/study.ts';
import { readTable } from '../config/tables.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import { sessionOutputs } from './outputs.ts';
import { readSteps } from './published.ts';
import { hashFile, type StepRecord } from './store.ts';

/** One session's number of one region, and what it was made of. */
export interface Trace {
  readonly session: string | null;
  readonly roi: string;
  /** Mean MD in mm2/s; null: no voxel had data. */
  readonly md: number | null;
  readonly coverage: number;
  /** The published map that was averaged. */
  readonly map: string;
  /** Steps from the scans to the map, a step after those it builds on. */
  readonly steps: readonly StepRecord[];
  /** Files of the study that the first steps read. */
  readonly scans: readonly { readonly path: string; readonly sha256: string }[];
}

/** Key of the result that an input is of, if it is one: results lie in folders named by their keys. */
const keyOfFolder = (path: string) => basename(dirname(path));

/** Records behind the content `sha256`, each once, a step after those it builds on. */
function behind(sha256: string, records: readonly StepRecord[]): StepRecord[] {
  const byKey = new Map(records.map((record) => [record.key, record]));
  const out = new Set<StepRecord>();
  const visit = (record: StepRecord | undefined): void => {
    if (!record || out.has(record)) return;
    for (const input of Object.values(record.inputs)) visit(byKey.get(keyOfFolder(input.path)));
    out.add(record);
  };
  visit(records.find((record) => Object.values(record.outputs).some((made) => made.sha256 === sha256)));
  return [...out];
}

/**
 * @throws DeltaMdError INPUT_MISSING where the subject has no published results or the region is unknown;
 *   INPUT_CONTRADICTS where the published map is not what the record says
 */
export async function traceOf(study: Study, subject: string, roi: string): Promise<Trace[]> {
  const records = await readSteps(study.output, subject);
  if (!records)
    throw new DeltaMdError('INPUT_MISSING', `${subject} has no finished results in ${study.output}`);
  const traces: Trace[] = [];
  for (const { label } of study.sessions) {
    const at = sessionOutputs(study, subject, label);
    const { table } = await readTable(at.scalarstats);
    const row = table.rows.find(({ cells }) => cells['node'] === roi);
    if (!row)
      throw new DeltaMdError('INPUT_MISSING', `${subject} has no region ${roi}`, {
        remedy: `Regions: ${table.rows.map(({ cells }) => cells['node']).join(' ')}`,
      });
    const { mdInTemplate: map } = at;
    const steps = behind(await hashFile(map), records);
    if (steps.length === 0)
      throw new DeltaMdError(
        'INPUT_CONTRADICTS',
        `${map} is not the file that was published: its content differs`,
        {
          remedy: `Make it again: delta-md retry ${subject}`,
        },
      );
    // Not by content: gradients that eddy did not turn are the same before and after it.
    const made = new Set(steps.map(({ key }) => key));
    const scans = new Map(
      steps.flatMap((step) =>
        Object.values(step.inputs)
          .filter((input) => !made.has(keyOfFolder(input.path)))
          .map((input) => [input.sha256, input] as const),
      ),
    );
    const mean = Number(row.cells['mean']);
    traces.push({
      session: label,
      roi,
      md: Number.isFinite(mean) ? mean : null,
      coverage: Number(row.cells['coverage']),
      map,
      steps,
      scans: [...scans.values()],
    });
  }
  return traces;
}
