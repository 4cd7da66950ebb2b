/** A survey of a BIDS folder, and the study file written from it. */
import { readFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { type Gap, type Survey, type SurveyColumn, studyText } from '../../config/init.ts';
import { isMissing, readTable } from '../../config/tables.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { dicomRemedy } from './dicom.ts';
import { foldersIn, inheritanceLevels } from './files.ts';
import { isNifti } from './names.ts';
import { recordedDirection, recordedReadout } from './phase.ts';
import { type Described, describeSeries } from './series.ts';

/**
 * Writes the text of a study file for a BIDS folder; relative paths in it start at `studyFolder`.
 * @throws DeltaMdError INPUT_MISSING where the folder holds no subjects or no diffusion images
 */
export async function initStudy(bidsFolder: string, studyFolder = process.cwd()): Promise<string> {
  return studyText(await surveyBids(resolve(bidsFolder), resolve(studyFolder)));
}

async function surveyBids(bids: string, studyFolder: string): Promise<Survey> {
  const subjects = await foldersIn(bids, 'sub-');
  if (subjects.length === 0)
    throw new DeltaMdError('INPUT_MISSING', `${bids} holds no folder sub-...`, {
      remedy: (await dicomRemedy(bids)) ?? 'Name the folder that holds the sub- folders of the BIDS dataset',
    });
  const sessions: Record<string, number> = {};
  const gaps = new Map<string, Gap>();
  let count = 0;
  for (const subject of subjects) {
    const labels = (await foldersIn(join(bids, subject), 'ses-')).map((name) => name.slice(4));
    for (const label of labels) sessions[label] = (sessions[label] ?? 0) + 1;
    for (const session of labels.length > 0 ? labels : [null])
      for (const series of await seriesOf(bids, subject, session)) {
        addGap(gaps, series, bids);
        count++;
      }
  }
  if (count === 0)
    throw new DeltaMdError('INPUT_MISSING', `${bids} holds no diffusion image (sub-*/.../dwi/*_dwi.nii.gz)`, {
      remedy: (await dicomRemedy(bids)) ?? 'Name a BIDS dataset with diffusion images',
    });
  const path = relative(studyFolder, bids) || '.';
  return {
    name: await datasetName(bids),
    bids: path.startsWith('..') || path === '.' ? path : `./${path}`,
    subjects: subjects.length,
    sessions,
    gaps: [...gaps.values()].sort((a, b) => (a.direction < b.direction ? -1 : 1)),
    ...(await participantColumns(bids)),
  };
}

async function seriesOf(bids: string, subject: string, session: string | null): Promise<Described[]> {
  const found: Described[] = [];
  for (const [datatype, suffix] of [
    ['dwi', 'dwi'],
    ['fmap', 'epi'],
  ] as const) {
    const levels = await inheritanceLevels(bids, subject, session, datatype);
    for (const name of levels.at(-1)!.names)
      if (isNifti(name) && name.suffix === suffix) found.push(await describeSeries(levels, name));
  }
  return found;
}

/** Counts what the sidecar of one series leaves out, by the label of its direction. */
function addGap(gaps: Map<string, Gap>, series: Described, bids: string): void {
  const question = { ...series, image: series.name.name };
  const phaseEncodingDirection = lacks(() => recordedDirection(question));
  const totalReadoutTime = lacks(() => recordedReadout(question));
  if (!phaseEncodingDirection && !totalReadoutTime) return;
  const direction = series.dir ?? 'default';
  const before = gaps.get(direction);
  gaps.set(direction, {
    direction,
    phaseEncodingDirection: phaseEncodingDirection || (before?.phaseEncodingDirection ?? false),
    totalReadoutTime: totalReadoutTime || (before?.totalReadoutTime ?? false),
    example: before?.example ?? relative(bids, series.sidecarPath),
    files: (before?.files ?? 0) + 1,
  });
}

/** A value that is there but not credible is told by discovery, in its own words; here it counts as absent. */
function lacks(read: () => unknown): boolean {
  try {
    return read() === undefined;
  } catch {
    return true;
  }
}

async function datasetName(bids: string): Promise<string> {
  try {
    const { Name } = JSON.parse(await readFile(join(bids, 'dataset_description.json'), 'utf8'));
    if (typeof Name === 'string' && Name.trim() !== '') return Name;
  } catch {
    // The folder's name serves as well.
  }
  return basename(bids);
}

async function participantColumns(bids: string): Promise<{ participants?: SurveyColumn[] }> {
  const { table } = await readTable(join(bids, 'participants.tsv'));
  if (table.columns.length === 0) return {};
  return {
    participants: table.columns.map((name) => ({
      name,
      values: [...new Set(table.rows.map(({ cells }) => cells[name]))].filter((v) => !isMissing(v)).sort(),
    })),
  };
}
