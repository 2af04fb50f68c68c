import type { CodecConnection, DispatchStatus, ServerCodec, ServerCodecCallbacks } from '../codec.ts';
import type { FieldSink } from '../hpack/decoder.ts';
import { Http2Connection } from './connection.ts';
import { Details } from './details.ts';
import { ErrorCode } from './error-code.ts';
import { clientPreface, max31Bits } from './frame.ts';
import type { Http2Options } from './options.ts';
import { RequestHeadBuilder } from './request-head-builder.ts';
import { ServerStream, type ServerStreamOwner } from './server-stream.ts';
import { type Http2Stats, noHttp2Stats } from './stats.ts';
import { statusIndex } from './status-index.ts';
import { discardedFields, TrailersBuilder } from './trailers-builder.ts';

/** What the header block under way is for. */
type BlockUse = 'request' | 'trailers' | 'refuse' | 'closed' | 'discard';

const headersTooLarge = 431; // RFC 6585 section 5

/** The server side of one HTTP/2 connection. RFC 9113. */
export class Http2ServerCodec extends Http2Connection<ServerStream> implements ServerCodec, ServerStreamOwner {
  readonly #callbacks: ServerCodecCallbacks;
  readonly #request: RequestHeadBuilder;
  readonly #trailers: TrailersBuilder;
  #use: BlockUse = 'discard';
  #prefaceLeft: number = clientPreface.length;
  #lastStreamId = 0;
  #lastAccepted: number = max31Bits; // streams above are ignored: GOAWAY said so
  #draining = false; // the final GOAWAY was sent

  /** Writes the server's SETTINGS at once. */
  constructor(
    connection: CodecConnection,
    callbacks: ServerCodecCallbacks,
    options: Http2Options,
    stats: Http2Stats = noHttp2Stats,
  ) {
    super(connection, options, stats, true);
    this.#callbacks = callbacks;
    this.#request = new RequestHeadBuilder(options, stats);
    this.#trailers = new TrailersBuilder(options);
    this.sendSettings();
  }

  dispatch(chunk: Uint8Array): DispatchStatus {
    let at = 0;
    while (this.#prefaceLeft > 0 && at < chunk.length) {
      if (chunk[at] !== clientPreface[clientPreface.length - this.#prefaceLeft]) {
        this.fail(ErrorCode.ProtocolError, Details.BadPreface);
        break;
      }
      at++;
      this.#prefaceLeft--;
    }
    return this.readFrames(chunk, at);
  }

  protected override isIdle(streamId: number): boolean {
    return streamId > this.#lastStreamId || (streamId & 1) === 0;
  }

  protected override lastPeerStreamId(): number {
    return Math.min(this.#lastStreamId, this.#lastAccepted);
  }

  protected override beginBlock(streamId: number): FieldSink | null {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) {
      if (stream.remoteEnded) return this.#discard('closed');
      this.#use = 'trailers';
      this.#trailers.reset();
      return this.#trailers;
    }
    if ((streamId & 1) === 0) {
      this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
      return null;
    }
    if (streamId <= this.#lastStreamId) {
      if (this.recentResets.has(streamId)) return this.#discard('discard');
      this.fail(ErrorCode.StreamClosed, Details.ConnectionProtocol);
      return null;
    }
    this.#lastStreamId = streamId;
    if (streamId > this.#lastAccepted) return this.#discard('discard');
    this.flood.streamsOpened++;
    if (this.streams.size >= this.options.maxConcurrentStreams) return this.#discard('refuse');
    this.#use = 'request';
    this.#request.reset();
    return this.#request;
  }

  #discard(use: BlockUse): FieldSink {
    this.#use = use;
    return discardedFields;
  }

  protected override endBlock(streamId: number, endStream: boolean, selfDependent: boolean): void {
    switch (this.#use) {
      case 'request':
        this.#onRequest(streamId, endStream, selfDependent);
        return;
      case 'trailers':
        this.#onTrailers(this.streams.get(streamId), endStream);
        return;
      case 'refuse':
        this.stats.streamRefusedErrors.inc();
        this.writeReset(streamId, ErrorCode.RefusedStream);
        return;
      case 'closed':
        this.streams.get(streamId)?.streamError(ErrorCode.StreamClosed, Details.MessagingRule);
        return;
      case 'discard':
    }
  }

  #onRequest(streamId: number, endStream: boolean, selfDependent: boolean): void {
    const request = this.#request;
    const stream = new ServerStream(this, streamId, this.peer.initialWindowOctets);
    stream.wireOctetsReceived = this.blockWireOctets;
    this.streams.add(stream);
    stream.attach(this.#callbacks.newStream(stream));
    if (this.aboveWatermark) stream.addBackPressure();
    if (selfDependent) {
      stream.malformed(Details.ConnectionProtocol);
      return;
    }
    if (request.limits.exceeded !== null) {
      this.stats.headerOverflow.inc();
      stream.onRefusedHead(headersTooLarge, request.limits.exceeded, endStream);
      return;
    }
    const head = request.finish();
    if (head === null) stream.malformed(request.malformed!);
    else stream.onHead(head, endStream, request.contentLength, request.isUpgrade);
  }

  #onTrailers(stream: ServerStream | undefined, endStream: boolean): void {
    if (stream === undefined) return; // it was reset between the frames of the block
    const trailers = endStream ? this.#trailers.finish() : null;
    if (trailers === null) {
      stream.malformed(this.#trailers.malformed ?? Details.MessagingRule);
      return;
    }
    this.stats.trailers.inc();
    stream.wireOctetsReceived += this.blockWireOctets;
    stream.onTrailers(trailers);
  }

  writeResponseHead(streamId: number, status: number, entries: readonly string[], endStream: boolean): number {
    this.beginHead(3, entries);
    const index = statusIndex[status];
    if (index !== undefined) this.blockWriter.encoder.indexed(index);
    else this.blockWriter.encoder.field(':status', String(status));
    this.blockWriter.fields(entries);
    return this.blockWriter.finish(streamId, endStream, this.peer.maxFrameOctets);
  }

  onStreamClosed(stream: ServerStream, complete: boolean): void {
    this.streams.delete(stream);
    if (!complete) return;
    this.flood.streamComplete();
    this.#callbacks.onStreamComplete(stream);
  }

  protected override onPeerSettings(): void {}

  protected override onPeerGoAway(errorCode: number): void {
    this.#callbacks.onGoAway(errorCode);
  }

  protected override onKeepaliveAck(): void {
    this.#callbacks.onPingAck();
  }

  protected override onEnd(): void {}

  shutdownNotice(): void {
    this.writeGoAway(max31Bits, ErrorCode.NoError);
  }

  get closing(): boolean {
    return this.#draining && this.streams.size === 0;
  }

  goAway(): void {
    this.#draining = true;
    this.#lastAccepted = Math.min(this.#lastAccepted, this.#lastStreamId);
    this.writeGoAway(this.#lastAccepted, ErrorCode.NoError);
  }
}
