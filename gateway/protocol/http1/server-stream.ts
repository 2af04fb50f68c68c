import { EncodeStatus, type RequestDecoder, type ResetReason, type ResponseEncoder } from '../codec.ts';
import type { HeaderMap } from '../headers/header-map.ts';
import type { RequestHead, ResponseHead } from '../headers/message-head.ts';
import { HeadWriter } from './head-writer.ts';
import type { Http1ServerCodec } from './http1-server-codec.ts';
import { Http1Stream } from './http1-stream.ts';
import { BodyKind } from './request-parser.ts';
import { RequestKind } from './response-parser.ts';

const lowerWriter = new HeadWriter(false);
const properWriter = new HeadWriter(true);

/** One request and its response on a server connection. */
export class Http1ServerStream extends Http1Stream implements ResponseEncoder {
  /** Receives the request; set right after construction. */
  decoder: RequestDecoder = noDecoder;
  /** Filled in when the head of the request is known. */
  kind: RequestKind = RequestKind.Plain;
  minorVersion = 1;
  persistent = true;
  /** Close the connection after this response. */
  closeAfter = false;
  readonly #codec: Http1ServerCodec;
  readonly #headWriter: HeadWriter;

  constructor(codec: Http1ServerCodec, streamId: number) {
    const writer = codec.options.headerKeyFormat === 'proper' ? properWriter : lowerWriter;
    super(codec, streamId, writer);
    this.#codec = codec;
    this.#headWriter = writer;
  }

  encodeInformational(head: ResponseHead): void {
    if (this.closed || this.headSent || head.status < 100 || head.status > 199 || head.status === 101) return;
    if (this.minorVersion === 0) return; // RFC 9110 section 15.2: not to an HTTP/1.0 client
    const writer = this.#headWriter;
    if (writer.beginResponse(this.#codec.output, head, 1, false, false) !== EncodeStatus.Ok) return;
    writer.finish();
    this.wireOctetsSent += writer.octets;
  }

  encodeHeaders(head: ResponseHead, endStream: boolean): EncodeStatus {
    const { status } = head;
    const switching = status === 101;
    if (this.closed || this.headSent) return EncodeStatus.Invalid;
    if (switching ? this.kind !== RequestKind.Upgrade : status < 200) return EncodeStatus.Invalid;
    const tunnel = switching || (this.kind === RequestKind.Connect && status < 300);
    const writer = this.#headWriter;
    const framed = !tunnel && status !== 204;
    const result = writer.beginResponse(this.#codec.output, head, this.minorVersion, framed, switching);
    if (result !== EncodeStatus.Ok) return result;
    this.headSent = true;
    if (switching) writer.putUpgrade();
    if (tunnel) this.outKind = BodyKind.Tunnel;
    else this.#frame(status, endStream);
    writer.finish();
    this.wireOctetsSent += writer.octets;
    if (tunnel) this.#codec.openTunnel();
    if (endStream) this.endMessage();
    return EncodeStatus.Ok;
  }

  closeAfterResponse(): void {
    this.closeAfter = true;
  }

  resetStream(_reason: ResetReason): void {
    if (!this.closed) this.#codec.streamReset(this);
  }

  /** Chooses how the body is delimited (RFC 9112 section 6) and whether the connection goes on, and writes the lines. */
  #frame(status: number, endStream: boolean): void {
    const writer = this.#headWriter;
    const { contentLength } = writer;
    const bodiless = this.kind === RequestKind.Head || status === 204 || status === 304;
    const refusedTunnel = this.kind >= RequestKind.Connect;
    const cut = !this.inDone; // what is left of the request may have to be thrown away: as Envoy, say so early
    if (writer.close || !this.persistent || refusedTunnel || cut || this.#codec.lastResponse) this.closeAfter = true;
    const untilClose = !bodiless && contentLength < 0 && !endStream && this.minorVersion === 0;
    if (untilClose) this.closeAfter = true;
    if (this.closeAfter) writer.putClose();
    else if (this.minorVersion === 0) writer.putKeepAlive();
    if (bodiless) return;
    if (contentLength >= 0) {
      this.outKind = BodyKind.Length;
      this.outRemaining = contentLength;
    } else if (endStream) {
      writer.putLengthZero();
    } else if (untilClose) {
      this.outKind = BodyKind.UntilClose;
    } else {
      this.outKind = BodyKind.Chunked;
      writer.putChunked();
    }
  }
}

/** Stands in until the owner has given its decoder. */
const noDecoder: RequestDecoder = {
  decodeHeaders(_head: RequestHead, _endStream: boolean): void {},
  decodeData(_chunk: Uint8Array, _endStream: boolean): void {},
  decodeTrailers(_trailers: HeaderMap): void {},
  onBadRequest(_status: number, _details: string): void {},
  onResetStream(_reason: ResetReason, _details: string): void {},
  onAboveWriteBufferHighWatermark(): void {},
  onBelowWriteBufferLowWatermark(): void {},
};
