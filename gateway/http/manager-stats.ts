import type { Counter, Gauge, Histogram, Scope } from '#gateway/stats/stats.ts';

/** `http.<stat_prefix>.*`: what the connection manager counts. Made once per configuration. */
export class ManagerStats {
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxSslTotal: Counter;
  readonly cxSslActive: Gauge;
  readonly cxHttp1Total: Counter;
  readonly cxHttp1Active: Gauge;
  readonly cxHttp2Total: Counter;
  readonly cxHttp2Active: Gauge;
  readonly cxUpgradesTotal: Counter;
  readonly cxUpgradesActive: Gauge;
  readonly cxProtocolError: Counter;
  readonly cxDestroy: Counter;
  readonly cxDestroyLocal: Counter;
  readonly cxDestroyRemote: Counter;
  readonly cxDestroyActiveRq: Counter;
  readonly cxDestroyLocalActiveRq: Counter;
  readonly cxDestroyRemoteActiveRq: Counter;
  readonly cxDelayedCloseTimeout: Counter;
  readonly cxDrainClose: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxMaxDurationReached: Counter;
  readonly cxMaxRequestsReached: Counter;
  readonly cxRxBytesTotal: Counter;
  readonly cxTxBytesTotal: Counter;
  readonly cxRxBytesBuffered: Gauge;
  readonly cxTxBytesBuffered: Gauge;
  readonly cxLengthMs: Histogram;
  readonly flowControlPaused: Counter;
  readonly flowControlResumed: Counter;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqHttp1Total: Counter;
  readonly rqHttp2Total: Counter;
  readonly rqCompleted: Counter;
  /** By first digit of the status; index 0 unused. */
  readonly rqClass: readonly (Counter | null)[];
  readonly rqTime: Histogram;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqTimeout: Counter;
  readonly rqIdleTimeout: Counter;
  readonly rqHeaderTimeout: Counter;
  readonly rqMaxDurationReached: Counter;
  readonly rqTooLarge: Counter;
  readonly rsTooLarge: Counter;
  readonly rqNonRelativePath: Counter;
  readonly rqFailedPathNormalization: Counter;
  readonly rqRedirectedWithNormalizedPath: Counter;
  readonly rqRejectedViaIpDetection: Counter;
  readonly rqResponseBeforeRqComplete: Counter;
  readonly rqWsOnNonWsRoute: Counter;

