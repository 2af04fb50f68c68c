/** Conditions under which a request is tried again, as bits of `RetryPolicy.retryOn`. Envoy's `retry_on` words. */
export const RetryOn = {
  FiveXx: 1,
  GatewayError: 2,
  ConnectFailure: 4,
  Retriable4xx: 8,
  RefusedStream: 16,
  GrpcCancelled: 32,
  GrpcDeadlineExceeded: 64,
  GrpcResourceExhausted: 128,
  GrpcUnavailable: 256,
  GrpcInternal: 512,
  RetriableStatusCodes: 1024,
  Reset: 2048,
  RetriableHeaders: 4096,
  EnvoyRateLimited: 8192,
  Http3PostConnectFailure: 16384,
  ResetBeforeRequest: 32768,
} as const;

/** All gRPC conditions. */
export const grpcRetryBits: number =
  RetryOn.GrpcCancelled |
  RetryOn.GrpcDeadlineExceeded |
  RetryOn.GrpcResourceExhausted |
  RetryOn.GrpcUnavailable |
  RetryOn.GrpcInternal;

const httpWords = new Map<string, number>([
  ['5xx', RetryOn.FiveXx],
  ['gateway-error', RetryOn.GatewayError],
  ['connect-failure', RetryOn.ConnectFailure],
  ['envoy-ratelimited', RetryOn.EnvoyRateLimited],
  ['retriable-4xx', RetryOn.Retriable4xx],
  ['refused-stream', RetryOn.RefusedStream],
  ['retriable-status-codes', RetryOn.RetriableStatusCodes],
  ['retriable-headers', RetryOn.RetriableHeaders],
  ['reset', RetryOn.Reset],
  ['http3-post-connect-failure', RetryOn.Http3PostConnectFailure],
  ['reset-before-request', RetryOn.ResetBeforeRequest],
]);

const grpcWords = new Map<string, number>([
  ['cancelled', RetryOn.GrpcCancelled],
  ['deadline-exceeded', RetryOn.GrpcDeadlineExceeded],
  ['resource-exhausted', RetryOn.GrpcResourceExhausted],
  ['unavailable', RetryOn.GrpcUnavailable],
  ['internal', RetryOn.GrpcInternal],
]);

/** Reads a comma-separated list (`x-envoy-retry-on`, `retry_on`): HTTP words only; unknown ones say nothing. */
export function parseRetryOn(text: string): number {
  return readWords(text, httpWords);
}

/** Reads the gRPC words (`x-envoy-retry-grpc-on`). */
export function parseRetryGrpcOn(text: string): number {
  return readWords(text, grpcWords);
}

/** Reads `retry_on` of a configuration, which may hold words of both kinds. */
export function parseRetryPolicyOn(text: string): number {
  return parseRetryOn(text) | parseRetryGrpcOn(text);
}

function readWords(text: string, words: ReadonlyMap<string, number>): number {
  let bits = 0;
  for (const word of text.split(',')) bits |= words.get(word.trim()) ?? 0;
  return bits;
}
