import { execFileSync } from 'node:child_process';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crcByTable, gzipBlocks } from '../../imaging/gzip.ts';

const MIB = 2 ** 20;

/** Noise in one half, zeros in the other, as images have them. */
function bytes(length: number): Buffer {
  const out = Buffer.alloc(length);
  let state = 1;
  for (let i = length >> 1; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

describe('gzip in blocks', () => {
  it.each([0, 1, MIB - 1, MIB, MIB + 1, 3.5 * MIB])('%d bytes come back', async (length) => {
    const data = bytes(length);
    const member = Buffer.concat(await gzipBlocks(data));
    expect(gunzipSync(member).equals(data)).toBe(true);
    // One member: all between its header and trailer is one deflate stream, which readers of one member read whole.
    expect(inflateRawSync(member.subarray(10, -8)).equals(data)).toBe(true);
  });

  it('gzip itself reads it', async () => {
    const data = bytes(2.5 * MIB);
    const member = Buffer.concat(await gzipBlocks(data));
    expect(execFileSync('gzip', ['-dc'], { input: member, maxBuffer: 8 * MIB }).equals(data)).toBe(true);
  });

  it('checks by CRC-32 as zlib does, where Node has none of its own, too', () => {
    expect(crcByTable(Buffer.from('123456789'))).toBe(0xcbf43926);
    expect(crcByTable(Buffer.alloc(0))).toBe(0);
  });

  it('equal data give equal bytes', async () => {
    const [a, b] = await Promise.all([bytes(3 * MIB), bytes(3 * MIB)].map(gzipBlocks));
    expect(Buffer.concat(a).equals(Buffer.concat(b))).toBe(true);
  });
});
