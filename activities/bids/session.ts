/** One session, thoroughly: every set found, read, checked, compared, so that no step fails for what could be known. */
import { basename } from 'node:path';
import type { Study } from '../../config/study.ts';
import { B0_MAX } from '../../imaging/gradients.ts';
import { type DwiSet, opposite, type SessionInput } from '../../pipeline/acquisition.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { named } from '../failures.ts';
import { findSeries } from './find.ts';
import { gridDifference } from './grids.ts';
import { type PhaseAnswer, polarityProblem, resolvePhase } from './phase.ts';
import { type Described, readSeries, type Series } from './series.ts';

/** A tensor has six unknowns: a series with fewer weighted volumes is there for its b0s. */
const MIN_DIRECTIONS = 6;

type Directed = Described & Pick<PhaseAnswer, 'phaseEncoding' | 'readoutSeconds' | 'readoutSource'>;

/**
 * Finds and checks everything of one session. Reads each image once.
 * @param session label without `ses-`; null where the dataset has no session level
 * @param expected direction labels a complete session holds (`Cohort.directions`): a reversed set that is absent is an
 *   error where it is expected, and a reason to do without topup where it is not
 * @throws DeltaMdError INPUT_*, naming file, subject and session
 */
export async function discoverSession(
  study: Study,
  subject: string,
  session: string | null,
  expected: readonly string[] = [],
): Promise<SessionInput> {
  return named({ subject, ...(session === null ? {} : { session }) }, async () => {
    const { dwi, fieldmaps, notes } = await findSeries(study, subject, session);

    // Directions first: they need no image, and a missing set is told before gigabytes are read.
    const directed = (series: Described): Directed => {
      const answer = resolvePhase({ ...series, image: series.name.name }, study.acquisition);
      notes.push(...answer.notes);
      return { ...series, ...answer };
    };
    const diffusion = dwi.map(directed);
    // Where the diffusion sets are reversed to each other, a fieldmap nobody assigned to them is not needed.
    const additional = fieldmaps
      .filter((fieldmap) => fieldmap.assigned || !hasReversedPair(diffusion))
      .map((fieldmap) => ({ ...directed(fieldmap.series), assigned: fieldmap.assigned }));
    const contradiction = polarityProblem(
      [...diffusion, ...additional].map(({ name, dir, phaseEncoding }) => ({
        name: name.name,
        dir,
        phaseEncoding,
      })),
    );
    if (contradiction !== undefined)
      throw new DeltaMdError('INPUT_CONTRADICTS', contradiction, {
        remedy:
          'Correct PhaseEncodingDirection in the sidecar that is wrong, or give it in the study file under acquisition with "override: true"',
      });
    checkComplete(study, [...diffusion, ...additional], expected, dwi[0].path);

    const sets: DwiSet[] = [];
    let reference: Series | undefined;
    for (const series of [...diffusion, ...additional]) {
      const read = await readSeries(series);
      reference ??= read;
      const difference = gridDifference(reference.grid, read.grid);
      if (difference?.fatal) {
        const message = `${series.path} and ${reference.image.path} are not on one grid: ${difference.text}`;
        if (!('assigned' in series) || series.assigned)
          throw new DeltaMdError('INPUT_CONTRADICTS', message, {
            remedy:
              'Convert both again from the same protocol, or resample one onto the other, then: delta-md retry',
          });
        notes.push(`${series.name.name} is not used: ${difference.text} than the diffusion sets.`);
        continue;
      }
      if (difference) notes.push(`${series.name.name}: ${difference.text} than ${dwi[0].name.name}.`);
      sets.push(dwiSet(series, read));
    }
    for (const set of sets) notes.push(...roleNotes(set));
    notes.push(...echoTimeNotes([...diffusion, ...additional]));
    sets.sort((a, b) => Number(a.role === 'fieldmap') - Number(b.role === 'fieldmap'));
    checkUsable(sets, dwi[0].path);
    const topup = hasReversedPair(sets)
      ? true
      : ({
          skippedBecause: `no set with reversed phase encoding: all are ${sets[0].phaseEncoding}`,
        } as const);
    if (topup !== true)
      notes.push(`topup is skipped, so susceptibility distortion is not corrected: ${topup.skippedBecause}.`);
    return { subject, session, sets, topup, notes };
  });
}

