/**
 * NIfTI-1 and NIfTI-2 on disk <-> {@link Image}. Reading rests on nifti-reader-js for headers; this module applies
 * byte order, datatype and scl_slope/scl_inter, which it leaves to the caller. Writing is NIfTI-1, float32 unless told
 * otherwise, gzip by the file's name, whole or not at all (written aside, then renamed).
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, gunzip, gunzipSync } from 'node:zlib';
import * as nifti from 'nifti-reader-js';
import { determinant3, type Matrix4 } from './affine.ts';
import { ImagingError } from './errors.ts';
import { gzipBlocks } from './gzip.ts';
import { type Grid, gridFromAffine, type Image, voxelCount } from './image.ts';
import { qformAffine, quaternionOf } from './qform.ts';

const gunzipAsync = promisify(gunzip);

/** On-disk types this house writes. */
export type StoredType = 'uint8' | 'int16' | 'int32' | 'float32' | 'float64';
const STORED: Record<StoredType, { code: number; bytes: number }> = {
  uint8: { code: 2, bytes: 1 },
  int16: { code: 4, bytes: 2 },
  int32: { code: 8, bytes: 4 },
  float32: { code: 16, bytes: 4 },
  float64: { code: 64, bytes: 8 },
};

/** On-disk types this house reads, by the header's datatype code. */
const VOXEL_ARRAYS = {
  2: Uint8Array,
  4: Int16Array,
  8: Int32Array,
  16: Float32Array,
  64: Float64Array,
  256: Int8Array,
  512: Uint16Array,
  768: Uint32Array,
} as const;

const COPY_AGAIN = 'Copy or convert the file again (dcm2niix), then retry';
/** Enough for any header with its common extensions. */
const HEADER_BYTES = 4096;
/** DEFLATE cannot expand further than this: bounds what a damaged header may make us allocate. */
const MAX_INFLATION = 1032;

