/**
 * The docker runtime, over the engine's socket. A step's container has no network, no privileges, a read-only root,
 * the working folder, and its input files read-only, one by one. Its name follows from the work it does, so an attempt
 * first removes what an earlier, lost attempt left running.
 */
import { mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { posix } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { DeltaMdError } from '../pipeline/failures.ts';
import { INPUT_FOLDER } from '../pipeline/step.ts';
import { type Execution, logSink, type Outcome, type Runtime, type ToolIdentity } from './runtime.ts';

/** Working folder inside the container. */
const WORK = '/work';
/** Every container of this product carries it, so that leftovers can be found: `docker ps --filter label=delta-md`. */
export const LABEL = 'delta-md';

interface EngineError extends Error {
  statusCode?: number;
}

function statusOf(error: unknown): number | undefined {
  return (error as EngineError).statusCode;
}

/** Passes an engine's answer on, but names an engine that cannot be reached. */
async function engine<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (statusOf(error) !== undefined) throw error;
    throw new DeltaMdError(
      'RUNTIME_UNAVAILABLE',
      `the Docker engine does not answer: ${(error as Error).message}`,
    );
  }
}

export class DockerRuntime implements Runtime {
  readonly kind = 'docker';
  readonly #docker: Docker;
  readonly #image: string;

  /** @param image name or digest of the image that holds the tools */
  constructor(image: string, docker = new Docker()) {
    this.#image = image;
    this.#docker = docker;
  }

  async identify(_tool: string): Promise<ToolIdentity> {
    const image = await this.#inspectImage();
    return {
      digest: image.Id,
      version: image.Config?.Labels?.['org.opencontainers.image.title'] ?? this.#image,
    };
  }

  async #inspectImage(): Promise<Docker.ImageInspectInfo> {
    try {
      return await engine(this.#docker.getImage(this.#image).inspect());
    } catch (error) {
      if (statusOf(error) === 404)
        throw new DeltaMdError('TOOL_MISSING', `the image ${this.#image} is not on this machine`, {
          remedy: 'docker pull it, or build the toolkit image: delta-md doctor says how',
        });
      throw error;
    }
  }

  async run(execution: Execution, signal: AbortSignal): Promise<Outcome> {
    await this.#remove(this.#docker.getContainer(execution.id));
    signal.throwIfAborted();
    // The mount point of the staged inputs; a file system in memory lies over it, so nothing is created on the host.
    await mkdir(`${execution.folder}/${INPUT_FOLDER}`, { recursive: true });
    const container = await this.#create(execution);
    const log = logSink(execution.log, execution.onLine);
    let timedOut = false;
    let ended = false;
    let peak = 0;
    const kill = () => void container.kill().catch(() => {});
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, execution.seconds * 1000);
    signal.addEventListener('abort', kill, { once: true });
    try {
      const started = performance.now();
      // Attach and wait before start: a fast tool's output and end cannot slip by.
      const stream = await engine(container.attach({ stream: true, stdout: true, stderr: true }));
      const sink = new PassThrough();
      sink.on('data', log.write);
      container.modem.demuxStream(stream, sink, sink);
      const drained = new Promise((resolve) =>
        stream.on('end', resolve).on('close', resolve).on('error', resolve),
      );
      await this.#start(container, execution.argv[0]);
      // An abort between create and start found nothing to kill.
      if (signal.aborted) kill();
      const watcher = (async () => {
        for (let pause = 100; !ended; pause = Math.min(2000, pause * 2)) {
          await sleep(pause);
          if (!ended) peak = Math.max(peak, await memoryOf(container));
        }
      })();
      const { StatusCode } = (await engine(container.wait())) as { StatusCode: number };
      ended = true;
      const seconds = (performance.now() - started) / 1000;
      const { State } = await engine(container.inspect());
      await Promise.race([drained, sleep(2000)]);
      await watcher;
      signal.throwIfAborted();
      return {
        exitCode: StatusCode > 128 ? null : StatusCode,
        signal: StatusCode > 128 ? `signal ${StatusCode - 128}` : undefined,
        outOfMemory: State.OOMKilled || (StatusCode === 137 && !timedOut),
        timedOut,
        seconds,
        peakMemoryMiB: peak > 0 ? Math.round(peak / 2 ** 20) : undefined,
      };
    } finally {
      ended = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', kill);
      await this.#remove(container);
      await log.end();
    }
  }

  async #create(execution: Execution): Promise<Docker.Container> {
    const { uid, gid } = userInfo();
    const bytes = execution.memoryMiB * 2 ** 20;
    const bind = (Source: string, Target: string, ReadOnly: boolean) => ({
      Type: 'bind' as const,
      Source,
      Target,
      ReadOnly,
    });
    try {
      return await engine(
        this.#docker.createContainer({
          name: execution.id,
          Image: this.#image,
          Entrypoint: [execution.argv[0]],
          Cmd: execution.argv.slice(1),
          WorkingDir: WORK,
          // Outputs belong to the caller.
          User: `${uid}:${gid}`,
          Env: [
            `HOME=${WORK}`,
            'LANG=C.UTF-8',
            'FSLOUTPUTTYPE=NIFTI_GZ',
            `OMP_NUM_THREADS=${execution.cpus}`,
          ],
          Labels: { [LABEL]: execution.id },
          AttachStdout: true,
          AttachStderr: true,
          HostConfig: {
            NetworkMode: 'none',
            ReadonlyRootfs: true,
            CapDrop: ['ALL'],
            SecurityOpt: ['no-new-privileges'],
            PidsLimit: 512,
            Memory: bytes,
            MemorySwap: bytes,
            NanoCpus: Math.round(execution.cpus * 1e9),
            // The log is streamed to the step's own file; the engine need not keep a second one.
            LogConfig: { Type: 'none', Config: {} },
            Tmpfs: {
              '/tmp': 'rw,nosuid,nodev,size=1g',
              [posix.join(WORK, INPUT_FOLDER)]: 'rw,nosuid,nodev,size=1m',
            },
            Mounts: [
              bind(execution.folder, WORK, false),
              ...Object.entries(execution.inputs).map(([staged, source]) =>
                bind(source, posix.join(WORK, staged), true),
              ),
            ],
          },
        }),
      );
    } catch (error) {
      if (statusOf(error) === 404) await this.#inspectImage();
      throw error;
    }
  }

  async #start(container: Docker.Container, tool: string): Promise<void> {
    try {
      await engine(container.start());
    } catch (error) {
      // The engine has no code of its own for this; runc's words are the same across its versions.
      if (/executable file not found/.test(String((error as Error).message)))
        throw new DeltaMdError('TOOL_MISSING', `${tool} is not in the image ${this.#image}`);
      throw error;
    }
  }

  async #remove(container: Docker.Container): Promise<void> {
    try {
      await engine(container.remove({ force: true, v: true }));
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

/** Memory in use by a container now, bytes; 0 when it has ended. */
async function memoryOf(container: Docker.Container): Promise<number> {
  try {
    const stats = await container.stats({ stream: false, 'one-shot': true });
    return stats.memory_stats.max_usage ?? stats.memory_stats.usage ?? 0;
  } catch {
    return 0;
  }
}
