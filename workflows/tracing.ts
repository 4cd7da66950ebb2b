/**
 * Spans of workflows, by the SDK's interceptors. They work only in workflows whose header carries a trace, which those
 * have that were started with tracing on, and their children. So the history alone decides what runs here, on any
 * worker and at any replay, and a workflow that nobody traces does not even load them.
 */
import type {
  WorkflowInterceptors,
  WorkflowInternalsInterceptor,
  WorkflowOutboundCallsInterceptor,
} from '@temporalio/workflow';

/** The header by which the SDK's interceptors hand a trace on. */
const TRACE_HEADER = '_tracer-data';

/** In the bundle, but evaluated at the first call only. */
const load = () =>
  import(/* webpackMode: "eager" */ '@temporalio/interceptors-opentelemetry/lib/workflow/index.js');

/** Called by the SDK for every workflow. Queries and updates get no spans: `status --watch` asks each second. */
export function interceptors(): WorkflowInterceptors {
  const outbound: WorkflowOutboundCallsInterceptor = {};
  const internals: WorkflowInternalsInterceptor = {};
  return {
    inbound: [
      {
        execute(input, next) {
          if (!(TRACE_HEADER in input.headers)) return next(input);
          return load().then((otel) => {
            const spans = new otel.OpenTelemetryOutboundInterceptor();
            outbound.scheduleActivity = spans.scheduleActivity.bind(spans);
            outbound.startChildWorkflowExecution = spans.startChildWorkflowExecution.bind(spans);
            outbound.continueAsNew = spans.continueAsNew.bind(spans);
            internals.dispose = (disposed, last) =>
              new otel.OpenTelemetryInternalsInterceptor().dispose(disposed, last);
            return new otel.OpenTelemetryInboundInterceptor().execute(input, next);
          });
        },
      },
    ],
    outbound: [outbound],
    internals: [internals],
  };
}
