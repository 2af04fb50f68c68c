import { Buffer } from 'node:buffer';
import { frameGrpcMessage } from '#gateway/protocol/grpc/message-writer.ts';
import { GrpcStatus } from '#gateway/protocol/grpc/status.ts';
import { readGrpcOutcome } from '#gateway/protocol/grpc/trailers.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead, type ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { GrpcCheck, HttpCheck, StatusRange } from './health-check-config.ts';
import { containsInOrder, type ProbeResult } from './probe.ts';

/** What one check over HTTP sends, and what its answer means. */
export interface ProbeExchange {
  /** A fresh head for each check. */
  requestHead(): RequestHead;
  /** Null: none. */
  readonly body: Uint8Array | null;
  /** `body`: octets as latin-1 text. */
  judge(head: ResponseHead, body: string, trailers: HeaderMap | null): ProbeResult;
}

/** `http_health_check`: status and body. `authority` is the host name to ask for. */
export function httpExchange(check: HttpCheck, authority: string): ProbeExchange {
  const { method, path, expected, retriable, receive } = check;
  return {
    body: null,
    requestHead: () => new RequestHead(method, path, authority, 'http', new HeaderMap([...check.headers])),
    judge({ status, headers }, body): ProbeResult {
      if (!inRanges(status, expected)) return inRanges(status, retriable) ? 'retriable' : 'active';
      if (!containsInOrder(body, receive)) return 'active';
      return headers.has('x-envoy-degraded') ? 'degraded' : 'success';
    },
  };
}

/** `grpc_health_check`: the standard service grpc.health.v1.Health says SERVING. */
export function grpcExchange(check: GrpcCheck, authority: string): ProbeExchange {
  const fields = ['te', 'trailers', 'content-type', 'application/grpc', ...check.headers];
  return {
    body: frameGrpcMessage(healthCheckRequest(check.serviceName)),
    requestHead: () =>
      new RequestHead('POST', '/grpc.health.v1.Health/Check', authority, 'http', new HeaderMap([...fields])),
    judge(head, body, trailers): ProbeResult {
      if (head.status !== 200) return 'active';
      const { status } = readGrpcOutcome(head, trailers);
      return status === GrpcStatus.Ok && saysServing(Buffer.from(body, 'latin1')) ? 'success' : 'active';
    },
  };
}

// grpc.health.v1.HealthCheckRequest: `service` is field 1, a string.
function healthCheckRequest(service: string): Uint8Array {
  if (service === '') return new Uint8Array(0);
  const name = Buffer.from(service, 'utf8');
  const length: number[] = [];
  for (let left = name.length; ; left >>>= 7) {
    if (left < 0x80) {
      length.push(left);
      break;
    }
    length.push((left & 0x7f) | 0x80);
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

// One uncompressed message, a HealthCheckResponse whose `status` (field 1) is SERVING (1).
function saysServing(body: Uint8Array): boolean {
  return body.length === 7 && body[0] === 0 && body[4] === 2 && body[5] === 0x08 && body[6] === 1;
}

function inRanges(status: number, ranges: readonly StatusRange[]): boolean {
  return ranges.some(({ start, end }) => status >= start && status < end);
}
