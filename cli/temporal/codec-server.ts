/**
 * Decrypts payloads for the Temporal UI, and encrypts what is typed there: Temporal's codec server protocol, POST
 * /decode and /encode with `{ payloads: [{ metadata, data }] }`, everything inside in base64. The key stays here; UI and
 * server never see it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';

/** Temporal's limit of a gRPC message, in base64. */
const MOST_BYTES = 6 * 1024 * 1024;

interface JsonPayload {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly data?: string;
}

function fromJson({ metadata = {}, data = '' }: JsonPayload): Payload {
  const decoded = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  return { metadata: Object.fromEntries(decoded), data: Buffer.from(data, 'base64') };
}

function toJson({ metadata, data }: Payload): JsonPayload {
  const base64 = (bytes?: Uint8Array | null) => Buffer.from(bytes ?? []).toString('base64');
  const encoded = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return { metadata: Object.fromEntries(encoded), data: base64(data) };
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if ((size += chunk.length) > MOST_BYTES) throw new Error(`a request may have ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/**
 * Starts a codec server on this machine's own address.
 * @param port 0 for any that is free
 * @param origin of the UI, such as `http://localhost:8233`: no other page is answered
 */
export async function serveCodec(codec: PayloadCodec, port: number, origin: string): Promise<Server> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const from = request.headers.origin;
    // Without an origin it is no browser: the Temporal CLI's --codec-endpoint.
    if (from !== undefined && from !== origin) return response.writeHead(403).end();
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-allow-methods', 'POST');
    response.setHeader('access-control-allow-headers', 'content-type,x-namespace,authorization');
    response.setHeader('access-control-allow-credentials', 'true');
    if (request.method === 'OPTIONS') return response.writeHead(204).end();
    const { pathname } = new URL(request.url ?? '/', 'http://codec');
    const direction = pathname === '/encode' ? 'encode' : pathname === '/decode' ? 'decode' : undefined;
    if (request.method !== 'POST' || !direction) return response.writeHead(404).end();
    try {
      const { payloads = [] }: { payloads?: JsonPayload[] } = JSON.parse(await body(request));
      const result = { payloads: (await codec[direction](payloads.map(fromJson))).map(toJson) };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
    } catch (error) {
      response.writeHead(400, { 'content-type': 'text/plain' }).end((error as Error).message);
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((listening, failed) =>
    server.once('error', failed).listen(port, '127.0.0.1', () => listening()),
  );
  return server;
}
