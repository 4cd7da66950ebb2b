/** Runs the built tools of the toolkit as a user does, measuring them. */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import type { Run } from './figure.ts';

const BIN = resolve('dist/toolkit/bin');

/** Says the largest resident set at the end of a process. */
const MEASURE = `data:text/javascript,${encodeURIComponent(
  "import {isMainThread} from 'node:worker_threads'; if (isMainThread) process.on('exit', () => process.stderr.write('\\npeak-rss-kb ' + process.resourceUsage().maxRSS + '\\n'));",
)}`;

/** Runs a tool in a folder, for its wall time and peak memory. Rejects with its messages when it fails. */
export function runTool(folder: string, tool: string, argv: readonly string[]): Promise<Run> {
  const started = performance.now();
  return new Promise((done, fail) => {
    const child = execFile(
      process.execPath,
      ['--import', MEASURE, join(BIN, tool), ...argv],
      { cwd: folder, maxBuffer: 1e9 },
      (error, stdout, stderr) => {
        if (error) fail(new Error(`${tool} ${argv.join(' ')}\n${stderr}`));
        else {
          const peak = /^peak-rss-kb (\d+)$/m.exec(stderr);
          done({
            seconds: (performance.now() - started) / 1000,
            peakMb: peak ? Number(peak[1]) / 1024 : Number.NaN,
            stdout,
          });
        }
      },
    );
    child.stdin?.end();
  });
}
