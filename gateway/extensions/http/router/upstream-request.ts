import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { Cancellable, Host, HttpPool, PoolCallbacks, PoolFailureReason } from '#gateway/api/upstream.ts';
import { ByteQueue } from '#gateway/base/byte-queue.ts';
import {
  EncodeStatus,
  type Protocol,
  type RequestEncoder,
  type ResetReason,
  type ResponseDecoder,
} from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';
import { poolFailureReset } from './reset-reason.ts';
import type { RouterFilter } from './router-filter.ts';

/**
 * One try of a request: from asking the pool to the end of the response. What comes before the pool has a connection
 * waits here. After `done` nothing is called on the router any more.
 */
export class UpstreamRequest implements ResponseDecoder, PoolCallbacks, TimerTarget {
  readonly #router: RouterFilter;
  readonly #pool: HttpPool;
  readonly #head: RequestHead;
  #encoder: RequestEncoder | null = null;
  #pending: Cancellable | null = null;
  host: Host;
  protocol: Protocol | null = null;
  awaitingHeaders = true;
  /** The request has been sent as a whole. */
  encodeComplete = false;
  /** The response has come as a whole. */
  decodeComplete = false;
  /** Some of it has been sent. */
  started = false;
  canary = false;
  #done = false;
  #queue: ByteQueue | null = null;
  #queueAboveLimit = false;
  #trailers: HeaderMap | null = null;
  #endQueued = false;
  #perTryTimer: Timer | null = null;
  #perTryIdleTimer: Timer | null = null;
  #maxDurationTimer: Timer | null = null;
  #awaitsRequestEnd = false;
  #pausedDownstream = 0;

  constructor(router: RouterFilter, pool: HttpPool, head: RequestHead) {
    this.#router = router;
    this.#pool = pool;
    this.#head = head;
    this.host = pool.host;
  }

