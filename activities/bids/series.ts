/** One image with its gradient table and sidecar, read once and checked. */
import { basename, join } from 'node:path';
import { ImagingError } from '../../imaging/errors.ts';
import { B0_MAX, readBvals, readBvecs, readGradients } from '../../imaging/gradients.ts';
import { type Grid, type Image, volumeOf } from '../../imaging/image.ts';
import { readImage } from '../../imaging/nifti.ts';
import type { InputFile } from '../../pipeline/acquisition.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { applicable, inputFile, type Level, readSidecars, type Sidecar } from './files.ts';
import { type BidsName, directionLabel } from './names.ts';

/** A series by its name and sidecar alone: no image is opened for it. */
export interface Described {
  readonly levels: readonly Level[];
  readonly name: BidsName;
  /** Absolute path of the image. */
  readonly path: string;
  readonly dir?: string;
  readonly sidecar: Sidecar;
  /** Sidecars that apply, the most general first. */
  readonly sidecarPaths: readonly string[];
  /** The sidecar a user would edit: the most special one, or the one that would be beside the image. */
  readonly sidecarPath: string;
}

export async function describeSeries(levels: readonly Level[], name: BidsName): Promise<Described> {
  const folder = levels.at(-1)!.folder;
  const sidecarPaths = applicable(levels, name, '.json');
  const dir = directionLabel(name);
  return {
    levels,
    name,
    path: join(folder, name.name),
    ...(dir === undefined ? {} : { dir }),
    sidecar: await readSidecars(sidecarPaths),
    sidecarPaths,
    sidecarPath: sidecarPaths.at(-1) ?? join(folder, `${stemOf(name)}.json`),
  };
}

/** A file's name without its extension. */
export function stemOf(name: BidsName): string {
  return name.name.slice(0, -name.extension.length);
}

/** What reading a series adds. */
export interface Series {
  readonly image: InputFile;
  readonly bval?: InputFile;
  readonly bvec?: InputFile;
  readonly sidecars: readonly InputFile[];
  readonly grid: Grid;
  readonly volumes: number;
  readonly b0Volumes: readonly number[];
}

/**
 * Reads and checks one series. A series of `dwi/` must have a gradient table; one of `fmap/` without is all b0s.
 * @throws DeltaMdError INPUT_MISSING, INPUT_CONTRADICTS, INPUT_UNUSABLE; ImagingError where a file is damaged
 */
export async function readSeries({ levels, name, path, sidecarPaths }: Described): Promise<Series> {
  const table = gradientPaths(levels, name, path);
  const image = await inputFile(path);
  const { grid, volumes } = checkVolumes(path, await readImage(path));
  const bvals = table ? await readTable(table, volumes, path) : new Float64Array(volumes);
  return {
    image,
    ...(table && { bval: await inputFile(table.bval), bvec: await inputFile(table.bvec) }),
    sidecars: await Promise.all(sidecarPaths.map(inputFile)),
    grid,
    volumes,
    b0Volumes: Array.from(bvals.keys()).filter((t) => bvals[t] <= B0_MAX),
  };
}

interface TablePaths {
  readonly bval: string;
  readonly bvec: string;
}

/** The gradient table that applies to an image; undefined for an image of `fmap/` without one. */
function gradientPaths(levels: readonly Level[], name: BidsName, path: string): TablePaths | undefined {
  const bval = applicable(levels, name, '.bval').at(-1);
  const bvec = applicable(levels, name, '.bvec').at(-1);
  if (bval !== undefined && bvec !== undefined) return { bval, bvec };
  if (name.suffix !== 'dwi') return undefined;
  const kind = bval === undefined ? 'bval' : 'bvec';
  throw new DeltaMdError('INPUT_MISSING', `${path} has no ${kind} file`, {
    remedy: `Put ${stemOf(name)}.${kind} beside it, then: delta-md retry`,
  });
}

/** b values of a table that agrees with its image. */
async function readTable({ bval, bvec }: TablePaths, volumes: number, imagePath: string) {
  // Each file by itself first: what fails here is damaged, what fails below contradicts.
  await readBvals(bval);
  await readBvecs(bvec);
  try {
    return (await readGradients(bval, bvec, volumes, imagePath)).bvals;
  } catch (error) {
    if (!(error instanceof ImagingError)) throw error;
    throw new DeltaMdError('INPUT_CONTRADICTS', error.message.slice(0, -(error.remedy.length + 2)), {
      remedy: error.remedy,
    });
  }
}

/** Passes on the grid of an image all of whose volumes hold data; the voxels themselves are let go. */
function checkVolumes(path: string, image: Image): { grid: Grid; volumes: number } {
  for (let t = 0; t < image.volumes; t++) {
    const volume = volumeOf(image, t);
    let unusable = 0;
    let constant = true;
    for (let i = 0; i < volume.length; i++) {
      // Infinity - Infinity and NaN - NaN are NaN: both fail the test in one comparison.
      if (!(volume[i] - volume[i] === 0)) unusable++;
      if (volume[i] !== volume[0]) constant = false;
    }
    if (unusable > 0)
      throw new DeltaMdError(
        'INPUT_UNUSABLE',
        `${path}: volume ${t} (counted from 0) has ${unusable} voxels that are no numbers (NaN or infinite)`,
        { remedy: 'Convert the scan again; if it stays so, exclude the subject, then: delta-md retry' },
      );
    if (constant)
      throw new DeltaMdError(
        'INPUT_UNUSABLE',
        `${path}: volume ${t} (counted from 0) is empty: every voxel is ${volume[0]}`,
        {
          remedy: `Remove it from ${basename(path)}, bval and bvec, or convert the scan again, then: delta-md retry`,
        },
      );
  }
  return { grid: image.grid, volumes: image.volumes };
}
