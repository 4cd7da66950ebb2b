/** Engines of the tests' own, so that they can be killed and their leftovers counted without disturbing another's. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { execa } from 'execa';
import { connect, type EngineKind } from '../../containers/engine.ts';
import { toolkitFileSystem } from '../../containers/toolkit-image.ts';
import { waitFor } from './harness.ts';

/** An engine with a folder and a socket of its own. */
export interface PrivateEngine {
  readonly docker: Docker;
  readonly socket: string;
  /** Ends it without warning. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Ends it and removes all it had. */
  dispose(): Promise<void>;
}

export function isOnPath(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Why an engine of this kind cannot be started by this user here; undefined when it can. */
export function reasonAgainst(kind: EngineKind): string | undefined {
  const program = kind === 'docker' ? 'dockerd' : 'podman';
  if (!isOnPath(program)) return `${program} is not installed`;
  if (process.getuid?.() !== 0) return `starting ${program} for a test needs root`;
  return undefined;
}

/** Processes of this machine whose command line holds a word, but for this test runner: pid -> command line. */
export async function processesWith(word: string): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(word) && !line.includes('vitest')) found.set(Number(pid), line.replaceAll('\0', ' '));
  }
  return found;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

/** runc and limits of its own also where Podman's defaults ask for more than a virtual machine's root may. */
const CONTAINERS_CONF = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

export async function startEngine(kind: EngineKind): Promise<PrivateEngine> {
  const folder = await mkdtemp(join(tmpdir(), `delta-md-${kind}-`));
  const socket = join(folder, 'engine.sock');
  const configuration = join(folder, 'containers.conf');
  await writeFile(configuration, CONTAINERS_CONF);
  const [program, args] =
    kind === 'docker'
      ? [
          // In a network of its own: a second dockerd would take the first one's bridge away.
          'unshare',
          [
            '--net',
            'dockerd',
            `--host=unix://${socket}`,
            `--data-root=${folder}/data`,
            `--exec-root=${folder}/exec`,
            `--pidfile=${folder}/pid`,
            '--bridge=none',
            '--iptables=false',
            '--ip6tables=false',
          ],
        ]
      : [
          'podman',
          [
            `--root=${folder}/data`,
            `--runroot=${folder}/run`,
            `--tmpdir=${folder}/tmp`,
            'system',
            'service',
            '--time=0',
            `unix://${socket}`,
          ],
        ];
  const docker = connect(kind, socket);
  // An engine that was killed may leave a socket that takes connections and never answers.
  const isUp = () =>
    Promise.race([
      docker.ping().then(
        () => true,
        () => false,
      ),
      sleep(5000, false),
    ]);
  let pid: number | undefined;
  const engine: PrivateEngine = {
    docker,
    socket,
    async start() {
      await rm(`${folder}/pid`, { force: true });
      const log = openSync(`${folder}/log`, 'a');
      const child = spawn(program, args, {
        stdio: ['ignore', log, log],
        env: { ...process.env, CONTAINERS_CONF: configuration },
      });
      closeSync(log);
      pid = child.pid;
      await waitFor(
        isUp,
        async () => `${program} does not start: ${(await readFile(`${folder}/log`, 'utf8')).slice(-2000)}`,
      );
    },
    async kill() {
      if (pid) kill(pid, 'SIGKILL');
      // dockerd's containerd dies with it; a new dockerd that found it dying would wait for it in vain.
      const containerd = `${folder}/exec/containerd/containerd.pid`;
      const id = Number(await readFile(containerd, 'utf8').catch(() => '0'));
      if (id > 1) kill(id, 'SIGKILL');
      await rm(containerd, { force: true });
      await waitFor(async () => !(await isUp()));
    },
    async dispose() {
      if (await isUp())
        for (const { Id } of await docker.listContainers({ all: true }))
          await docker.getContainer(Id).remove({ force: true, v: true });
      if (pid) kill(pid, 'SIGTERM');
      await waitFor(async () => !(await isUp()));
      // What a killed engine left: containerd, shims.
      await waitFor(async () => {
        const left = await processesWith(folder);
        for (const leftover of left.keys()) kill(leftover, 'SIGKILL');
        return left.size === 0;
      });
      for (const line of (await readFile('/proc/mounts', 'utf8')).split('\n').reverse()) {
        const target = line.split(' ')[1];
        if (target?.startsWith(`${folder}/`)) execFileSync('umount', ['-l', target]);
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  await engine.start();
  return engine;
}

/** Names of all that an engine keeps: containers, volumes and networks. */
export async function heldBy(docker: Docker): Promise<string[]> {
  const containers = await docker.listContainers({ all: true });
  const { Volumes } = await docker.listVolumes();
  const networks = await docker.listNetworks();
  return [
    ...containers.map(({ Names }) => `container ${Names[0]}`),
    ...(Volumes ?? []).map(({ Name }) => `volume ${Name}`),
    ...networks.map(({ Name }) => `network ${Name}`),
  ].sort();
}

/** Makes a SIF file of a toolkit's folder, as a user would from a folder with a root file system. */
export async function buildSif(bundle: string, image: string): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'delta-md-root-'));
  const tar = execa('tar', ['--extract', '--directory', root]);
  await pipeline(toolkitFileSystem(bundle), tar.stdin);
  await tar;
  await mkdir(join(root, '.singularity.d', 'env'), { recursive: true });
  const environment = join(root, '.singularity.d', 'env', '90-environment.sh');
  await writeFile(environment, 'export PATH=/opt/toolkit/bin:/usr/local/bin\n', { mode: 0o755 });
  await execa('apptainer', ['build', image, root]);
  await rm(root, { recursive: true });
}
