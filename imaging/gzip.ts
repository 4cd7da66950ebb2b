/**
 * One gzip member (RFC 1952) made in parallel, as pigz makes it: the data are cut into blocks, each is deflated on its own
 * on Node's thread pool and ended at a byte (a sync flush), and the blocks in their order are one deflate stream.
 */
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';

const { constants } = zlib;
const deflateAsync = promisify(zlib.deflateRaw);

/** Bytes of a block: many times deflate's window of 32 KiB, so that starting anew costs nothing to speak of. */
const BLOCK = 1 << 20;

/** Identification, deflate, no flags, no time of day, fastest level, Unix: the same bytes for the same data. */
const HEADER = Buffer.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3);

/** Remainders of every byte by the polynomial of CRC-32, reflected. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
  return remainder;
});

/** CRC-32 of RFC 1952, in JavaScript: Node 20.0 to 20.14 and 22.0, 22.1 have none of their own. */
export function crcByTable(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = CRC_TABLE[(crc ^ data[i]) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const crc32: (data: Uint8Array) => number = zlib.crc32 ?? crcByTable;

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
