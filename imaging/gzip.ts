/**
 * One gzip member (RFC 1952) made in parallel, as pigz makes it: the data are cut into blocks, each is deflated on its own
 * on Node's thread pool and ended at a byte (a sync flush), and the blocks in their order are one deflate stream.
 */
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';

const deflateAsync = promisify(deflateRaw);

/** Bytes of a block: many times deflate's window of 32 KiB, so that starting anew costs nothing to speak of. */
const BLOCK = 1 << 20;

/** Identification, deflate, no flags, no time of day, fastest level, Unix: the same bytes for the same data. */
const HEADER = Buffer.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3);

/**
 * Compresses fast: level 1, since images in between steps are noisy floats of which higher levels cost seconds and save a
 * few per cent. The bytes do not depend on the number of threads.
 * @returns the parts of the member, in order
 */
export async function gzipBlocks(data: Buffer): Promise<Buffer[]> {
  const starts = Array.from({ length: Math.max(1, Math.ceil(data.length / BLOCK)) }, (_, b) => b * BLOCK);
  const blocks = starts.map((start) => {
    const end = start + BLOCK;
    const finishFlush = end < data.length ? constants.Z_SYNC_FLUSH : constants.Z_FINISH;
    return deflateAsync(data.subarray(start, end), { level: 1, finishFlush, chunkSize: BLOCK / 8 });
  });
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(data), 0); // While the blocks are on their way.
  trailer.writeUInt32LE(data.length % 2 ** 32, 4);
  return [HEADER, ...(await Promise.all(blocks)), trailer];
}
