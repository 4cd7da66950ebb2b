/** How well a subject lies on the template, and whether the warp is one that a brain can go through. */
import { basename } from 'node:path';
import { ToolError } from '../../containers/toolkit/tool.ts';
import { fieldJacobian } from '../../containers/toolkit/warp/field.ts';
import { pointMap, readWarp, type Warp } from '../../containers/toolkit/warp/warp.ts';
import { multiply, scaling } from '../../imaging/affine.ts';
import { type Grid, gridFromAffine, type Image, voxelCount, voxelToFsl } from '../../imaging/image.ts';
import { correlation, voxelsOf } from '../../imaging/qc/numbers.ts';
import { coverage, dice, jacobianMetrics, leastCoverage } from '../../imaging/qc/registration.ts';

type Metrics = Record<string, number | null>;

/** The template and its regions. */
export interface TemplateSpace {
  readonly template: Image;
  readonly labels: Image;
  readonly regions: readonly number[];
}

/** Coverage and overlap of a session's mask in template space. */
export function coverageMetrics(mask: Image, { template, labels, regions }: TemplateSpace): Metrics {
  const overlap = dice(mask.data, template.data);
  return {
    mni_dice_distance: overlap === null ? null : 1 - overlap,
    template_coverage: coverage(mask.data, template.data),
    roi_coverage_min: leastCoverage(labels.data, mask.data, regions),
  };
}

/** Similarity of FA, in template space, with the template, over the template's brain. */
export function similarityMetrics(fa: Image, { template }: TemplateSpace): Metrics {
  return { template_corr: correlation(fa.data, template.data, voxelsOf(template.data)) };
}

/** Voxels at which the Jacobian is looked at, mm: finer than any warp's knots. */
const JACOBIAN_MM = 2;

/** Every voxel or every second ...: as many as it takes for voxels of {@link JACOBIAN_MM}. */
function thinned(image: Image): { grid: Grid; brain: Float32Array; step: number } {
  const { grid, data } = image;
  const step = Math.max(1, Math.floor(JACOBIAN_MM / Math.max(...grid.voxelSizes)));
  const dims = grid.dims.map((n) => Math.ceil(n / step)) as [number, number, number];
  const [nx, ny, nz] = dims;
  const brain = new Float32Array(nx * ny * nz);
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) brain[o] = data[step * (i + grid.dims[0] * (j + grid.dims[1] * k))];
  return { grid: gridFromAffine(dims, multiply(grid.affine, scaling(step, step, step))), brain, step };
}

/** Displacements of a warp, in FSL's mm, at every `step`th voxel of the template. */
function displacements(warp: Warp, template: Grid, thin: Grid, step: number): Image {
  const toFsl = voxelToFsl(template);
  const [nx, ny, nz] = thin.dims;
  const n = voxelCount(thin);
  const data = new Float32Array(3 * n);
  const point = new Float64Array(3);
  const map = pointMap(warp);
  for (let k = 0, o = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++) {
        const [x, y, z] = [toFsl[0] * step * i + toFsl[3], toFsl[5] * step * j, toFsl[10] * step * k];
        map.sourceAt(x, y, z, point);
        data[o] = point[0] - x;
        data[o + n] = point[1] - y;
        data[o + 2 * n] = point[2] - z;
      }
  return { grid: thin, volumes: 3, data };
}

/**
 * What the warp does to volume in the template's brain; the affine part counts.
 * @param notes is told where the file holds no warp that can be read
 */
export async function warpMetrics(path: string, template: Image, notes: string[]): Promise<Metrics> {
  let warp: Warp;
  try {
    warp = await readWarp(path, 'relative');
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    notes.push(`The Jacobian of the warp is not known: ${basename(path)} cannot be read as one.`);
    return {};
  }
  const { grid, brain, step } = thinned(template);
  const field = displacements(warp, template.grid, grid, step);
  return jacobianMetrics(fieldJacobian(field), voxelsOf(brain));
}
