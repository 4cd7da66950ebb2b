/** Which images of a session are diffusion series and which fieldmaps belong to them: by names and sidecars alone. */
import { join } from 'node:path';
import type { Study } from '../../config/study.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { inheritanceLevels, type Level, type Sidecar } from './files.ts';
import { applies, type BidsName, isNifti, selected } from './names.ts';
import { type Described, describeSeries, stemOf } from './series.ts';

/** A fieldmap, and whether its sidecar assigns it to a diffusion series (else it is taken for being in the session). */
export interface Fieldmap {
  readonly series: Described;
  readonly assigned: boolean;
}

export interface FoundSeries {
  /** Sorted by name; at least one. */
  readonly dwi: Described[];
  readonly fieldmaps: Fieldmap[];
  readonly notes: string[];
}

/**
 * Finds the series of a session.
 * @throws DeltaMdError INPUT_MISSING (no images, or a gradient table without its image), INPUT_CONTRADICTS (one series twice)
 */
export async function findSeries(
  study: Study,
  subject: string,
  session: string | null,
): Promise<FoundSeries> {
  const notes: string[] = [];
  const levels = await inheritanceLevels(study.bids, subject, session, 'dwi');
  const dwi = await describeAll(levels, dwiImages(levels, study.select, notes));
  const fmapLevels = await inheritanceLevels(study.bids, subject, session, 'fmap');
  const epis = fmapLevels
    .at(-1)!
    .names.filter((n) => isNifti(n) && n.suffix === 'epi' && selected(n, study.select));
  const fieldmaps: Fieldmap[] = [];
  for (const series of await describeAll(fmapLevels, epis)) {
    const assigned = assignment(series.sidecar, dwi);
    if (assigned === 'elsewhere')
      notes.push(`${series.name.name} is not used: its sidecar assigns it to other images.`);
    else fieldmaps.push({ series, assigned: assigned === 'here' });
  }
  return { dwi, fieldmaps, notes };
}

async function describeAll(levels: readonly Level[], names: readonly BidsName[]): Promise<Described[]> {
  return Promise.all(names.map((name) => describeSeries(levels, name)));
}

/** The diffusion images to use, after the checks that names allow. */
function dwiImages(levels: readonly Level[], select: Study['select'], notes: string[]): BidsName[] {
  const { folder, names } = levels.at(-1)!;
  const series = names.filter((n) => n.suffix === 'dwi' && selected(n, select));
  const all = series.filter(isNifti);
  const images = all.filter((n) => n.entities['part'] === undefined || n.entities['part'] === 'mag');
  if (images.length < all.length) notes.push('Phase images (part-phase) are not used.');
  const orphan = series.find(
    (n) => (n.extension === '.bval' || n.extension === '.bvec') && !all.some((image) => applies(n, image)),
  );
  if (orphan)
    throw new DeltaMdError(
      'INPUT_MISSING',
      `${join(folder, orphan.name)} has no image ${stemOf(orphan)}.nii.gz`,
      {
        remedy: 'Copy the image to its gradient table, then: delta-md retry',
      },
    );
  if (images.length === 0)
    throw new DeltaMdError(
      'INPUT_MISSING',
      Object.keys(select).length > 0 && names.some((n) => isNifti(n) && n.suffix === 'dwi')
        ? `${folder} has no diffusion image that the study file selects`
        : `${folder} has no diffusion image (*_dwi.nii.gz)`,
      { remedy: 'Add the images, or exclude the subject, then: delta-md retry' },
    );
  for (const [i, image] of images.entries())
    if (i > 0 && stemOf(images[i - 1]) === stemOf(image))
      throw new DeltaMdError(
        'INPUT_CONTRADICTS',
        `${join(folder, images[i - 1].name)} is there with and without .gz`,
        { remedy: 'Delete one of the two, then: delta-md retry' },
      );
  return images;
}

function listOf(sidecar: Sidecar, field: string): string[] {
  return [sidecar[field] ?? []].flat().filter((item) => typeof item === 'string');
}

/**
 * Whom a fieldmap is for: by B0FieldIdentifier and B0FieldSource, else by IntendedFor (BIDS URI or path; the file name
 * decides, as datasets disagree on what the path is relative to, and on .gz), else for whoever is in its session.
 */
function assignment(sidecar: Sidecar, dwi: readonly Described[]): 'here' | 'elsewhere' | 'open' {
  const identifiers = listOf(sidecar, 'B0FieldIdentifier');
  const sources = dwi.flatMap((series) => listOf(series.sidecar, 'B0FieldSource'));
  if (identifiers.length > 0 && sources.length > 0)
    return identifiers.some((id) => sources.includes(id)) ? 'here' : 'elsewhere';
  const stem = (path: string) => path.slice(path.lastIndexOf('/') + 1).replace(/\.nii(\.gz)?$/, '');
  const intended = listOf(sidecar, 'IntendedFor').map(stem);
  if (intended.length === 0) return 'open';
  return dwi.some((series) => intended.includes(stem(series.name.name))) ? 'here' : 'elsewhere';
}
