/**
 * The process runtime: tools as programs of this machine, the built-in toolkit or an installed FSL. Inputs are staged
 * as symbolic links. A tool is held to its memory and time with all it starts, as a container engine would; what it may
 * read, write and reach is what the worker's user may.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { DeltaMdError } from '../pipeline/failures.ts';
import { commandFor, hasVariants } from '../pipeline/fsl-versions.ts';
import { type FslFiles, installedFsl } from './fsl-files.ts';
import { endLeftover, runTree } from './process-tree.ts';
import type { Execution, Outcome, Runtime, Survey, ToolIdentity } from './runtime.ts';

/** A folder of programs that is searched before PATH, and the words that name its version. */
export interface ToolFolder {
  /** Absolute path of the folder with the programs. */
  readonly bin: string;
  readonly version: string;
  /** File whose content stands for all tools of the folder; without it, each program is digested by itself. */
  readonly bundle?: string;
  /** Value of FSLDIR for the tools. */
  readonly fslDir?: string;
  /** True: tools that have a CUDA variant use it. */
  readonly gpu?: boolean;
}

export class ProcessRuntime implements Runtime {
  readonly kind = 'process';
  readonly #tools: ToolFolder;
  readonly #identities = new Map<string, Promise<ToolIdentity>>();

  constructor(tools: ToolFolder) {
    this.#tools = tools;
  }

  identify(tool: string): Promise<ToolIdentity> {
    let known = this.#identities.get(tool);
    if (!known) {
      known = this.#digest(tool);
      // A tool that is missing now may be there at the next try.
      known.catch(() => this.#identities.delete(tool));
      this.#identities.set(tool, known);
    }
    return known;
  }

  async #digest(tool: string): Promise<ToolIdentity> {
    const [program] = await this.#command([tool]);
    const content = await readFile(this.#tools.bundle ?? program);
    const variant = basename(program) === tool ? '' : `, ${basename(program)}`;
    return {
      digest: `sha256:${createHash('sha256').update(content).digest('hex')}`,
      version: `${this.#tools.version}${variant}`,
    };
  }

  async survey(programs: readonly string[]): Promise<Survey> {
    const there: string[] = await readdir(this.#tools.bin).catch(() => []);
    return { version: this.#tools.version, programs: programs.filter((name) => there.includes(name)) };
  }

  async fsl(): Promise<FslFiles | undefined> {
    return this.#tools.fslDir === undefined ? undefined : installedFsl(this.#tools.fslDir);
  }

  /** The command as it runs here: the tool's name becomes the path of the program that is there. */
  async #command(argv: readonly string[], cpus?: number): Promise<string[]> {
    const { bin, gpu } = this.#tools;
    const present = hasVariants(argv[0]) ? await readdir(bin).catch(() => []) : [];
    const [name, ...args] = commandFor(argv, present, { gpu, cpus });
    const program = join(bin, name);
    try {
      await access(program, constants.X_OK);
      return [program, ...args];
    } catch {
      throw new DeltaMdError('TOOL_MISSING', `${name} is not in ${bin}`);
    }
  }

  async run(execution: Execution, signal: AbortSignal): Promise<Outcome> {
    const [path, ...args] = await this.#command(execution.argv, execution.cpus);
    await endLeftover(execution);
    signal.throwIfAborted();
    for (const [staged, target] of Object.entries(execution.inputs)) {
      const link = join(execution.folder, staged);
      await mkdir(dirname(link), { recursive: true });
      await symlink(target, link);
    }
    return runTree(execution, { path, args, env: this.#environment(execution) }, signal);
  }

  /** Only what a tool needs: nothing of the worker's environment, so no secret can leak into a tool or its log. */
  #environment(execution: Execution): Record<string, string> {
    return {
      PATH: [this.#tools.bin, dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(
        delimiter,
      ),
      HOME: execution.folder,
      LANG: 'C.UTF-8',
      FSLOUTPUTTYPE: 'NIFTI_GZ',
      OMP_NUM_THREADS: String(execution.cpus),
      ...(this.#tools.fslDir ? { FSLDIR: this.#tools.fslDir, USER: 'delta-md' } : {}),
    };
  }
}
