import { ByteQueue } from '#gateway/base/byte-queue.ts';
import { EncodeStatus, type RequestEncoder, type ResetReason, type ResponseDecoder } from '../codec.ts';
import { hasListToken } from '../headers/characters.ts';
import type { HeaderMap } from '../headers/header-map.ts';
import type { RequestHead } from '../headers/message-head.ts';
import { HeadWriter } from './head-writer.ts';
import type { Http1ClientCodec } from './http1-client-codec.ts';
import { Http1Stream } from './http1-stream.ts';
import { BodyKind } from './request-parser.ts';
import { RequestKind } from './response-parser.ts';

const lowerWriter = new HeadWriter(false);
const properWriter = new HeadWriter(true);
const noBytes = new Uint8Array(0);

/** Octets for a tunnel that is not open yet, from which on their sender is told to wait. */
const maxEarlyOctets = 64 * 1024;

/**
 * One request and its response on a client connection. What is meant for a tunnel waits here until the server has agreed
 * to one: sent earlier, a server that refuses could take it for the next request.
 */
export class Http1ClientStream extends Http1Stream implements RequestEncoder {
  readonly decoder: ResponseDecoder;
  kind: RequestKind = RequestKind.Plain;
  /** Our request said `connection: close`. */
  closeAfter = false;
  readonly #codec: Http1ClientCodec;
  readonly #headWriter: HeadWriter;
  #early: ByteQueue | null = null;
  #earlyEnd = false;
  #earlyFull = false;

  constructor(codec: Http1ClientCodec, streamId: number, decoder: ResponseDecoder) {
    const writer = codec.options.headerKeyFormat === 'proper' ? properWriter : lowerWriter;
    super(codec, streamId, writer);
    this.#codec = codec;
    this.#headWriter = writer;
    this.decoder = decoder;
  }

  override get bufferedOctets(): number {
    return this.#early === null ? 0 : this.#early.length;
  }

  encodeHeaders(head: RequestHead, endStream: boolean): EncodeStatus {
    if (this.closed || this.headSent) return EncodeStatus.Invalid;
    const { options, output } = this.#codec;
    const writer = this.#headWriter;
    const kind = requestKind(head);
    const tunnel = kind >= RequestKind.Connect;
    const upgrade = kind === RequestKind.Upgrade;
    const result = writer.beginRequest(output, head, options.sendFullyQualifiedUrl, !tunnel, upgrade);
    if (result !== EncodeStatus.Ok) return result;
    this.kind = kind;
    this.headSent = true;
    if (upgrade) writer.putUpgrade();
    else if (writer.close) {
      writer.putClose();
      this.closeAfter = true;
    }
    if (tunnel) {
      this.outKind = BodyKind.Tunnel;
      this.#early = new ByteQueue();
    } else if (writer.contentLength >= 0) {
      this.outKind = BodyKind.Length;
      this.outRemaining = writer.contentLength;
    } else if (!endStream) {
      this.outKind = BodyKind.Chunked;
      writer.putChunked();
    } else if (anticipatesBody(head.method)) {
      writer.putLengthZero();
    }
    writer.finish();
    this.wireOctetsSent += writer.octets;
    if (endStream && tunnel) this.#earlyEnd = true;
    else if (endStream) this.endMessage();
    return EncodeStatus.Ok;
  }

  override encodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.#early === null) {
      super.encodeData(chunk, endStream);
      return;
    }
    if (this.closed || this.outDone || this.#earlyEnd) return;
    this.#early.push(chunk);
    this.#earlyEnd = endStream;
    if (this.#early.length > maxEarlyOctets && !this.#earlyFull) {
      this.#earlyFull = true;
      this.decoder.onAboveWriteBufferHighWatermark();
    }
  }

  override encodeTrailers(trailers: HeaderMap): void {
    if (this.#early === null) super.encodeTrailers(trailers);
    else this.encodeData(noBytes, true);
  }

  resetStream(_reason: ResetReason): void {
    if (!this.closed) this.#codec.streamReset(this);
  }

  /** The server agreed: sends what waited. */
  openTunnel(): void {
    const early = this.#early;
    this.#early = null;
    if (early === null) return;
    for (let chunk = early.shift(); chunk !== null; chunk = early.shift()) this.writeBody(chunk);
    if (this.#earlyEnd) this.endMessage();
    else if (this.#earlyFull) this.decoder.onBelowWriteBufferLowWatermark();
  }
}

function requestKind(head: RequestHead): RequestKind {
  if (head.method === 'CONNECT') return RequestKind.Connect;
  const connection = head.headers.get('connection');
  if (connection !== null && hasListToken(connection, 'upgrade') && head.headers.has('upgrade')) {
    return RequestKind.Upgrade;
  }
  return head.method === 'HEAD' ? RequestKind.Head : RequestKind.Plain;
}

/**
 * Whether a request of this method without a body says so: all but those whose semantics give a body no meaning. RFC 9110
 * section 8.6; the same list as Envoy's.
 */
function anticipatesBody(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD' && method !== 'DELETE' && method !== 'TRACE' && method !== 'CONNECT';
}
