/**
 * What runs a step's command. Every runtime gives the same promise: the tool sees its working folder and its staged
 * inputs and nothing else it could harm, and when `run` settles, in whatever way, nothing of it runs any more.
 */
import { createWriteStream } from 'node:fs';

/** One command to run. */
export interface Execution {
  /** Name that is the same for every attempt at this work: a runtime ends a leftover of the same name first. */
  readonly id: string;
  readonly argv: readonly string[];
  /** Absolute host folder; the tool's working folder. Its `in/` receives the staged inputs. */
  readonly folder: string;
  /** Staged path relative to `folder` -> absolute host path of the file. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly seconds: number;
  /** File that receives stdout and stderr, line by line. */
  readonly log: string;
  /** Called with each line the tool prints. */
  readonly onLine: (line: string) => void;
}

/** How a command ended. */
export interface Outcome {
  /** Exit code; null when it was ended by a signal. */
  readonly exitCode: number | null;
  readonly signal?: string;
  readonly outOfMemory: boolean;
  readonly timedOut: boolean;
  readonly seconds: number;
  /** Highest memory seen in use, MiB; absent where the machine cannot tell. */
  readonly peakMemoryMiB?: number;
}

/** What exactly a tool is, for keys and records. */
export interface ToolIdentity {
  /** Content of the tool: an image digest, or the digest of the program on the host. */
  readonly digest: string;
  /** Words for people: `delta-md toolkit 0.1.0`, `FSL 5.0.9`. */
  readonly version: string;
}

export interface Runtime {
  readonly kind: 'process' | 'docker';
  /** @throws DeltaMdError TOOL_MISSING or RUNTIME_UNAVAILABLE */
  identify(tool: string): Promise<ToolIdentity>;
  /**
   * Runs to the end. Aborting `signal` kills the whole tree, then rejects with the signal's reason.
   * @throws DeltaMdError RUNTIME_UNAVAILABLE, TOOL_MISSING
   */
  run(execution: Execution, signal: AbortSignal): Promise<Outcome>;
}

/** Splits chunks into lines for a log file and a listener; long lines are cut for the listener, never in the file. */
export function logSink(path: string, onLine: (line: string) => void) {
  const file = createWriteStream(path);
  // A log that cannot be written must not take the step down; its lines still reach the listener.
  file.on('error', () => {});
  let rest = '';
  return {
    write(chunk: Buffer | string): void {
      file.write(chunk);
      const lines = (rest + chunk.toString('utf8')).split(/\r\n|[\r\n]/);
      rest = (lines.pop() ?? '').slice(-4096);
      for (const line of lines) onLine(line.slice(0, 4096));
    },
    async end(): Promise<void> {
      if (rest !== '') onLine(rest);
      await new Promise<void>((resolve) => file.end(() => resolve()).on('error', () => resolve()));
    },
  };
}
