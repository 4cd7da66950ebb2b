/**
 * What runs a step's command. Every runtime gives the same promise: the tool sees its working folder and its staged
 * inputs and nothing else it could harm, and when `run` settles, in whatever way, nothing of it runs any more.
 */
import { constants } from 'node:os';
import type { RuntimeChoice } from '../pipeline/study.ts';
import type { FslFiles } from './fsl-files.ts';

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
  /** Name of that signal, such as SIGKILL. */
  readonly signal?: string;
  readonly outOfMemory: boolean;
  readonly timedOut: boolean;
  readonly seconds: number;
  /** Highest memory seen in use, MiB; absent where the machine cannot tell. */
  readonly peakMemoryMiB?: number;
  /** Processor seconds seen in use, over all cores; absent where the machine cannot tell. */
  readonly cpuSeconds?: number;
}

/** What exactly a tool is, for keys and records. */
export interface ToolIdentity {
  /** Content of the tool: an image digest, or the digest of the program on the host. */
  readonly digest: string;
  /** Words for people: `delta-md toolkit 0.1.0`, `FSL 5.0.9`. */
  readonly version: string;
}

/** What a runtime's image or folder holds, for people to look at. */
export interface Survey {
  /** Words for people, as in {@link ToolIdentity}. */
  readonly version: string;
  /** Content of the image; absent where tools are programs of this machine. */
  readonly digest?: string;
  /** Digests under which a registry knows the image: what a study file can pin. */
  readonly registryDigests?: readonly string[];
  readonly bytes?: number;
  /** Of the programs asked for, those that are there; absent where the image cannot be looked into. */
  readonly programs?: readonly string[];
}

export interface Runtime {
  readonly kind: RuntimeChoice['kind'];
  /** @throws DeltaMdError TOOL_MISSING or RUNTIME_UNAVAILABLE */
  identify(tool: string): Promise<ToolIdentity>;
  /** @throws DeltaMdError TOOL_MISSING (no such image) or RUNTIME_UNAVAILABLE */
  survey(programs: readonly string[]): Promise<Survey>;
  /**
   * The FSL that the tools are of; undefined where they are not FSL's.
   * @throws DeltaMdError TOOL_MISSING (no such image) or RUNTIME_UNAVAILABLE
   */
  fsl(): Promise<FslFiles | undefined>;
  /**
   * Runs to the end. Aborting `signal` kills the whole tree, then rejects with the signal's reason.
   * @throws DeltaMdError RUNTIME_UNAVAILABLE, TOOL_MISSING
   */
  run(execution: Execution, signal: AbortSignal): Promise<Outcome>;
}

/**
 * Exit code and signal of what a shell or an engine reports as one number: 128 + n stands for signal n (137: SIGKILL).
 * A number beyond the signals is an exit code like any other.
 */
export function ended(status: number): Pick<Outcome, 'exitCode' | 'signal'> {
  const name = Object.entries(constants.signals).find(([, number]) => number === status - 128)?.[0];
  return name === undefined ? { exitCode: status } : { exitCode: null, signal: name };
}
