import type { ClusterTrafficStats } from '#gateway/api/upstream.ts';
import type { Counter, Gauge, Histogram, Scope } from '#gateway/stats/stats.ts';
import { CodeStats, VariantCodeStats } from './code-stats.ts';
import { createInertStats } from './inert-stats.ts';

/** All of a cluster's traffic statistics, `cluster.<name>.*`, resolved once. Names are Envoy's. */
export class ClusterStats implements ClusterTrafficStats {
  readonly scope: Scope;
  readonly rqTotal: Counter;
  readonly rqActive: Gauge;
  readonly rqPendingTotal: Counter;
  readonly rqPendingActive: Gauge;
  readonly rqPendingOverflow: Counter;
  readonly rqPendingFailureEject: Counter;
  readonly rqCancelled: Counter;
  readonly rqMaintenanceMode: Counter;
  readonly rqTimeout: Counter;
  readonly rqMaxDurationReached: Counter;
  readonly rqPerTryTimeout: Counter;
  readonly rqPerTryIdleTimeout: Counter;
  readonly rqRxReset: Counter;
  readonly rqTxReset: Counter;
  readonly rqRetry: Counter;
  readonly rqRetryLimitExceeded: Counter;
  readonly rqRetryOverflow: Counter;
  readonly rqRetrySuccess: Counter;
  readonly rqRetryBackoffExponential: Counter;
  readonly rqRetryBackoffRatelimited: Counter;
  readonly retryOrShadowAbandoned: Counter;
  readonly noRoutableHosts: Counter;
  readonly cxTotal: Counter;
  readonly cxActive: Gauge;
  readonly cxHttp1Total: Counter;
  readonly cxHttp2Total: Counter;
  readonly cxConnectFail: Counter;
  readonly cxConnectTimeout: Counter;
  readonly cxOverflow: Counter;
  readonly cxIdleTimeout: Counter;
  readonly cxMaxDurationReached: Counter;
  readonly cxMaxRequests: Counter;
  readonly cxProtocolError: Counter;
  readonly cxCloseNotify: Counter;
  readonly cxDestroy: Counter;
  readonly cxDestroyLocal: Counter;
  readonly cxDestroyRemote: Counter;
  readonly cxDestroyWithActiveRq: Counter;
  readonly cxDestroyLocalWithActiveRq: Counter;
  readonly cxDestroyRemoteWithActiveRq: Counter;
  readonly cxConnectMs: Histogram;
  readonly cxLengthMs: Histogram;
  readonly rqPerCx: Histogram;
  readonly cxRxBytesTotal: Counter;
  readonly cxTxBytesTotal: Counter;
  readonly flowControlPausedReadingTotal: Counter;
  readonly flowControlResumedReadingTotal: Counter;
  readonly flowControlBackedUpTotal: Counter;
  readonly flowControlDrainedTotal: Counter;
  readonly internalRedirectFailedTotal: Counter;
  readonly internalRedirectSucceededTotal: Counter;
  /** Keepalive pings that went unanswered. */
  readonly http2KeepaliveTimeout: Counter;
  readonly membershipChange: Counter;
  readonly membershipHealthy: Gauge;
  readonly membershipDegraded: Gauge;
  readonly membershipExcluded: Gauge;
  readonly membershipTotal: Gauge;
  readonly lbHealthyPanic: Counter;
  readonly updateAttempt: Counter;
  readonly updateSuccess: Counter;
  readonly updateFailure: Counter;
  readonly updateEmpty: Counter;
  readonly updateNoRebuild: Counter;
  readonly version: Gauge;
  readonly warmingState: Gauge;
  /** `upstream_rq_<code>` and classes. */
  readonly codes: CodeStats;
  /** `external.*`, `internal.*`, `canary.*`, `retry.*`, `zone.*`. */
  readonly variants: VariantCodeStats;

  readonly #localZone: string;

