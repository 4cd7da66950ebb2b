#!/usr/bin/env node
/**
 * Entry of the toolkit's bundle. Which tool runs is told by the name it is called by (`bin/topup` is a link to this
 * file, as busybox does) or by the first word: `toolkit topup --imain=...`.
 */
import { basename } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { ImagingError } from '../../imaging/errors.ts';
import { helpText, parseOptions, type Tool, ToolError } from './tool.ts';
import { tools } from './tools.ts';

/** What a thread of a tool runs. */
export { runJob as default } from './threads.ts';

/** Exit codes: 0 done, 1 bad input or a tool that cannot do its job, 2 no such tool, 70 a defect of ours. */
async function main(calledAs: string, words: readonly string[]): Promise<number> {
  const byName = tools.get(calledAs);
  const [name, argv] = byName ? [calledAs, words] : [words[0], words.slice(1)];
  const tool: Tool | undefined = tools.get(name ?? '');
  if (name === '--list') {
    process.stdout.write(`${[...tools.keys()].join('\n')}\n`);
    return 0;
  }
  if (!tool) {
    process.stderr.write(`Usage: toolkit TOOL [options]\nTools: ${[...tools.keys()].join(' ')}\n`);
    return 2;
  }
  if (argv.length === 0 || argv.includes('--help') || argv.includes('-help')) {
    process.stdout.write(helpText(tool));
    return argv.length === 0 ? 1 : 0;
  }
  let last = -1;
  try {
    await tool.run(parseOptions(tool, argv), (fraction, message) => {
      const percent = Math.floor(100 * Math.min(1, Math.max(0, fraction)));
      if (percent > last) process.stdout.write(`[${String(percent).padStart(3)} %] ${message}\n`);
      last = Math.max(last, percent);
    });
    return 0;
  } catch (error) {
    if (error instanceof ToolError || error instanceof ImagingError) {
      process.stderr.write(`${tool.name}: ${error.message.replace(new RegExp(`^${tool.name}: `), '')}\n`);
      return 1;
    }
    process.stderr.write(`${tool.name}: internal error, please report it\n${(error as Error).stack}\n`);
    return 70;
  }
}

// Set rather than exit: pending writes to a pipe must still go out.
if (isMainThread) process.exitCode = await main(basename(process.argv[1] ?? ''), process.argv.slice(2));
