/**
 * An embedded Temporal: the real dev server with its UI and a database on disk, so a cohort outlives everything. It is
 * started again when it dies, and a server left behind by a killed run is taken over rather than doubled.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { placeWhole } from '../../activities/whole-file.ts';
import { findCli } from './find-cli.ts';
import { connectionOptions } from './tls.ts';

export const NAMESPACE = process.env['TEMPORAL_NAMESPACE'] || 'default';

/** Where a running embedded server can be reached; kept in `<folder>/server.json`. */
export interface ServerAddress {
  readonly pid: number;
  /** Process that keeps the server up. */
  readonly supervisor: number;
  /** `127.0.0.1:7233` */
  readonly address: string;
  readonly ui: string;
}

/** Ports of a server: 0 for any that is free. */
export interface Ports {
  readonly grpc: number;
  readonly ui: number;
}
/** The ports everybody expects a local Temporal at; for a server that is to be found by others. */
export const USUAL_PORTS: Ports = { grpc: 7233, ui: 8233 };
const START_SECONDS = 60;

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', () => resolve(false))
      .once('listening', () => probe.close(() => resolve(true)))
      .listen(port, '127.0.0.1');
  });
}

async function freePort(preferred: number): Promise<number> {
  if (preferred !== 0 && (await isFree(preferred))) return preferred;
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

/** True when a Temporal server answers at the address within `seconds`. */
export async function answers(address: string, seconds = 1): Promise<boolean> {
  const options = connectionOptions(address);
  try {
    const connection = await Connection.connect({ ...options, connectTimeout: seconds * 1000 });
    await connection.workflowService.getSystemInfo({});
    await connection.close();
    return true;
  } catch {
    return false;
  }
}

async function readAddress(folder: string): Promise<ServerAddress | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'server.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Address of the server that a folder's embedded Temporal runs at, when one does. */
export async function runningServer(folder: string): Promise<ServerAddress | undefined> {
  const known = await readAddress(folder);
  return known && (await answers(known.address)) ? known : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether the process that keeps a folder's embedded server is alive; `none` where no server was left. */
export async function supervisorOf(folder: string): Promise<'alive' | 'gone' | 'none'> {
  const known = await readAddress(folder);
  if (!known) return 'none';
  return isAlive(known.supervisor) ? 'alive' : 'gone';
}

export class EmbeddedTemporal {
  readonly #folder: string;
  readonly #cli: string;
  readonly #say: (message: string) => void;
  #ports: Ports;
  #pid = 0;
  /** Clients know the ports from the first answer on; until then they may change. */
  #answered = false;
  #stopping = false;
  #supervising: Promise<void> = Promise.resolve();

  private constructor(folder: string, cli: string, ports: Ports, say: (message: string) => void) {
    this.#folder = folder;
    this.#cli = cli;
    this.#say = say;
    this.#ports = ports;
  }

  /** Process id of the server; 0 before its first start. */
  get pid(): number {
    return this.#pid;
  }

  get address(): string {
    return `127.0.0.1:${this.#ports.grpc}`;
  }

  get ui(): string {
    return `http://127.0.0.1:${this.#ports.ui}`;
  }

  /**
   * Starts (or takes over) the server of a folder.
   * @param folder absolute; holds the database, the log and server.json
   * @param preferred ports to take where they are free
   */
  static async start(
    folder: string,
    preferred: Ports,
    say: (message: string) => void,
  ): Promise<EmbeddedTemporal> {
    await mkdir(folder, { recursive: true });
    const left = await runningServer(folder);
    if (left) {
      // It may have lost its supervisor; restart it under ours, on the same ports.
      process.kill(left.pid, 'SIGTERM');
      while (await answers(left.address, 0.2)) await sleep(100);
    }
    const cli = await findCli(say);
    const port = (url: string) => Number(url.slice(url.lastIndexOf(':') + 1));
    const ports = {
      grpc: await freePort(left ? port(left.address) : preferred.grpc),
      ui: await freePort(left ? port(left.ui) : preferred.ui),
    };
    const server = new EmbeddedTemporal(folder, cli.path, ports, say);
    server.#supervising = server.#supervise();
    const until = Date.now() + START_SECONDS * 1000;
    while (!(await answers(server.address))) {
      if (Date.now() > until || server.#stopping) {
        await server.stop();
        throw new Error(
          `Temporal did not start within ${START_SECONDS} s; see ${join(folder, 'server.log')}`,
        );
      }
      await sleep(200);
    }
    server.#answered = true;
    return server;
  }

  async #supervise(): Promise<void> {
    for (let failures = 0; !this.#stopping; ) {
      const log = await open(join(this.#folder, 'server.log'), 'a');
      const started = Date.now();
      const child = spawn(
        this.#cli,
        [
          ...['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'warn'],
          ...['--namespace', NAMESPACE],
          ...['--port', `${this.#ports.grpc}`, '--ui-port', `${this.#ports.ui}`],
          // Studies that share workers take turns (fairness keys), the urgent ones first (priorities).
          ...['--dynamic-config-value', 'matching.useNewMatcher=true'],
          ...['--dynamic-config-value', 'matching.enableFairness=true'],
          // Durable against the death of any process. A power cut may cost the last moments of a cohort, whose steps
          // are then found done in the store; in return a step costs a fraction of the time.
          ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
          ...['--db-filename', join(this.#folder, 'temporal.db')],
        ],
        // Its own group: Ctrl-C in the terminal must reach the workers first, the server last. The log is a file of
        // its own, not a pipe through us, so that the server survives us and its next supervisor can take it over.
        { detached: true, stdio: ['ignore', log.fd, log.fd] },
      );
      const ended = once(child, 'exit').catch(() => {});
      this.#pid = child.pid ?? 0;
      const address: ServerAddress = {
        pid: this.#pid,
        supervisor: process.pid,
        address: this.address,
        ui: this.ui,
      };
      await placeWhole(join(this.#folder, 'server.json'), (aside) =>
        writeFile(aside, JSON.stringify(address)),
      );
      await ended;
      await log.close();
      if (this.#stopping) break;
      failures = Date.now() - started > 60_000 ? 1 : failures + 1;
      if (failures > 5) {
        this.#say('Temporal keeps dying; giving up.');
        this.#stopping = true;
        break;
      }
      if (this.#answered) {
        this.#say('Temporal stopped unexpectedly; starting it again.');
        await sleep(500 * failures);
      } else {
        // Another server took a port between our look and its start: two studies started at once want the same.
        this.#ports = { grpc: await freePort(0), ui: await freePort(0) };
      }
    }
    await rm(join(this.#folder, 'server.json'), { force: true });
  }

  /** Stops the server; its database stays, and a cohort in it goes on at the next start. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#pid) {
      try {
        process.kill(this.#pid, 'SIGTERM');
      } catch {
        // It has ended.
      }
    }
    await this.#supervising;
  }
}