  constructor(scope: Scope) {
    this.cxTotal = scope.counter('downstream_cx_total');
    this.cxActive = scope.gauge('downstream_cx_active');
    this.cxSslTotal = scope.counter('downstream_cx_ssl_total');
    this.cxSslActive = scope.gauge('downstream_cx_ssl_active');
    this.cxHttp1Total = scope.counter('downstream_cx_http1_total');
    this.cxHttp1Active = scope.gauge('downstream_cx_http1_active');
    this.cxHttp2Total = scope.counter('downstream_cx_http2_total');
    this.cxHttp2Active = scope.gauge('downstream_cx_http2_active');
    this.cxUpgradesTotal = scope.counter('downstream_cx_upgrades_total');
    this.cxUpgradesActive = scope.gauge('downstream_cx_upgrades_active');
    this.cxProtocolError = scope.counter('downstream_cx_protocol_error');
    this.cxDestroy = scope.counter('downstream_cx_destroy');
    this.cxDestroyLocal = scope.counter('downstream_cx_destroy_local');
    this.cxDestroyRemote = scope.counter('downstream_cx_destroy_remote');
    this.cxDestroyActiveRq = scope.counter('downstream_cx_destroy_active_rq');
    this.cxDestroyLocalActiveRq = scope.counter('downstream_cx_destroy_local_active_rq');
    this.cxDestroyRemoteActiveRq = scope.counter('downstream_cx_destroy_remote_active_rq');
    this.cxDelayedCloseTimeout = scope.counter('downstream_cx_delayed_close_timeout');
    this.cxDrainClose = scope.counter('downstream_cx_drain_close');
    this.cxIdleTimeout = scope.counter('downstream_cx_idle_timeout');
    this.cxMaxDurationReached = scope.counter('downstream_cx_max_duration_reached');
    this.cxMaxRequestsReached = scope.counter('downstream_cx_max_requests_reached');
    this.cxRxBytesTotal = scope.counter('downstream_cx_rx_bytes_total');
    this.cxTxBytesTotal = scope.counter('downstream_cx_tx_bytes_total');
    this.cxRxBytesBuffered = scope.gauge('downstream_cx_rx_bytes_buffered');
    this.cxTxBytesBuffered = scope.gauge('downstream_cx_tx_bytes_buffered');
    this.cxLengthMs = scope.histogram('downstream_cx_length_ms', 'milliseconds');
    this.flowControlPaused = scope.counter('downstream_flow_control_paused_reading_total');
    this.flowControlResumed = scope.counter('downstream_flow_control_resumed_reading_total');
    this.rqTotal = scope.counter('downstream_rq_total');
    this.rqActive = scope.gauge('downstream_rq_active');
    this.rqHttp1Total = scope.counter('downstream_rq_http1_total');
    this.rqHttp2Total = scope.counter('downstream_rq_http2_total');
    this.rqCompleted = scope.counter('downstream_rq_completed');
    this.rqClass = classCounters(scope);
    this.rqTime = scope.histogram('downstream_rq_time', 'milliseconds');
    this.rqRxReset = scope.counter('downstream_rq_rx_reset');
    this.rqTxReset = scope.counter('downstream_rq_tx_reset');
    this.rqTimeout = scope.counter('downstream_rq_timeout');
    this.rqIdleTimeout = scope.counter('downstream_rq_idle_timeout');
    this.rqHeaderTimeout = scope.counter('downstream_rq_header_timeout');
    this.rqMaxDurationReached = scope.counter('downstream_rq_max_duration_reached');
    this.rqTooLarge = scope.counter('downstream_rq_too_large');
    this.rsTooLarge = scope.counter('rs_too_large');
    this.rqNonRelativePath = scope.counter('downstream_rq_non_relative_path');
    this.rqFailedPathNormalization = scope.counter('downstream_rq_failed_path_normalization');
    this.rqRedirectedWithNormalizedPath = scope.counter('downstream_rq_redirected_with_normalized_path');
    this.rqRejectedViaIpDetection = scope.counter('downstream_rq_rejected_via_ip_detection');
    this.rqResponseBeforeRqComplete = scope.counter('downstream_rq_response_before_rq_complete');
    this.rqWsOnNonWsRoute = scope.counter('downstream_rq_ws_on_non_ws_route');
    for (const name of neverCounted) scope.counter(name);
    scope.gauge('downstream_cx_http3_active');
    for (const name of tracingNames) scope.counter(`tracing.${name}`);
  }
}

/** `listener.<address>.http.<stat_prefix>.*`. */
export class ListenerHttpStats {
  readonly rqCompleted: Counter;
  readonly rqClass: readonly (Counter | null)[];

  constructor(scope: Scope) {
    this.rqCompleted = scope.counter('downstream_rq_completed');
    this.rqClass = classCounters(scope);
  }
}

function classCounters(scope: Scope): readonly (Counter | null)[] {
  const counters: (Counter | null)[] = [null];
  for (let digit = 1; digit <= 5; digit++) counters.push(scope.counter(`downstream_rq_${digit}xx`));
  return counters;
}

/** Counters that dashboards ask for and whose events cannot happen here: no HTTP/3, no overload manager. */
const neverCounted: readonly string[] = [
  'downstream_cx_http1_soft_drain',
  'downstream_cx_http3_total',
  'downstream_cx_overload_disable_keepalive',
  'downstream_rq_http3_total',
  'downstream_rq_overload_close',
  'downstream_rq_too_many_premature_resets',
];
const tracingNames: readonly string[] = [
  'client_enabled',
  'health_check',
  'not_traceable',
  'random_sampling',
  'service_forced',
];
