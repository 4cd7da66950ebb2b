/** What a collector of traces is to a test: an OTLP/HTTP receiver that keeps the spans it is sent. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Absent from the first of a trace. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Name of the service that sent it. */
  readonly service: unknown;
  readonly failed: boolean;
}

type Value = {
  [kind in 'stringValue' | 'boolValue' | 'intValue' | 'doubleValue']?: string | boolean | number;
} & {
  readonly arrayValue?: { readonly values: readonly Value[] };
};
type Attributes = readonly { readonly key: string; readonly value: Value }[];

/** Of opentelemetry/proto/trace/v1/trace.proto, as JSON: what is read of it. */
interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<Span, 'attributes' | 'service' | 'failed'> & {
        readonly attributes: Attributes;
        readonly status: { readonly code?: number };
      })[];
    }[];
  }[];
}

/** opentelemetry.proto.trace.v1.Status.StatusCode.STATUS_CODE_ERROR */
const ERROR = 2;

function plain({ arrayValue, ...one }: Value): unknown {
  return arrayValue ? arrayValue.values.map(plain) : Object.values(one)[0];
}

const record = (attributes: Attributes) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]));

/** Starts a receiver at a free port of this machine. */
export async function startCollector() {
  const spans: Span[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    for (const { resource, scopeSpans } of (JSON.parse(body) as Request).resourceSpans)
      for (const span of scopeSpans.flatMap((scope) => scope.spans))
        spans.push({
          ...span,
          attributes: record(span.attributes),
          service: record(resource.attributes)['service.name'],
          failed: span.status.code === ERROR,
        });
    response.setHeader('content-type', 'application/json').end('{}');
  });
  // Batches come each five seconds, which is when Node's servers close an idle connection: one then meets a closed door.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: spans as readonly Span[],
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}
