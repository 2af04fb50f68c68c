import type { Connection, ConnectionCallbacks, ConnectionEvent, ConnectionSink } from '#gateway/api/connection.ts';
import type { PoolCallbacks } from '#gateway/api/upstream.ts';
import type { Linked } from '#gateway/base/linked-list.ts';
import {
  type ClientCodec,
  type ClientCodecCallbacks,
  DispatchStatus,
  type Protocol,
  type RequestEncoder,
  type ResponseDecoder,
} from '#gateway/protocol/codec.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import type { HostPool } from './host-pool.ts';
import { Keepalive } from './keepalive.ts';

/**
 * One upstream connection of a pool, HTTP/1 or HTTP/2.
 *
 *     connecting --connected--> ready <--streams at the limit / below it--> busy
 *                                 \---- last request, GOAWAY, age, drain ---> draining --no stream left--> closed
 */
export class PoolConnection
  implements ConnectionCallbacks, ConnectionSink, ClientCodecCallbacks, TimerTarget, Linked<PoolConnection>
{
  previous: PoolConnection | null = null;
  next: PoolConnection | null = null;
  linked = false;
  readonly connection: Connection;
  state: 'connecting' | 'ready' | 'busy' | 'draining' | 'closed' = 'connecting';
  protocol: Protocol = 'HTTP/1.1';
  activeStreams = 0;
  readonly #pool: HostPool;
  #codec: ClientCodec | null = null;
  #concurrent = 1;
  #remaining: number;
  #served = 0;
  #octetsSentCounted = 0;
  readonly #startedMs: number;
  #idleTimer: Timer | null = null;
  #ageTimer: Timer | null = null;
  #keepalive: Keepalive | null = null;
  #protocolError = false;
  #remoteEnded = false;

  constructor(pool: HostPool, connection: Connection) {
    this.#pool = pool;
    this.connection = connection;
    const most = pool.settings.http.maxRequestsPerConnection;
    this.#remaining = most === 0 ? Number.POSITIVE_INFINITY : most;
    this.#startedMs = pool.settings.clock.nowMs();
    connection.addCallbacks(this);
  }

  /** Streams that a connection still connecting is expected to take. */
  get expectedStreams(): number {
    const { protocol, settings } = this.#pool;
    return Math.min(this.#remaining, protocol === 'http2' ? settings.http.http2.maxConcurrentStreams : 1);
  }

  /** Starts a stream; only while `ready`. The pool has checked the circuit breaker. */
  attach(decoder: ResponseDecoder, callbacks: PoolCallbacks): void {
    const pool = this.#pool;
    this.activeStreams++;
    this.#served++;
    if (--this.#remaining === 0) {
      pool.stats.cxMaxRequests.inc();
      this.#leaveReady('draining');
    } else if (this.activeStreams >= this.#concurrent) {
      this.#leaveReady('busy');
    }
    this.#keepalive?.onStreamStart();
    const encoder = this.#codec!.newStream(decoder);
    callbacks.onPoolReady(encoder, pool.host, this.connection.info, this.protocol);
  }

  /** No new streams; closes once the open ones have ended. */
  drain(): void {
    if (this.state === 'closed' || this.state === 'draining') return;
    if (this.state === 'connecting' || this.activeStreams === 0) {
      this.connection.close('flush');
      return;
    }
    this.#leaveReady('draining');
  }

  /** @see ClientCodecCallbacks */
  onStreamClosed(_encoder: RequestEncoder, reusable: boolean): void {
    const pool = this.#pool;
    this.activeStreams--;
    pool.onStreamEnded();
    this.#countSent();
    if (this.state === 'closed') return;
    if (!reusable) {
      // An HTTP/1 connection is of no more use; an HTTP/2 one lets its other streams end.
      if (this.#codec!.protocol !== 'HTTP/2') {
        this.connection.close('flush');
        return;
      }
      this.#leaveReady('draining');
    }
    if (this.activeStreams === 0) {
      if (this.state === 'draining') {
        this.connection.close('flush');
        return;
      }
      this.#armIdle();
    }
    if (this.state === 'busy' && this.activeStreams < this.#concurrent) {
      this.state = 'ready';
      pool.onConnectionReady(this);
    }
  }

  onMaxConcurrentStreams(streams: number): void {
    this.#concurrent = Math.min(streams, this.#pool.settings.http.http2.maxConcurrentStreams);
    if (this.state === 'ready' && this.activeStreams >= this.#concurrent) this.#leaveReady('busy');
    else if (this.state === 'busy' && this.activeStreams < this.#concurrent) {
      this.state = 'ready';
      this.#pool.onConnectionReady(this);
    }
  }

  onGoAway(): void {
    if (this.state === 'draining' || this.state === 'closed') return;
    this.#pool.stats.cxCloseNotify.inc();
    this.drain();
    this.#pool.onCapacityLost();
  }

  onPingAck(): void {
    this.#keepalive?.onPingAck();
  }

  /** @see ConnectionSink */
  onData(chunk: Uint8Array): void {
    const codec = this.#codec;
    if (codec === null) return;
    this.#pool.stats.cxRxBytesTotal.inc(chunk.length);
    if (codec.dispatch(chunk) === DispatchStatus.Ok) return;
    this.#pool.stats.cxProtocolError.inc();
    this.#protocolError = true;
    this.connection.close('flush', 'protocol_error');
  }

  onRemoteEnd(): void {
    this.#remoteEnded = true;
    this.#codec?.onRemoteClose();
    if (this.state !== 'closed') this.connection.close('flush');
  }

  /** @see ConnectionCallbacks */
  onConnectionEvent(event: ConnectionEvent, details: string): void {
    if (event === 'connected') this.#onConnected();
    else this.#onClosed(event === 'local_close' && !this.#remoteEnded, details);
  }

  onAboveWriteBufferHighWatermark(): void {
    this.#codec?.onConnectionAboveWriteBufferHighWatermark();
  }

  onBelowWriteBufferLowWatermark(): void {
    this.#codec?.onConnectionBelowWriteBufferLowWatermark();
  }

  onTimer(timer: Timer): void {
    const { stats } = this.#pool;
    if (timer === this.#idleTimer) {
      // The timer is left alone while streams are open: it is armed anew when the last one ends.
      if (this.activeStreams > 0 || this.state === 'connecting') return;
      stats.cxIdleTimeout.inc();
      this.connection.close('flush', 'idle_timeout');
    } else {
      stats.cxMaxDurationReached.inc();
      this.drain();
    }
  }

  #onConnected(): void {
    const pool = this.#pool;
    const { settings, stats } = pool;
    const { http } = settings;
    const http2 = pool.protocol === 'http2' || (pool.protocol === 'auto' && this.connection.info.tls?.alpn === 'h2');
    stats.cxConnectMs.record(settings.clock.nowMs() - this.#startedMs);
    if (http2) {
      if (pool.protocol === 'auto') stats.cxHttp2Total.inc();
      this.protocol = 'HTTP/2';
      this.#concurrent = http.http2.maxConcurrentStreams;
      this.#codec = settings.codecs.http2(this.connection, this, http.http2);
      if (http.keepalive !== null) {
        this.#keepalive = new Keepalive(
          http.keepalive,
          this.#codec,
          this.connection,
          settings,
          stats.http2KeepaliveTimeout,
        );
      }
    } else {
      if (pool.protocol === 'auto') stats.cxHttp1Total.inc();
      this.#codec = settings.codecs.http1(this.connection, this, http.http1);
    }
    this.connection.setSink(this);
    if (http.maxConnectionDurationMs > 0) {
      const jitter = 1 + (settings.random.next() * http.maxConnectionDurationJitter) / 100;
      this.#ageTimer = settings.timers.create(this);
      this.#ageTimer.enable(http.maxConnectionDurationMs * jitter);
    }
    if (http.idleTimeoutMs > 0) this.#idleTimer = settings.timers.create(this);
    this.state = 'ready';
    this.#armIdle();
    pool.onConnectionReady(this);
  }

  #onClosed(local: boolean, details: string): void {
    const pool = this.#pool;
    const { stats, host } = pool;
    const wasConnecting = this.state === 'connecting';
    this.#leaveReady('closed');
    this.#idleTimer?.disable();
    this.#ageTimer?.disable();
    this.#keepalive?.stop();
    const active = this.activeStreams > 0 || this.#protocolError;
    stats.cxDestroy.inc();
    (local ? stats.cxDestroyLocal : stats.cxDestroyRemote).inc();
    if (active) {
      stats.cxDestroyWithActiveRq.inc();
      (local ? stats.cxDestroyLocalWithActiveRq : stats.cxDestroyRemoteWithActiveRq).inc();
    }
    stats.cxActive.dec();
    host.stats.cxActive.dec();
    stats.cxLengthMs.record(pool.settings.clock.nowMs() - this.#startedMs);
    if (!wasConnecting) stats.rqPerCx.record(this.#served);
    this.#countSent();
    pool.resources.connections.release();
    if (wasConnecting) {
      pool.onConnectFailed(this, local, details);
      return;
    }
    const codec = this.#codec;
    if (codec !== null && this.activeStreams > 0) {
      codec.onConnectionClosed(this.#protocolError ? 'protocol_error' : 'connection_termination', details);
    }
    this.#codec = null;
    pool.onClosed(this);
  }

  #leaveReady(to: 'busy' | 'draining' | 'closed'): void {
    if (this.state === 'ready') this.#pool.removeReady(this);
    this.state = to;
  }

  #armIdle(): void {
    if (this.#idleTimer !== null) this.#idleTimer.enable(this.#pool.settings.http.idleTimeoutMs);
  }

  #countSent(): void {
    const sent = this.connection.octetsSent;
    this.#pool.stats.cxTxBytesTotal.inc(sent - this.#octetsSentCounted);
    this.#octetsSentCounted = sent;
  }
}
