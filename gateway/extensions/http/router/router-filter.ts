import type { Connection, ConnectionInfo } from '#gateway/api/connection.ts';
import {
  type DecoderFilterCallbacks,
  type DownstreamWatermarkCallbacks,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  type StreamDecoderFilter,
} from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { HashCookie, HashCookieMaker, Route, RouteEntry } from '#gateway/api/route.ts';
import type { JsonValue, StreamInfo } from '#gateway/api/stream-info.ts';
import type { Host, HttpPool, LoadBalancerContext, RetryPriority, UpstreamCluster } from '#gateway/api/upstream.ts';
import { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { ResetReason } from '#gateway/protocol/codec.ts';
import { httpStatusOfGrpc, readGrpcStatus } from '#gateway/protocol/grpc/status.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import { choosePool } from './choose-pool.ts';
import { entryForCluster } from './cluster-entry.ts';
import { hashCookieValue, setCookieText } from './hash-cookie.ts';
import { chargeGrpcAnswer } from './host-charges.ts';
import {
  type AbortCause,
  abortUpstream,
  maxDurationReached,
  noHealthyUpstream,
  refuseEarly,
  responseTimeout,
  withAttemptCount,
} from './local-answers.ts';
import { RequestFact, requestFacts } from './request-facts.ts';
import { rewriteHost, setScheme } from './request-rewrite.ts';
import { resetCause } from './reset-reason.ts';
import { readRetryConditions, retriesReset, retriesResponse } from './retry-conditions.ts';
import { type RetryListener, RetryState } from './retry-state.ts';
import type { RouterConfig } from './router-config.ts';
import { Shadows } from './shadows.ts';
import { finalTimeouts, type RequestTimeouts, setTimeoutHeaders } from './timeouts.ts';
import { UpstreamRequest } from './upstream-request.ts';

const noTimeouts: RequestTimeouts = { globalMs: 0, perTryMs: 0, perTryIdleMs: 0 };

/**
 * The terminal filter: chooses a cluster, a host and a connection, sends the request, tries again as the policy says, and
 * passes the response back. Envoy's router, without hedging, shadowing and internal redirects.
 */
export class RouterFilter
  implements
    StreamDecoderFilter,
    LoadBalancerContext,
    HashCookieMaker,
    DownstreamWatermarkCallbacks,
    TimerTarget,
    RetryListener
{
  readonly config: RouterConfig;
  callbacks!: DecoderFilterCallbacks;
  streamInfo!: StreamInfo;
  timeouts: RequestTimeouts = noTimeouts;
  /** The request has come from downstream as a whole. */
  requestComplete = false;
  /** How often downstream has said that it is slow, and not taken it back. */
  downstreamPaused = 0;
  attempts = 1;
  #route: Route | null = null;
  #entry: RouteEntry | null = null;
  #cluster: UpstreamCluster | null = null;
  #head: RequestHead | null = null;
  #facts = 0;
  #internal = false;
  #upstream: UpstreamRequest | null = null;
  #retry: RetryState | null = null;
  #retryPending = false;
  #isRetry = false;
  #bodyKept: ByteQueue | null = null;
  #trailersKept: HeaderMap | null = null;
  /** Set-Cookie texts that hash policies have made. */
  #cookies: string[] | null = null;
  /** Copies for other clusters. */
  #shadows: Shadows | null = null;
  #responseTimer: Timer | null = null;
  #requestCompleteMs = -1;
  #responseStarted = false;
  #finished = false;

  constructor(config: RouterConfig) {
    this.config = config;
  }

  setDecoderFilterCallbacks(callbacks: DecoderFilterCallbacks): void {
    this.callbacks = callbacks;
    this.streamInfo = callbacks.streamInfo;
  }

  decodeHeaders(head: RequestHead, endStream: boolean): FilterHeadersStatus {
    const { config, callbacks } = this;
    config.stats.rqTotal.inc();
    const route = callbacks.route;
    this.#route = route;
    this.#head = head;
    this.#facts = requestFacts(head);
    const cluster = refuseEarly(this, route, head);
    if (cluster === null) {
      this.#finished = true;
      return FilterHeadersStatus.StopIteration;
    }
    const entry = entryForCluster(route!.entry!, cluster.info.requestPolicies ?? null);
    this.#entry = entry;
    this.#cluster = cluster;
    this.streamInfo.cluster = cluster.info;
    this.#prepare(entry, head);
    callbacks.addDownstreamWatermarkCallbacks(this);
    if (entry.mirrors.length > 0 && head.method !== 'CONNECT') {
      this.#shadows = new Shadows(this, entry.mirrors, head, this.timeouts.globalMs);
    }
    this.#try(endStream);
    if (!this.#finished) this.#shadows?.start(endStream);
    if (endStream) this.#onRequestComplete();
    return FilterHeadersStatus.StopIteration;
  }

  decodeData(chunk: Uint8Array, endStream: boolean): FilterDataStatus {
    if (this.#finished) return FilterDataStatus.StopIterationNoBuffer;
    if (this.#retry !== null && !this.#keepBody(chunk)) return FilterDataStatus.StopIterationNoBuffer;
    this.#upstream?.sendData(chunk, endStream);
    this.#shadows?.sendData(chunk, endStream);
    if (endStream) this.#onRequestComplete();
    return FilterDataStatus.StopIterationNoBuffer;
  }

  decodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    if (this.#finished) return FilterTrailersStatus.StopIteration;
    this.#trailersKept = trailers;
    this.#upstream?.sendTrailers(trailers);
    this.#shadows?.sendTrailers(trailers);
    this.#onRequestComplete();
    return FilterTrailersStatus.StopIteration;
  }

  onDestroy(): void {
    this.#finished = true;
    const upstream = this.#upstream;
    this.#upstream = null;
    upstream?.reset();
    this.#shadows?.cancel();
    this.#cleanup();
  }

  /** A connection is there; the head goes out next. */
  onUpstreamReady(upstream: UpstreamRequest, info: ConnectionInfo): void {
    const { streamInfo } = this;
    streamInfo.upstreamHost = upstream.host;
    streamInfo.upstreamConnection = info;
    streamInfo.upstreamProtocol = upstream.protocol;
    streamInfo.firstUpstreamTxMs = this.config.clock.nowMs();
    if (this.requestComplete) streamInfo.lastUpstreamTxMs = streamInfo.firstUpstreamTxMs;
    const entry = this.#entry!;
    if (entry.autoHostRewrite && upstream.host.hostname !== '')
      rewriteHost(this.#head!, upstream.host.hostname, entry.appendXForwardedHost);
  }

  /** The codec would not send the head: a filter took away what a request must have. */
  onHeadRefused(upstream: UpstreamRequest): void {
    this.#upstream = null;
    upstream.reset();
    this.#end();
    const options = { modifyHeaders: withAttemptCount(this, this.#route!) };
    this.callbacks.sendLocalReply(503, 'missing required header', 'filter_removed_required_request_headers', options);
  }

  onUpstreamInformational(head: ResponseHead): void {
    // From here on the client knows of this try: there is no other.
    this.#dropRetry();
    this.callbacks.encodeInformational(head);
  }

  onUpstreamHeaders(upstream: UpstreamRequest, head: ResponseHead, endStream: boolean): void {
    const { streamInfo, config } = this;
    const nowMs = config.clock.nowMs();
    streamInfo.firstUpstreamRxMs = nowMs;
    const { status } = head;
    const grpcStatus = (this.#facts & RequestFact.Grpc) === 0 ? null : readGrpcStatus(head.headers.get('grpc-status'));
    upstream.host.outlier.putHttpResponseCode(grpcStatus === null ? status : httpStatusOfGrpc(grpcStatus));
    if (this.#retry !== null && this.#retriesResponse(upstream, head)) return;
    const { headers } = head;
    if (this.#route!.virtualHost.includeAttemptCountInResponse) {
      headers.set('x-envoy-attempt-count', String(this.attempts));
    }
    if (this.requestComplete && !config.suppressEnvoyHeaders) {
      headers.set('x-envoy-upstream-service-time', String(Math.floor(nowMs - this.#requestCompleteMs)));
    }
    if (this.#cookies !== null) for (const cookie of this.#cookies) headers.add('set-cookie', cookie);
    upstream.canary = upstream.host.canary || headers.get('x-envoy-upstream-canary') === 'true';
    this.#chargeCode(status, upstream.host, upstream.canary);
    if (status < 500) this.#chargeHost(upstream.host, grpcStatus, endStream);
    this.#entry!.finalizeResponseHeaders(head, this.#head!, streamInfo);
    this.#responseStarted = true;
    if (endStream) this.#onUpstreamComplete(upstream, nowMs);
    this.callbacks.encodeHeaders(head, endStream, 'via_upstream');
  }

  onUpstreamData(upstream: UpstreamRequest, chunk: Uint8Array, endStream: boolean): void {
    this.streamInfo.upstreamOctetsReceived += chunk.length;
    if (endStream) {
      if ((this.#facts & RequestFact.Grpc) !== 0) upstream.host.stats.rqError.inc(); // no grpc-status ever came
      this.#onUpstreamComplete(upstream, this.config.clock.nowMs());
    }
    this.callbacks.encodeData(chunk, endStream);
  }

  onUpstreamTrailers(upstream: UpstreamRequest, trailers: HeaderMap): void {
    if ((this.#facts & RequestFact.Grpc) !== 0) {
      chargeGrpcAnswer(upstream.host, readGrpcStatus(trailers.get('grpc-status')));
    }
    this.#onUpstreamComplete(upstream, this.config.clock.nowMs());
    this.callbacks.encodeTrailers(trailers);
  }

  /** A try ended without a (whole) response. */
  onUpstreamReset(upstream: UpstreamRequest, reason: ResetReason, transportReason: string): void {
    if (reason !== 'overflow')
      upstream.host.outlier.putResult(reason === 'connection_timeout' ? 'connect_timeout' : 'reset');
    if (transportReason !== '') this.streamInfo.upstreamTransportFailureReason = transportReason.replaceAll(' ', '_');
    this.#upstream = null;
    if (this.#retriesReset(upstream, reason)) return;
    this.#abort(upstream, resetCause(reason, transportReason, this.#responseStarted, this.#isRetry));
  }

  onPerTryTimeout(upstream: UpstreamRequest): void {
    upstream.host.cluster.stats.rqPerTryTimeout.inc();
    this.#onTryTimeout(upstream, 'upstream_per_try_timeout');
  }

  onPerTryIdleTimeout(upstream: UpstreamRequest): void {
    upstream.host.cluster.stats.rqPerTryIdleTimeout.inc();
    this.#onTryTimeout(upstream, 'upstream_per_try_idle_timeout');
  }

  /** The cluster's `max_stream_duration` is over. */
  onMaxDuration(upstream: UpstreamRequest): void {
    upstream.host.cluster.stats.rqMaxDurationReached.inc();
    this.#upstream = null;
    upstream.reset();
    if (this.#retriesReset(upstream, 'local_reset')) return;
    this.#abort(upstream, maxDurationReached(this.requestComplete));
  }

  /** The response timer: the route's timeout is over. */
  onTimer(): void {
    const upstream = this.#upstream;
    this.#upstream = null;
    if (upstream === null) {
      this.#end();
      abortUpstream(this, this.#route!, this.#responseStarted, responseTimeout);
      return;
    }
    upstream.host.cluster.stats.rqTimeout.inc();
    upstream.host.stats.rqTimeout.inc();
    if (upstream.awaitingHeaders) upstream.host.outlier.putResult('timeout');
    upstream.reset();
    this.#abort(upstream, responseTimeout);
  }

  /** The wait before another try is over. */
  onRetryTimer(): void {
    if (!this.#retryPending) return;
    this.#retryPending = false;
    this.#isRetry = true;
    this.attempts++;
    const entry = this.#entry!;
    const head = this.#head!;
    this.#cluster = this.config.clusters.get(entry.clusterName); // it may have been replaced meanwhile
    if (this.#cluster === null) {
      this.#end();
      noHealthyUpstream(this, this.#route!);
      return;
    }
    if (this.#route!.virtualHost.includeRequestAttemptCount) {
      head.headers.set('x-envoy-attempt-count', String(this.attempts));
    }
    const elapsedMs = this.requestComplete ? this.config.clock.nowMs() - this.#requestCompleteMs : 0;
    setTimeoutHeaders(this.timeouts, elapsedMs, entry, head, this.#facts, !this.config.suppressEnvoyHeaders);
    const body = this.#bodyKept !== null && this.#bodyKept.length > 0 ? this.#bodyKept.concat() : null;
    const trailers = this.#trailersKept;
    const upstream = this.#try(this.requestComplete && body === null && trailers === null);
    if (upstream === null || upstream !== this.#upstream) return;
    if (body !== null) upstream.sendData(body, this.requestComplete && trailers === null);
    if (trailers !== null && upstream === this.#upstream) upstream.sendTrailers(trailers);
  }

  /** Downstream is slow: the upstream is paused. */
  onAboveWriteBufferHighWatermark(): void {
    this.downstreamPaused++;
    this.#cluster?.info.stats.flowControlPausedReadingTotal.inc();
    this.#upstream?.readDisable(true);
  }

  onBelowWriteBufferLowWatermark(): void {
    this.downstreamPaused--;
    this.#cluster?.info.stats.flowControlResumedReadingTotal.inc();
    this.#upstream?.readDisable(false);
  }

  /** @see LoadBalancerContext */
  get requestHead(): RequestHead | null {
    return this.#head;
  }
  get downstreamConnection(): Connection | null {
    return this.callbacks.connection;
  }
  get metadataMatch(): { readonly [key: string]: JsonValue } | null {
    return this.#entry === null ? null : this.#entry.metadataMatch;
  }
  get hostSelectionRetryCount(): number {
    return this.#isRetry ? (this.#entry?.retryPolicy?.hostSelectionRetryMaxAttempts ?? 0) : 0;
  }
  get retryPriority(): RetryPriority | null {
    return this.#retry === null ? null : this.#retry.priority;
  }
  hashKey(): bigint | null {
    return this.#entry === null ? null : this.#entry.hash(this.#head!, this.streamInfo, this);
  }
  makeHashCookie(cookie: HashCookie): string {
    const value = hashCookieValue(this.callbacks.connection.info);
    this.#cookies ??= [];
    this.#cookies.push(setCookieText(cookie, value));
    return value;
  }
  shouldSelectAnotherHost(host: Host): boolean {
    return this.#isRetry && this.#retry?.wasTried(host) === true;
  }

  /** Timeouts, retries and the headers that the upstream is to see. */
  #prepare(entry: RouteEntry, head: RequestHead): void {
    const { config, streamInfo } = this;
    const facts = this.#facts;
    const envoyHeaders = (facts & RequestFact.EnvoyHeaders) !== 0;
    const timeouts = finalTimeouts(entry, head, facts, config.respectExpectedTimeout);
    this.timeouts = timeouts;
    setTimeoutHeaders(timeouts, 0, entry, head, facts, !config.suppressEnvoyHeaders);
    this.#internal = envoyHeaders && head.headers.get('x-envoy-internal') === 'true';
    streamInfo.upstreamRequestAttempts = 1;
    if (this.#route!.virtualHost.includeRequestAttemptCount) head.headers.set('x-envoy-attempt-count', '1');
    entry.finalizeRequestHeaders(head, streamInfo, !config.suppressEnvoyHeaders);
    if (head.scheme === '') setScheme(head, this.callbacks.connection.info.tls !== null);
    const policy = entry.retryPolicy;
    if (policy === null && !envoyHeaders) return;
    const conditions = readRetryConditions(policy, head, envoyHeaders);
    if (conditions === null) return;
    const { info } = this.#cluster!;
    this.#retry = new RetryState(conditions, info, info.resources(entry.priority), policy, config, this);
  }

  /** Starts a try; null when there was no host (and the answer has been sent). */
  #try(endStream: boolean): UpstreamRequest | null {
    const cluster = this.#cluster!;
    this.streamInfo.upstreamRequestAttempts = this.attempts;
    const pool: HttpPool | null = choosePool(cluster, this, this.#entry!, this.#head!, this.streamInfo.protocol);
    if (pool === null) {
      cluster.info.stats.noRoutableHosts.inc();
      this.#end();
      this.#chargeCode(503, null, false);
      noHealthyUpstream(this, this.#route!);
      return null;
    }
    const upstream = new UpstreamRequest(this, pool, this.#head!);
    this.#upstream = upstream;
    upstream.start(endStream);
    return upstream;
  }

  #onRequestComplete(): void {
    if (this.requestComplete) return;
    this.requestComplete = true;
    const nowMs = this.config.clock.nowMs();
    this.#requestCompleteMs = nowMs;
    this.streamInfo.lastUpstreamTxMs = nowMs;
    if (this.#finished || (this.#upstream === null && !this.#retryPending)) return;
    const { globalMs } = this.timeouts;
    if (globalMs > 0) {
      this.#responseTimer = this.config.timers.create(this);
      this.#responseTimer.enable(globalMs);
    }
    this.#upstream?.onRequestComplete();
  }

  /** Keeps body for another try; false when that ended the request. */
  #keepBody(chunk: Uint8Array): boolean {
    this.#bodyKept ??= new ByteQueue();
    const limit = this.callbacks.decoderBufferLimit();
    if (limit === 0 || this.#bodyKept.length + chunk.length <= limit) {
      this.#bodyKept.push(chunk);
      return true;
    }
    // More than we hold for anybody: this try is the last.
    this.#cluster!.info.stats.retryOrShadowAbandoned.inc();
    this.#dropRetry();
    if (this.#upstream !== null) return true;
    this.#end();
    const options = { modifyHeaders: withAttemptCount(this, this.#route!) };
    const body = 'exceeded request buffer limit while retrying upstream';
    this.callbacks.sendLocalReply(507, body, 'request_payload_exceeded_retry_buffer_limit', options);
    return false;
  }

  #retriesResponse(upstream: UpstreamRequest, head: ResponseHead): boolean {
    const retry = this.#retry!;
    const verdict = retry.ask(retriesResponse(retry.conditions, head));
    if (verdict !== 'yes') {
      if (verdict === 'overflow') this.streamInfo.setFlag(ResponseFlag.UpstreamOverflow);
      else if (verdict === 'limit_exceeded') this.streamInfo.setFlag(ResponseFlag.UpstreamRetryLimitExceeded);
      this.#dropRetry();
      return false;
    }
    this.#retryPending = true;
    retry.onHostTried(upstream.host);
    upstream.host.stats.rqError.inc();
    upstream.host.cluster.stats.chargeRetriedResponse(head.status);
    this.#upstream = null;
    upstream.reset();
    return true;
  }

  #retriesReset(upstream: UpstreamRequest, reason: ResetReason): boolean {
    const retry = this.#retry;
    if (this.#responseStarted || retry === null) return false;
    const verdict = retry.ask(retriesReset(retry.conditions, reason, upstream.started));
    if (verdict === 'yes') {
      this.#retryPending = true;
      retry.onHostTried(upstream.host);
      upstream.host.stats.rqError.inc();
      return true;
    }
    if (verdict === 'overflow') this.streamInfo.setFlag(ResponseFlag.UpstreamOverflow);
    else if (verdict === 'limit_exceeded') this.streamInfo.setFlag(ResponseFlag.UpstreamRetryLimitExceeded);
    return false;
  }

  #onTryTimeout(upstream: UpstreamRequest, details: string): void {
    upstream.host.stats.rqTimeout.inc();
    this.#upstream = null;
    upstream.reset();
    upstream.host.outlier.putResult('timeout');
    if (this.#retriesReset(upstream, 'local_reset')) return;
    this.#abort(upstream, { ...responseTimeout, details });
  }

  #abort(upstream: UpstreamRequest, cause: AbortCause): void {
    const started = this.#responseStarted;
    if (started) this.config.stats.rqResetAfterResponseStarted.inc();
    else this.#chargeCode(cause.status, upstream.host, false);
    this.#end();
    abortUpstream(this, this.#route!, started, cause);
  }

  #onUpstreamComplete(upstream: UpstreamRequest, nowMs: number): void {
    this.#upstream = null;
    this.#finished = true;
    this.streamInfo.lastUpstreamRxMs = nowMs;
    if (this.requestComplete && this.config.dynamicStats && !this.streamInfo.healthCheck) {
      const elapsedMs = nowMs - this.#requestCompleteMs;
      const { host } = upstream;
      host.cluster.stats.chargeResponseTime(elapsedMs, this.#internal, upstream.canary, host.locality.zone);
    }
    upstream.reset();
    this.#cleanup();
  }

  #chargeCode(status: number, host: Host | null, canary: boolean): void {
    if (!this.config.dynamicStats || this.streamInfo.healthCheck) return;
    const zone = host === null ? '' : host.locality.zone;
    this.#cluster!.info.stats.chargeResponse(status, this.#internal, canary, zone);
    if (host !== null && status >= 500) host.stats.rqError.inc();
  }

  // A gRPC answer is judged by its status, which may be in the trailers still to come.
  #chargeHost(host: Host, grpcStatus: number | null, endStream: boolean): void {
    if ((this.#facts & RequestFact.Grpc) === 0) host.stats.rqSuccess.inc();
    else if (endStream) chargeGrpcAnswer(host, grpcStatus);
  }

  #end(): void {
    this.#finished = true;
    this.#cleanup();
  }

  #dropRetry(): void {
    this.#retry?.release();
    this.#retry = null;
    this.#bodyKept = null;
  }

  #cleanup(): void {
    this.#retryPending = false;
    this.#responseTimer?.disable();
    if (this.#retry !== null) this.#dropRetry();
  }
}
