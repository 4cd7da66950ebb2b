/** What an engine is told of a step's container: everything it may use, and that it gets nothing else. */
import { posix } from 'node:path';
import type Docker from 'dockerode';
import { DeltaMdError } from '../pipeline/failures.ts';
import { INPUT_FOLDER } from '../pipeline/step.ts';
import { LABEL, PIDS_LIMIT, toolEnvironment, WORK } from './container.ts';
import type { EngineKind } from './engine.ts';
import type { Execution } from './runtime.ts';

/** Who a container's user is to the host. */
export type UserMapping =
  /** The engine runs as root: ids inside are ids outside. */
  | 'same'
  /** Ids are shifted for all containers (dockerd's userns-remap): this one is to be left out of it. */
  | 'remapped'
  /** Rootless Docker: the caller is root inside. */
  | 'caller-is-root'
  /** Rootless Podman: the caller's id is kept inside on demand. */
  | 'keep-id';

/** How an engine maps users, from the security options it reports of itself. */
export function mappingOf(kind: EngineKind, securityOptions: readonly string[]): UserMapping {
  const has = (name: string) => securityOptions.some((option) => option.split(',').includes(`name=${name}`));
  if (has('rootless')) return kind === 'podman' ? 'keep-id' : 'caller-is-root';
  return has('userns') ? 'remapped' : 'same';
}

/** GPUs in the words of the engine: Docker's device request, for Podman their CDI name. */
function gpuDevices(kind: EngineKind): Docker.HostConfig {
  if (kind === 'docker') return { DeviceRequests: [{ Driver: '', Count: -1, Capabilities: [['gpu']] }] };
  const name = 'nvidia.com/gpu=all';
  return { Devices: [{ PathOnHost: name, PathInContainer: name, CgroupPermissions: '' }] };
}

/**
 * A host path that may be mounted. Docker takes any; Podman writes it into a list of fields separated by commas, where it
 * could be taken for further options.
 * @throws DeltaMdError CONFIG_INVALID
 */
function mountable(kind: EngineKind, path: string): string {
  if (kind === 'podman' && /[",\r\n]/.test(path))
    throw new DeltaMdError(
      'CONFIG_INVALID',
      `${JSON.stringify(path)} has a comma, quote or line break in its name`,
      {
        remedy: 'Rename it, or use another runtime: Podman cannot be given such a path',
      },
    );
  return path;
}

/** All that the engine is told of a step's container; pure. `inputs`: staged path -> real host path. */
export function containerSpec(
  kind: EngineKind,
  image: string,
  execution: Execution,
  command: readonly string[],
  inputs: readonly (readonly [string, string])[],
  {
    mapping,
    user,
    fslDir,
    gpu,
  }: {
    readonly mapping: UserMapping;
    readonly user: { readonly uid: number; readonly gid: number };
    readonly fslDir?: string;
    readonly gpu: boolean;
  },
): Docker.ContainerCreateOptions {
  const bytes = execution.memoryMiB * 2 ** 20;
  const bind = (Source: string, Target: string, ReadOnly: boolean) => ({
    Type: 'bind' as const,
    Source: mountable(kind, Source),
    Target,
    ReadOnly,
  });
  return {
    name: execution.id,
    Image: image,
    Entrypoint: [command[0]],
    Cmd: command.slice(1),
    WorkingDir: WORK,
    // Outputs belong to the caller.
    User: mapping === 'caller-is-root' ? '0:0' : `${user.uid}:${user.gid}`,
    Env: Object.entries({ HOME: WORK, ...toolEnvironment(execution.cpus, fslDir) }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    Labels: { [LABEL]: execution.id },
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: {
      ...(mapping === 'keep-id' ? { UsernsMode: 'keep-id' } : {}),
      ...(mapping === 'remapped' ? { UsernsMode: 'host' } : {}),
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      // The engine's own seccomp profile holds unless an option says otherwise.
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: PIDS_LIMIT,
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
        ...inputs.map(([staged, source]) => bind(source, posix.join(WORK, staged), true)),
      ],
      ...(gpu ? gpuDevices(kind) : {}),
    },
  };
}
