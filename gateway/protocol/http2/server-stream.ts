import { EncodeStatus, type MessageSink, type RequestDecoder, type ResponseEncoder } from '../codec.ts';
import type { HeaderMap } from '../headers/header-map.ts';
import type { RequestHead, ResponseHead } from '../headers/message-head.ts';
import { Details } from './details.ts';
import { ErrorCode } from './error-code.ts';
import { Http2Stream } from './stream.ts';
import type { StreamOwner } from './stream-owner.ts';

/** What a server stream needs from its connection. */
export interface ServerStreamOwner extends StreamOwner {
  /** Encodes and writes a response head. Returns the octets written. */
  writeResponseHead(streamId: number, status: number, entries: readonly string[], endStream: boolean): number;
  onStreamClosed(stream: ServerStream, complete: boolean): void;
}

/** One request and its response, on the server's side. */
export class ServerStream extends Http2Stream implements ResponseEncoder {
  readonly #connection: ServerStreamOwner;
  #decoder: RequestDecoder | null = null;
  #refused = false; // the head was: the rest of the request is dropped
  #upgrade = false; // an extended CONNECT: the HTTP/1.1 answer 101 is 200 on the wire

  constructor(owner: ServerStreamOwner, streamId: number, sendWindow: number) {
    super(owner, streamId, sendWindow);
    this.#connection = owner;
  }

  protected override get sink(): MessageSink | null {
    return this.#decoder;
  }

  /** Sets who takes the request. */
  attach(decoder: RequestDecoder): void {
    this.#decoder = decoder;
  }

  /** The request's head arrived. */
  onHead(head: RequestHead, endStream: boolean, contentLength: number, upgrade: boolean): void {
    this.#upgrade = upgrade;
    this.tunnel = upgrade || head.method === 'CONNECT';
    if (!this.tunnel) this.expectedOctets = contentLength;
    if (endStream && !this.endWithoutBody()) {
      this.malformed(Details.MessagingRule);
      return;
    }
    this.#decoder!.decodeHeaders(head, endStream);
    this.afterHead();
  }

  /** The request's head is refused: the owner answers it, and what follows on the stream is dropped. */
  onRefusedHead(status: number, details: string, endStream: boolean): void {
    const decoder = this.#decoder!;
    this.#refused = true;
    this.remoteEnded = endStream;
    decoder.onBadRequest(status, details);
    this.afterHead();
  }

  override onData(chunk: Uint8Array, endStream: boolean): void {
    if (!this.#refused) {
      super.onData(chunk, endStream);
      return;
    }
    this.consumed(chunk.length);
    this.remoteEnded = endStream;
    this.afterHead();
  }

  override onTrailers(trailers: HeaderMap): void {
    if (!this.#refused) {
      super.onTrailers(trailers);
      return;
    }
    this.remoteEnded = true;
    this.afterHead();
  }

  encodeInformational(head: ResponseHead): void {
    if (this.closed || this.localEnding || head.status === 101) return;
    this.wireOctetsSent += this.#connection.writeResponseHead(this.streamId, head.status, head.headers.entries, false);
  }

  encodeHeaders(head: ResponseHead, endStream: boolean): EncodeStatus {
    let status = head.status;
    if (!(status >= 100 && status <= 999)) return EncodeStatus.MissingRequired;
    if (this.closed || this.localEnding) return EncodeStatus.Ok;
    if (status === 101) {
      if (!this.#upgrade) return EncodeStatus.Invalid;
      status = 200;
    } else if (this.tunnel && (status < 200 || status > 299)) {
      this.tunnel = false; // refused: from here on an ordinary response
    }
    this.wireOctetsSent += this.#connection.writeResponseHead(this.streamId, status, head.headers.entries, endStream);
    if (endStream) this.endWithHead();
    return EncodeStatus.Ok;
  }

  closeAfterResponse(): void {}

  protected override onLocalEnd(): void {
    if (!this.remoteEnded && !this.tunnel && !this.closed) {
      // The response is complete before the request: its rest is not wanted. RFC 9113 section 8.1.
      this.owner.writeReset(this.streamId, ErrorCode.NoError);
      this.close(true);
      return;
    }
    super.onLocalEnd();
  }

  protected override onClosed(complete: boolean): void {
    if (complete) this.dropUndelivered();
    this.#connection.onStreamClosed(this, complete);
  }

  protected override onLateDelivery(): void {}

  protected override defaultResetCode(): ErrorCode {
    return this.localEnded ? ErrorCode.NoError : ErrorCode.InternalError;
  }
}
