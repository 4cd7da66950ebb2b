/** A worker: polls the task queue, runs workflows and activities, and stops cleanly. */
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import pino from 'pino';
import { createActivities } from '../../activities/index.ts';
import { FailureInterceptor } from '../../activities/interceptor.ts';
import { VERSION } from '../version.ts';
import { dataConverter, workflowBundle } from './codec.ts';
import { TASK_QUEUE } from './connect.ts';
import { NAMESPACE } from './embedded.ts';
import { isPolling, type PollerHealth } from './health.ts';
import { connectionOptions } from './tls.ts';

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Sends the SDK's log, and our own, to a file or to stderr, as JSON lines. Once per process, before any worker. */
export function installLog(file?: string): pino.Logger {
  if (file) mkdirSync(dirname(file), { recursive: true });
  const logger = pino({ errorKey: 'error' }, pino.destination(file ?? 2));
  Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) =>
      logger[LEVELS[level]](meta ?? {}, message),
    ),
    telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN' }) } },
    // Commands decide themselves what a signal means.
    shutdownSignals: [],
  });
  return logger;
}

export interface RunningWorker {
  /** Settles when the worker has stopped; rejects when it failed. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
  health(): Promise<PollerHealth>;
}

/**
 * Starts a worker.
 * @param nCpus steps that run at the same time
 */
export async function startWorker(address: string, nCpus = cpus().length): Promise<RunningWorker> {
  const connection = await NativeConnection.connect(connectionOptions(address));
  const worker = await Worker.create({
    connection,
    namespace: NAMESPACE,
    taskQueue: TASK_QUEUE,
    workflowBundle: workflowBundle(),
    dataConverter: dataConverter(),
    activities: createActivities(VERSION),
    interceptors: { activity: [(context) => ({ inbound: new FailureInterceptor(context) })] },
    maxConcurrentActivityTaskExecutions: nCpus,
    maxCachedWorkflows: 200,
    // A cancelled step must end within seconds, so heartbeats (which bring the news) may not be held back.
    maxHeartbeatThrottleInterval: '1s',
    defaultHeartbeatThrottleInterval: '1s',
    // A stopping worker ends its tools at once; their steps begin anew elsewhere.
    shutdownGraceTime: '100ms',
    shutdownForceTime: '30s',
  });
  const stopped = worker.run().finally(() => connection.close());
  return {
    stopped,
    health: async () => ({
      state: worker.getState(),
      polling: await isPolling(connection, worker.options.identity),
    }),
    async stop() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await stopped;
    },
  };
}
