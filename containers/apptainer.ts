/**
 * The Apptainer runtime (formerly Singularity), for clusters where nobody has a container engine: each tool is a
 * process of the caller, in namespaces of its own. The image is a SIF file, read-only by nature.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { DeltaMdError } from '../pipeline/failures.ts';
import { commandFor, fslVersionWords } from '../pipeline/fsl-versions.ts';
import { type ContainerOptions, PIDS_LIMIT, toolEnvironment, WORK } from './container.ts';
import type { FslFiles } from './fsl-files.ts';
import { realInputs } from './inputs.ts';
import { endLeftover, runTree } from './process-tree.ts';
import type { Execution, Outcome, Runtime, Survey, ToolIdentity } from './runtime.ts';

const PROGRAMS = ['apptainer', 'singularity'];

/** Nothing of the host but what is mounted by name: no home, no /tmp, no environment, no network, no privileges. */
const ISOLATION = ['--containall', '--cleanenv', '--no-home', '--no-privs', '--net', '--network', 'none'];

/**
 * One `--mount` value. Fields are CSV (apptainer's user guide), so commas, colons and quotes in a path are harmless.
 * @throws DeltaMdError CONFIG_INVALID for a path with a line break
 */
export function mountOption(source: string, destination: string, readOnly: boolean): string {
  if (/[\r\n]/.test(source))
    throw new DeltaMdError('CONFIG_INVALID', `${JSON.stringify(source)} has a line break in its name`, {
      remedy: 'Rename it: apptainer cannot be given such a path',
    });
  const field = (text: string) => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const fields = ['type=bind', `source=${source}`, `destination=${destination}`].map(field);
  return [...fields, ...(readOnly ? ['ro'] : [])].join(',');
}

/** The arguments of `apptainer` for one command; pure. `inputs`: staged path -> real host path. */
export function apptainerArgs(
  image: string,
  execution: Execution,
  command: readonly string[],
  inputs: readonly (readonly [string, string])[],
  options: ContainerOptions & { readonly cgroups: boolean },
): string[] {
  const { cpus, memoryMiB } = execution;
  return [
    '--silent',
    'exec',
    ...ISOLATION,
    ...(options.gpu ? ['--nv'] : []),
    ...(options.cgroups
      ? ['--memory', `${memoryMiB}M`, '--memory-swap', `${memoryMiB}M`, '--cpus', `${cpus}`]
      : []),
    ...(options.cgroups ? ['--pids-limit', `${PIDS_LIMIT}`] : []),
    ...Object.entries(toolEnvironment(cpus, options.fslDir)).flatMap(([name, value]) => [
      '--env',
      `${name}=${value}`,
    ]),
    '--pwd',
    WORK,
    '--mount',
    mountOption(execution.folder, WORK, false),
    ...inputs.flatMap(([staged, source]) => ['--mount', mountOption(source, posix.join(WORK, staged), true)]),
    image,
    ...command,
  ];
}

/** Content of a large file, hex SHA-256. */
async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

interface Inside {
  readonly digest: string;
  readonly version: string;
  /** Names in the folder of FSL's programs; absent for an image without FSL, or without `ls`. */
  readonly listed?: readonly string[];
  readonly cgroups: boolean;
  readonly fslDir?: string;
}

export class ApptainerRuntime implements Runtime {
  readonly kind = 'apptainer';
  readonly #image: string;
  readonly #options: ContainerOptions;
  readonly #environment: Record<string, string>;
  /** How small commands are asked. */
  readonly #quiet;
  #inside?: Promise<Inside>;

