/** The table of a simulated trial on disk, without images: what `simulate --participants-only` writes. */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { tsv } from '../activities/derivatives.ts';
import { SESSIONS } from '../imaging/phantom/index.ts';
import { randomStream } from '../statistics/random.ts';
import {
  PLANTED_TRIAL,
  simulateTrial,
  type TrialEffects,
  trialPlan,
  trialTruth,
  withoutEffects,
} from '../statistics/simulated-trial.ts';
import { CommandError, EXIT } from './exit-codes.ts';

export interface TableOptions {
  readonly seed: number;
  readonly n: TrialEffects['n'];
  /** False: treatment does nothing and no score goes with dMD. */
  readonly effects: boolean;
}

/** Paths of what was written. */
export interface SimulatedTable {
  readonly participants: string;
  readonly roiMd: string;
  /** The plan of the analysis, and the truth. */
  readonly plan: string;
}

/**
 * Writes participants.tsv, roi_md.tsv and plan.json into a new folder, which appears whole.
 * @throws CommandError where the folder is not empty
 */
export async function simulateTable(folder: string, options: TableOptions): Promise<SimulatedTable> {
  const existing = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new CommandError(`${folder} cannot be read (${error.code}). Choose another folder`, EXIT.badInput);
  });
  if (existing.length > 0)
    throw new CommandError(
      `${folder} is not empty. Choose a new folder, or remove this one first`,
      EXIT.badInput,
    );
  const { seed, n } = options;
  const planted = { ...PLANTED_TRIAL, n };
  const effects = options.effects ? planted : withoutEffects(planted);
  const subjects = simulateTrial(effects, randomStream(seed));
  const scores = effects.scores.map(({ name }) => ({ name, column: name.toLowerCase() }));
  const participants = subjects.map((person) => ({
    participant_id: person.subject,
    group: person.group,
    age: person.age,
    sex: person.sex,
    treatment_resistance: person.treatmentResistance,
    antidepressant: person.antidepressant,
    benzodiazepine: person.benzodiazepine,
    ...Object.fromEntries(
      scores.flatMap(({ name, column }) => {
        const { baseline, followup } = person.scores[name];
        return [
          [`${column}_${SESSIONS[0]}`, baseline],
          [`${column}_${SESSIONS[1]}`, followup],
        ];
      }),
    ),
  }));
  const roiMd = subjects.flatMap(({ subject, baselineMd, change }) =>
    SESSIONS.flatMap((session) =>
      Object.keys(change).map((roi) => ({
        participant_id: subject,
        session,
        roi,
        md: (baselineMd[roi] - (session === SESSIONS[0] ? 0 : change[roi])).toExponential(9),
      })),
    ),
  );
  const plan = { seed, plan: trialPlan(effects), effects, truth: trialTruth(effects) };
  const files = {
    'participants.tsv': tsv(Object.keys(participants[0]), participants),
    'roi_md.tsv': tsv(Object.keys(roiMd[0]), roiMd),
    'plan.json': `${JSON.stringify(plan, null, 2)}\n`,
  };
  const aside = join(dirname(folder), `.${basename(folder)}.partial`);
  await rm(aside, { recursive: true, force: true });
  try {
    await mkdir(aside, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(aside, name), text);
    await rename(aside, folder);
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
  return {
    participants: join(folder, 'participants.tsv'),
    roiMd: join(folder, 'roi_md.tsv'),
    plan: join(folder, 'plan.json'),
  };
}
