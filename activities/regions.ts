/** Regions as numbers on the template's grid: label images are checked against it, and made of a study's definitions. */
import { gzipSync } from 'node:zlib';
import { numbersNamed } from '../config/atlas.ts';
import { suggestOrList } from '../config/problems.ts';
import type { Limits, Region, RoiLabel } from '../config/study.ts';
import { transformPoint } from '../imaging/affine.ts';
import { type Image, sameGrid } from '../imaging/image.ts';
import { encodeNifti, readGrid, readImage } from '../imaging/nifti.ts';
import { DeltaMdError } from '../pipeline/failures.ts';
import { gridDifference } from './bids/grids.ts';
import { writeInto } from './derivatives.ts';
import { named } from './failures.ts';

/** Affines may differ by rounding of the tools that wrote them, far below a voxel. */
const GRID_TOLERANCE_MM = 0.05;

/**
 * Regions are numbers on the template's grid; on any other they would be read from the wrong places.
 * @throws DeltaMdError INPUT_CONTRADICTS for a label image on another grid, or of several volumes
 */
export async function requireOnTemplate(labels: string, template: string): Promise<void> {
  const [of, on] = await named({}, () => Promise.all([readGrid(labels), readGrid(template)]));
  if (of.volumes > 1)
    throw new DeltaMdError('INPUT_CONTRADICTS', `${labels} has ${of.volumes} volumes: it is no label image`, {
      remedy: 'Name an image of whole numbers; among an atlas of FSL the one called maxprob, not prob',
    });
  if (sameGrid(of.grid, on.grid, GRID_TOLERANCE_MM)) return;
  const how = gridDifference(on.grid, of.grid)?.text ?? 'its voxels lie slightly elsewhere';
  throw new DeltaMdError(
    'INPUT_CONTRADICTS',
    `${labels} is not on the grid of the template ${template}: ${how}`,
    {
      remedy:
        'Resample the label image onto the template with nearest-neighbour interpolation; of an atlas of FSL name the one of the same resolution',
    },
  );
}

/** A region whose labels are known by number. */
export interface NumberedRegion {
  readonly name: string;
  /** Label image. */
  readonly image: string;
  readonly numbers: readonly number[];
  readonly limits?: Limits;
}

/** @throws DeltaMdError CONFIG_INVALID for a name that is no label of the image */
export function numbered(region: Region, image: string, labels: readonly RoiLabel[]): NumberedRegion {
  const numbers = region.label.flatMap((word) => {
    if (typeof word === 'number') return [word];
    const found = numbersNamed(word, labels);
    if (found.length > 0) return found;
    const names = labels.map(({ name }) => name);
    throw new DeltaMdError(
      'CONFIG_INVALID',
      `rois.regions: ${region.name}: "${word}" is no label of ${image}`,
      {
        remedy:
          names.length === 0
            ? 'No names are known of its labels: give their numbers, or rois.labels'
            : suggestOrList(word, names, 'It has'),
      },
    );
  });
  return { name: region.name, image, numbers, ...(region.limits ? { limits: region.limits } : {}) };
}

/**
 * Labels of regions in their order, from 1. Voxels count that hold one of a region's numbers and whose centre is within
 * its limits.
 * @param images label images by path, all on one grid
 * @throws DeltaMdError CONFIG_INVALID for regions that are empty or share voxels
 */
export function drawRegions(
  regions: readonly NumberedRegion[],
  images: Readonly<Record<string, Image>>,
): Float32Array {
  const { grid } = images[regions[0].image];
  const [nx, ny] = grid.dims;
  const drawn = new Float32Array(images[regions[0].image].data.length);
  for (const [at, { name, image, numbers, limits }] of regions.entries()) {
    const wanted = new Set(numbers);
    const { data } = images[image];
    let count = 0;
    for (let v = 0; v < drawn.length; v++) {
      if (!wanted.has(Math.round(data[v]))) continue;
      if (limits) {
        const i = v % nx;
        const j = Math.floor(v / nx) % ny;
        const place = transformPoint(grid.affine, i, j, Math.floor(v / (nx * ny)));
        const isInside = (['x', 'y', 'z'] as const).every((axis, c) => {
          const [low, high] = limits[axis] ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
          return place[c] >= low && place[c] <= high;
        });
        if (!isInside) continue;
      }
      if (drawn[v] !== 0)
        throw new DeltaMdError(
          'CONFIG_INVALID',
          `rois.regions: ${name} and ${regions[drawn[v] - 1].name} share voxels`,
          { remedy: 'Give each voxel to one region: narrow the labels or limits of one of them' },
        );
      drawn[v] = at + 1;
      count++;
    }
    if (count === 0)
      throw new DeltaMdError(
        'CONFIG_INVALID',
        `rois.regions: ${name} holds no voxel: ${image} has none of ${numbers.join(', ')}${limits ? ' within its limits' : ''}`,
        {
          remedy:
            'Correct its label or limits; limits are in mm of template space, x to the right, y to the front, z up',
        },
      );
  }
  return drawn;
}

/** Writes the label image of regions to `path`. @throws DeltaMdError as {@link drawRegions}, {@link requireOnTemplate} */
export async function writeRegions(
  path: string,
  regions: readonly NumberedRegion[],
  template: string,
): Promise<void> {
  const images: Record<string, Image> = {};
  for (const image of new Set(regions.map((region) => region.image))) {
    await requireOnTemplate(image, template);
    images[image] = await named({}, () => readImage(image));
  }
  const data = drawRegions(regions, images);
  const { grid } = images[regions[0].image];
  await writeInto(path, gzipSync(encodeNifti({ grid, volumes: 1, data }, { type: 'int16' })));
}
