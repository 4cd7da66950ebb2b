/**
 * One session of a cohort, simulated and written: a job that the cohort calls, or hands to a worker thread that loads
 * this module.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImagingError } from '../errors.ts';
import { formatBvals, formatBvecs } from '../gradients.ts';
import { writeImage } from '../nifti.ts';
import { json } from './description.ts';
import {
  type Artefacts,
  type SessionOptions,
  type SimulatedSession,
  type SimulatedSet,
  simulateSession,
} from './session.ts';
import { anatomyOf, regionalMd } from './subject.ts';
import { fractionalAnisotropy, meanDiffusivity } from './template.ts';

/** What to simulate, and where. Plain data: it travels between threads. */
export interface SessionJob extends Required<Omit<SessionOptions, 'motion'>> {
  readonly artefacts: Artefacts;
  /** Folder of the dataset. */
  readonly folder: string;
  /** Also write the true maps. */
  readonly truthMaps: boolean;
}

/** True MD (mm2/s) per region, or the file that could not be written: an ImagingError does not survive the way back. */
export type SessionOutcome =
  | { readonly regionalMd: readonly number[] }
  | { readonly refused: { readonly file: string; readonly message: string; readonly remedy: string } };

const ECHO_TIME = 0.075;
const REPETITION_TIME = 8;

/**
 * Simulates one session and writes its files. @returns true mean MD (mm2/s) of every region, in the order of ROI_NAMES
 * @throws ImagingError when a file cannot be written
 */
export async function writeSession(job: SessionJob): Promise<number[]> {
  const { folder, phantom, seed, subject, session, change, artefacts, truthMaps } = job;
  const simulated = simulateSession(job);
  const stem = `sub-${subject}_ses-${session}`;
  const dwi = join(folder, `sub-${subject}`, `ses-${session}`, 'dwi');
  await mkdir(dwi, { recursive: true });
  await writeSet(join(dwi, `${stem}_dir-AP_dwi`), simulated.ap);
  await writeSet(join(dwi, `${stem}_dir-PA_dwi`), simulated.pa);
  if (truthMaps) await writeTruthMaps(join(folder, 'derivatives', 'truth', stem), simulated);
  return regionalMd(phantom, anatomyOf(seed, subject, artefacts.anatomy), change);
}

/** What a worker thread does with a job. */
export default async function outcomeOf(job: SessionJob): Promise<SessionOutcome> {
  try {
    return { regionalMd: await writeSession(job) };
  } catch (error) {
    if (!(error instanceof ImagingError)) throw error;
    const { file, message, remedy } = error;
    return { refused: { file, message, remedy } };
  }
}

async function writeSet(stem: string, set: SimulatedSet): Promise<void> {
  const { direction, readoutSeconds } = set.acquisition;
  const lines = set.image.grid.dims[1];
  await writeImage(`${stem}.nii.gz`, set.image, { type: 'int16', volumeSeconds: REPETITION_TIME });
  await writeFile(`${stem}.bval`, formatBvals(set.gradients.bvals));
  await writeFile(`${stem}.bvec`, formatBvecs(set.gradients.bvecs));
  await writeFile(
    `${stem}.json`,
    json({
      Manufacturer: 'delta-md simulator',
      MagneticFieldStrength: 3,
      PulseSequenceType: 'Spin Echo EPI',
      EchoTime: ECHO_TIME,
      RepetitionTime: REPETITION_TIME,
      FlipAngle: 90,
      PhaseEncodingDirection: direction[1] < 0 ? 'j-' : 'j',
      TotalReadoutTime: readoutSeconds,
      EffectiveEchoSpacing: Number((readoutSeconds / (lines - 1)).toPrecision(8)),
      ReconMatrixPE: lines,
    }),
  );
}

async function writeTruthMaps(stem: string, session: SimulatedSession): Promise<void> {
  const { grid, truth } = session;
  const { fieldHz, brain, tensor, template } = truth;
  await writeImage(`${stem}_field.nii.gz`, fieldHz);
  await writeImage(`${stem}_mask.nii.gz`, brain, { type: 'uint8' });
  await writeImage(`${stem}_FA.nii.gz`, { grid, volumes: 1, data: fractionalAnisotropy(tensor.data) });
  await writeImage(`${stem}_MD.nii.gz`, { grid, volumes: 1, data: meanDiffusivity(tensor.data) });
  await writeImage(`${stem}_template.nii.gz`, template);
  const set = ({ motion, eddy }: SimulatedSet) => ({
    motion,
    eddy: eddy.map((field) => Array.from(field)),
  });
  await writeFile(
    `${stem}_truth.json`,
    json({
      conventions:
        'motion: mm and radians about the centre of the grid, world axes, relative to the first volume of AP. ' +
        'eddy: Hz over mm from the centre along the voxel axes, coefficients of x y z xx yy zz xy xz yz.',
      ap: set(session.ap),
      pa: set(session.pa),
    }),
  );
}
