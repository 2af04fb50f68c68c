import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeMessage } from '#gateway/proto/registry.ts';
import type { ExportTraceServiceRequest } from '#proto-types/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts';
import type { KeyValue } from '#proto-types/opentelemetry/proto/common/v1/common_pb.ts';

/** One span as it was exported. */
export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for none. */
  readonly parentId: string;
  readonly kind: number;
  /** 2 is an error. */
  readonly status: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly resource: Readonly<Record<string, string | number>>;
}

/** A collector that takes spans by OTLP over HTTP, as protobuf. */
export interface OtlpReceiver {
  readonly port: number;
  readonly spans: readonly ReceivedSpan[];
  /** Headers of the last request. */
  readonly headers: () => Readonly<Record<string, string | string[] | undefined>>;
  close(): void;
}

function values(attributes: readonly KeyValue[]): Record<string, string | number> {
  const found: Record<string, string | number> = {};
  for (const { key, value } of attributes) {
    const given = value?.value.value;
    found[key] = typeof given === 'bigint' ? Number(given) : typeof given === 'number' ? given : String(given);
  }
  return found;
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

/** The spans in an encoded ExportTraceServiceRequest. */
export function readSpans(message: Uint8Array): ReceivedSpan[] {
  const type = 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest';
  const { resourceSpans } = decodeMessage<ExportTraceServiceRequest>(type, message);
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        name: span.name,
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentId: hex(span.parentSpanId),
        kind: span.kind,
        status: span.status?.code ?? 0,
        attributes: values(span.attributes),
        resource: values(resource?.attributes ?? []),
      })),
    ),
  );
}

/** Starts one on a free port. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  let headers: Readonly<Record<string, string | string[] | undefined>> = {};
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    request.on('end', () => {
      headers = request.headers;
      if (request.url === '/v1/traces') spans.push(...readSpans(Buffer.concat(chunks)));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' });
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    spans,
    headers: () => headers,
    close(): void {
      server.close();
      server.closeAllConnections();
    },
  };
}
