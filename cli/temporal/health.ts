/** Whether a worker does its work, told over HTTP to whatever keeps it: compose, Kubernetes, a load balancer. */
import { createServer, type Server } from 'node:http';
import type { NativeConnection } from '@temporalio/worker';
import type { ResourceClass } from '../../pipeline/resources.ts';
import { ACTIVITY_QUEUE, pollersOf, WORKFLOW_QUEUE } from './pollers.ts';

export interface PollerHealth {
  /** The SDK's word for the worker's state: RUNNING, DRAINING, STOPPED, FAILED ... */
  readonly state: string;
  /** True when the server has lately been asked for work by this worker. */
  readonly polling: boolean;
}

/** A poll waits a minute at the server before it is made anew; twice that is a worker that has gone. */
const POLL_SECONDS = 120;

/** A probe that waits longer has given up. */
const ANSWER_SECONDS = 4;

/** True when the server has been polled by the worker of this identity; false, too, where no server answers. */
export async function isPolling(
  connection: NativeConnection,
  identity: string,
  taskQueue: string,
  resourceClass: ResourceClass,
): Promise<boolean> {
  // A worker of light work polls for workflows even while it may take no steps.
  const type = resourceClass === 'light' ? WORKFLOW_QUEUE : ACTIVITY_QUEUE;
  const pollers = await pollersOf(connection, taskQueue, type, ANSWER_SECONDS);
  const since = Date.now() / 1000 - POLL_SECONDS;
  return pollers.some((poller) => poller.identity === identity && poller.lastSeconds > since);
}

/**
 * Serves `/healthz`, 200 while the worker polls and 503 with the reason otherwise, and `/livez`, 503 only once it has
 * failed or stopped: a server that is away must not get a worker's running steps killed.
 * @param port 0 for any that is free
 */
export async function serveHealth(port: number, health: () => Promise<PollerHealth>): Promise<Server> {
  const server = createServer(async ({ url }, response) => {
    const { state, polling } = await health();
    const ended = state === 'FAILED' || state === 'STOPPED';
    const ok = url === '/healthz' ? state === 'RUNNING' && polling : url === '/livez' ? !ended : undefined;
    response.writeHead(ok === undefined ? 404 : ok ? 200 : 503, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify({ state, polling })}\n`);
  });
  await new Promise<void>((listening, failed) =>
    server.once('error', failed).listen(port, () => listening()),
  );
  // A probe's connection must not keep a stopped worker.
  server.unref();
  return server;
}
