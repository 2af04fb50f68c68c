import type { MessageSink, ResetReason, ServerCodec, ServerCodecCallbacks } from '../codec.ts';
import { HeadKind } from './head-reader.ts';
import { ScanResult } from './head-scanner.ts';
import { Http1Codec, type Http1Connection, Phase, scanner } from './http1-codec.ts';
import { errorDetails, errorStatus, Http1Error } from './http1-error.ts';
import { defaultHttp1Options, type Http1Options } from './http1-options.ts';
import type { Http1Stream } from './http1-stream.ts';
import { BodyKind, RequestParser } from './request-parser.ts';
import { RequestKind } from './response-parser.ts';
import { Http1ServerStream } from './server-stream.ts';

/** Shared by all connections: nothing is called between a parse and the use of its result. */
const parser = new RequestParser();

/**
 * The server side of an HTTP/1.1 or HTTP/1.0 connection. RFC 9112. Requests are taken one at a time: what a client
 * pipelines waits until the response before it has ended. A request that breaks a rule is answered with an error and
 * ends the connection; nothing of a doubtful head is ever passed on.
 */
export class Http1ServerCodec extends Http1Codec implements ServerCodec {
  readonly #callbacks: ServerCodecCallbacks;
  #stream: Http1ServerStream | null = null; // `active`, by its own type
  #ended = false;

  constructor(
    connection: Http1Connection,
    callbacks: ServerCodecCallbacks,
    options: Http1Options = defaultHttp1Options,
  ) {
    super(connection, options, Phase.Head);
    this.#callbacks = callbacks;
  }

  get closing(): boolean {
    return this.active === null && (this.#ended || this.goingAway);
  }

  /** Whether the next response is the last. */
  get lastResponse(): boolean {
    return this.goingAway;
  }

  messageSent(stream: Http1Stream): void {
    if (stream !== this.#stream) return;
    if (stream.outKind === BodyKind.Tunnel) {
      this.connection.endWrite();
      if (stream.inDone) this.#complete(this.#stream);
      return;
    }
    this.#complete(this.#stream);
  }

  override onConnectionAboveWriteBufferHighWatermark(): void {
    this.outputFull = true;
    super.onConnectionAboveWriteBufferHighWatermark();
  }

  override onConnectionBelowWriteBufferLowWatermark(): void {
    this.outputFull = false;
    super.onConnectionBelowWriteBufferLowWatermark();
    this.resume();
  }

  /** The response to an upgrade or CONNECT said yes: what follows is the tunnel. */
  openTunnel(): void {
    this.startBody(BodyKind.Tunnel, 0);
    this.resume();
  }

  /** A stream was reset from this side: the connection can carry nothing more. */
  streamReset(stream: Http1ServerStream): void {
    this.detach(stream);
    this.#stream = null;
    this.#end();
  }

  protected sink(): MessageSink | null {
    return this.#stream === null ? null : this.#stream.decoder;
  }

  protected readHead(chunk: Uint8Array, at: number): number {
    let start = at;
    if (!this.reader.hasPartial) {
      // Empty lines before a request line are ignored: RFC 9112 section 2.2.
      while (start + 1 < chunk.length && chunk[start] === 0x0d && chunk[start + 1] === 0x0a) start += 2;
      if (start === chunk.length) return start;
    }
    const result = this.reader.read(HeadKind.Request, chunk, start);
    if (result === ScanResult.Incomplete) {
      if (this.#stream === null && this.reader.hasBegun) this.#begin();
      return chunk.length;
    }
    if (result === ScanResult.Failed) {
      this.minorVersion = 1;
      return this.malformed(scanner.error);
    }
    const next = this.reader.next;
    const headOctets = scanner.end - scanner.start;
    const error = parser.parse(scanner, this.reader.bytes, this.options);
    const { head, body, bodyOctets, persistent } = parser;
    this.minorVersion = parser.minorVersion;
    parser.release();
    this.reader.release();
    const stream = this.#stream ?? this.#begin();
    stream.minorVersion = this.minorVersion;
    if (error !== Http1Error.None) return this.malformed(error);
    stream.wireOctetsReceived = headOctets;
    stream.persistent = persistent;
    if (body === BodyKind.Tunnel) stream.kind = head.method === 'CONNECT' ? RequestKind.Connect : RequestKind.Upgrade;
    else if (head.method === 'HEAD') stream.kind = RequestKind.Head;
    if (body === BodyKind.Length || body === BodyKind.Chunked) this.startBody(body, bodyOctets);
    else this.phase = Phase.Blocked;
    stream.inDone = body === BodyKind.None;
    stream.decoder.decodeHeaders(head, stream.inDone);
    return next;
  }

  protected malformed(error: Http1Error): number {
    const stream = this.#stream ?? this.#begin();
    const { decoder } = stream;
    this.phase = Phase.Dead;
    this.reader.reset();
    stream.closeAfter = true;
    const details = errorDetails[error]!;
    if (!stream.headSent) {
      decoder.onBadRequest(errorStatus[error]!, details);
    } else {
      this.streamReset(stream);
      decoder.onResetStream('protocol_error', details);
    }
    return -1;
  }

  protected messageEnds(): void {
    this.phase = Phase.Blocked;
  }

  protected messageReceived(stream: Http1Stream): void {
    if (stream === this.#stream && stream.outDone) this.#complete(this.#stream);
  }

  protected remoteClosed(): void {
    const stream = this.#stream;
    if (stream !== null && this.phase === Phase.Body && this.bodyKind === BodyKind.Tunnel) this.endOfInput(stream);
    else this.abort('remote_reset', 'downstream_remote_disconnect');
  }

  protected abort(reason: ResetReason, details: string): void {
    const stream = this.#stream;
    this.#end();
    if (stream === null) return;
    this.detach(stream);
    this.#stream = null;
    stream.decoder.onResetStream(reason, details);
  }

  #begin(): Http1ServerStream {
    const stream = new Http1ServerStream(this, this.nextStreamId++);
    this.active = stream;
    this.#stream = stream;
    stream.decoder = this.#callbacks.newStream(stream);
    return stream;
  }

  /** The response has ended. If the request has not, the rest of it would have to be thrown away: close instead. */
  #complete(stream: Http1ServerStream): void {
    this.detach(stream);
    this.#stream = null;
    const last = stream.closeAfter || stream.broken || !stream.inDone || stream.outKind === BodyKind.Tunnel;
    if (last || this.goingAway || this.phase === Phase.Dead) this.#end();
    else this.phase = Phase.Head;
    this.#callbacks.onStreamComplete(stream);
    if (this.phase === Phase.Head) this.resume();
  }

  #end(): void {
    this.#ended = true;
    this.phase = Phase.Dead;
    this.reader.reset();
    this.resume(); // drops what is held
  }
}
