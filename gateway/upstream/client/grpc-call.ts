import type { GrpcStream } from '#gateway/api/async-client.ts';
import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { Cancellable, Host, HttpPool, PoolCallbacks, PoolFailureReason } from '#gateway/api/upstream.ts';
import type { Protocol, RequestEncoder, ResetReason, ResponseDecoder } from '#gateway/protocol/codec.ts';
import { GrpcMessageReader, type GrpcMessageSink, GrpcReadStatus } from '#gateway/protocol/grpc/message-reader.ts';
import { frameGrpcMessage } from '#gateway/protocol/grpc/message-writer.ts';
import { GrpcStatus, httpStatusOfGrpc } from '#gateway/protocol/grpc/status.ts';
import { readGrpcOutcome } from '#gateway/protocol/grpc/trailers.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { Timer, TimerTarget } from '#gateway/runtime/timers.ts';

/** Told what happens to a call; after `onCallClosed` nothing more. */
export interface GrpcCallListener {
  onCallMessage(message: Uint8Array): void;
  onCallClosed(status: number, message: string): void;
}

const noBytes = new Uint8Array(0);

/** One gRPC call on an HTTP/2 stream of a cluster: unary calls and streams alike. */
export class GrpcCall implements ResponseDecoder, PoolCallbacks, GrpcMessageSink, GrpcStream, Cancellable, TimerTarget {
  readonly #head: RequestHead;
  readonly #listener: GrpcCallListener;
  readonly #reader: GrpcMessageReader;
  #encoder: RequestEncoder | null = null;
  #pending: Cancellable | null = null;
  #host: Host | null = null;
  #responseHead: ResponseHead | null = null;
  /** Framed messages that wait for the connection. */
  #queue: Uint8Array[] | null = null;
  #ended = false;
  #closed = false;
  #responseEnded = false;
  #deadline: Timer | null = null;

  constructor(head: RequestHead, maxMessageOctets: number, listener: GrpcCallListener) {
    this.#head = head;
    this.#listener = listener;
    this.#reader = new GrpcMessageReader(this, maxMessageOctets);
  }

