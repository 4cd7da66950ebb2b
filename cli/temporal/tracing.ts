/**
 * OpenTelemetry traces of cohorts, subjects and steps, sent by OTLP over HTTP. The standard variables rule:
 * OTEL_EXPORTER_OTLP_ENDPOINT (or ..._TRACES_ENDPOINT) turns them on, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
 * OTEL_TRACES_SAMPLER and the others are followed as OpenTelemetry's SDK does. Without them nothing is loaded.
 */
import { hostname } from 'node:os';
import type { WorkflowClientInterceptor } from '@temporalio/client';
import type { OpenTelemetrySinks } from '@temporalio/interceptors-opentelemetry';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import type { WorkflowInfo } from '@temporalio/workflow';
import { VERSION } from '../version.ts';

/** What clients and workers need for spans. */
interface Tracing {
  /** Begins a trace with each workflow that a client starts. */
  readonly client: WorkflowClientInterceptor;
  /** A span around each activity. */
  readonly activity: ActivityInterceptorsFactory;
  /** Takes the spans of workflows out of their sandbox. */
  readonly sinks: InjectedSinks<OpenTelemetrySinks>;
  flush(): Promise<void>;
}

/** True when the environment asks for traces. */
export function isTracing(env: NodeJS.ProcessEnv = process.env): boolean {
  return (
    env['OTEL_SDK_DISABLED']?.toLowerCase() !== 'true' &&
    (env['OTEL_TRACES_EXPORTER'] ?? 'otlp') !== 'none' &&
    Boolean(env['OTEL_EXPORTER_OTLP_ENDPOINT'] || env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])
  );
}

/** For workers that do not trace: spans of a cohort that another worker began to trace end here. */
export const NO_SPANS: InjectedSinks<OpenTelemetrySinks> = { exporter: { export: { fn() {} } } };

let started: Promise<Tracing> | undefined;

/**
 * The tracing of this process, or undefined where the environment asks for none.
 * @param complain told of spans that could not be sent
 */
export async function tracing(complain: (message: string) => void = () => {}): Promise<Tracing | undefined> {
  if (!isTracing()) return undefined;
  started ??= start(complain);
  return started;
}

/** Sends what is left; the last thing a process does. A collector that is away must not fail a command. */
export async function flushTraces(): Promise<void> {
  await (await started)?.flush().catch(() => {});
}

async function start(complain: (message: string) => void): Promise<Tracing> {
  const [base, { OTLPTraceExporter }, { Resource, detectResourcesSync, envDetectorSync }] = await Promise.all(
    [
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ],
  );
  const { diag, DiagLogLevel } = await import('@opentelemetry/api');
  const ignore = () => {};
  diag.setLogger(
    { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const { AsyncLocalStorageContextManager } = await import('@opentelemetry/context-async-hooks');
  const otel = await import('@temporalio/interceptors-opentelemetry');
  const resource = new Resource({
    'service.name': 'delta-md',
    'service.version': VERSION,
    'host.name': hostname(),
  }).merge(detectResourcesSync({ detectors: [envDetectorSync] }));
  const processor = new base.BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new base.BasicTracerProvider({ resource, spanProcessors: [processor] });
  provider.register({ contextManager: new AsyncLocalStorageContextManager() });

  const client = new otel.OpenTelemetryWorkflowClientInterceptor();
  const { fn: exportSpans } = otel.makeWorkflowExporter(processor, resource).export;
  return {
    // Starts only: a watched cohort is queried each second.
    client: {
      start: client.start.bind(client),
      startWithDetails: client.startWithDetails.bind(client),
    },
    activity: (context) => ({
      inbound: new otel.OpenTelemetryActivityInboundInterceptor(context),
      outbound: new otel.OpenTelemetryActivityOutboundInterceptor(context),
    }),
    sinks: {
      exporter: {
        export: {
          // All that is handed over becomes an attribute of each span: these three say what a reader needs.
          fn: ({ workflowId, runId, workflowType }, spans) =>
            exportSpans({ workflowId, runId, workflowType } as WorkflowInfo, spans),
        },
      },
    },
    flush: () => provider.forceFlush(),
  };
}