/** True where topup has something to compare. */
function hasReversedPair(sets: readonly Pick<DwiSet, 'phaseEncoding'>[]): boolean {
  return sets.some((a) => sets.some((b) => b.phaseEncoding === opposite(a.phaseEncoding)));
}

/** A reversed set that is expected must be there. */
function checkComplete(
  study: Study,
  series: readonly Directed[],
  expected: readonly string[],
  path: string,
): void {
  if (hasReversedPair(series)) return;
  const found = new Set(series.map(({ dir }) => dir));
  const stated = Object.keys(study.acquisition).filter((dir) => dir !== 'default');
  const missing = [...new Set([...expected, ...stated])].filter((dir) => !found.has(dir));
  if (missing.length === 0) return;
  const why = expected.includes(missing[0])
    ? 'other sessions have one'
    : 'the study file lists it under acquisition';
  throw new DeltaMdError('INPUT_MISSING', `missing ${missing.join(', ')} set beside ${path}; ${why}`, {
    remedy: `Add the ${missing.join(', ')} set; if it was never acquired, exclude the subject, then: delta-md retry`,
  });
}

function dwiSet(series: Directed, read: Series): DwiSet {
  const { image, bval, bvec, sidecars, grid, volumes, b0Volumes } = read;
  const run = series.name.entities['run'];
  return {
    image,
    ...(bval && { bval }),
    ...(bvec && { bvec }),
    sidecars,
    ...(series.dir === undefined ? {} : { dir: series.dir }),
    ...(run === undefined ? {} : { run }),
    phaseEncoding: series.phaseEncoding,
    readoutSeconds: series.readoutSeconds,
    readoutSource: series.readoutSource,
    volumes,
    dims: grid.dims,
    voxelSizes: grid.voxelSizes,
    b0Volumes,
    role: volumes - b0Volumes.length >= MIN_DIRECTIONS ? 'dwi' : 'fieldmap',
  };
}

function roleNotes(set: DwiSet): string[] {
  if (set.role === 'dwi' || set.bval === undefined) return [];
  const weighted = set.volumes - set.b0Volumes.length;
  return [
    `${basename(set.image.path)} serves topup only: it has ${weighted} diffusion-weighted volumes, a tensor needs ${MIN_DIRECTIONS}.`,
  ];
}

/** Signals of different echo times are not on one scale. */
function echoTimeNotes(series: readonly Directed[]): string[] {
  const times = [...new Set(series.map(({ sidecar }) => sidecar['EchoTime']))].filter(
    (t) => typeof t === 'number',
  );
  if (times.length < 2) return [];
  const ms = times.map((t) => (1000 * t).toFixed(0)).join(', ');
  return [`Echo times differ between sets (${ms} ms), so their intensities are not on one scale.`];
}

/** There must be something to fit a tensor to, and b0s for every direction. */
function checkUsable(sets: readonly DwiSet[], path: string): void {
  if (sets[0]?.role !== 'dwi')
    throw new DeltaMdError(
      'INPUT_UNUSABLE',
      `no series beside ${path} has ${MIN_DIRECTIONS} diffusion-weighted volumes, which a tensor needs`,
    );
  for (const { phaseEncoding, image } of sets)
    if (!sets.some((set) => set.phaseEncoding === phaseEncoding && set.b0Volumes.length > 0))
      throw new DeltaMdError('INPUT_UNUSABLE', `${image.path} has no b0 volume (b <= ${B0_MAX} s/mm2)`, {
        remedy: 'Check its bval file, or exclude the subject, then: delta-md retry',
      });
}
