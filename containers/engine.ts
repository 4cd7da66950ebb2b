/** A container engine behind Docker's API: Docker itself, or Podman's compatible socket. How it is found and asked. */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import Docker from 'dockerode';
import { DeltaMdError } from '../pipeline/failures.ts';

export type EngineKind = 'docker' | 'podman';

const NAMES = { docker: 'Docker', podman: 'Podman' } as const;

/** Seconds an engine may take to answer what it should answer at once. A busy disk is slow, a hung engine for ever. */
const ANSWER_SECONDS = 120;

/** Socket of Podman's API: the user's own where there is one, else the system's. */
export function podmanSocket(environment: NodeJS.ProcessEnv = process.env): string {
  const runtime = environment['XDG_RUNTIME_DIR'] ?? `/run/user/${userInfo().uid}`;
  const own = `${runtime}/podman/podman.sock`;
  return existsSync(own) ? own : '/run/podman/podman.sock';
}

/**
 * A connection to an engine; nothing is sent yet. A given socket is used as it is. Docker else goes by its standard
 * variables (DOCKER_HOST with a socket or TCP, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH), Podman by its usual sockets.
 */
export function connect(kind: EngineKind, socket?: string): Docker {
  if (socket !== undefined) return new Docker({ socketPath: socket });
  return kind === 'podman' ? new Docker({ socketPath: podmanSocket() }) : new Docker();
}

/** HTTP status of an engine's answer; undefined for an error of another kind. */
export function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number }).statusCode;
}

/**
 * Passes an engine's answer on, but names an engine that cannot be reached.
 * @param seconds how long the answer may take; Infinity for calls that wait for a container
 * @throws DeltaMdError RUNTIME_UNAVAILABLE
 */
export async function answer<T>(kind: EngineKind, call: Promise<T>, seconds = ANSWER_SECONDS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    if (Number.isFinite(seconds))
      timer = setTimeout(() => reject(new Error(`no answer within ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([call, silence]);
  } catch (error) {
    if (statusOf(error) !== undefined || error instanceof DeltaMdError) throw error;
    throw new DeltaMdError(
      'RUNTIME_UNAVAILABLE',
      `the ${NAMES[kind]} engine does not answer: ${(error as Error).message}`,
    );
  } finally {
    clearTimeout(timer);
  }
}
