import type { CloseKind, Connection, ConnectionCallbacks, ConnectionEvent } from '#gateway/api/connection.ts';
import { type NetworkFilter, type NetworkFilterCallbacks, NetworkFilterStatus } from '#gateway/api/network-filter.ts';
import { StreamInfo } from '#gateway/api/stream-info.ts';
import {
  DispatchStatus,
  type Protocol,
  type RequestDecoder,
  type ResponseEncoder,
  type ServerCodec,
  type ServerCodecCallbacks,
} from '#gateway/protocol/codec.ts';
import { Http1ServerCodec } from '#gateway/protocol/http1/http1-server-codec.ts';
import type { Http1ServerStream } from '#gateway/protocol/http1/server-stream.ts';
import { Http2ServerCodec } from '#gateway/protocol/http2/server-codec.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import { ActiveStream } from './active-stream.ts';
import { withStreamBuffer } from './codec-options.ts';
import { ProtocolDetector } from './detect-protocol.ts';
import { type IdleOwner, IdleSlot } from './idle-slot.ts';
import { KeepalivePings } from './keepalive-pings.ts';
import type { ManagerConfig } from './manager-config.ts';
import { ResponseCodeDetails } from './response-code-details.ts';

/** How far a connection is on its way out: `draining` lets new streams in until the drain time is over. */
type DrainPhase = 'none' | 'draining' | 'closing';

/**
 * HTTP on one downstream connection: makes the codec, a stream for each request, and decides when the connection ends.
 * Envoy's ConnectionManagerImpl; the network filter of the same name makes one a connection.
 */
export class ConnectionManager implements NetworkFilter, ServerCodecCallbacks, ConnectionCallbacks, TimerTarget {
  readonly config: ManagerConfig;
  connection!: Connection;
  /** Octets that may be buffered on a stream (per_connection_buffer_limit_bytes); 0: unlimited. */
  bufferLimit = 0;
  #codec: ServerCodec | null = null;
  #http1: Http1ServerCodec | null = null;
  #detector: ProtocolDetector | null = null;
  #activeStreams = 0;
  #requests = 0;
  #drain: DrainPhase = 'none';
  #closed = false;
  #delayClose = false;
  #remoteEnded = false;
  #dispatching = false;
  #spareSlot: IdleSlot | null = null;
  #idleTimer: Timer | null = null;
  #drainTimer: Timer | null = null;
  #durationTimer: Timer | null = null;
  #keepalive: KeepalivePings | null = null;
  #startMs = 0;
  #octetsReceived = 0;
  #octetsSent = 0;

  constructor(config: ManagerConfig) {
    this.config = config;
  }

  // ---- the network filter

