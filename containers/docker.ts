/**
 * The docker and podman runtimes, over an engine's socket. A step's container has no network, no privileges, a read-only
 * root, the working folder, and its input files read-only, one by one. Its name follows from the work it does, so an
 * attempt first removes what an earlier, lost attempt left running.
 */
import { mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { DeltaMdError } from '../pipeline/failures.ts';
import { commandFor, variantsOf } from '../pipeline/fsl-versions.ts';
import { INPUT_FOLDER } from '../pipeline/step.ts';
import { type ContainerOptions, LABEL } from './container.ts';
import { containerSpec, mappingOf, type UserMapping } from './container-spec.ts';
import { answer, connect, type EngineKind, statusOf } from './engine.ts';
import type { FslFiles } from './fsl-files.ts';
import { filesIn, type ImageContent, lookInto } from './image.ts';
import { realInputs } from './inputs.ts';
import { type LogSink, logSink } from './log-sink.ts';
import {
  type Execution,
  ended,
  type Outcome,
  type Runtime,
  type Survey,
  type ToolIdentity,
} from './runtime.ts';

/** Seconds an engine may take to end a container it was told to kill. */
const KILL_SECONDS = 60;
/** Seconds after which the end of a container must have been reported, by an engine that saw it start. */
const RESTART_SECONDS = 10;

export class EngineRuntime implements Runtime {
  readonly kind: EngineKind;
  readonly #docker: Docker;
  readonly #image: string;
  readonly #options: ContainerOptions;
  #content?: Promise<ImageContent>;
  #mapping?: Promise<UserMapping>;

  /** @param image name or digest (`name@sha256:...`) of the image that holds the tools */
  constructor(kind: EngineKind, image: string, options: ContainerOptions = {}, docker = connect(kind)) {
    this.kind = kind;
    this.#image = image;
    this.#options = options;
    this.#docker = docker;
  }

  #ask<T>(call: Promise<T>, seconds?: number): Promise<T> {
    return answer(this.kind, call, seconds);
  }

  async identify(tool: string): Promise<ToolIdentity> {
    const { digest, version, programs } = await this.#look();
    const [program] = commandFor([tool], programs, { gpu: this.#options.gpu });
    return program === tool
      ? { digest, version }
      : { digest: `${digest} ${program}`, version: `${version}, ${program}` };
  }

  survey(programs: readonly string[]): Promise<Survey> {
    return this.#lookFor(programs);
  }

  async fsl(): Promise<FslFiles | undefined> {
    const { digest, fslDir } = await this.#look();
    if (fslDir === undefined) return undefined;
    const labels = { [LABEL]: 'look' };
    return {
      place: `the image ${this.#image}`,
      digest,
      ...filesIn(this.kind, this.#docker, digest, fslDir, labels),
    };
  }

  /** The image, looked into once: while this runtime lives a name keeps meaning the same image. */
  #look(): Promise<ImageContent> {
    if (!this.#content) {
      this.#content = this.#lookFor([...variantsOf('eddy'), ...variantsOf('eddy', true)]);
      this.#content.catch(() => (this.#content = undefined));
    }
    return this.#content;
  }

  #lookFor(programs: readonly string[]): Promise<ImageContent> {
    const options = { fslDir: this.#options.fslDir, programs, labels: { [LABEL]: 'look' } };
    return lookInto(this.kind, this.#docker, this.#image, options).catch((error) => {
      if (statusOf(error) !== 404) throw error;
      throw new DeltaMdError('TOOL_MISSING', `the image ${this.#image} is not on this machine`, {
        remedy: 'delta-md images pull STUDY fetches it; for the built-in tools: delta-md images build',
      });
    });
  }

  #usersAre(): Promise<UserMapping> {
    if (!this.#mapping) {
      this.#mapping = this.#ask(this.#docker.info()).then((info) =>
        mappingOf(this.kind, info.SecurityOptions ?? []),
      );
      this.#mapping.catch(() => (this.#mapping = undefined));
    }
    return this.#mapping;
  }

  async run(execution: Execution, signal: AbortSignal): Promise<Outcome> {
    const inputs = await realInputs(execution.inputs, this.#options.roots);
    await this.#remove(this.#docker.getContainer(execution.id));
    signal.throwIfAborted();
    // The mount point of the staged inputs; a file system in memory lies over it, so nothing is created on the host.
    await mkdir(`${execution.folder}/${INPUT_FOLDER}`, { recursive: true });
    const container = await this.#create(execution, inputs);
    const log = logSink(execution.log, execution.onLine);
    try {
      return await this.#supervise(container, execution, log, signal);
    } finally {
      try {
        await this.#remove(container);
      } finally {
        await log.end();
      }
    }
  }

  /** Starts a container and sees it through to its end. */
  async #supervise(
    container: Docker.Container,
    execution: Execution,
    log: LogSink,
    signal: AbortSignal,
  ): Promise<Outcome> {
    let timedOut = false;
    let running = true;
    let giveUp: (reason: Error) => void;
    const overdue = new Promise<never>((_, reject) => (giveUp = reject));
    overdue.catch(() => {});
    const timers: NodeJS.Timeout[] = [];
    const kill = () => {
      container.kill().catch(() => {});
      const late = new DeltaMdError(
        'RUNTIME_UNAVAILABLE',
        `the ${this.kind} engine does not end ${execution.id}`,
      );
      timers.push(setTimeout(() => giveUp(late), KILL_SECONDS * 1000));
    };
    timers.push(
      setTimeout(() => {
        timedOut = true;
        kill();
      }, execution.seconds * 1000),
    );
    signal.addEventListener('abort', kill, { once: true });
    try {
      const started = performance.now();
      // Attach before start: a fast tool's output and end cannot slip by.
      const stream = await this.#ready(
        container.attach({ stream: true, stdout: true, stderr: true }),
        execution.argv[0],
      );
      const sinks = [new PassThrough(), new PassThrough()];
      for (const sink of sinks) sink.on('data', log.source());
      container.modem.demuxStream(stream, sinks[0], sinks[1]);
      const drained = new Promise((resolve) =>
        stream.on('end', resolve).on('close', resolve).on('error', resolve),
      );
      await this.#ready(container.start(), execution.argv[0]);
      // An abort between create and start found nothing to kill.
      if (signal.aborted) kill();
      const waiting = this.#ask(
        container.wait() as Promise<{ StatusCode: number }>,
        Number.POSITIVE_INFINITY,
      );
      const use = { bytes: 0, cpuSeconds: 0 };
      const watcher = (async () => {
        for (let pause = 100; running; pause = Math.min(2000, pause * 2)) {
          await Promise.race([sleep(pause), waiting]);
          if (!running) return;
          // An engine that dies drops the answer to wait without a word, so it is asked whether it is there.
          const { State } = await this.#ask(container.inspect());
          if (!State.Running) {
            await Promise.race([sleep(RESTART_SECONDS * 1000), waiting]);
            if (!running) return;
            throw new DeltaMdError('RUNTIME_UNAVAILABLE', `the ${this.kind} engine was restarted meanwhile`);
          }
          const now = await this.#ask(useOf(container));
          use.bytes = Math.max(use.bytes, now.bytes);
          use.cpuSeconds = Math.max(use.cpuSeconds, now.cpuSeconds);
        }
      })().catch((error) => giveUp(error));
      const { StatusCode } = await Promise.race([waiting, overdue]);
      running = false;
      const seconds = (performance.now() - started) / 1000;
      const { State } = await this.#ask(container.inspect());
      await Promise.race([drained, sleep(2000)]);
      await watcher;
      signal.throwIfAborted();
      const ending = ended(StatusCode);
      return {
        ...ending,
        outOfMemory: State.OOMKilled || (ending.signal === 'SIGKILL' && !timedOut),
        timedOut,
        seconds,
        peakMemoryMiB: use.bytes > 0 ? Math.round(use.bytes / 2 ** 20) : undefined,
        cpuSeconds: use.cpuSeconds > 0 ? Number(use.cpuSeconds.toFixed(2)) : undefined,
      };
    } finally {
      running = false;
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener('abort', kill);
    }
  }

  async #create(execution: Execution, inputs: readonly [string, string][]): Promise<Docker.Container> {
    const { digest, programs } = await this.#look();
    const { fslDir, gpu } = this.#options;
    const command = commandFor(execution.argv, programs, { gpu, cpus: execution.cpus });
    const spec = containerSpec(this.kind, digest, execution, command, inputs, {
      mapping: await this.#usersAre(),
      user: userInfo(),
      fslDir,
      gpu: command[0].includes('cuda'),
    });
    try {
      return await this.#ask(this.#docker.createContainer(spec));
    } catch (error) {
      // The image was removed meanwhile: look again, which says so.
      if (statusOf(error) === 404) {
        this.#content = undefined;
        await this.#look();
      }
      throw error;
    }
  }

  /** Passes on a call that prepares a tool to run; Docker finds at start, Podman at attach that there is no such tool. */
  async #ready<T>(call: Promise<T>, tool: string): Promise<T> {
    try {
      return await this.#ask(call);
    } catch (error) {
      // The engines have no code of their own for this; the words of runc and crun are the same across versions.
      if (/executable file.*not found/i.test(String((error as Error).message)))
        throw new DeltaMdError('TOOL_MISSING', `${tool} is not in the image ${this.#image}`);
      throw error;
    }
  }

  async #remove(container: Docker.Container): Promise<void> {
    try {
      await this.#ask(container.remove({ force: true, v: true }));
    } catch (error) {
      // 404: there is none. 409: its removal is under way; the name is free once it is gone.
      if (statusOf(error) === 409) {
        await sleep(200);
        return this.#remove(container);
      }
      if (statusOf(error) !== 404) throw error;
    }
  }
}

/** Memory in use by a container now, without the file cache, which the kernel takes back; processor time so far. */
async function useOf(container: Docker.Container): Promise<{ bytes: number; cpuSeconds: number }> {
  try {
    const { memory_stats: memory, cpu_stats: cpu } = await container.stats({
      stream: false,
      'one-shot': true,
    });
    const { total_inactive_file, inactive_file } = (memory.stats ?? {}) as unknown as Record<string, number>;
    return {
      bytes: Math.max(0, (memory.usage ?? 0) - (total_inactive_file ?? inactive_file ?? 0)),
      cpuSeconds: (cpu.cpu_usage?.total_usage ?? 0) / 1e9,
    };
  } catch {
    // It has ended.
    return { bytes: 0, cpuSeconds: 0 };
  }
}
