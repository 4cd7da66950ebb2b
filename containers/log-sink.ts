/** The log of a running tool: whole up to a size, its end beyond that, and line by line to whoever listens. */
import { createWriteStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** A log up to this size is kept whole, byte for byte. */
export const LOG_HEAD_BYTES = 64 * 2 ** 20;
/** Of what comes after, the end is kept, for that is where a tool says why it failed. */
export const LOG_TAIL_BYTES = 2 ** 20;
/** Longest line a listener is given; in the file lines are never cut. */
const LINE_LENGTH = 4096;

export interface LogSink {
  /** A writer for one stream of the tool; stdout and stderr have one each, so that their lines do not mix. */
  source(): (chunk: Buffer) => void;
  /** Writes what is left. The file is complete when it settles. */
  end(): Promise<void>;
}

/**
 * A log file that holds the first {@link LOG_HEAD_BYTES} and the last {@link LOG_TAIL_BYTES} of what is written, with a
 * line between them that says how much was left out. The memory it takes is bounded by the two, however fast a tool
 * prints. A file that cannot be written must not take the step down: lines still reach the listener.
 */
export function logSink(path: string, onLine: (line: string) => void): LogSink {
  const file = createWriteStream(path);
  file.on('error', () => {});
  let head = 0;
  let beyond = 0;
  let ring: Buffer | undefined;
  const flushes: (() => void)[] = [];

  const keep = (chunk: Buffer): void => {
    const first = chunk.subarray(0, LOG_HEAD_BYTES - head);
    if (first.length > 0) file.write(first);
    head += first.length;
    let rest = chunk.subarray(first.length);
    if (rest.length === 0) return;
    ring ??= Buffer.alloc(LOG_TAIL_BYTES);
    beyond += Math.max(0, rest.length - LOG_TAIL_BYTES);
    rest = rest.subarray(-LOG_TAIL_BYTES);
    const at = beyond % LOG_TAIL_BYTES;
    const fits = rest.copy(ring, at);
    rest.copy(ring, 0, fits);
    beyond += rest.length;
  };

  return {
    source() {
      const decoder = new StringDecoder('utf8');
      let rest = '';
      flushes.push(() => {
        rest += decoder.end();
        if (rest !== '') onLine(rest.slice(0, LINE_LENGTH));
      });
      return (chunk) => {
        keep(chunk);
        const lines = (rest + decoder.write(chunk)).split(/\r\n|[\r\n]/);
        rest = (lines.pop() ?? '').slice(-LINE_LENGTH);
        for (const line of lines) onLine(line.slice(0, LINE_LENGTH));
      };
    },
    async end() {
      for (const flush of flushes) flush();
      if (ring && beyond <= LOG_TAIL_BYTES) file.write(ring.subarray(0, beyond));
      else if (ring) {
        const at = beyond % LOG_TAIL_BYTES;
        file.write(`\n[${beyond - LOG_TAIL_BYTES} bytes of this log were not kept]\n`);
        file.write(ring.subarray(at));
        file.write(ring.subarray(0, at));
      }
      await new Promise<void>((resolve) => {
        file.on('error', () => resolve());
        if (file.destroyed) resolve();
        else file.end(() => resolve());
      });
    },
  };
}
