import type { HeaderPredicate, RetryPolicy } from '#gateway/api/route.ts';
import type { ResetReason } from '#gateway/protocol/codec.ts';
import { readGrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { grpcRetryBits, parseRetryGrpcOn, parseRetryOn, RetryOn } from '#gateway/upstream/retry-on.ts';
import { readWhole } from './request-facts.ts';

/** When and how often this request is tried again: the route's policy with the request's own headers. */
export interface RetryConditions {
  /** Bits of RetryOn. */
  readonly on: number;
  readonly retries: number;
  readonly statusCodes: readonly number[];
  readonly headers: readonly HeaderPredicate[];
}

const consumedHeaders = new Set([
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-retriable-header-names',
  'x-envoy-retriable-status-codes',
]);

const noPolicy: Pick<RetryPolicy, 'retryOn' | 'numRetries' | 'retriableStatusCodes' | 'retriableHeaders'> = {
  retryOn: 0,
  numRetries: 1,
  retriableStatusCodes: [],
  retriableHeaders: [],
};

/** Reads the conditions and, where `envoyHeaders`, removes the retry headers. Null: there is nothing to retry on. */
export function readRetryConditions(
  policy: RetryPolicy | null,
  head: RequestHead,
  envoyHeaders: boolean,
): RetryConditions | null {
  if (!envoyHeaders) {
    if (policy === null || policy.retryOn === 0 || !appliesTo(policy, head)) return null;
    return {
      on: policy.retryOn,
      retries: policy.numRetries,
      statusCodes: policy.retriableStatusCodes,
      headers: policy.retriableHeaders,
    };
  }
  const { headers } = head;
  const base = policy ?? noPolicy;
  let on = base.retryOn;
  on |= parseRetryOn(headers.get('x-envoy-retry-on') ?? '');
  on |= parseRetryGrpcOn(headers.get('x-envoy-retry-grpc-on') ?? '');
  if (policy !== null && !appliesTo(policy, head)) on = 0;
  const retries = readWhole(headers.get('x-envoy-max-retries')) ?? base.numRetries;
  const codes = readList(headers.get('x-envoy-retriable-status-codes')).flatMap((text) => readWhole(text) ?? []);
  const names = readList(headers.get('x-envoy-retriable-header-names'));
  headers.removeWhere((name) => consumedHeaders.has(name));
  if (on === 0) return null;
  return {
    on,
    retries,
    statusCodes: codes.length === 0 ? base.retriableStatusCodes : [...base.retriableStatusCodes, ...codes],
    headers: names.length === 0 ? base.retriableHeaders : [...base.retriableHeaders, ...names.map(presence)],
  };
}

/** Whether a response asks for another try. Pure. */
export function retriesResponse(conditions: RetryConditions, head: ResponseHead): boolean {
  const { on } = conditions;
  const { status, headers } = head;
  if (headers.has('x-envoy-overloaded')) return false;
  if (headers.has('x-envoy-ratelimited')) return (on & RetryOn.EnvoyRateLimited) !== 0;
  if ((on & RetryOn.FiveXx) !== 0 && status >= 500 && status < 600) return true;
  if ((on & RetryOn.GatewayError) !== 0 && status >= 502 && status <= 504) return true;
  if ((on & RetryOn.Retriable4xx) !== 0 && status === 409) return true;
  if ((on & RetryOn.RetriableStatusCodes) !== 0 && conditions.statusCodes.includes(status)) return true;
  if ((on & RetryOn.RetriableHeaders) !== 0 && conditions.headers.some((predicate) => predicate.matches(head))) {
    return true;
  }
  return (on & grpcRetryBits) !== 0 && retriesGrpc(on, readGrpcStatus(headers.get('grpc-status')));
}

/** Whether a reset asks for another try. `started`: some of the request has been sent. Pure. */
export function retriesReset(conditions: RetryConditions, reason: ResetReason, started: boolean): boolean {
  const { on } = conditions;
  if (reason === 'overflow') return false; // our own limit, not the upstream's fault
  if ((on & RetryOn.Reset) !== 0) return true;
  if ((on & RetryOn.ResetBeforeRequest) !== 0 && !started) return true;
  if ((on & (RetryOn.FiveXx | RetryOn.GatewayError)) !== 0) return true; // a reset counts as 5xx
  if ((on & RetryOn.RefusedStream) !== 0 && reason === 'remote_refused_stream_reset') return true;
  return (
    (on & RetryOn.ConnectFailure) !== 0 &&
    (reason === 'local_connection_failure' || reason === 'remote_connection_failure' || reason === 'connection_timeout')
  );
}

function retriesGrpc(on: number, status: number | null): boolean {
  switch (status) {
    case 1:
      return (on & RetryOn.GrpcCancelled) !== 0;
    case 4:
      return (on & RetryOn.GrpcDeadlineExceeded) !== 0;
    case 8:
      return (on & RetryOn.GrpcResourceExhausted) !== 0;
    case 13:
      return (on & RetryOn.GrpcInternal) !== 0;
    case 14:
      return (on & RetryOn.GrpcUnavailable) !== 0;
    default:
      return false;
  }
}

function appliesTo(policy: RetryPolicy, head: RequestHead): boolean {
  const wanted = policy.retriableRequestHeaders;
  return wanted.length === 0 || wanted.some((predicate) => predicate.matches(head));
}

function readList(text: string | null): string[] {
  return text === null ? [] : text.split(',').map((item) => item.trim());
}

function presence(name: string): HeaderPredicate {
  const lower = name.toLowerCase();
  return { matches: (head) => head.get(lower) !== null };
}
