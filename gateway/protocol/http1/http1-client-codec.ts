import type {
  ClientCodec,
  ClientCodecCallbacks,
  MessageSink,
  RequestEncoder,
  ResetReason,
  ResponseDecoder,
} from '../codec.ts';
import { Http1ClientStream } from './client-stream.ts';
import { HeadKind } from './head-reader.ts';
import { ScanResult } from './head-scanner.ts';
import { Http1Codec, type Http1Connection, Phase, scanner } from './http1-codec.ts';
import { errorDetails, Http1Error } from './http1-error.ts';
import { defaultHttp1Options, type Http1Options } from './http1-options.ts';
import type { Http1Stream } from './http1-stream.ts';
import { BodyKind } from './request-parser.ts';
import { RequestKind, ResponseParser } from './response-parser.ts';

/** Shared by all connections: nothing is called between a parse and the use of its result. */
const parser = new ResponseParser();

/**
 * The client side of an HTTP/1.1 connection: one request at a time. RFC 9112. A response that breaks a rule, or octets
 * that nobody asked for, end the connection.
 */
export class Http1ClientCodec extends Http1Codec implements ClientCodec {
  readonly #callbacks: ClientCodecCallbacks;
  #stream: Http1ClientStream | null = null; // `active`, by its own type
  #persistent = true;

  constructor(
    connection: Http1Connection,
    callbacks: ClientCodecCallbacks,
    options: Http1Options = defaultHttp1Options,
  ) {
    super(connection, options, Phase.Idle);
    this.#callbacks = callbacks;
  }

  newStream(decoder: ResponseDecoder): RequestEncoder {
    const stream = new Http1ClientStream(this, this.nextStreamId++, decoder);
    if (this.phase !== Phase.Idle) {
      stream.closed = true; // the owner was wrong: this connection has no room
      return stream;
    }
    this.active = stream;
    this.#stream = stream;
    this.phase = Phase.Head;
    return stream;
  }

  messageSent(stream: Http1Stream): void {
    if (stream.outKind === BodyKind.Tunnel) {
      this.connection.endWrite();
      if (stream.inDone && stream === this.#stream) this.#complete(this.#stream);
    } else if (stream.broken && stream === this.#stream) {
      // The request is shorter than it said: no answer to it would mean anything.
      this.abort('local_reset', 'http1.request_incomplete');
    }
  }

  /** A stream was reset from this side: the connection can carry nothing more. */
  streamReset(stream: Http1ClientStream): void {
    this.#end();
    this.detach(stream);
    this.#stream = null;
    this.#callbacks.onStreamClosed(stream, false);
  }

  protected sink(): MessageSink | null {
    return this.#stream === null ? null : this.#stream.decoder;
  }

  protected readHead(chunk: Uint8Array, at: number): number {
    const stream = this.#stream;
    if (stream === null || !stream.headSent) return this.malformed(Http1Error.Syntax); // nobody asked
    const result = this.reader.read(HeadKind.Response, chunk, at);
    if (result === ScanResult.Incomplete) return chunk.length;
    if (result === ScanResult.Failed) return this.malformed(scanner.error);
    const next = this.reader.next;
    const headOctets = scanner.end - scanner.start;
    const error = parser.parse(scanner, this.reader.bytes, this.options, stream.kind);
    const { head, body, bodyOctets, persistent } = parser;
    this.minorVersion = parser.minorVersion;
    parser.release();
    this.reader.release();
    if (error !== Http1Error.None) return this.malformed(error);
    stream.wireOctetsReceived += headOctets;
    const { decoder } = stream;
    if (head.status < 200 && head.status !== 101) {
      decoder.decodeInformational(head);
      return next;
    }
    this.#persistent = persistent;
    if (body !== BodyKind.None) {
      this.startBody(body, bodyOctets);
      if (body === BodyKind.Tunnel) {
        stream.openTunnel();
        if (stream.closed) return next;
      }
      decoder.decodeHeaders(head, false);
      return next;
    }
    this.excess = next < chunk.length;
    stream.inDone = true;
    this.phase = Phase.Idle;
    decoder.decodeHeaders(head, true);
    this.messageReceived(stream);
    return next;
  }

  protected malformed(error: Http1Error): number {
    this.abort('protocol_error', errorDetails[error]!);
    return -1;
  }

  protected messageEnds(): void {
    this.phase = Phase.Idle;
  }

  protected messageReceived(stream: Http1Stream): void {
    if (stream !== this.#stream) return;
    if (stream.outKind === BodyKind.Tunnel && this.bodyKind === BodyKind.Tunnel && !stream.outDone) return;
    this.#complete(this.#stream);
  }

  protected remoteClosed(): void {
    const stream = this.#stream;
    const untilClose = this.bodyKind === BodyKind.UntilClose || this.bodyKind === BodyKind.Tunnel;
    if (stream !== null && this.phase === Phase.Body && untilClose) {
      this.#persistent = false;
      this.endOfInput(stream);
    } else if (stream === null || !stream.inDone) {
      this.abort('connection_termination', 'upstream_remote_close');
    }
  }

  protected abort(reason: ResetReason, details: string): void {
    const stream = this.#stream;
    this.#end();
    if (stream === null) return;
    this.detach(stream);
    this.#stream = null;
    stream.decoder.onResetStream(reason, details);
    this.#callbacks.onStreamClosed(stream, false);
  }

  /** The response has ended. If the request has not, the rest of it has nobody to go to: the connection is spent. */
  #complete(stream: Http1ClientStream): void {
    this.detach(stream);
    this.#stream = null;
    const tunnel = stream.kind >= RequestKind.Connect;
    const spent = tunnel || stream.broken || stream.closeAfter || !stream.outDone;
    const reusable = this.#persistent && !this.excess && !spent && !this.goingAway;
    if (!reusable && !this.excess) this.#end();
    this.#callbacks.onStreamClosed(stream, reusable);
  }

  #end(): void {
    this.phase = Phase.Dead;
    this.reader.reset();
    this.resume(); // drops what is held
  }
}
