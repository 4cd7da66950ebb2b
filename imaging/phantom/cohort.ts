/**
 * A whole simulated trial on disk: a BIDS dataset, and beside it, under `derivatives/`, the template with its
 * regions and the truth to check results against.
 */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ImagingError } from '../errors.ts';
import { writeImage } from '../nifti.ts';
import { derivativeDescription, json, table, writeDescriptions } from './description.ts';
import { ROI_NAMES } from './regions.ts';
import { type Artefacts, DEFAULT_ARTEFACTS, DEFAULT_PROTOCOL, NO_CHANGE, type Protocol } from './session.ts';
import type { SessionJob } from './session-worker.ts';
import { FIELD_OF_VIEW } from './subject.ts';
import { buildPhantom, onTemplate, type Phantom, templateFa } from './template.ts';
import { sessionThreads, shareMemory, writeSessions } from './threads.ts';
import { DEFAULT_EFFECTS, drawCohort, type Group, type Participant, type PlantedEffects } from './trial.ts';

export interface CohortOptions {
  /** Folder of the dataset; it must not exist, or be empty. It appears whole, at the end. */
  readonly outDir: string;
  readonly seed: number;
  /** Participants per group. */
  readonly groups: Readonly<Record<Group, number>>;
  readonly protocol?: Partial<Protocol>;
  readonly artefacts?: Partial<Artefacts>;
  readonly effects?: PlantedEffects;
  /** Also write each session's true field, mask, FA, MD, template coordinates and motion. */
  readonly truthMaps?: boolean;
  /** Sessions simulated at the same time. The data do not depend on it. Default: one per core. */
  readonly threads?: number;
}

/** A cohort of 8 scanned twice, coarser and shorter than a trial's, so that two cores are done with it in minutes. */
export const DEMO_COHORT = {
  seed: 1,
  groups: { vehicle: 4, ketamine: 4 },
  protocol: { voxelMm: 4, directions: 8 },
} as const satisfies Omit<CohortOptions, 'outDir'>;

/** What was written; paths are absolute. */
export interface SimulatedCohort {
  readonly outDir: string;
  readonly participants: readonly Participant[];
  readonly template: {
    readonly fa: string;
    readonly mask: string;
    readonly labels: string;
    /** Table of labels: index, name. */
    readonly table: string;
  };
  /** truth.json and the table of true regional MD: participant_id, session, roi, md. */
  readonly truth: { readonly json: string; readonly roiMd: string };
}

export const SESSIONS = ['baseline', '24h'] as const;

/**
 * Simulates and writes a cohort. Equal options give equal bytes in every file.
 * @param onProgress called after every session with the share done (0 to 1) and what was done
 * @throws ImagingError when `outDir` is not empty or cannot be written; RangeError for impossible options
 */
export async function simulateCohort(
  options: CohortOptions,
  onProgress: (fraction: number, message: string) => void = () => {},
): Promise<SimulatedCohort> {
  checkOptions(options);
  const outDir = resolve(options.outDir);
  const existing = await readdir(outDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new ImagingError(outDir, `cannot be read (${error.code})`, 'Choose another folder');
  });
  if (existing.length > 0)
    throw new ImagingError(outDir, 'is not empty', 'Choose a new folder, or remove this one first');
  // Written aside under a name of our own, then renamed: an interrupted run leaves no half dataset.
  const aside = join(dirname(outDir), `.${basename(outDir)}.partial`);
  await rm(aside, { recursive: true, force: true });
  try {
    const participants = await writeCohort(aside, options, onProgress);
    await rename(aside, outDir);
    const template = join(outDir, 'derivatives', 'template');
    const truth = join(outDir, 'derivatives', 'truth');
    return {
      outDir,
      participants,
      template: {
        fa: join(template, 'template_FA.nii.gz'),
        mask: join(template, 'template_mask.nii.gz'),
        labels: join(template, 'rois.nii.gz'),
        table: join(template, 'rois.tsv'),
      },
      truth: { json: join(truth, 'truth.json'), roiMd: join(truth, 'truth_roi_md.tsv') },
    };
  } catch (error) {
    await rm(aside, { recursive: true, force: true });
    throw error;
  }
}

