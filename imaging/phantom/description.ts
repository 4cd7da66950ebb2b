/** The words of a BIDS dataset: who took part, and what the folder is. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Participant } from './trial.ts';

const BIDS_VERSION = '1.10.0';

/** Text of a JSON file. */
export const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** Text of a tab-separated table. */
export const table = (rows: readonly (readonly (string | number)[])[]) =>
  rows.map((row) => `${row.join('\t')}\n`).join('');

/** dataset_description.json of a folder under `derivatives/`. */
export function derivativeDescription(name: string): string {
  return json({
    Name: `${name} of the simulated trial`,
    BIDSVersion: BIDS_VERSION,
    DatasetType: 'derivative',
    GeneratedBy: [{ Name: 'delta-md simulate' }],
  });
}

/** Writes README, dataset_description.json and the participants' table with its dictionary. */
export async function writeDescriptions(folder: string, participants: readonly Participant[]): Promise<void> {
  await writeFile(
    join(folder, 'dataset_description.json'),
    json({
      Name: 'A simulated ketamine trial',
      BIDSVersion: BIDS_VERSION,
      DatasetType: 'raw',
      License: 'CC0',
      GeneratedBy: [{ Name: 'delta-md simulate' }],
    }),
  );
  await writeFile(
    join(folder, 'derivatives', 'truth', 'dataset_description.json'),
    derivativeDescription('The truth'),
  );
  await writeFile(
    join(folder, 'README'),
    'A simulated trial, made by delta-md simulate. No person was scanned.\n\n' +
      'Two sessions per participant (baseline, 24 h after an infusion), each with diffusion-weighted sets of opposite\n' +
      'phase encoding (AP, PA), spoilt by noise, head motion, eddy currents and susceptibility distortion.\n' +
      'derivatives/template: FA template, mask, regions. derivatives/truth: what was planted, to check results against.\n',
  );
  await writeFile(
    join(folder, 'participants.tsv'),
    table([
      ['participant_id', 'age', 'sex', 'group', 'madrs_baseline', 'madrs_24h', 'qids_baseline', 'qids_24h'],
      ...participants.map((p) => [`sub-${p.label}`, p.age, p.sex, p.group, ...p.madrs, ...p.qids]),
    ]),
  );
  const score = (name: string, when: string) => ({ Description: `${name}, ${when}`, Units: 'points' });
  const [madrs, qids] = [
    'Montgomery-Asberg Depression Rating Scale (0 to 60)',
    'Quick Inventory of Depressive Symptomatology (0 to 27)',
  ];
  await writeFile(
    join(folder, 'participants.json'),
    json({
      age: { Description: 'Age at baseline', Units: 'years' },
      sex: { Description: 'Sex', Levels: { F: 'female', M: 'male' } },
      group: {
        Description: 'What was infused',
        Levels: { vehicle: 'saline', ketamine: 'ketamine' },
      },
      madrs_baseline: score(madrs, 'before the infusion'),
      madrs_24h: score(madrs, '24 hours after it'),
      qids_baseline: score(qids, 'before the infusion'),
      qids_24h: score(qids, '24 hours after it'),
    }),
  );
}
