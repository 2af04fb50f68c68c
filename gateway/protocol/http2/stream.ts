import { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { MessageSink, ResetReason } from '../codec.ts';
import type { HeaderMap } from '../headers/header-map.ts';
import { Details } from './details.ts';
import { ErrorCode } from './error-code.ts';
import { ReceiveWindow } from './receive-window.ts';
import { SendSide } from './send-side.ts';

/**
 * A stream that is open. RFC 9113 section 5.1, without the reserved states, as nothing is pushed:
 *
 *     open -- END_STREAM received --> half-closed (remote) --+
 *      |                                                     +-- the other END_STREAM --> closed
 *      +--- END_STREAM sent ------> half-closed (local) -----+
 *      any --- RST_STREAM either way ---> closed
 *
 * While reading is disabled, what comes waits here, at most a window's worth, and the window is not given back.
 */
export abstract class Http2Stream extends SendSide {
  /** END_STREAM was received. */
  remoteEnded = false;
  /** A CONNECT or an upgrade: each direction ends on its own. */
  protected tunnel = false;
  /** Octets that Content-Length announces, -1 for unknown. */
  protected expectedOctets = -1;
  #receivedOctets = 0;
  #window: ReceiveWindow | null = null; // made with the first data
  #readDisabled = 0;
  #heldCredit = 0; // octets delivered while reading is disabled: not yet given back
  #queue: ByteQueue | null = null;
  #queuedTrailers: HeaderMap | null = null;
  #endQueued = false;
  #delivering = false;

  /** Where the message goes, null before there is one or when nobody wants it. */
  protected abstract get sink(): MessageSink | null;
  /** The stream left the connection's table, by completion or by reset. */
  protected abstract onClosed(complete: boolean): void;
  /** The message was delivered to its end, or given up, after the stream had closed. */
  protected abstract onLateDelivery(): void;

  protected override onAboveHighWatermark(): void {
    this.sink?.onAboveWriteBufferHighWatermark();
  }

  protected override onBelowLowWatermark(): void {
    this.sink?.onBelowWriteBufferLowWatermark();
  }

  /** Whether the peer may send `octets` more on this stream, padding included; counts them. */
  receive(octets: number): boolean {
    if (octets === 0) return true;
    if (this.#window === null) this.#window = new ReceiveWindow(this.owner.streamWindowOctets);
    return this.#window.receive(octets);
  }

  /** A DATA frame with so many octets begins; false when that cannot be with the Content-Length announced. */
  fits(octets: number, endStream: boolean): boolean {
    this.#receivedOctets += octets;
    if (this.expectedOctets < 0) return true;
    return endStream ? this.#receivedOctets === this.expectedOctets : this.#receivedOctets <= this.expectedOctets;
  }

  /** Data arrived; `endStream` with its last octet. */
  onData(chunk: Uint8Array, endStream: boolean): void {
    if (endStream) this.remoteEnded = true;
    if (this.#readDisabled > 0 || this.#hasQueued()) {
      if (this.#queue === null) this.#queue = new ByteQueue();
      this.#queue.push(chunk);
      if (endStream) this.#endQueued = true;
    } else {
      this.#deliver(chunk, endStream);
    }
    if (endStream) this.#onRemoteEnd();
  }

  /** Trailers arrived and ended the message. */
  onTrailers(trailers: HeaderMap): void {
    if (this.expectedOctets >= 0 && this.#receivedOctets !== this.expectedOctets) {
      this.malformed(Details.MessagingRule);
      return;
    }
    this.remoteEnded = true;
    if (this.#readDisabled > 0 || this.#hasQueued()) this.#queuedTrailers = trailers;
    else this.sink?.decodeTrailers(trailers);
    this.#onRemoteEnd();
  }

  /** The head ended the message. False when it announced a body: malformed. */
  protected endWithoutBody(): boolean {
    this.remoteEnded = true;
    return this.expectedOctets <= 0;
  }

  /** The head that ended the message has been delivered. */
  protected afterHead(): void {
    if (this.remoteEnded) this.#onRemoteEnd();
  }

  readDisable(disable: boolean): void {
    if (disable) {
      this.#readDisabled++;
      return;
    }
    if (this.#readDisabled === 0) return;
    this.#readDisabled--;
    if (this.#readDisabled > 0) return;
    if (this.#heldCredit > 0) {
      const credit = this.#heldCredit;
      this.#heldCredit = 0;
      this.consumed(credit);
    }
    if (!this.#delivering && this.#hasQueued()) this.#deliverQueued();
  }

  /** Octets were taken, or dropped as padding: both windows get them back. */
  consumed(octets: number): void {
    this.owner.releaseConnectionWindow(octets);
    if (this.closed || this.remoteEnded || this.#window === null) return;
    const increment = this.#window.consume(octets);
    if (increment > 0) this.owner.grantStreamWindow(this.streamId, increment);
  }

  #hasQueued(): boolean {
    return this.#endQueued || this.#queuedTrailers !== null || (this.#queue !== null && this.#queue.length > 0);
  }

  #deliver(chunk: Uint8Array, endStream: boolean): void {
    this.sink?.decodeData(chunk, endStream);
    if (chunk.length === 0) return;
    if (this.#readDisabled > 0 && !this.closed) this.#heldCredit += chunk.length;
    else this.consumed(chunk.length);
  }

  #deliverQueued(): void {
    this.#delivering = true;
    while (this.#readDisabled === 0 && this.#hasQueued()) {
      const chunk = this.#queue === null ? null : this.#queue.shift();
      if (chunk !== null) {
        const end = this.#endQueued && this.#queue!.length === 0;
        if (end) this.#endQueued = false;
        this.#deliver(chunk, end);
      } else if (this.#endQueued) {
        this.#endQueued = false;
        this.#deliver(new Uint8Array(0), true);
      } else {
        const trailers = this.#queuedTrailers!;
        this.#queuedTrailers = null;
        this.sink?.decodeTrailers(trailers);
      }
    }
    this.#delivering = false;
    if (this.closed && this.remoteEnded && !this.#hasQueued()) this.onLateDelivery();
  }

  /** Whether the message, though it has arrived, has not been taken. */
  protected get undelivered(): boolean {
    return this.#hasQueued();
  }

  #onRemoteEnd(): void {
    if (this.localEnded) this.close(true);
  }

  protected override onLocalEnd(): void {
    if (this.remoteEnded) this.close(true);
  }

  /** Takes the stream out of the connection's table. */
  protected close(complete: boolean): void {
    if (this.closed) return;
    this.closed = true;
    this.dropPending();
    if (this.#heldCredit > 0) {
      this.owner.releaseConnectionWindow(this.#heldCredit);
      this.#heldCredit = 0;
    }
    if (complete) this.endBackPressure();
    this.onClosed(complete);
  }

  /** Forgets what has not been taken. */
  protected dropUndelivered(): void {
    if (this.#queue !== null) {
      this.owner.releaseConnectionWindow(this.#queue.length);
      this.#queue.clear();
    }
    this.#queuedTrailers = null;
    this.#endQueued = false;
  }

  /** Ends the stream because of what the peer sent on it: RST_STREAM to the peer, a reset to the sink. */
  streamError(errorCode: ErrorCode, details: string): void {
    if (this.closed) return;
    this.owner.writeReset(this.streamId, errorCode);
    this.end('protocol_error', details);
  }

  /** Like `streamError` with PROTOCOL_ERROR, for a message that is malformed. RFC 9113 section 8.1.1. */
  malformed(details: string): void {
    if (this.closed) return;
    this.streamError(ErrorCode.ProtocolError, details);
    this.owner.onMalformed(details);
  }

  /** Ends the stream early, with news to the sink. */
  end(reason: ResetReason, details: string): void {
    if (this.closed) return;
    const sink = this.sink;
    this.dropUndelivered();
    this.close(false);
    sink?.onResetStream(reason, details);
  }

  /** The peer reset the stream. */
  onRemoteReset(errorCode: number): void {
    if (errorCode === ErrorCode.RefusedStream) this.end('remote_refused_stream_reset', Details.RemoteRefuse);
    else if (errorCode === ErrorCode.ConnectError) this.end('connect_error', Details.RemoteReset);
    else this.end('remote_reset', Details.RemoteReset);
  }

  resetStream(reason: ResetReason): void {
    if (this.closed) {
      if (!this.#hasQueued()) return;
      this.dropUndelivered();
      this.onLateDelivery();
      return;
    }
    if (this.streamId !== 0) this.owner.writeReset(this.streamId, this.resetCode(reason));
    this.dropUndelivered();
    this.close(false);
  }

  /** What to tell the peer about a local reset. */
  protected resetCode(reason: ResetReason): ErrorCode {
    switch (reason) {
      case 'local_refused_stream_reset':
        return ErrorCode.RefusedStream;
      case 'connect_error':
        return ErrorCode.ConnectError;
      case 'protocol_error':
        return ErrorCode.ProtocolError;
      default:
        return this.defaultResetCode();
    }
  }

  /** The error code of a local reset that has no code of its own. */
  protected abstract defaultResetCode(): ErrorCode;
}
