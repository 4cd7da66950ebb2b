/** The table of a simulated trial on disk, without images: what `simulate --participants-only` writes. */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { tsv } from '../activities/derivatives.ts';
import type { analysisSchema } from '../config/analysis-file.ts';
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
  /** Both in one, a row per subject, and the plan by which `delta-md stats` analyses it. */
  readonly table: string;
  readonly analysis: string;
  /** The plan of the analysis as `statistics/` takes it, and the truth. */
  readonly plan: string;
}

/**
 * Writes participants.tsv, roi_md.tsv, table.tsv, plan.yaml and plan.json into a new folder, which appears whole.
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
  const rois = Object.keys(effects.change);
  const md = ({ baselineMd, change }: (typeof subjects)[number], roi: string, session: string) =>
    (baselineMd[roi] - (session === SESSIONS[0] ? 0 : change[roi])).toExponential(9);
  const roiMd = subjects.flatMap((person) =>
    SESSIONS.flatMap((session) =>
      rois.map((roi) => ({
        participant_id: person.subject,
        session,
        roi,
        md: md(person, roi, session),
      })),
    ),
  );
  const table = participants.map((row, i) => ({
    ...row,
    ...Object.fromEntries(
      SESSIONS.flatMap((session) =>
        rois.map((roi) => [`md_${roi}_${session}`, md(subjects[i], roi, session)]),
      ),
    ),
  }));
  const plan = { seed, plan: trialPlan(effects), effects, truth: trialTruth(effects) };
  const files = {
    'participants.tsv': tsv(Object.keys(participants[0]), participants),
    'roi_md.tsv': tsv(Object.keys(roiMd[0]), roiMd),
    'table.tsv': tsv(Object.keys(table[0]), table),
    'plan.yaml': stringify(analysisFile(effects, scores)),
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
    table: join(folder, 'table.tsv'),
    analysis: join(folder, 'plan.yaml'),
    plan: join(folder, 'plan.json'),
  };
}

/** The published analysis of such a table: every covariate set of the paper in a run of its own. */
function analysisFile(
  { groups, change }: TrialEffects,
  scores: readonly { readonly name: string; readonly column: string }[],
): z.input<typeof analysisSchema> {
  const [baseline, followup] = SESSIONS;
  return {
    title: 'Simulated trial',
    participants: { id: 'participant_id', group: { column: 'group', ...groups } },
    regions: {
      names: Object.keys(change),
      baseline: `md_{roi}_${baseline}`,
      followup: `md_{roi}_${followup}`,
    },
    statistics: {
      outcomes: scores.map(({ name, column }) => ({
        name,
        baseline: `${column}_${baseline}`,
        followup: `${column}_${followup}`,
      })),
      covariates: ['baselineMd', 'treatment_resistance', ['antidepressant', 'benzodiazepine']],
      characteristics: [
        'age',
        'sex',
        ...scores.map(({ column }) => `${column}_${baseline}`),
        'treatment_resistance',
        'antidepressant',
        'benzodiazepine',
      ],
      winsorize: 'tukey',
    },
  };
}
