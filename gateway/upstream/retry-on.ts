/** When a request is tried again: bits of `RetryPolicy.retryOn`. Envoy's `retry_on` and `x-envoy-retry-(grpc-)on`. */
export const RetryOn = {
  FiveXx: 1,
  GatewayError: 2,
  Reset: 4,
  ResetBeforeRequest: 8,
  ConnectFailure: 0x10,
  EnvoyRateLimited: 0x20,
  RetriableFourXx: 0x40,
  RefusedStream: 0x80,
  RetriableStatusCodes: 0x100,
  RetriableHeaders: 0x200,
  GrpcCancelled: 0x400,
  GrpcDeadlineExceeded: 0x800,
  GrpcInternal: 0x1000,
  GrpcResourceExhausted: 0x2000,
  GrpcUnavailable: 0x4000,
  Http3PostConnectFailure: 0x8000,
} as const;

const bits: ReadonlyMap<string, number> = new Map<string, number>([
  ['5xx', RetryOn.FiveXx],
  ['gateway-error', RetryOn.GatewayError],
  ['reset', RetryOn.Reset],
  ['reset-before-request', RetryOn.ResetBeforeRequest],
  ['connect-failure', RetryOn.ConnectFailure],
  ['envoy-ratelimited', RetryOn.EnvoyRateLimited],
  ['retriable-4xx', RetryOn.RetriableFourXx],
  ['refused-stream', RetryOn.RefusedStream],
  ['retriable-status-codes', RetryOn.RetriableStatusCodes],
  ['retriable-headers', RetryOn.RetriableHeaders],
  ['http3-post-connect-failure', RetryOn.Http3PostConnectFailure],
  ['cancelled', RetryOn.GrpcCancelled],
  ['deadline-exceeded', RetryOn.GrpcDeadlineExceeded],
  ['internal', RetryOn.GrpcInternal],
  ['resource-exhausted', RetryOn.GrpcResourceExhausted],
  ['unavailable', RetryOn.GrpcUnavailable],
]);

/** The bits of a comma-separated list; unknown words are ignored, as Envoy does. */
export function parseRetryOn(text: string): number {
  let retryOn = 0;
  for (const word of text.split(',')) retryOn |= bits.get(word.trim()) ?? 0;
  return retryOn;
}
