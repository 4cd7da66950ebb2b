/**
 * Non-linear transforms on disk, in FSL's conventions: they take a point of the reference to a point of the source, both
 * in FSL's scaled-voxel millimetres (imaging/image.ts, `voxelToFsl`).
 */
import { open } from 'node:fs/promises';
import { constants, gunzipSync } from 'node:zlib';
import { invert, type Matrix4, transformPoint } from '../../../imaging/affine.ts';
import { type Dims, type Image, voxelCount, voxelToFsl } from '../../../imaging/image.ts';
import { readImage } from '../../../imaging/nifti.ts';
import { findImage } from '../files.ts';
import { shared } from '../threads.ts';
import { ToolError } from '../tool.ts';
import { CUBIC_COEFFICIENTS, coefficientWarp, type SplineWarp, splineMap } from './coefficients.ts';

/** A transform of reference points (FSL mm) to source points (FSL mm). */
export interface PointMap {
  /** Writes the source point of reference point (x, y, z) into `out`. Allocates nothing. */
  sourceAt(x: number, y: number, z: number, out: Float64Array): void;
}

/** A field of displacements; its array is shared between threads. */
export interface FieldWarp {
  readonly kind: 'field';
  readonly dims: Dims;
  /** Reference FSL mm to voxels of the field; diagonal but for the offset of x. */
  readonly toVoxel: Matrix4;
  /** Source minus reference in mm: volumes x, y, z. */
  readonly displacement: Float32Array;
}

/** A warp as plain data, which threads can be given; {@link pointMap} makes it work. */
export type Warp = FieldWarp | SplineWarp;

/** How the numbers of a displacement field are meant: source = reference + number, or source = number. */
export type FieldMeaning = 'relative' | 'absolute';

/** A warp from a field of three volumes (x, y, z in mm). */
export function fieldWarp(field: Image, meaning: FieldMeaning = 'relative'): FieldWarp {
  const toFsl = voxelToFsl(field.grid);
  return {
    kind: 'field',
    dims: field.grid.dims,
    toVoxel: invert(toFsl),
    displacement: shared(meaning === 'relative' ? field.data : relativeTo(field, toFsl)),
  };
}

/** What a warp does to points. */
export function pointMap(warp: Warp): PointMap {
  return warp.kind === 'field' ? fieldMap(warp) : splineMap(warp);
}

/** Linear between the field's voxels. Beyond its edge the displacement of the nearest edge voxel holds. */
function fieldMap({ dims, toVoxel, displacement: d }: FieldWarp): PointMap {
  const [nx, ny, nz] = dims;
  const n = nx * ny * nz;
  const clamp = (v: number, top: number) => (v > 0 ? (v < top ? v : top) : 0);
  return {
    sourceAt(x, y, z, out) {
      const vx = clamp(toVoxel[0] * x + toVoxel[3], nx - 1);
      const vy = clamp(toVoxel[5] * y, ny - 1);
      const vz = clamp(toVoxel[10] * z, nz - 1);
      const i = Math.floor(vx);
      const j = Math.floor(vy);
      const k = Math.floor(vz);
      const fx = vx - i;
      const fy = vy - j;
      const fz = vz - k;
      const dx = fx > 0 ? 1 : 0;
      const dy = fy > 0 ? nx : 0;
      const dz = fz > 0 ? nx * ny : 0;
      let o = i + nx * (j + ny * k);
      for (let c = 0; c < 3; c++, o += n) {
        const a = d[o] + fx * (d[o + dx] - d[o]);
        const b = d[o + dy] + fx * (d[o + dy + dx] - d[o + dy]);
        const e = a + fy * (b - a);
        const p = d[o + dz] + fx * (d[o + dz + dx] - d[o + dz]);
        const q = d[o + dz + dy] + fx * (d[o + dz + dy + dx] - d[o + dz + dy]);
        out[c] = (c === 0 ? x : c === 1 ? y : z) + e + fz * (p + fy * (q - p) - e);
      }
    },
  };
}

function relativeTo(field: Image, toFsl: Float64Array): Float32Array {
  const [nx, ny, nz] = field.grid.dims;
  const n = voxelCount(field.grid);
  const out = new Float32Array(3 * n);
  let o = 0;
  for (let k = 0; k < nz; k++)
    for (let j = 0; j < ny; j++)
      for (let i = 0; i < nx; i++, o++)
        for (const [c, position] of transformPoint(toFsl, i, j, k).entries())
          out[o + c * n] = field.data[o + c * n] - position;
  return out;
}

/** NIfTI-1 header bytes of a file, compressed or not; only its first kilobytes are read. */
async function headerOf(path: string): Promise<DataView> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(65536), 0, 65536, 0);
    const head = buffer.subarray(0, bytesRead);
    const bytes =
      head[0] === 0x1f && head[1] === 0x8b ? gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH }) : head;
    return new DataView(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 348));
  } finally {
    await file.close();
  }
}

// NIfTI intent codes FSL has registered (nifti1.h): coefficients of quadratic splines, of a cosine transform.
const OTHER_COEFFICIENTS = [2008, 2009];

/**
 * Reads a warp: a displacement field of three volumes, or FNIRT's file of cubic spline coefficients (`--cout`).
 * @throws ToolError when it is neither
 */
export async function readWarp(name: string, meaning: FieldMeaning): Promise<Warp> {
  const path = await findImage(name);
  const image = await readImage(path); // First: its messages on damaged files are the better ones.
  const header = await headerOf(path);
  const little = header.byteLength === 348 && header.getInt32(0, true) === 348;
  const intent = header.byteLength === 348 ? header.getInt16(68, little) : 0;
  if (OTHER_COEFFICIENTS.includes(intent))
    throw new ToolError(
      `${path}: holds quadratic or cosine coefficients, which are not supported. Write a field with FSL's fnirt --fout.`,
    );
  if (image.volumes !== 3)
    throw new ToolError(
      `${path}: a warp has three volumes (x, y, z in mm), this image has ${image.volumes}. Give fsl_reg's _warp image.`,
    );
  for (const value of image.data)
    if (!Number.isFinite(value))
      throw new ToolError(`${path}: the warp holds values that are no numbers. Run fsl_reg again.`);
  return intent === CUBIC_COEFFICIENTS
    ? coefficientWarp(path, image, header, little)
    : fieldWarp(image, meaning);
}
