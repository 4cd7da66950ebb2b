import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { ImagingError } from '../../imaging/errors.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { integer, JSON_OPTION } from '../options.ts';
import { output } from '../output.ts';
import { simulateStudy } from '../simulated-study.ts';
import { simulateTable } from '../simulated-table.ts';

interface Options {
  seed: number;
  vehicle: number;
  ketamine: number;
  voxelSize?: number;
  directions?: number;
  b0s?: number;
  bvalue?: number;
  snr?: number;
  motion?: number;
  eddyCurrents?: number;
  susceptibility?: number;
  truthMaps?: boolean;
  participantsOnly?: boolean;
  effects: boolean;
  json?: boolean;
}

export function register(program: Command): void {
  program
    .command('simulate')
    .description(
      'Simulates a two-session trial: a brain-like phantom per subject, AP and PA sets with susceptibility distortion, eddy currents, motion and noise, planted changes in MD and scores that follow from them. Writes FOLDER/bids, FOLDER/study.yaml, and the truth beside the data. Equal options give equal bytes.',
    )
    .argument('<folder>', 'where to write')
    .option('--seed <n>', 'seed of all chance', integer, 1)
    .option('--vehicle <n>', 'subjects in the reference group', integer, 5)
    .option('--ketamine <n>', 'subjects in the treatment group', integer, 5)
    .option('--voxel-size <mm>', 'voxel size of the scans', Number)
    .option('--directions <n>', 'diffusion directions per set', integer)
    .option('--b0s <n>', 'b0 volumes per set', integer)
    .option('--bvalue <b>', 'b in s/mm2', Number)
    .option('--snr <ratio>', 'signal-to-noise ratio of the b0s', Number)
    .option('--motion <scale>', 'head motion; 1 is usual, 0 is none', Number)
    .option('--eddy-currents <scale>', 'eddy currents; 1 is usual, 0 is none', Number)
    .option('--susceptibility <scale>', 'susceptibility distortion; 1 is usual, 0 is none', Number)
    .option('--truth-maps', 'also write true fields, masks and tensor maps')
    .option(
      '--participants-only',
      'no images: participants.tsv, roi_md.tsv, both in table.tsv with plan.yaml for delta-md stats, and plan.json with the truth',
    )
    .option('--no-effects', 'with --participants-only: treatment does nothing, no score goes with dMD')
    .addOption(JSON_OPTION())
    .addHelpText(
      'after',
      '\nExamples:\n  delta-md simulate ./trial\n  delta-md simulate ./trial --vehicle 31 --ketamine 67 --voxel-size 2 --directions 30 --b0s 4\n  delta-md run ./trial/study.yaml\n  delta-md simulate ./table --participants-only --vehicle 31 --ketamine 67\n\nExit codes: 0 done, 2 bad input',
    )
    .action(async (folder: string, options: Options) => {
      const out = output(options.json);
      const { voxelSize: voxelMm, directions, b0s, bvalue } = options;
      const { snr, motion, eddyCurrents, susceptibility } = options;
      const given = <T extends object>(values: T) =>
        Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
      if (options.participantsOnly) {
        const { seed, vehicle, ketamine, effects } = options;
        const n = { reference: vehicle, treatment: ketamine };
        const table = await simulateTable(resolve(folder), { seed, n, effects });
        out.say(
          `Truth: ${table.plan}\nAnalyse it: delta-md stats --plan ${table.analysis} --table ${table.table} --output ${join(folder, 'results')}`,
        );
        out.result(table);
        return;
      }
      if (!options.effects)
        throw new CommandError('--no-effects goes with --participants-only', EXIT.badInput);
      try {
        const study = await simulateStudy(
          resolve(folder),
          'simulated',
          {
            seed: options.seed,
            groups: { vehicle: options.vehicle, ketamine: options.ketamine },
            protocol: given({ voxelMm, directions, b0s, bvalue }) as object,
            artefacts: given({ snr, motion, eddyCurrents, susceptibility }) as object,
            truthMaps: options.truthMaps,
          },
          (fraction, message) => out.say(`[${String(Math.floor(100 * fraction)).padStart(3)} %] ${message}`),
        );
        out.say(`Run it: delta-md run ${study}`);
        out.result({ study });
      } catch (error) {
        if (error instanceof ImagingError || error instanceof RangeError)
          throw new CommandError(error.message, EXIT.badInput);
        throw error;
      }
    });
}