  /** Asks the pool for a stream. `endStream`: nothing follows the head. The outcome may come before this returns. */
  start(endStream: boolean): void {
    this.#endQueued = endStream;
    const pending = this.#pool.newStream(this, this);
    if (this.#encoder === null && !this.#done) this.#pending = pending;
  }

  sendData(chunk: Uint8Array, endStream: boolean): void {
    if (this.#encoder !== null) {
      this.#router.streamInfo.upstreamOctetsSent += chunk.length;
      this.encodeComplete = endStream;
      this.#encoder.encodeData(chunk, endStream);
      return;
    }
    this.#queue ??= new ByteQueue();
    this.#queue.push(chunk);
    if (endStream) this.#endQueued = true;
    const limit = this.#router.callbacks.decoderBufferLimit();
    if (!this.#queueAboveLimit && limit > 0 && this.#queue.length > limit) {
      this.#queueAboveLimit = true;
      this.#pauseDownstream();
    }
  }

  sendTrailers(trailers: HeaderMap): void {
    if (this.#encoder === null) {
      this.#trailers = trailers;
      return;
    }
    this.encodeComplete = true;
    this.#encoder.encodeTrailers(trailers);
  }

  /** The downstream request has come as a whole: the time for this try starts, if a connection is there. */
  onRequestComplete(): void {
    if (this.#awaitsRequestEnd) this.#armPerTry();
  }

  /** Ends this try from our side, unless it is over. */
  reset(): void {
    if (this.#done) return;
    this.#finish();
    this.#pending?.cancel();
    this.#pending = null;
    const encoder = this.#encoder;
    if (encoder === null || (this.encodeComplete && this.decodeComplete)) return;
    if (this.protocol === 'HTTP/2') this.host.cluster.stats.rqTxReset.inc();
    encoder.resetStream('local_reset');
  }

  /** Downstream is slow, or not any more. Counted. */
  readDisable(disable: boolean): void {
    this.#encoder?.readDisable(disable);
  }

  /** @see PoolCallbacks */
  onPoolReady(encoder: RequestEncoder, host: Host, info: ConnectionInfo, protocol: Protocol): void {
    if (this.#done) {
      encoder.resetStream('local_reset');
      return;
    }
    const router = this.#router;
    this.#pending = null;
    this.#encoder = encoder;
    this.host = host;
    this.protocol = protocol;
    this.started = true;
    host.outlier.putResult('connect_success');
    router.onUpstreamReady(this, info);
    for (let i = router.downstreamPaused; i > 0; i--) encoder.readDisable(true);
    const maxDurationMs = host.cluster.maxStreamDurationMs;
    if (maxDurationMs > 0) {
      this.#maxDurationTimer = router.config.timers.create(this);
      this.#maxDurationTimer.enable(maxDurationMs);
    }
    if (router.requestComplete) this.#armPerTry();
    else this.#awaitsRequestEnd = true;
    const bodyQueued = this.#queue !== null && this.#queue.length > 0;
    const endsWithHead = this.#endQueued && !bodyQueued && this.#trailers === null;
    if (endsWithHead) this.encodeComplete = true;
    const status = encoder.encodeHeaders(this.#head, endsWithHead);
    if (status !== EncodeStatus.Ok) {
      this.encodeComplete = false;
      router.onHeadRefused(this);
      return;
    }
    if (!endsWithHead && (this.#queue !== null || this.#trailers !== null)) this.#sendQueued(encoder);
  }

  onPoolFailure(reason: PoolFailureReason, details: string, host: Host): void {
    if (this.#done) return;
    this.#pending = null;
    this.host = host;
    const router = this.#router;
    router.streamInfo.upstreamHost = host;
    this.#finish();
    router.onUpstreamReset(this, poolFailureReset(reason), details);
  }

  /** @see ResponseDecoder */
  decodeInformational(head: ResponseHead): void {
    if (!this.#done) this.#router.onUpstreamInformational(head);
  }

  decodeHeaders(head: ResponseHead, endStream: boolean): void {
    if (this.#done) return;
    this.awaitingHeaders = false;
    this.#perTryTimer?.disable();
    this.#refreshIdle();
    if (endStream) this.#complete();
    this.#router.onUpstreamHeaders(this, head, endStream);
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.#done) return;
    this.#refreshIdle();
    if (endStream) this.#complete();
    this.#router.onUpstreamData(this, chunk, endStream);
  }

  decodeTrailers(trailers: HeaderMap): void {
    if (this.#done) return;
    this.#complete();
    this.#router.onUpstreamTrailers(this, trailers);
  }

  onResetStream(reason: ResetReason, details: string): void {
    if (this.#done) return;
    const { stats } = this.host.cluster;
    if (this.protocol === 'HTTP/2') {
      if (reason === 'remote_reset' || reason === 'remote_refused_stream_reset') stats.rqRxReset.inc();
      else if (reason === 'protocol_error' || reason === 'local_reset') stats.rqTxReset.inc();
    }
    this.#takeOctets();
    this.#encoder = null;
    this.#finish();
    this.#router.onUpstreamReset(this, this.#judgeReset(reason, details), connectionDetails(reason, details));
  }

  onAboveWriteBufferHighWatermark(): void {
    if (!this.#done) this.#pauseDownstream();
  }

  onBelowWriteBufferLowWatermark(): void {
    if (!this.#done) this.#resumeDownstream();
  }

  onTimer(timer: Timer): void {
    if (this.#done) return;
    if (timer === this.#perTryTimer) this.#router.onPerTryTimeout(this);
    else if (timer === this.#perTryIdleTimer) this.#router.onPerTryIdleTimeout(this);
    else this.#router.onMaxDuration(this);
  }

  /** An HTTP/1 body that breaks off is a malformed message, as with Envoy, and not only a lost connection. */
  #judgeReset(reason: ResetReason, details: string): ResetReason {
    const brokenOff = details === 'upstream_remote_close' && !this.awaitingHeaders && this.protocol !== 'HTTP/2';
    return reason === 'connection_termination' && brokenOff ? 'protocol_error' : reason;
  }

  /** The response is done with: lets go of timers. The rest of the request may still be reset by `reset`. */
  #complete(): void {
    this.decodeComplete = true;
    this.#takeOctets();
    this.#perTryTimer?.disable();
    this.#perTryIdleTimer?.disable();
    this.#maxDurationTimer?.disable();
  }

  #finish(): void {
    this.#done = true;
    if (!this.decodeComplete) this.#takeOctets();
    this.#perTryTimer?.disable();
    this.#perTryIdleTimer?.disable();
    this.#maxDurationTimer?.disable();
    this.#queue = null;
    while (this.#pausedDownstream > 0) this.#resumeDownstream();
  }

  #takeOctets(): void {
    const encoder = this.#encoder;
    if (encoder === null) return;
    const info = this.#router.streamInfo;
    info.upstreamWireOctetsSent = encoder.wireOctetsSent;
    info.upstreamWireOctetsReceived = encoder.wireOctetsReceived;
  }

  #sendQueued(encoder: RequestEncoder): void {
    const queue = this.#queue;
    const trailers = this.#trailers;
    const end = this.#endQueued && trailers === null;
    this.#queue = null;
    this.#trailers = null;
    if (queue !== null) {
      this.#router.streamInfo.upstreamOctetsSent += queue.length;
      for (let chunk = queue.shift(); chunk !== null && !this.#done; chunk = queue.shift()) {
        const last = end && queue.length === 0;
        if (last) this.encodeComplete = true;
        encoder.encodeData(chunk, last);
      }
    }
    if (trailers !== null && !this.#done) {
      this.encodeComplete = true;
      encoder.encodeTrailers(trailers);
    }
    if (this.#queueAboveLimit) {
      this.#queueAboveLimit = false;
      if (!this.#done) this.#resumeDownstream();
    }
  }

  #armPerTry(): void {
    this.#awaitsRequestEnd = false;
    const { perTryMs, perTryIdleMs } = this.#router.timeouts;
    if (perTryMs > 0) {
      this.#perTryTimer = this.#router.config.timers.create(this);
      this.#perTryTimer.enable(perTryMs);
    }
    if (perTryIdleMs > 0) {
      this.#perTryIdleTimer = this.#router.config.timers.create(this);
      this.#perTryIdleTimer.enable(perTryIdleMs);
    }
  }

  #refreshIdle(): void {
    if (this.#perTryIdleTimer !== null) this.#perTryIdleTimer.enable(this.#router.timeouts.perTryIdleMs);
  }

  #pauseDownstream(): void {
    this.#pausedDownstream++;
    this.host.cluster.stats.flowControlBackedUpTotal.inc();
    this.#router.callbacks.onDecoderFilterAboveWriteBufferHighWatermark();
  }

  #resumeDownstream(): void {
    if (this.#pausedDownstream === 0) return;
    this.#pausedDownstream--;
    this.host.cluster.stats.flowControlDrainedTotal.inc();
    this.#router.callbacks.onDecoderFilterBelowWriteBufferLowWatermark();
  }
}

// Only a TLS failure says more than the reason itself does.
function connectionDetails(reason: ResetReason, details: string): string {
  return reason === 'connection_termination' && details.startsWith('TLS_error') ? details : '';
}