  initialize(callbacks: NetworkFilterCallbacks): void {
    const { connection } = callbacks;
    const { stats, timeouts, server } = this.config;
    this.connection = connection;
    this.bufferLimit = connection.bufferLimit;
    this.#startMs = server.clock.nowMs();
    connection.addCallbacks(this);
    connection.setDelayedCloseTimeout(timeouts.delayedCloseMs);
    stats.cxTotal.inc();
    stats.cxActive.inc();
    if (connection.info.tls !== null) {
      stats.cxSslTotal.inc();
      stats.cxSslActive.inc();
    }
    if (timeouts.connectionIdleMs > 0) {
      this.#idleTimer = server.timers.create(this);
      this.#idleTimer.enable(timeouts.connectionIdleMs);
    }
    if (timeouts.maxConnectionDurationMs > 0) {
      this.#durationTimer = server.timers.create(this);
      this.#durationTimer.enable(
        this.#jittered(timeouts.maxConnectionDurationMs, timeouts.maxConnectionDurationJitter),
      );
    }
  }

  onNewConnection(): NetworkFilterStatus {
    return NetworkFilterStatus.Continue;
  }

  onData(chunk: Uint8Array, endStream: boolean): NetworkFilterStatus {
    if (this.#closed) return NetworkFilterStatus.StopIteration;
    if (chunk.length > 0) this.#dispatch(chunk);
    if (endStream && !this.#closed) this.#onRemoteEnd();
    return NetworkFilterStatus.StopIteration;
  }

  #dispatch(received: Uint8Array): void {
    let chunk = received;
    if (this.#codec === null) {
      this.#detector ??= new ProtocolDetector(this.config.codec, this.connection.info);
      const protocol = this.#detector.detect(chunk);
      if (protocol === null) return;
      chunk = this.#detector.octets;
      this.#detector = null;
      this.#makeCodec(protocol);
    }
    this.#dispatching = true;
    const status = this.#codec!.dispatch(chunk);
    this.#dispatching = false;
    if (status !== DispatchStatus.Ok) this.#onCodecError();
    else if (this.#drain === 'closing') this.#closeIfDone();
  }

  #makeCodec(protocol: 'http1' | 'http2'): void {
    const { config, connection } = this;
    const { stats } = config;
    if (protocol === 'http1') {
      this.#http1 = new Http1ServerCodec(connection, this, config.http1);
      this.#codec = this.#http1;
      stats.cxHttp1Total.inc();
      stats.cxHttp1Active.inc();
    } else {
      this.#codec = new Http2ServerCodec(
        connection,
        this,
        withStreamBuffer(config.http2, this.bufferLimit),
        config.http2Stats,
      );
      stats.cxHttp2Total.inc();
      stats.cxHttp2Active.inc();
      if (config.keepalive !== null) {
        this.#keepalive = new KeepalivePings(config.keepalive, this.#codec, config.server, () => {
          this.#close('flush', 'http2_ping_timeout');
        });
      }
    }
  }

  #onCodecError(): void {
    this.config.stats.cxProtocolError.inc();
    this.#codec!.onConnectionClosed('protocol_error', ResponseCodeDetails.CodecError);
    this.#close('flush_and_delay', '');
  }

  /** A client that says it will send no more has left, unless a tunnel is open: then it may still listen. */
  #onRemoteEnd(): void {
    this.#remoteEnded = true;
    if (this.#codec === null) {
      this.#close('flush', '');
      return;
    }
    this.#codec.onRemoteClose();
    if (this.#codec.activeStreams === 0 && !this.#closed) this.#close('flush', '');
    else this.#drain = 'closing';
  }

  // ---- streams

  newStream(encoder: ResponseEncoder): RequestDecoder {
    const { config } = this;
    const { stats, server, maxRequestsPerConnection } = config;
    const { clock } = server;
    if (this.#http1 !== null) {
      stats.rqHttp1Total.inc();
    } else {
      stats.rqHttp2Total.inc();
    }
    stats.rqTotal.inc();
    stats.rqActive.inc();
    this.#activeStreams++;
    this.#requests++;
    if (maxRequestsPerConnection > 0 && this.#requests === maxRequestsPerConnection) {
      stats.cxMaxRequestsReached.inc();
      if (this.#http1 !== null) this.#drain = 'closing';
      else this.#startDrain();
    }
    const streamInfo = new StreamInfo(this.connection.info, clock.nowMs(), clock.wallMs());
    return new ActiveStream(this, encoder, streamInfo);
  }

  /** The version a stream's request came in; known once its head is. */
  protocolOf(encoder: ResponseEncoder): Protocol {
    if (this.#http1 === null) return 'HTTP/2';
    return (encoder as Http1ServerStream).minorVersion === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
  }

  onStreamComplete(_encoder: ResponseEncoder): void {
    if (this.#http1?.closing === true) this.#drain = 'closing';
    this.#closeIfDone();
  }

  onGoAway(_errorCode: number): void {}

  onPingAck(): void {
    this.#keepalive?.onPingAck();
  }

  /** A stream has let go of everything. */
  onStreamDestroyed(stream: ActiveStream): void {
    const { stats, timeouts } = this.config;
    stats.rqActive.dec();
    if (stream.upgraded) stats.cxUpgradesActive.dec();
    this.#activeStreams--;
    this.#countOctets();
    if (!stream.requestEnded) this.#delayClose = true;
    if (this.#activeStreams === 0) this.#idleTimer?.enable(timeouts.connectionIdleMs);
    this.#closeIfDone();
  }

  /** A stream was reset from here: an HTTP/1 connection cannot go on. */
  onStreamReset(): void {
    if (this.#http1 === null) return;
    this.#drain = 'closing';
    this.#closeIfDone();
  }

  /** Whether the connection ends with this stream's response; begins a drain when the server wants one. HTTP/1 only. */
  closesAfter(stream: ActiveStream): boolean {
    if (this.#drain === 'none' && this.config.server.drain.drainClose()) {
      this.#startDrain();
      this.config.stats.cxDrainClose.inc();
    }
    if (this.#http1 === null) return false;
    if (!stream.requestEnded && !stream.upgraded) this.#drain = 'closing';
    return this.#drain !== 'none';
  }

  /** No request is taken after the one under way. HTTP/1 only: an HTTP/2 connection goes on. */
  endAfterResponse(): void {
    if (this.#http1 !== null) this.#drain = 'closing';
  }

  /** Counts a response's status. */
  chargeResponse(status: number): void {
    const { stats, listenerStats } = this.config;
    stats.rqCompleted.inc();
    listenerStats.rqCompleted.inc();
    const digit = (status / 100) | 0;
    stats.rqClass[digit]?.inc();
    listenerStats.rqClass[digit]?.inc();
  }

  /** An idle timeout for a stream: the last stream's when there is one. */
  takeIdleSlot(owner: IdleOwner): IdleSlot {
    const slot = this.#spareSlot ?? new IdleSlot(this.config.server.timers);
    this.#spareSlot = null;
    slot.owner = owner;
    return slot;
  }

  returnIdleSlot(slot: IdleSlot): void {
    slot.owner = null;
    if (this.#spareSlot === null && !this.#closed) this.#spareSlot = slot;
    else slot.stop();
  }

  // ---- the connection's end

  onTimer(timer: Timer): void {
    const { stats } = this.config;
    if (timer === this.#idleTimer) {
      if (this.#activeStreams > 0) return; // armed again when the last stream ends
      stats.cxIdleTimeout.inc();
      if (this.#codec === null) this.#close('flush', 'on_idle_timeout');
      else if (this.#drain === 'none') this.#startDrain();
    } else if (timer === this.#drainTimer) {
      this.#codec!.goAway();
      this.#drain = 'closing';
      this.#closeIfDone();
    } else {
      stats.cxMaxDurationReached.inc();
      if (this.#codec === null) this.#close('flush', 'max_connection_duration');
      else if (this.#drain === 'none') this.#startDrain();
    }
  }

  /** The server is going away: GOAWAY, or the end with the response under way; an idle HTTP/1 connection ends now. */
  onServerDrain(): void {
    if (this.#closed) return;
    if (this.#codec === null) {
      this.#close('flush', '');
    } else if (this.#http1 === null) {
      if (this.#drain === 'none') this.#startDrain();
    } else {
      this.#drain = 'closing';
      this.#closeIfDone();
    }
  }

  #startDrain(): void {
    this.#drain = 'draining';
    this.#codec!.shutdownNotice();
    this.#drainTimer = this.config.server.timers.create(this);
    const { drainMs, drainJitter } = this.config.timeouts;
    this.#drainTimer.enable(this.#jittered(drainMs, drainJitter));
  }

  #jittered(delayMs: number, percent: number): number {
    return percent === 0 ? delayMs : delayMs + (delayMs * percent * this.config.server.random.next()) / 100;
  }

  #closeIfDone(): void {
    if (this.#drain !== 'closing' || this.#activeStreams > 0 || this.#dispatching || this.#closed) return;
    if (this.#codec === null || this.#codec.activeStreams > 0) return;
    this.#close(this.#delayClose ? 'flush_and_delay' : 'flush', '');
  }

  #close(kind: CloseKind, details: string): void {
    if (this.#closed) return;
    this.connection.close(kind, details);
  }

  onConnectionEvent(event: ConnectionEvent, details: string): void {
    if (event === 'connected' || this.#closed) return;
    this.#closed = true;
    const { stats, server } = this.config;
    // A client that half-closed and has nothing under way has left: closing our side was only the answer.
    const remote = event === 'remote_close' || (this.#remoteEnded && this.#activeStreams === 0);
    this.#countOctets();
    if (details === 'delayed_close_timeout') stats.cxDelayedCloseTimeout.inc();
    stats.cxDestroy.inc();
    (remote ? stats.cxDestroyRemote : stats.cxDestroyLocal).inc();
    if (this.#activeStreams > 0) {
      stats.cxDestroyActiveRq.inc();
      (remote ? stats.cxDestroyRemoteActiveRq : stats.cxDestroyLocalActiveRq).inc();
    }
    stats.cxActive.dec();
    if (this.connection.info.tls !== null) stats.cxSslActive.dec();
    if (this.#codec !== null) (this.#http1 === null ? stats.cxHttp2Active : stats.cxHttp1Active).dec();
    stats.cxLengthMs.record(server.clock.nowMs() - this.#startMs);
    this.#idleTimer?.disable();
    this.#drainTimer?.disable();
    this.#durationTimer?.disable();
    this.#spareSlot?.stop();
    this.#keepalive?.stop();
    const reason = remote
      ? ResponseCodeDetails.DownstreamRemoteDisconnect
      : ResponseCodeDetails.DownstreamLocalDisconnect;
    this.#codec?.onConnectionClosed('connection_termination', details === '' || remote ? reason : details);
  }

  onAboveWriteBufferHighWatermark(): void {
    this.#codec?.onConnectionAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    this.#codec?.onConnectionBelowWriteBufferLowWatermark();
  }

  #countOctets(): void {
    const { connection } = this;
    const { stats } = this.config;
    stats.cxRxBytesTotal.inc(connection.octetsReceived - this.#octetsReceived);
    stats.cxTxBytesTotal.inc(connection.octetsSent - this.#octetsSent);
    this.#octetsReceived = connection.octetsReceived;
    this.#octetsSent = connection.octetsSent;
  }
}
