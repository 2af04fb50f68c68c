import type { FormatterContext } from '#gateway/api/access-log.ts';
import type {
  FilterChainBuilder,
  LocalReplyOptions,
  StreamCompleteListener,
  StreamDecoderFilter,
  StreamEncoderFilter,
} from '#gateway/api/http-filter.ts';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import type { Route, RouteTable } from '#gateway/api/route.ts';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import type { ClusterInfo } from '#gateway/api/upstream.ts';
import { EncodeStatus, type RequestDecoder, type ResetReason, type ResponseEncoder } from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { reasonPhrase } from '#gateway/protocol/http1/status-line.ts';
import { isGrpcContentType } from '#gateway/route/route-condition.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import { ActiveFilter } from './active-filter.ts';
import type { ConnectionManager } from './connection-manager.ts';
import type { PendingReply } from './filter-chain-state.ts';
import { FilterManager, type RenderedReply } from './filter-manager.ts';
import type { IdleOwner, IdleSlot } from './idle-slot.ts';
import type { ChainEntry } from './manager-config.ts';
import { RequestAdmission } from './request-admission.ts';
import { bodilessBadRequests, ResponseCodeDetails } from './response-code-details.ts';
import { isUpgrade, mutateResponseHeaders } from './response-headers.ts';

const maxRandom = 2 ** 53;
const continueHead = (): ResponseHead => new ResponseHead(100);

/**
 * One request and its response on a downstream connection: receives the request from the codec, runs it through the
 * filters, gives the response to the codec, and ends with the access logs. Envoy's ActiveStream.
 */