function checkOptions({ groups, protocol, artefacts, seed, threads = 1 }: CohortOptions): void {
  const { voxelMm, directions, b0s, bvalue, readoutSeconds } = { ...DEFAULT_PROTOCOL, ...protocol };
  const { snr, ...scales } = { ...DEFAULT_ARTEFACTS, ...artefacts };
  const whole = (value: number, least: number) => Number.isInteger(value) && value >= least;
  const demands: [boolean, string][] = [
    [Number.isInteger(seed), 'the seed must be a whole number'],
    [whole(groups.vehicle, 0) && whole(groups.ketamine, 0), 'groups need whole numbers of participants'],
    [groups.vehicle + groups.ketamine > 0, 'a cohort needs at least one participant'],
    [whole(threads, 1), 'threads must be a whole number of 1 or more'],
    [voxelMm >= 1 && voxelMm <= 8, 'voxels must be between 1 and 8 mm'],
    [whole(directions, 6), 'a tensor needs at least 6 directions'],
    [whole(b0s, 1), 'each set needs at least one b0'],
    [bvalue >= 100 && bvalue <= 5000, 'the b value must be between 100 and 5000 s/mm2'],
    [readoutSeconds > 0 && readoutSeconds <= 0.1, 'the readout time must be above 0 and at most 0.1 s'],
    [snr > 0, 'the signal-to-noise ratio must be above 0'],
    [Object.values(scales).every((scale) => scale >= 0), 'scales of artefacts must be 0 or more'],
  ];
  for (const [met, demand] of demands) if (!met) throw new RangeError(`simulate: ${demand}`);
}

/** Memory that simulating one session takes at most, as measured: its volumes in float32 about three times. */
function sessionBytes({ voxelMm, directions, b0s }: Protocol): number {
  const [x, y, z] = FIELD_OF_VIEW;
  return 150e6 + 3 * 4 * 2 * (directions + b0s) * ((x * y * z) / voxelMm ** 3);
}

async function writeCohort(
  folder: string,
  options: CohortOptions,
  onProgress: (fraction: number, message: string) => void,
): Promise<Participant[]> {
  const { seed } = options;
  const protocol = { ...DEFAULT_PROTOCOL, ...options.protocol };
  const artefacts = { ...DEFAULT_ARTEFACTS, ...options.artefacts };
  const effects = options.effects ?? DEFAULT_EFFECTS;
  const participants = drawCohort(seed, options.groups, effects);
  const threads = sessionThreads(
    options.threads,
    SESSIONS.length * participants.length,
    sessionBytes(protocol),
  );
  const phantom = threads > 1 ? shareMemory(buildPhantom()) : buildPhantom();
  const template = join(folder, 'derivatives', 'template');
  const truth = join(folder, 'derivatives', 'truth');
  await mkdir(template, { recursive: true });
  await mkdir(truth, { recursive: true });
  await writeDescriptions(folder, participants);
  await writeTemplate(template, phantom);

  const jobs = participants.flatMap(({ label, change }) =>
    SESSIONS.map(
      (session): SessionJob => ({
        folder,
        phantom,
        seed,
        subject: label,
        session,
        change: session === SESSIONS[0] ? NO_CHANGE : change,
        protocol,
        artefacts,
        truthMaps: options.truthMaps ?? false,
      }),
    ),
  );
  let done = 0;
  const regionalMd = await writeSessions(jobs, threads, ({ subject, session }) => {
    done++;
    onProgress(done / jobs.length, `sub-${subject}, session ${session}`);
  });
  const roiMd: (string | number)[][] = [['participant_id', 'session', 'roi', 'md']];
  for (const [i, { subject, session }] of jobs.entries())
    for (const [r, name] of ROI_NAMES.entries())
      roiMd.push([`sub-${subject}`, session, name, regionalMd[i][r].toExponential(6)]);
  await writeFile(join(truth, 'truth_roi_md.tsv'), table(roiMd));
  await writeFile(
    join(truth, 'truth.json'),
    json({
      seed,
      protocol,
      // JSON knows no Infinity.
      artefacts: { ...artefacts, snr: Number.isFinite(artefacts.snr) ? artefacts.snr : 'none' },
      conventions:
        'change: MD(baseline) - MD(24h) in mm2/s. score: improvement = intercept + group g + slope X + interaction g X; ' +
        'g = 1 for ketamine; X = change of the region in 1e-5 mm2/s less centre.',
      effects,
      participants: participants.map(({ label, group, change }) => ({
        participant_id: `sub-${label}`,
        group,
        change,
      })),
    }),
  );
  return participants;
}

async function writeTemplate(folder: string, phantom: Phantom): Promise<void> {
  await writeImage(join(folder, 'template_FA.nii.gz'), templateFa(phantom));
  await writeImage(join(folder, 'template_mask.nii.gz'), onTemplate(phantom, phantom.brain), {
    type: 'uint8',
  });
  await writeImage(join(folder, 'rois.nii.gz'), onTemplate(phantom, phantom.regions.labels), {
    type: 'uint8',
  });
  await writeFile(
    join(folder, 'rois.tsv'),
    table([['index', 'name'], ...ROI_NAMES.map((name, r) => [r + 1, name])]),
  );
  await writeFile(join(folder, 'dataset_description.json'), derivativeDescription('Template and regions'));
}