function cannotRead(path: string, error: unknown): ImagingError {
  const code = (error as NodeJS.ErrnoException).code;
  return new ImagingError(
    path,
    code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`,
    'Check the path',
  );
}

const isGzip = (bytes: Buffer) => bytes[0] === 0x1f && bytes[1] === 0x8b;

type Header = nifti.NIFTI1 | nifti.NIFTI2;
/** A parsed header and the bytes it came from. */
interface Parsed {
  header: Header;
  head: DataView;
}

/** Parses the header from the first bytes of a file, compressed or not. */
function parseHeader(path: string, bytes: Buffer): Parsed {
  let parsed: Parsed | undefined;
  try {
    const start = bytes.subarray(0, 16 * HEADER_BYTES);
    const plain = isGzip(bytes) ? gunzipSync(start, { finishFlush: constants.Z_SYNC_FLUSH }) : start;
    // A copy: nifti-reader-js reads from offset 0 of an ArrayBuffer, and a Buffer may be a window into a pool.
    const head = new Uint8Array(plain.subarray(0, HEADER_BYTES)).buffer;
    const header = nifti.readHeader(head) as Header | null;
    if (header) parsed = { header, head: new DataView(head) };
  } catch {
    // Whatever the parser stumbled over, the file is no NIfTI.
  }
  if (!parsed) throw new ImagingError(path, 'not a NIfTI image', COPY_AGAIN);
  return parsed;
}

/** sform before qform, as FSL reads them; neither: x is taken to run to the left (NIfTI standard, method 1). */
function affineOf({ header, head }: Parsed): Matrix4 {
  if (header.sform_code > 0) return sformAffine(header, head);
  if (header.qform_code > 0) {
    const { quatern_b, quatern_c, quatern_d, qoffset_x, qoffset_y, qoffset_z, pixDims } = header;
    return qformAffine([quatern_b, quatern_c, quatern_d], pixDims, [qoffset_x, qoffset_y, qoffset_z]);
  }
  const [, dx, dy, dz] = header.pixDims;
  return Float64Array.of(-dx || -1, 0, 0, 0, 0, dy || 1, 0, 0, 0, 0, dz || 1, 0, 0, 0, 0, 1);
}

/** Read here, since nifti-reader-js offers the qform instead wherever its code is the higher of the two. */
function sformAffine(header: Header, head: DataView): Matrix4 {
  const [start, step] = header instanceof nifti.NIFTI2 ? [400, 8] : [280, 4];
  const out = Float64Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  for (let i = 0; i < 12; i++)
    out[i] =
      step === 8
        ? head.getFloat64(start + 8 * i, header.littleEndian)
        : head.getFloat32(start + 4 * i, header.littleEndian);
  return out;
}

function gridOf(path: string, parsed: Parsed): { grid: Grid; volumes: number } {
  const { header } = parsed;
  const rank = header.dims[0];
  const dims = [1, 2, 3].map((i) => (i <= rank ? header.dims[i] : 1)) as [number, number, number];
  let volumes = 1;
  for (let i = 4; i <= rank; i++) volumes *= Math.max(1, header.dims[i]);
  if (dims.some((n) => !(n > 0)))
    throw new ImagingError(path, `impossible dimensions ${dims.join(' x ')}`, COPY_AGAIN);
  const affine = affineOf(parsed);
  if (!affine.every(Number.isFinite) || determinant3(affine) === 0)
    throw new ImagingError(path, 'its orientation (sform/qform) is singular', COPY_AGAIN);
  const grid = gridFromAffine(dims, affine);
  // pixdim is what FSL scales voxels by; the affine's column norms agree with it but for shears and rounding.
  const pixdim = [1, 2, 3].map((i) => Math.abs(header.pixDims[i]));
  const usable = pixdim.every((p, i) => i >= rank || (Number.isFinite(p) && p > 0));
  return { grid: usable ? { ...grid, voxelSizes: pixdim as [number, number, number] } : grid, volumes };
}

/** Grid and number of volumes of an image, from its header alone. */
export async function readGrid(path: string): Promise<{ grid: Grid; volumes: number }> {
  const bytes = Buffer.alloc(16 * HEADER_BYTES);
  let length = 0;
  try {
    const file = await open(path);
    try {
      length = (await file.read(bytes, 0, bytes.length, 0)).bytesRead;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw cannotRead(path, error);
  }
  return gridOf(path, parseHeader(path, bytes.subarray(0, length)));
}

/** Inflates a whole file; `expected` is the size its header promises. */
async function inflate(path: string, bytes: Buffer, expected: number): Promise<Buffer> {
  if (!isGzip(bytes)) return bytes;
  // One chunk for all: no copies are glued together at the end.
  const chunkSize = Math.min(expected, MAX_INFLATION * bytes.length) + 4096;
  try {
    return await gunzipAsync(bytes, { chunkSize });
  } catch (error) {
    const problem = `gzip stream is cut short or damaged (${(error as Error).message})`;
    throw new ImagingError(path, problem, COPY_AGAIN);
  }
}

/**
 * Reads a `.nii` or `.nii.gz`. Scale factors are applied; NaNs are kept as they are. Unscaled float32 voxels stay where
 * they were inflated: `data` may be a window into a larger buffer.
 * @throws ImagingError when the file is missing, damaged, cut short, of an unsupported type
 */
export async function readImage(path: string): Promise<Image> {
  const file = await readFile(path).catch((error: unknown) => {
    throw cannotRead(path, error);
  });
  const parsed = parseHeader(path, file);
  const { header } = parsed;
  const { grid, volumes } = gridOf(path, parsed);
  const Voxels = VOXEL_ARRAYS[header.datatypeCode as keyof typeof VOXEL_ARRAYS];
  if (!Voxels)
    throw new ImagingError(
      path,
      `NIfTI datatype ${header.datatypeCode} is not supported`,
      'Convert it to int16 or float32, for example with fslmaths -odt float',
    );
  const count = voxelCount(grid) * volumes;
  const size = count * Voxels.BYTES_PER_ELEMENT;
  const start = Math.max(header.vox_offset, header instanceof nifti.NIFTI2 ? 544 : 352);
  const bytes = await inflate(path, file, start + size);
  if (bytes.length < start + size)
    throw new ImagingError(
      path,
      `holds ${Math.max(0, bytes.length - start)} bytes of voxels where ${size} are due`,
      COPY_AGAIN,
    );
  let stored = bytes.subarray(start, start + size);
  if (stored.byteOffset % Voxels.BYTES_PER_ELEMENT !== 0) stored = Buffer.from(new Uint8Array(stored).buffer);
  if (!header.littleEndian) swapBytes(stored, Voxels.BYTES_PER_ELEMENT);
  const voxels = new Voxels(stored.buffer as ArrayBuffer, stored.byteOffset, count);
  // A slope of zero (or none) means: not scaled, and the intercept does not count either.
  const scaled = Number.isFinite(header.scl_slope) && header.scl_slope !== 0;
  const [slope, inter] = scaled ? [header.scl_slope, header.scl_inter || 0] : [1, 0];
  const seconds = volumes > 1 ? secondsBetween(header) : undefined;
  const time = seconds === undefined ? {} : { volumeSeconds: seconds };
  if (slope === 1 && inter === 0)
    return {
      grid,
      volumes,
      data: voxels instanceof Float32Array ? voxels : new Float32Array(voxels),
      ...time,
    };
  const data = new Float32Array(count);
  for (let i = 0; i < count; i++) data[i] = voxels[i] * slope + inter;
  return { grid, volumes, data, ...time };
}

/** Time between volumes in seconds, where the header tells one; its unit may be s (or none), ms or us. */
function secondsBetween({ pixDims, xyzt_units }: Header): number | undefined {
  const step = pixDims[4];
  if (!(step > 0 && Number.isFinite(step))) return undefined;
  const unit = xyzt_units & 0x38;
  return unit === 16 ? step / 1e3 : unit === 24 ? step / 1e6 : step;
}

function swapBytes(bytes: Buffer, width: number): void {
  if (width === 2) bytes.swap16();
  else if (width === 4) bytes.swap32();
  else if (width === 8) bytes.swap64();
}

/** Options of {@link encodeNifti} and {@link writeImage}. */
export interface WriteOptions {
  /** Default float32. Integers are rounded and clipped. */
  type?: StoredType;
  /** The values given are codes: value x slope + inter is meant, and stored so. Default: values as they are. */
  codesOf?: { slope: number; inter: number };
  /** Up to 79 ASCII characters. */
  description?: string;
  /** Time between volumes in seconds; stored in pixdim[4]. Default: the image's own, else 1. */
  volumeSeconds?: number;
  /** What the values mean, by the NIfTI standard's or a tool's own code, with intent_p1..p3. Default none. */
  intent?: { code: number; parameters: readonly [number, number, number] };
  /** The qform where it is to differ from the image's affine, which is then the sform alone. */
  qform?: Matrix4;
}

/** Bytes before the voxels: the header and no extension. */
const VOXELS_AT = 352;

/** The NIfTI-1 header of a single file (little-endian, sform and qform both set, code 1 = scanner). */
export function encodeHeader(grid: Grid, volumes: number, options: WriteOptions = {}): Buffer {
  const { code, bytes } = STORED[options.type ?? 'float32'];
  if (Math.max(...grid.dims, volumes) > 32767)
    throw new RangeError('NIfTI-1 holds no more than 32767 voxels or volumes along an axis');
  const out = Buffer.alloc(VOXELS_AT);
  const v = new DataView(out.buffer, out.byteOffset, out.byteLength);
  const le = true;
  v.setInt32(0, 348, le);
  const dim = [volumes > 1 ? 4 : 3, ...grid.dims, volumes, 1, 1, 1];
  for (const [i, n] of dim.entries()) v.setInt16(40 + 2 * i, n, le);
  if (options.intent) {
    for (const [i, p] of options.intent.parameters.entries()) v.setFloat32(56 + 4 * i, p, le);
    v.setInt16(68, options.intent.code, le);
  }
  v.setInt16(70, code, le);
  v.setInt16(72, 8 * bytes, le);
  const qform = options.qform ?? grid.affine;
  const { q, qfac } = quaternionOf({ ...grid, affine: qform });
  const pixdim = [qfac, ...grid.voxelSizes, options.volumeSeconds ?? 1, 1, 1, 1];
  for (const [i, p] of pixdim.entries()) v.setFloat32(76 + 4 * i, p, le);
  v.setFloat32(108, VOXELS_AT, le);
  const { slope, inter } = options.codesOf ?? { slope: 1, inter: 0 };
  v.setFloat32(112, slope, le);
  v.setFloat32(116, inter, le);
  out[123] = 2 | 8; // mm, seconds
  out.write((options.description ?? 'delta-md').slice(0, 79), 148, 'latin1');
  v.setInt16(252, 1, le);
  v.setInt16(254, 1, le);
  for (const [i, x] of q.entries()) v.setFloat32(256 + 4 * i, x, le);
  for (let r = 0; r < 3; r++) {
    v.setFloat32(268 + 4 * r, qform[4 * r + 3], le);
    for (let c = 0; c < 4; c++) v.setFloat32(280 + 16 * r + 4 * c, grid.affine[4 * r + c], le);
  }
  out.write('n+1\0', 344, 'latin1');
  return out;
}

/** NIfTI-1 single-file bytes of an image. */
export function encodeNifti(image: Image, options: WriteOptions = {}): Buffer {
  const { code, bytes } = STORED[options.type ?? 'float32'];
  if (image.data.length !== voxelCount(image.grid) * image.volumes)
    throw new RangeError(
      `${image.data.length} values do not fill ${image.grid.dims.join(' x ')} x ${image.volumes}`,
    );
  const volumeSeconds = options.volumeSeconds ?? image.volumeSeconds;
  const header = encodeHeader(image.grid, image.volumes, { ...options, volumeSeconds });
  const out = Buffer.alloc(VOXELS_AT + image.data.length * bytes);
  header.copy(out);
  const n = image.data.length;
  const { data } = image;
  if (code === 16) new Float32Array(out.buffer, out.byteOffset + VOXELS_AT, n).set(data);
  else if (code === 4) {
    const target = new Int16Array(out.buffer, out.byteOffset + VOXELS_AT, n);
    for (let i = 0; i < n; i++) target[i] = Math.max(-32768, Math.min(32767, Math.round(data[i])));
  } else if (code === 8) {
    const target = new Int32Array(out.buffer, out.byteOffset + VOXELS_AT, n);
    for (let i = 0; i < n; i++) target[i] = Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.round(data[i])));
  } else if (code === 64) new Float64Array(out.buffer, out.byteOffset + VOXELS_AT, n).set(data);
  else {
    for (let i = 0; i < n; i++) out[VOXELS_AT + i] = Math.max(0, Math.min(255, Math.round(data[i])));
  }
  return out;
}

/**
 * Writes an image; gzip where `path` ends in `.gz`. The file appears whole or not at all; equal images give equal bytes.
 * @throws ImagingError when the folder is missing or not writable, or the disk is full
 */
export async function writeImage(path: string, image: Image, options: WriteOptions = {}): Promise<void> {
  const raw = encodeNifti(image, options);
  const parts = path.endsWith('.gz') ? await gzipBlocks(raw) : [raw];
  const aside = `${path}.${process.pid}.part`;
  try {
    const file = await open(aside, 'w');
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => {});
    const problem = `cannot be written (${(error as Error).message})`;
    throw new ImagingError(path, problem, 'Check that its folder exists, is writable and has space');
  }
}
