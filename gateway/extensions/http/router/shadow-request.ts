import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { Cancellable, Host, HttpPool, PoolCallbacks, PoolFailureReason } from '#gateway/api/upstream.ts';
import { ByteQueue } from '#gateway/base/byte-queue.ts';
import { EncodeStatus, type Protocol, type RequestEncoder, type ResponseDecoder } from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timer, Timers, TimerTarget } from '#gateway/runtime/timers.ts';

/** Told that the copy's upstream is slow: the request it is copied from waits. Counted pairs. */
export interface ShadowWatermarks {
  onShadowAboveHighWatermark(): void;
  onShadowBelowLowWatermark(): void;
}

/** How a copy is sent. */
export interface ShadowOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** From the end of the request to the end of the response, milliseconds; 0: no limit. */
  readonly timeoutMs: number;
  /** Octets held while there is no connection before the request it is copied from waits; 0: any number. */
  readonly bufferLimitOctets: number;
  readonly watermarks: ShadowWatermarks;
}

/** One copy of a request on its way; whatever is answered is dropped. Statistics count it as an internal request. */
export class ShadowRequest implements ResponseDecoder, PoolCallbacks, TimerTarget {
  readonly #head: RequestHead;
  readonly #options: ShadowOptions;
  #host: Host;
  #encoder: RequestEncoder | null = null;
  #pending: Cancellable | null = null;
  #queue: ByteQueue | null = null;
  #trailers: HeaderMap | null = null;
  #requestEnded = false;
  #requestEndMs = 0;
  #status = 0;
  #done = false;
  #paused = 0;
  #timer: Timer | null = null;

  constructor(head: RequestHead, pool: HttpPool, options: ShadowOptions) {
    this.#head = head;
    this.#options = options;
    this.#host = pool.host;
  }

  /** Asks for a stream; the outcome may come before this returns. */
  start(pool: HttpPool, endStream: boolean): void {
    if (endStream) this.#endRequest();
    const pending = pool.newStream(this, this);
    if (this.#encoder === null && !this.#done) this.#pending = pending;
  }

  sendData(chunk: Uint8Array, endStream: boolean): void {
    if (this.#done) return;
    if (endStream) this.#endRequest();
    if (this.#encoder !== null) {
      this.#encoder.encodeData(chunk, endStream);
      return;
    }
    this.#queue ??= new ByteQueue();
    this.#queue.push(chunk);
    const limit = this.#options.bufferLimitOctets;
    if (limit > 0 && this.#queue.length > limit && this.#paused === 0) this.#pause();
  }

  sendTrailers(trailers: HeaderMap): void {
    if (this.#done) return;
    this.#endRequest();
    if (this.#encoder === null) this.#trailers = trailers.clone();
    else this.#encoder.encodeTrailers(trailers);
  }

  /** The request it is copied from has ended before it was complete. */
  cancel(): void {
    if (this.#done || this.#requestEnded) return;
    this.#abandon();
  }

  onPoolReady(encoder: RequestEncoder, host: Host, _info: ConnectionInfo, _protocol: Protocol): void {
    this.#pending = null;
    if (this.#done) {
      encoder.resetStream('local_reset');
      return;
    }
    this.#encoder = encoder;
    this.#host = host;
    const queue = this.#queue;
    const trailers = this.#trailers;
    const hasBody = queue !== null && queue.length > 0;
    this.#queue = null;
    if (encoder.encodeHeaders(this.#head, this.#requestEnded && !hasBody && trailers === null) !== EncodeStatus.Ok) {
      this.#abandon();
      return;
    }
    if (queue !== null) {
      for (let chunk = queue.shift(); chunk !== null && !this.#done; chunk = queue.shift()) {
        encoder.encodeData(chunk, this.#requestEnded && queue.length === 0 && trailers === null);
      }
    }
    if (trailers !== null && !this.#done) encoder.encodeTrailers(trailers);
    if (this.#paused > 0) this.#resume();
  }

  onPoolFailure(reason: PoolFailureReason, _details: string, host: Host): void {
    if (this.#done) return;
    if (reason !== 'overflow') host.outlier.putResult(reason === 'timeout' ? 'connect_timeout' : 'connect_failed');
    this.#host = host;
    this.#finish(503);
  }

  decodeInformational(): void {}

  decodeHeaders(head: ResponseHead, endStream: boolean): void {
    if (this.#done) return;
    this.#status = head.status;
    this.#host.outlier.putHttpResponseCode(head.status);
    if (endStream) this.#onResponseEnd();
  }

  decodeData(_chunk: Uint8Array, endStream: boolean): void {
    if (endStream && !this.#done) this.#onResponseEnd();
  }

  decodeTrailers(): void {
    if (!this.#done) this.#onResponseEnd();
  }

  onResetStream(): void {
    if (this.#done) return;
    this.#encoder = null;
    this.#host.outlier.putResult('reset');
    this.#finish(this.#status === 0 ? 503 : this.#status);
  }

  onAboveWriteBufferHighWatermark(): void {
    if (!this.#done) this.#pause();
  }

  onBelowWriteBufferLowWatermark(): void {
    if (!this.#done && this.#paused > 0) this.#resume();
  }

  onTimer(): void {
    if (this.#done) return;
    const { stats } = this.#host.cluster;
    stats.rqTimeout.inc();
    this.#host.stats.rqTimeout.inc();
    if (this.#status === 0) {
      this.#host.outlier.putResult('timeout');
      stats.chargeResponse(504, true, false, this.#host.locality.zone);
    }
    this.#abandon();
  }

  // The answer may be complete before the request is; the rest of that is of no use then.
  #onResponseEnd(): void {
    const encoder = this.#encoder;
    const requestEnded = this.#requestEnded;
    this.#finish(this.#status);
    if (!requestEnded) {
      encoder?.resetStream('local_reset');
      return;
    }
    const { cluster, canary, locality } = this.#host;
    const elapsedMs = this.#options.clock.nowMs() - this.#requestEndMs;
    cluster.stats.chargeResponseTime(elapsedMs, true, canary, locality.zone);
  }

  #endRequest(): void {
    const { clock, timers, timeoutMs } = this.#options;
    this.#requestEnded = true;
    this.#requestEndMs = clock.nowMs();
    if (timeoutMs === 0) return;
    this.#timer = timers.create(this);
    this.#timer.enable(timeoutMs);
  }

  #finish(status: number): void {
    const host = this.#host;
    host.cluster.stats.chargeResponse(status, true, host.canary, host.locality.zone);
    (status < 500 ? host.stats.rqSuccess : host.stats.rqError).inc();
    this.#close();
  }

  #abandon(): void {
    const encoder = this.#encoder;
    this.#close();
    this.#pending?.cancel();
    encoder?.resetStream('local_reset');
  }

  #close(): void {
    this.#done = true;
    this.#timer?.disable();
    this.#queue = null;
    while (this.#paused > 0) this.#resume();
  }

  #pause(): void {
    this.#paused++;
    this.#options.watermarks.onShadowAboveHighWatermark();
  }

  #resume(): void {
    this.#paused--;
    this.#options.watermarks.onShadowBelowLowWatermark();
  }
}
