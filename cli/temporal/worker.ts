/** A worker: polls the task queues, runs workflows and activities, and stops cleanly. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import pino from 'pino';
import { Admission, type Capacity, hostCapacity } from '../../activities/admission.ts';
import { createActivities } from '../../activities/index.ts';
import { FailureInterceptor } from '../../activities/interceptor.ts';
import { FailureCounter, measureFor, observeHost } from '../../activities/telemetry.ts';
import { DeltaMdError } from '../../pipeline/failures.ts';
import { queueOf, RESOURCE_CLASSES, type ResourceClass } from '../../pipeline/resources.ts';
import { VERSION } from '../version.ts';
import { dataConverter, workflowBundle } from './codec.ts';
import { TASK_QUEUE } from './connect.ts';
import { deploymentOf } from './deployment.ts';
import { NAMESPACE } from './embedded.ts';
import { isPolling, type PollerHealth } from './health.ts';
import { prometheus } from './metrics.ts';
import { slotsFor } from './slots.ts';
import { connectionOptions } from './tls.ts';
import { NO_SPANS, tracing } from './tracing.ts';

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Sends the SDK's log, and our own, to a file or to stderr, as JSON lines. Once per process, before any worker.
 * @param metricsPort where Prometheus finds this process
 */
export function installLog(file?: string, metricsPort?: number): pino.Logger {
  if (file) mkdirSync(dirname(file), { recursive: true });
  const logger = pino({ errorKey: 'error' }, pino.destination(file ?? 2));
  const runtime = Runtime.install({
    logger: new DefaultLogger('INFO', ({ level, message, meta }) =>
      logger[LEVELS[level]](meta ?? {}, message),
    ),
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN' }) },
      ...(metricsPort === undefined ? {} : { metrics: prometheus(metricsPort) }),
    },
    // Commands decide themselves what a signal means.
    shutdownSignals: [],
  });
  if (metricsPort !== undefined) measureFor(runtime.metricMeter);
  return logger;
}

export interface RunningWorker {
  /** Settles when the worker has stopped; rejects when it failed. */
  readonly stopped: Promise<void>;
  /** Takes no further step, lets the running ones have their grace, then stops. */
  stop(): Promise<void>;
  /** Ends the grace: running tools are ended at once, their steps begin anew elsewhere. */
  hurry(): void;
  health(): Promise<PollerHealth>;
}

export interface WorkerSettings {
  /** What the steps of this worker may use of its host. */
  readonly capacity?: Partial<Capacity>;
  /** Kinds of work it takes; by default all. */
  readonly classes?: readonly ResourceClass[];
  /** Seconds that running steps may go on when it is told to stop. */
  readonly graceSeconds?: number;
  /** Version of this worker, see deployment.ts; without one it takes work of every version. */
  readonly buildId?: string;
}

/** Without grace, tools still get a moment to be ended properly. */
const LEAST_GRACE_MS = 100;
/** A workflow whose worker died is taken by another after so long. */
const STICKY_MS = 2000;

/** Starts a worker: one poller of steps for each class, and one of workflows with the light ones. */
export async function startWorker(
  address: string,
  { capacity = {}, classes = RESOURCE_CLASSES, graceSeconds = 0, buildId }: WorkerSettings = {},
): Promise<RunningWorker> {
  const connection = await NativeConnection.connect(connectionOptions(address));
  const traces = await tracing((message) => Runtime.instance().logger.warn(`OpenTelemetry: ${message}`));
  const admission = new Admission({ ...hostCapacity(), ...capacity }, observeHost);
  const hurry = new AbortController();
  const activities = createActivities(VERSION, { admission, hurry: hurry.signal });
  const grace = Math.max(LEAST_GRACE_MS, graceSeconds * 1000);
  const workers = await Promise.all(
    classes.map((resourceClass) =>
      Worker.create({
        connection,
        namespace: NAMESPACE,
        taskQueue: queueOf(TASK_QUEUE, resourceClass),
        ...(resourceClass === 'light' ? { workflowBundle: workflowBundle() } : {}),
        dataConverter: dataConverter(),
        activities,
        interceptors: {
          activity: [
            ...(traces ? [traces.activity] : []),
            () => ({ inbound: new FailureCounter() }),
            (context) => ({ inbound: new FailureInterceptor(context) }),
          ],
        },
        sinks: traces?.sinks ?? NO_SPANS,
        tuner: {
          workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 40 },
          activityTaskSlotSupplier: slotsFor(admission, resourceClass),
          localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
          nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        },
        ...(buildId === undefined ? {} : { workerDeploymentOptions: deploymentOf(buildId) }),
        maxCachedWorkflows: 200,
        stickyQueueScheduleToStartTimeout: STICKY_MS,
        // A cancelled step must end within seconds, so heartbeats (which bring the news) may not be held back.
        maxHeartbeatThrottleInterval: '1s',
        defaultHeartbeatThrottleInterval: '1s',
        shutdownGraceTime: grace,
        shutdownForceTime: grace + 30_000,
      }),
    ),
  );
  const shutDown = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  // One poller that fails takes the others along: half a worker would look like a whole one.
  const runs = workers.map((worker) =>
    worker.run().catch((error) => {
      shutDown();
      throw error;
    }),
  );
  const stopped = Promise.allSettled(runs)
    .then(() => Promise.all(runs))
    .then(() => {})
    .finally(() => connection.close());
  return {
    stopped,
    async health() {
      // All or none of its pollers run; the first speaks for them.
      const [{ options }] = workers;
      const stopping = workers.find((worker) => worker.getState() !== 'RUNNING');
      return {
        state: (stopping ?? workers[0]).getState(),
        polling: await isPolling(connection, options.identity, options.taskQueue, classes[0]),
      };
    },
    async stop() {
      shutDown();
      await stopped;
    },
    hurry() {
      hurry.abort(new DeltaMdError('WORKER_STOPPED', 'the worker was stopped while the step ran'));
    },
  };
}
