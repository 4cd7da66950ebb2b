/**
 * Does quality control find what is wrong, and leave alone what is right? Simulated subjects go through the toolkit's
 * own chain, good and with each defect; the metric meant for a defect and its default limit decide.
 *
 *   npm run qc:detection -- [--subjects 24] [--json file]
 */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPhantom } from '../../imaging/phantom/index.ts';
import { crossings } from '../../pipeline/qc/thresholds.ts';
import { DEFECTS, type Defect, type Measured, measureSubject } from './subject.ts';
import { detectionTable, tableText } from './table.ts';

const { values } = parseArgs({
  options: { subjects: { type: 'string', default: '24' }, json: { type: 'string' } },
});

const phantom = buildPhantom();
const folder = await mkdtemp(join(tmpdir(), 'delta-md-detection-'));
const measured: Measured[] = [];
for (let seed = 1; seed <= Number(values.subjects); seed++) {
  const one = await measureSubject(phantom, seed, join(folder, String(seed)));
  measured.push(one);
  const missed = (Object.keys(DEFECTS) as Defect[]).filter(
    (defect) =>
      !crossings(one[defect]).some(({ metric }) => (DEFECTS[defect] as readonly string[]).includes(metric)),
  );
  const alarms = crossings(one.good).map(({ metric, value }) => `${metric} ${value.toPrecision(3)}`);
  console.error(
    `subject ${seed}: missed ${missed.join(', ') || 'nothing'}; good scan: ${alarms.join(', ') || 'nothing to warn of'}`,
  );
}
if (values.json) await writeFile(values.json, JSON.stringify(measured));
const rows = detectionTable(measured);
console.log(tableText(rows));
if (rows.some(({ sensitivity, specificity }) => sensitivity < 0.95 || specificity < 0.95)) {
  console.error('Below 0.95.');
  process.exitCode = 1;
}
