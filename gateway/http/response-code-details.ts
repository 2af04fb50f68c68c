/**
 * Why a response or a reset came from the gateway itself: %RESPONSE_CODE_DETAILS%. Stable texts, Envoy's.
 */
export const ResponseCodeDetails = {
  ViaUpstream: 'via_upstream',
  MissingHost: 'missing_host_header',
  InvalidAuthority: 'http.invalid_authority',
  MissingPath: 'missing_path_rejected',
  AbsolutePath: 'absolute_path_rejected',
  LowVersion: 'low_version',
  PathNormalizationFailed: 'path_normalization_failed',
  UpgradeFailed: 'upgrade_failed',
  RequestHeaderTimeout: 'request_header_timeout',
  RequestOverallTimeout: 'request_overall_timeout',
  StreamIdleTimeout: 'stream_idle_timeout',
  MaxDurationTimeout: 'max_duration_timeout',
  RequestPayloadTooLarge: 'request_payload_too_large',
  ResponsePayloadTooLarge: 'response_payload_too_large',
  FilterRemovedRequiredResponseHeaders: 'filter_removed_required_response_headers',
  FilterChainNotFound: 'filter_chain_not_found',
  OriginalIpDetectionFailed: 'rejecting_because_detection_failed',
  DownstreamRemoteDisconnect: 'downstream_remote_disconnect',
  DownstreamLocalDisconnect: 'downstream_local_disconnect',
  DirectResponse: 'direct_response',
  RouteNotFound: 'route_not_found',
  CodecError: 'codec_error',
} as const;

/** Details of malformed requests that the connection manager judges itself; Envoy answers them without a body. */
export const bodilessBadRequests: ReadonlySet<string> = new Set([
  ResponseCodeDetails.MissingHost,
  ResponseCodeDetails.PathNormalizationFailed,
]);
