import type { RouteEntry } from '#gateway/api/route.ts';
import { formatGrpcTimeout, readGrpcTimeout } from '#gateway/protocol/grpc/timeout.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { RequestFact, readWhole } from './request-facts.ts';

/** The time limits of one request, milliseconds; 0: none. */
export interface RequestTimeouts {
  globalMs: number;
  perTryMs: number;
  readonly perTryIdleMs: number;
}

/**
 * The limits that apply to a request: the route's, or grpc-timeout within the route's bounds, overridden by the
 * `x-envoy-upstream-rq-...` headers, which are removed.
 */
export function finalTimeouts(
  entry: RouteEntry,
  head: RequestHead,
  facts: number,
  respectExpected: boolean,
): RequestTimeouts {
  const policy = entry.retryPolicy;
  const timeouts: RequestTimeouts = {
    globalMs: routeTimeout(entry, head, facts),
    perTryMs: policy === null ? 0 : policy.perTryTimeoutMs,
    perTryIdleMs: policy === null ? 0 : policy.perTryIdleTimeoutMs,
  };
  if ((facts & RequestFact.EnvoyHeaders) !== 0) fromHeaders(timeouts, head, respectExpected);
  if (timeouts.globalMs !== 0 && timeouts.perTryMs >= timeouts.globalMs) timeouts.perTryMs = 0;
  return timeouts;
}

/**
 * Tells the upstream how long it has: `x-envoy-expected-rq-timeout-ms` (unless suppressed), and grpc-timeout where the
 * route bounds it. `elapsedMs`: since the request was complete.
 */
export function setTimeoutHeaders(
  timeouts: RequestTimeouts,
  elapsedMs: number,
  entry: RouteEntry,
  head: RequestHead,
  facts: number,
  insertExpected: boolean,
): void {
  const { globalMs } = timeouts;
  let expected = timeouts.perTryMs === 0 ? globalMs : timeouts.perTryMs;
  if (expected <= 0) return;
  // 0 would mean that there is no limit; 1 says that the time is over.
  if (globalMs > 0) expected = elapsedMs >= globalMs ? 1 : Math.min(expected, Math.ceil(globalMs - elapsedMs));
  if (insertExpected) head.headers.set('x-envoy-expected-rq-timeout-ms', String(expected));
  if ((facts & RequestFact.Grpc) !== 0 && boundsGrpc(entry)) {
    head.headers.set('grpc-timeout', formatGrpcTimeout(expected));
  }
}

function boundsGrpc(entry: RouteEntry): boolean {
  return entry.maxStreamDurationMs < 0 && entry.grpcTimeoutHeaderMaxMs >= 0;
}

function routeTimeout(entry: RouteEntry, head: RequestHead, facts: number): number {
  if (entry.maxStreamDurationMs >= 0) return 0; // the connection manager limits the stream instead
  if ((facts & RequestFact.Grpc) === 0 || !boundsGrpc(entry)) return entry.timeoutMs;
  let timeoutMs = readGrpcTimeout(head.headers.get('grpc-timeout')) ?? 0;
  const offsetMs = entry.grpcTimeoutHeaderOffsetMs;
  if (offsetMs > 0 && offsetMs < timeoutMs) timeoutMs -= offsetMs;
  const maxMs = entry.grpcTimeoutHeaderMaxMs;
  return maxMs !== 0 && (timeoutMs === 0 || timeoutMs > maxMs) ? maxMs : timeoutMs;
}

function fromHeaders(timeouts: RequestTimeouts, head: RequestHead, respectExpected: boolean): void {
  const { headers } = head;
  const expected = respectExpected ? headers.get('x-envoy-expected-rq-timeout-ms') : null;
  timeouts.globalMs =
    readWhole(expected === null ? headers.get('x-envoy-upstream-rq-timeout-ms') : expected) ?? timeouts.globalMs;
  if (expected === null) headers.remove('x-envoy-upstream-rq-timeout-ms');
  const perTry = readWhole(headers.get('x-envoy-upstream-rq-per-try-timeout-ms'));
  if (perTry !== null) timeouts.perTryMs = perTry;
  headers.remove('x-envoy-upstream-rq-per-try-timeout-ms');
}
