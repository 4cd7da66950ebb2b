/**
 * The result of topup on disk, in FSL's files: `<prefix>_fieldcoef.nii.gz` and `<prefix>_movpar.txt`.
 *
 * Layout of the coefficients (found by fitting a file of FSL 5.0 to the field it wrote; they agree to 1e-5 Hz):
 * cubic B-splines in Hz, knot k of an axis at voxel (k - 1) x spacing, ceil((size + 1) / spacing) + 2 knots.
 * pixdim holds the spacing in voxels, the sform's (and qform's) offset the size of the image, intent_p1..p3 the voxel
 * size in mm, intent_code 2016. Voxels are counted as FSL counts them inside, with x to the subject's left
 * (radiologically): for an image stored the other way round the field is x-reversed against the image's own order.
 *
 * Sign: a positive field moves signal along the phase-encode vector. What belongs at voxel x of the undistorted
 * volume is found in the acquired volume at x + field_Hz x readoutSeconds x direction (voxels), and the acquired
 * intensity there is to be multiplied by 1 + readoutSeconds x d(field_Hz)/dx along the direction. Verified on FSL's
 * results for a simulation with known field.
 */
import { rename, writeFile } from 'node:fs/promises';
import { chain, invert, type Matrix4, rotation, translation } from '../../../imaging/affine.ts';
import { type Grid, isNeurological, voxelToFsl } from '../../../imaging/image.ts';
import { writeImage } from '../../../imaging/nifti.ts';
import { findImage, loadImage, readTable } from '../files.ts';
import { ToolError } from '../tool.ts';
import { evaluateSpline, gridBases, knotCount } from './spline.ts';

type Triple = readonly [number, number, number];

/** An off-resonance field in Hz as cubic B-splines, in the layout of FSL's file. */
export interface FieldSpline {
  /** Size of the image in voxels. */
  readonly imageDims: Triple;
  /** Knot spacing in voxels per axis. */
  readonly spacing: Triple;
  /** x-fastest, {@link knotCount} per axis; voxels counted radiologically. */
  readonly coefficients: Float32Array;
}

/** What topup estimated. */
export interface TopupResult {
  readonly field: FieldSpline;
  /**
   * Per volume: translations x y z in mm, rotations x y z in radians, against the first. See {@link movementMatrix}.
   */
  readonly movement: readonly Float64Array[];
}

const FIELD_INTENT = 2016;

/**
 * Reads `<prefix>_fieldcoef.nii.gz` and `<prefix>_movpar.txt`, as written by FSL's topup or ours.
 * @throws ToolError when a file is missing or is not what its name says
 */
export async function readTopup(prefix: string): Promise<TopupResult> {
  const path = await findImage(`${prefix}_fieldcoef`);
  const image = await loadImage(path);
  const { affine, voxelSizes, dims } = image.grid;
  const imageDims = [affine[3], affine[7], affine[11]].map(Math.round) as [number, number, number];
  const fits = dims.every((n, a) => imageDims[a] > 0 && n === knotCount(imageDims[a], voxelSizes[a]));
  if (!fits || image.volumes !== 1)
    throw new ToolError(
      `${path}: is no field of topup (cubic splines): ${dims.join(' x ')} coefficients at knots every ${voxelSizes.join(', ')} voxels do not fit an image of ${imageDims.join(' x ')}. Run topup again.`,
    );
  if (!image.data.every(Number.isFinite))
    throw new ToolError(`${path}: holds values that are not numbers. Run topup again.`);
  const movementPath = `${prefix}_movpar.txt`;
  const rows = await readTable(movementPath);
  if (rows[0].length !== 6)
    throw new ToolError(
      `${movementPath}: rows have ${rows[0].length} numbers where six are due. Run topup again.`,
    );
  return {
    field: { imageDims, spacing: voxelSizes, coefficients: image.data },
    movement: rows.map((row) => Float64Array.from(row)),
  };
}

/** Writes both files of a result for an image on `grid`. Each appears whole or not at all. */
export async function writeTopup(prefix: string, result: TopupResult, grid: Grid): Promise<void> {
  const { imageDims, spacing, coefficients } = result.field;
  const dims = imageDims.map((n, a) => knotCount(n, spacing[a])) as [number, number, number];
  await writeImage(
    `${prefix}_fieldcoef.nii.gz`,
    {
      grid: { dims, voxelSizes: spacing, affine: translation(...imageDims) },
      volumes: 1,
      data: coefficients,
    },
    { intent: { code: FIELD_INTENT, parameters: grid.voxelSizes } },
  );
  const rows = result.movement.map(
    (row) => `${Array.from(row, (v) => Number(v.toPrecision(10))).join('  ')}  \n`,
  );
  const aside = `${prefix}_movpar.txt.${process.pid}.part`;
  await writeFile(aside, rows.join(''));
  await rename(aside, `${prefix}_movpar.txt`);
}

/**
 * Off-resonance field in Hz on an image grid (or its derivative per voxel along `derivativeAxis`).
 * @returns one value per voxel of `grid`, in the grid's own order
 * @throws ToolError when the grid is not the size that the field was estimated on
 */
export function evaluateField(result: TopupResult, grid: Grid, derivativeAxis?: 0 | 1 | 2): Float32Array {
  const { imageDims, spacing, coefficients } = result.field;
  if (grid.dims.some((n, a) => n !== imageDims[a]))
    throw new ToolError(
      `the field of topup is for images of ${imageDims.join(' x ')} voxels, but this image has ${grid.dims.join(' x ')}. Use images of one acquisition.`,
    );
  const order = [0, 1, 2].map((a) => (a === derivativeAxis ? 1 : 0)) as [0 | 1, 0 | 1, 0 | 1];
  const field = evaluateSpline(coefficients, gridBases(imageDims, spacing, order));
  if (isNeurological(grid)) {
    reverseX(field, grid.dims[0]);
    if (derivativeAxis === 0) for (let o = 0; o < field.length; o++) field[o] = -field[o];
  }
  return field;
}

/** Reverses the x axis of voxels in place: between radiological and neurological order. */
export function reverseX(values: Float32Array, nx: number): void {
  for (let o = 0; o < values.length; o += nx) values.subarray(o, o + nx).reverse();
}

/**
 * Rigid movement as a matrix from voxels of the reference (where the head lay in the first volume) to voxels of a volume,
 * where the head lay then: rotation about the image's centre, in FSL's scaled-voxel millimetres. In the signs of FSL's
 * file (as compared on a simulation with known movement), translations lead from the volume back to the reference.
 */
export function movementMatrix(movement: ArrayLike<number>, grid: Grid): Matrix4 {
  const toFsl = voxelToFsl(grid);
  const [x, y, z] = grid.dims.map((n, a) => ((n - 1) / 2) * grid.voxelSizes[a]);
  const rigid = chain(
    translation(x, y, z),
    rotation(movement[3], movement[4], movement[5]),
    translation(-x - movement[0], -y - movement[1], -z - movement[2]),
  );
  return chain(invert(toFsl), rigid, toFsl);
}