  /** Asks for a stream. The outcome may come before this returns. */
  start(pool: HttpPool): void {
    this.#host = pool.host;
    const pending = pool.newStream(this, this);
    if (!this.#closed && this.#encoder === null) this.#pending = pending;
  }

  /** Ends the call with DEADLINE_EXCEEDED when `timer` (whose target this call is) goes off. */
  setDeadline(timer: Timer, timeoutMs: number): void {
    this.#deadline = timer;
    timer.enable(timeoutMs);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends one message and the end of the request. */
  sendOnly(message: Uint8Array): void {
    this.#ended = true;
    this.#write(frameGrpcMessage(message), true);
  }

  send(message: Uint8Array): void {
    if (!this.#closed && !this.#ended) this.#write(frameGrpcMessage(message), false);
  }

  endWrite(): void {
    if (this.#closed || this.#ended) return;
    this.#ended = true;
    this.#encoder?.encodeData(noBytes, true);
  }

  reset(): void {
    this.cancel();
  }

  cancel(): void {
    if (this.#closed) return;
    this.#finish();
    this.#abandon();
  }

  onPoolReady(encoder: RequestEncoder, host: Host, _info: ConnectionInfo, _protocol: Protocol): void {
    this.#pending = null;
    this.#encoder = encoder;
    this.#host = host;
    if (this.#closed) {
      encoder.resetStream('local_reset');
      return;
    }
    if (encoder.encodeHeaders(this.#head, false) !== 0) {
      this.#fail(GrpcStatus.Internal, 'the request cannot be sent');
      return;
    }
    const queue = this.#queue;
    this.#queue = null;
    if (queue !== null) {
      for (let i = 0; i < queue.length && !this.#closed; i++) {
        encoder.encodeData(queue[i]!, this.#ended && i === queue.length - 1);
      }
    } else if (this.#ended) encoder.encodeData(noBytes, true);
  }

  onPoolFailure(reason: PoolFailureReason, details: string, host: Host): void {
    if (this.#closed) return;
    if (reason !== 'overflow') host.outlier.putResult(reason === 'timeout' ? 'connect_timeout' : 'connect_failed');
    this.#charge(host, 503);
    this.#close(GrpcStatus.Unavailable, details === '' ? reason : `${reason}: ${details}`);
  }

  decodeInformational(): void {}

  decodeHeaders(head: ResponseHead, endStream: boolean): void {
    if (this.#closed) return;
    this.#responseHead = head;
    if (endStream) this.#end(null);
    else if (head.status !== 200) this.#end(null); // the body is not gRPC
  }

  decodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.#closed) return;
    const status = this.#reader.read(chunk);
    if (this.#closed) return;
    if (status === GrpcReadStatus.TooLarge) {
      this.#fail(GrpcStatus.ResourceExhausted, 'the message is too large');
    } else if (status !== GrpcReadStatus.Ok) {
      this.#fail(GrpcStatus.Internal, 'the body is not gRPC');
    } else if (endStream) {
      this.#responseEnded = true;
      this.#fail(GrpcStatus.Unknown, 'the response ended without a status');
    }
  }

  decodeTrailers(trailers: HeaderMap): void {
    if (!this.#closed) this.#end(trailers);
  }

  onResetStream(reason: ResetReason, details: string): void {
    if (this.#closed) return;
    this.#encoder = null;
    const host = this.#host!;
    host.outlier.putResult('reset');
    this.#charge(host, 503);
    this.#close(GrpcStatus.Unavailable, details === '' ? reason : `${reason}: ${details}`);
  }

  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}

  onMessage(message: Uint8Array, compressed: boolean): void {
    if (this.#closed) return;
    if (compressed) this.#fail(GrpcStatus.Unimplemented, 'compressed messages are not asked for');
    else this.#listener.onCallMessage(message);
  }

  onTimer(): void {
    if (this.#closed) return;
    const host = this.#host;
    if (host !== null) {
      host.cluster.stats.rqTimeout.inc();
      host.stats.rqTimeout.inc();
      host.outlier.putResult('timeout');
    }
    this.#fail(GrpcStatus.DeadlineExceeded, 'deadline exceeded');
  }

  #write(framed: Uint8Array, end: boolean): void {
    if (this.#encoder !== null) this.#encoder.encodeData(framed, end);
    else {
      this.#queue ??= [];
      this.#queue.push(framed);
    }
  }

  #end(trailers: HeaderMap | null): void {
    const head = this.#responseHead!;
    const outcome = readGrpcOutcome(head, trailers);
    const host = this.#host!;
    const failed = outcome.status !== GrpcStatus.Ok && httpStatusOfGrpc(outcome.status) >= 500;
    host.outlier.putHttpResponseCode(failed ? httpStatusOfGrpc(outcome.status) : head.status);
    (failed ? host.stats.rqError : host.stats.rqSuccess).inc();
    this.#charge(host, head.status);
    this.#responseEnded = trailers !== null || head.status === 200;
    this.#finish();
    if (!this.#ended || !this.#responseEnded) this.#abandon();
    this.#listener.onCallClosed(outcome.status, outcome.message);
  }

  #fail(status: number, message: string): void {
    this.#finish();
    this.#abandon();
    this.#listener.onCallClosed(status, message);
  }

  #close(status: number, message: string): void {
    this.#finish();
    this.#listener.onCallClosed(status, message);
  }

  #finish(): void {
    this.#closed = true;
    this.#deadline?.disable();
  }

  #abandon(): void {
    this.#pending?.cancel();
    this.#pending = null;
    this.#encoder?.resetStream('local_reset');
    this.#encoder = null;
  }

  // The gateway's own calls count as internal requests, as with Envoy's asynchronous client.
  #charge(host: Host, status: number): void {
    host.cluster.stats.chargeResponse(status, true, host.canary, host.locality.zone);
  }
}