  /** @param image absolute path of a SIF file  @param path where `apptainer` or `singularity` is looked for */
  constructor(image: string, options: ContainerOptions = {}, path = process.env['PATH'] ?? '') {
    this.#image = image;
    this.#options = options;
    // What apptainer itself needs; with --cleanenv none of it reaches the tool.
    const kept = ['HOME', 'USER', 'TMPDIR', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'];
    const own = Object.entries(process.env).filter(
      ([name]) => kept.includes(name) || /^(APPTAINER|SINGULARITY)_(CACHE|TMP|CONFIG)DIR$/.test(name),
    );
    this.#environment = { ...(Object.fromEntries(own) as Record<string, string>), PATH: path };
    this.#quiet = { reject: false, extendEnv: false, env: this.#environment, stdin: 'ignore' } as const;
  }

  async identify(tool: string): Promise<ToolIdentity> {
    const { digest, version, listed = [] } = await this.#look();
    const [program] = commandFor([tool], listed, { gpu: this.#options.gpu });
    return program === tool
      ? { digest, version }
      : { digest: `${digest} ${program}`, version: `${version}, ${program}` };
  }

  async survey(programs: readonly string[]): Promise<Survey> {
    const { digest, version, listed } = await this.#look();
    return {
      digest,
      version,
      bytes: (await stat(this.#image)).size,
      programs: listed && programs.filter((name) => listed.includes(name)),
    };
  }

  async fsl(): Promise<FslFiles | undefined> {
    const { digest, fslDir } = await this.#look();
    if (fslDir === undefined) return undefined;
    return {
      place: `the image ${this.#image}`,
      digest,
      list: async (below) => {
        const folder = `${fslDir}/${below}/`;
        const found = await this.#ask(['find', '-L', folder, '-type', 'f']);
        const paths = found?.split('\n').filter((path) => path !== '') ?? [];
        return paths.map((path) => path.slice(folder.length)).sort();
      },
      read: async (file) => {
        const args = ['--silent', 'exec', ...ISOLATION, this.#image, 'cat', `${fslDir}/${file}`];
        const { stdout, exitCode } = await execa(await this.#program(), args, {
          ...this.#quiet,
          encoding: 'buffer',
        });
        return exitCode === 0 ? Buffer.from(stdout) : undefined;
      },
    };
  }

  async run(execution: Execution, signal: AbortSignal): Promise<Outcome> {
    const { listed = [], cgroups } = await this.#look();
    await endLeftover(execution);
    signal.throwIfAborted();
    const inputs = await realInputs(execution.inputs, this.#options.roots);
    for (const [staged] of inputs) {
      // Within a mounted folder a mount point must exist.
      const place = join(execution.folder, staged);
      await mkdir(dirname(place), { recursive: true });
      await writeFile(place, '');
    }
    const command = commandFor(execution.argv, listed, { gpu: this.#options.gpu, cpus: execution.cpus });
    const gpu = command[0].includes('cuda');
    const args = apptainerArgs(this.#image, execution, command, inputs, { ...this.#options, gpu, cgroups });
    let missing = false;
    const outcome = await runTree(
      {
        ...execution,
        onLine: (line) => {
          missing ||= /executable file not found in \$PATH|no such file or directory.*exec/i.test(line);
          execution.onLine(line);
        },
      },
      { path: await this.#program(), args, env: this.#environment },
      signal,
    );
    // 255 is apptainer's own failure; the tool never ran.
    if (outcome.exitCode === 255 && missing)
      throw new DeltaMdError('TOOL_MISSING', `${command[0]} is not in the image ${this.#image}`);
    return outcome;
  }

  async #program(): Promise<string> {
    for (const folder of (this.#environment['PATH'] ?? '').split(':'))
      for (const name of PROGRAMS) {
        const path = join(folder, name);
        if (folder !== '' && (await stat(path).catch(() => undefined))?.isFile()) return path;
      }
    throw new DeltaMdError('RUNTIME_UNAVAILABLE', 'neither apptainer nor singularity is on the PATH', {
      remedy: 'Install Apptainer (on a cluster often: module load apptainer), then: delta-md doctor',
    });
  }

  /** What the image holds, found once. */
  #look(): Promise<Inside> {
    if (!this.#inside) {
      this.#inside = this.#lookInside();
      this.#inside.catch(() => (this.#inside = undefined));
    }
    return this.#inside;
  }

  async #lookInside(): Promise<Inside> {
    if (!(await stat(this.#image).catch(() => undefined))?.isFile())
      throw new DeltaMdError('TOOL_MISSING', `there is no image file ${this.#image}`, {
        remedy: 'apptainer build IMAGE.sif docker://NAME makes one; name it in the study file',
      });
    const fslDir = this.#options.fslDir ?? (await this.#ask(['printenv', 'FSLDIR']))?.trim();
    const version = fslDir && (await this.#ask(['cat', `${fslDir}/etc/fslversion`]));
    const listed = fslDir && (await this.#ask(['ls', `${fslDir}/bin`]));
    return {
      digest: `sha256:${await digestOf(this.#image)}`,
      version: version ? fslVersionWords(version) : posix.basename(this.#image),
      listed: listed ? listed.split('\n') : undefined,
      fslDir: version ? fslDir : undefined,
      cgroups: await this.#hasCgroups(),
    };
  }

  /** What a small command in the image prints; undefined when it fails or is not there. */
  async #ask(command: readonly string[]): Promise<string | undefined> {
    const { stdout, exitCode } = await this.#call([
      '--silent',
      'exec',
      ...ISOLATION,
      this.#image,
      ...command,
    ]);
    return exitCode === 0 ? stdout : undefined;
  }

  /** Whether this user may limit memory by control groups here; where not, memory is watched (process-tree.ts). */
  async #hasCgroups(): Promise<boolean> {
    const { stderr } = await this.#call(['exec', '--memory', '64M', ...ISOLATION, this.#image, 'true']);
    return !/cgroup|unknown flag/i.test(stderr);
  }

  async #call(args: readonly string[]) {
    return execa(await this.#program(), args, this.#quiet);
  }
}
