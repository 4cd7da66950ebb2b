/** A 4-D NIfTI written volume by volume, so that a cohort's maps at 1 mm never are in memory together. */
import { createWriteStream } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { ImagingError } from './errors.ts';
import { type Grid, voxelCount } from './image.ts';
import { encodeHeader } from './nifti.ts';

/**
 * Writes float32 volumes in the order they come, gzip where `path` ends in `.gz`. The next volume is asked for when the
 * one before is on its way to the disk.
 * @param count how many volumes there will be
 * @throws ImagingError where a volume has another size than the grid, there are more or fewer, or the disk is full
 */
export async function writeStack(
  path: string,
  grid: Grid,
  count: number,
  volumes: AsyncIterable<Float32Array>,
): Promise<void> {
  async function* bytes() {
    yield encodeHeader(grid, count);
    let written = 0;
    for await (const volume of volumes) {
      if (volume.length !== voxelCount(grid))
        throw new ImagingError(path, `volume ${written} has ${volume.length} voxels`, 'Use one grid for all');
      written++;
      yield Buffer.from(volume.buffer, volume.byteOffset, volume.byteLength);
    }
    if (written !== count)
      throw new ImagingError(path, `${written} volumes where ${count} are due`, 'Make the stack again');
  }
  await pipeline(
    Readable.from(bytes(), { objectMode: true, highWaterMark: 1 }),
    path.endsWith('.gz') ? createGzip({ level: constants.Z_BEST_SPEED }) : new PassThrough(),
    createWriteStream(path, { flush: true }),
  );
}