  constructor(scope: Scope, localZone: string) {
    this.scope = scope;
    this.#localZone = localZone;
    const c = (name: string): Counter => scope.counter(name);
    const rq = (name: string): Counter => scope.counter(`upstream_rq_${name}`);
    const cx = (name: string): Counter => scope.counter(`upstream_cx_${name}`);
    const flow = (name: string): Counter => scope.counter(`upstream_flow_control_${name}_total`);
    this.rqTotal = rq('total');
    this.rqActive = scope.gauge('upstream_rq_active');
    this.rqPendingTotal = rq('pending_total');
    this.rqPendingActive = scope.gauge('upstream_rq_pending_active');
    this.rqPendingOverflow = rq('pending_overflow');
    this.rqPendingFailureEject = rq('pending_failure_eject');
    this.rqCancelled = rq('cancelled');
    this.rqMaintenanceMode = rq('maintenance_mode');
    this.rqTimeout = rq('timeout');
    this.rqMaxDurationReached = rq('max_duration_reached');
    this.rqPerTryTimeout = rq('per_try_timeout');
    this.rqPerTryIdleTimeout = rq('per_try_idle_timeout');
    this.rqRxReset = rq('rx_reset');
    this.rqTxReset = rq('tx_reset');
    this.rqRetry = rq('retry');
    this.rqRetryLimitExceeded = rq('retry_limit_exceeded');
    this.rqRetryOverflow = rq('retry_overflow');
    this.rqRetrySuccess = rq('retry_success');
    this.rqRetryBackoffExponential = rq('retry_backoff_exponential');
    this.rqRetryBackoffRatelimited = rq('retry_backoff_ratelimited');
    this.retryOrShadowAbandoned = c('retry_or_shadow_abandoned');
    this.noRoutableHosts = cx('none_healthy');
    this.cxTotal = cx('total');
    this.cxActive = scope.gauge('upstream_cx_active');
    this.cxHttp1Total = cx('http1_total');
    this.cxHttp2Total = cx('http2_total');
    this.cxConnectFail = cx('connect_fail');
    this.cxConnectTimeout = cx('connect_timeout');
    this.cxOverflow = cx('overflow');
    this.cxIdleTimeout = cx('idle_timeout');
    this.cxMaxDurationReached = cx('max_duration_reached');
    this.cxMaxRequests = cx('max_requests');
    this.cxProtocolError = cx('protocol_error');
    this.cxCloseNotify = cx('close_notify');
    this.cxDestroy = cx('destroy');
    this.cxDestroyLocal = cx('destroy_local');
    this.cxDestroyRemote = cx('destroy_remote');
    this.cxDestroyWithActiveRq = cx('destroy_with_active_rq');
    this.cxDestroyLocalWithActiveRq = cx('destroy_local_with_active_rq');
    this.cxDestroyRemoteWithActiveRq = cx('destroy_remote_with_active_rq');
    this.cxConnectMs = scope.histogram('upstream_cx_connect_ms', 'milliseconds');
    this.cxLengthMs = scope.histogram('upstream_cx_length_ms', 'milliseconds');
    this.rqPerCx = scope.histogram('upstream_rq_per_cx', 'unspecified');
    this.cxRxBytesTotal = cx('rx_bytes_total');
    this.cxTxBytesTotal = cx('tx_bytes_total');
    this.flowControlPausedReadingTotal = flow('paused_reading');
    this.flowControlResumedReadingTotal = flow('resumed_reading');
    this.flowControlBackedUpTotal = flow('backed_up');
    this.flowControlDrainedTotal = flow('drained');
    this.internalRedirectFailedTotal = c('upstream_internal_redirect_failed_total');
    this.internalRedirectSucceededTotal = c('upstream_internal_redirect_succeeded_total');
    this.http2KeepaliveTimeout = c('http2.keepalive_timeout');
    this.membershipChange = c('membership_change');
    this.membershipHealthy = scope.gauge('membership_healthy');
    this.membershipDegraded = scope.gauge('membership_degraded');
    this.membershipExcluded = scope.gauge('membership_excluded');
    this.membershipTotal = scope.gauge('membership_total');
    this.lbHealthyPanic = c('lb_healthy_panic');
    this.updateAttempt = c('update_attempt');
    this.updateSuccess = c('update_success');
    this.updateFailure = c('update_failure');
    this.updateEmpty = c('update_empty');
    this.updateNoRebuild = c('update_no_rebuild');
    this.version = scope.gauge('version');
    this.warmingState = scope.gauge('warming_state');
    this.codes = new CodeStats(scope);
    this.variants = new VariantCodeStats(scope);
    createInertStats(scope);
  }

  chargeResponse(status: number, internal: boolean, canary: boolean, upstreamZone: string): void {
    const { codes, variants } = this;
    codes.charge(status);
    if (internal) variants.internal.charge(status);
    else variants.external.charge(status);
    if (canary) variants.canary.charge(status);
    if (upstreamZone !== '' && this.#localZone !== '') variants.zone(this.#localZone, upstreamZone).charge(status);
  }

  chargeResponseTime(milliseconds: number, internal: boolean, canary: boolean, upstreamZone: string): void {
    const { codes, variants } = this;
    codes.time(milliseconds);
    if (internal) variants.internal.time(milliseconds);
    else variants.external.time(milliseconds);
    if (canary) variants.canary.time(milliseconds);
    if (upstreamZone !== '' && this.#localZone !== '') variants.zone(this.#localZone, upstreamZone).time(milliseconds);
  }

  chargeRetriedResponse(status: number): void {
    this.variants.retry.charge(status);
  }
}