export class ActiveStream
  extends FilterManager
  implements RequestDecoder, FilterChainBuilder, FormatterContext, TimerTarget, IdleOwner
{
  readonly encoder: ResponseEncoder;
  readonly manager: ConnectionManager;
  readonly routes: RouteTable;
  /** Only the formats of local replies know the body; access logs show none, as in Envoy. */
  readonly localReplyBody = '';
  /** A CONNECT or an upgrade that its route allows. */
  upgraded = false;
  isGrpc = false;
  #routeChosen = false;
  #route: Route | null = null;
  #routeFrozen = false;
  #chain: readonly ChainEntry[];
  #chainMade = false;
  #filterName = '';
  #idle: IdleSlot | null = null;
  #idleMs: number;
  #requestTimer: Timer | null = null;
  #headersTimer: Timer | null = null;
  #durationTimer: Timer | null = null;

  constructor(manager: ConnectionManager, encoder: ResponseEncoder, streamInfo: StreamInfo) {
    super(manager.connection, streamInfo);
    this.manager = manager;
    this.encoder = encoder;
    const { config } = manager;
    this.routes = config.routes.current;
    streamInfo.protocol = manager.protocolOf(encoder);
    this.#chain = config.chain;
    this.decodeBufferLimit = manager.bufferLimit;
    this.encodeBufferLimit = manager.bufferLimit;
    const { timeouts } = config;
    this.#idleMs = timeouts.streamIdleMs;
    if (this.#idleMs > 0) {
      this.#idle = manager.takeIdleSlot(this);
      this.#idle.touch(this.#idleMs);
    }
    if (timeouts.requestMs > 0) this.#requestTimer = this.#arm(timeouts.requestMs);
    if (timeouts.requestHeadersMs > 0) this.#headersTimer = this.#arm(timeouts.requestHeadersMs);
    if (timeouts.maxStreamDurationMs > 0) this.#durationTimer = this.#arm(timeouts.maxStreamDurationMs);
  }

  get request(): RequestHead | null {
    return this.requestHead;
  }
  get response(): ResponseHead | null {
    return this.responseHead;
  }
  get trailers(): HeaderMap | null {
    return this.responseTrailers;
  }

  // ---- from the codec

  decodeHeaders(head: RequestHead, endStream: boolean): void {
    this.requestHead = head;
    this.#headersTimer?.disable();
    this.streamInfo.protocol = this.manager.protocolOf(this.encoder);
    if (endStream) this.#requestReceived();
    this.isGrpc = isGrpcContentType(head.headers.get('content-type'));
    if (RequestAdmission.refuse(this, head)) return;
    if (!this.#routeChosen) this.#chooseRoute();
    this.createFilterChain();
    this.runDecodeHeaders(0, endStream);
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    this.streamInfo.octetsReceived += chunk.length;
    if (endStream) this.#requestReceived();
    this.runDecodeData(0, chunk, endStream);
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.requestTrailers = trailers;
    this.#requestReceived();
    this.touch();
    this.runDecodeTrailers(0, trailers);
  }

  onBadRequest(status: number, details: string): void {
    if (this.destroyed) return;
    this.#headersTimer?.disable();
    // What Envoy finds out only in its connection manager is answered without a body, and is no error of the codec.
    const late = bodilessBadRequests.has(details);
    if (!late) this.streamInfo.setFlag(ResponseFlag.DownstreamProtocolError);
    if (details === 'http1.unexpected_underscore') this.manager.config.http1Rejected.inc();
    this.sendLocalReply(status, late ? '' : reasonPhrase(status), details, null);
  }

  onResetStream(reason: ResetReason, details: string): void {
    if (this.destroyed) return;
    const { streamInfo } = this;
    this.manager.config.stats.rqRxReset.inc();
    if (details === ResponseCodeDetails.DownstreamRemoteDisconnect || reason === 'connection_termination') {
      streamInfo.setFlag(ResponseFlag.DownstreamConnectionTermination);
    } else if (reason === 'remote_reset' || reason === 'remote_refused_stream_reset') {
      streamInfo.setFlag(ResponseFlag.DownstreamRemoteReset);
    } else {
      streamInfo.setFlag(ResponseFlag.DownstreamProtocolError);
    }
    if (!this.headSent || streamInfo.responseCodeDetails === '') streamInfo.responseCodeDetails = details;
    this.#destroy();
  }

  // ---- the route

  get route(): Route | null {
    if (!this.#routeChosen && this.requestHead !== null) this.#chooseRoute();
    return this.#route;
  }

  get clusterInfo(): ClusterInfo | null {
    const name = this.route?.entry?.clusterName;
    return name === undefined ? null : (this.manager.config.server.clusters.get(name)?.info ?? null);
  }

  clearRouteCache(): void {
    if (!this.#routeFrozen) this.#routeChosen = false;
  }

  #chooseRoute(): void {
    const { config } = this.manager;
    const random = Math.floor(config.server.random.next() * maxRandom);
    const route = this.routes.select(this.requestHead!, this.streamInfo, random);
    this.#routeChosen = true;
    this.#route = route;
    this.streamInfo.cluster = null;
    this.streamInfo.route = route;
    if (route === null) return;
    this.streamInfo.routeName = route.name;
    this.streamInfo.virtualHostName = route.virtualHost.name;
    const { entry } = route;
    if (entry === null) return;
    this.streamInfo.cluster = config.server.clusters.get(entry.clusterName)?.info ?? null;
    if (entry.idleTimeoutMs >= 0) {
      this.#idleMs = entry.idleTimeoutMs;
      if (this.#idleMs > 0) this.#idle ??= this.manager.takeIdleSlot(this);
      this.#idle?.touch(this.#idleMs);
    }
    if (entry.maxStreamDurationMs >= 0) {
      if (entry.maxStreamDurationMs === 0) this.#durationTimer?.disable();
      else if (this.#durationTimer === null) this.#durationTimer = this.#arm(entry.maxStreamDurationMs);
      else this.#durationTimer.enable(entry.maxStreamDurationMs);
    }
  }

  // ---- the filter chain

  /** Runs these filters instead of the usual ones; before the chain is made. */
  useChain(chain: readonly ChainEntry[]): void {
    this.#chain = chain;
  }

  protected createFilterChain(): void {
    if (this.#chainMade) return;
    this.#chainMade = true;
    // A request that was refused before its route was looked for has none: its filters are the chain's own.
    const route = this.#route;
    const chain = this.#chain;
    for (let i = 0; i < chain.length; i++) {
      const entry = chain[i]!;
      if (route === null ? entry.disabled : (route.filterDisabled(entry.name) ?? entry.disabled)) continue;
      this.#filterName = entry.name;
      entry.factory.createFilter(this);
    }
    const { encoders } = this;
    if (encoders.length === 0) return;
    encoders.reverse();
    for (let i = 0; i < encoders.length; i++) encoders[i]!.encodeIndex = i;
  }

  addDecoderFilter(filter: StreamDecoderFilter): void {
    this.#add(filter, null);
  }
  addEncoderFilter(filter: StreamEncoderFilter): void {
    this.#add(null, filter);
  }
  addFilter(filter: StreamDecoderFilter & StreamEncoderFilter): void {
    this.#add(filter, filter);
  }
  addStreamCompleteListener(listener: StreamCompleteListener): void {
    this.completeListeners ??= [];
    this.completeListeners.push(listener);
  }

  #add(decoder: StreamDecoderFilter | null, encoder: StreamEncoderFilter | null): void {
    const filter = new ActiveFilter(this, this.#filterName, decoder, encoder);
    if (decoder !== null) {
      if (this.decoders.length === 0) this.decoders = [];
      filter.decodeIndex = this.decoders.length;
      this.decoders.push(filter);
      decoder.setDecoderFilterCallbacks(filter);
    }
    if (encoder !== null) {
      if (this.encoders.length === 0) this.encoders = [];
      this.encoders.push(filter);
      encoder.setEncoderFilterCallbacks(filter);
    }
  }

  // ---- to the codec

  protected renderLocalReply(reply: PendingReply): RenderedReply {
    const { localReplies } = this.manager.config;
    return localReplies.render(reply, this.requestHead, this.streamInfo, this.isGrpc);
  }

  /** The answer to `expect: 100-continue` that the gateway gives itself. */
  sendContinue(): void {
    this.manager.chargeResponse(100);
    this.encoder.encodeInformational(continueHead());
  }

  encodeInformational(head: ResponseHead): void {
    // The gateway has said 100 itself; a second one from the upstream must not follow.
    if (this.destroyed || this.headSent || !this.manager.config.proxy100Continue) return;
    this.encoder.encodeInformational(head);
  }

  /** Envoy does not go on with an HTTP/1 connection whose client got 400 from the proxy itself. */
  override sendLocalReply(
    status: number,
    body: string | Uint8Array,
    details: string,
    options: LocalReplyOptions | null,
  ): void {
    const { manager } = this;
    if (status === 400 && !manager.config.streamErrorOnInvalidMessage) manager.endAfterResponse();
    super.sendLocalReply(status, body, details, options);
  }

  protected headToCodec(head: ResponseHead, endStream: boolean): boolean {
    const { manager, streamInfo, requestHead } = this;
    const { config } = manager;
    this.#routeFrozen = true;
    const tunnel = this.upgraded && (head.status === 101 || (requestHead!.method === 'CONNECT' && head.status < 300));
    mutateResponseHeaders(head, requestHead, config, tunnel && isUpgrade(head));
    if (!this.requestEnded && !tunnel) config.stats.rqResponseBeforeRqComplete.inc();
    if (manager.closesAfter(this) && !tunnel) this.encoder.closeAfterResponse();
    streamInfo.responseCode = head.status;
    if (!streamInfo.healthCheck) manager.chargeResponse(head.status);
    streamInfo.firstDownstreamTxMs = config.server.clock.nowMs();
    if (this.encoder.encodeHeaders(head, endStream) === EncodeStatus.Ok) return true;
    this.resetStream('local_reset', ResponseCodeDetails.CodecError);
    return false;
  }

  protected dataToCodec(chunk: Uint8Array, endStream: boolean): void {
    this.streamInfo.octetsSent += chunk.length;
    this.encoder.encodeData(chunk, endStream);
  }

  protected trailersToCodec(trailers: HeaderMap): void {
    this.streamInfo.responseTrailers = trailers;
    this.encoder.encodeTrailers(trailers);
  }

  protected onResponseEncoded(): void {
    const { stats, server } = this.manager.config;
    this.streamInfo.lastDownstreamTxMs = server.clock.nowMs();
    if (!this.requestEnded && !this.upgraded) stats.rqRxReset.inc(); // the rest of the request is not wanted
    this.#destroy();
  }

  resetStream(reason: ResetReason, details: string): void {
    if (this.destroyed) return;
    this.manager.config.stats.rqTxReset.inc();
    if (this.streamInfo.responseCodeDetails === '') this.streamInfo.responseCodeDetails = details;
    this.encoder.resetStream(reason);
    this.#destroy();
    this.manager.onStreamReset();
  }

  pauseRequest(): void {
    this.manager.config.stats.flowControlPaused.inc();
    this.encoder.readDisable(true);
  }

  resumeRequest(): void {
    this.manager.config.stats.flowControlResumed.inc();
    this.encoder.readDisable(false);
  }

  // ---- time

  protected touch(): void {
    if (this.#idle !== null) this.#idle.touch(this.#idleMs);
  }

  protected onRequestDecoded(): void {
    this.#requestTimer?.disable();
  }

  protected onResponseBegun(): void {
    this.#requestTimer?.disable();
  }

  onIdle(): void {
    this.manager.config.stats.rqIdleTimeout.inc();
    this.streamInfo.setFlag(ResponseFlag.StreamIdleTimeout);
    this.#timeOut('stream timeout', ResponseCodeDetails.StreamIdleTimeout, false);
  }

  onTimer(timer: Timer): void {
    const { stats } = this.manager.config;
    if (timer === this.#headersTimer) {
      stats.rqHeaderTimeout.inc();
      this.sendLocalReply(408, 'request header timeout', ResponseCodeDetails.RequestHeaderTimeout, null);
    } else if (timer === this.#requestTimer) {
      stats.rqTimeout.inc();
      this.#timeOut('request timeout', ResponseCodeDetails.RequestOverallTimeout, false);
    } else {
      stats.rqMaxDurationReached.inc();
      this.#timeOut('downstream duration timeout', ResponseCodeDetails.MaxDurationTimeout, true);
    }
  }

  #timeOut(body: string, details: string, deadline: boolean): void {
    this.sendLocalReply(this.requestEnded ? 504 : 408, body, details, deadline ? { grpcStatus: 4 } : null);
  }

  #arm(delayMs: number): Timer {
    const timer = this.manager.config.server.timers.create(this);
    timer.enable(delayMs);
    return timer;
  }

  #requestReceived(): void {
    this.requestEnded = true;
    this.streamInfo.requestReceivedMs = this.manager.config.server.clock.nowMs();
  }

  // ---- statistics and the end

  protected onRequestTooLarge(): void {
    this.manager.config.stats.rqTooLarge.inc();
  }

  protected onResponseTooLarge(): void {
    this.manager.config.stats.rsTooLarge.inc();
  }

  /** The stream is over: timers off, access logs, filters, and the connection is told. */
  #destroy(): void {
    if (this.destroyed) return;
    const { manager, streamInfo, encoder } = this;
    const { config } = manager;
    if (this.#idle !== null) manager.returnIdleSlot(this.#idle);
    this.#idle = null;
    this.#requestTimer?.disable();
    this.#headersTimer?.disable();
    this.#durationTimer?.disable();
    const now = config.server.clock.nowMs();
    streamInfo.endMs = now;
    streamInfo.downstreamWireOctetsReceived = encoder.wireOctetsReceived;
    streamInfo.downstreamWireOctetsSent = encoder.wireOctetsSent;
    this.destroyed = true;
    if (this.completeListeners !== null) for (const listener of this.completeListeners) listener.onStreamComplete();
    if (!streamInfo.healthCheck) config.stats.rqTime.record(now - streamInfo.startMs);
    const logs = config.accessLogs;
    for (let i = 0; i < logs.length; i++) logs[i]!.log(this);
    this.destroyFilters();
    manager.onStreamDestroyed(this);
  }
}
