import type {
  ClientCodec,
  ClientCodecCallbacks,
  CodecConnection,
  DispatchStatus,
  RequestEncoder,
  ResponseDecoder,
} from '../codec.ts';
import type { RequestHead } from '../headers/message-head.ts';
import type { FieldSink } from '../hpack/decoder.ts';
import { ClientStream, type ClientStreamOwner } from './client-stream.ts';
import { Http2Connection } from './connection.ts';
import { Details } from './details.ts';
import { ErrorCode } from './error-code.ts';
import { clientPreface, max31Bits } from './frame.ts';
import type { Http2Options } from './options.ts';
import { ResponseHeadBuilder } from './response-head-builder.ts';
import { type Http2Stats, noHttp2Stats } from './stats.ts';
import { discardedFields, TrailersBuilder } from './trailers-builder.ts';

/** What the header block under way is for. */
type BlockUse = 'response' | 'trailers' | 'closed' | 'discard';

/** The client side of one HTTP/2 connection. RFC 9113. */
export class Http2ClientCodec extends Http2Connection<ClientStream> implements ClientCodec, ClientStreamOwner {
  readonly #callbacks: ClientCodecCallbacks;
  readonly #response: ResponseHeadBuilder;
  readonly #trailers: TrailersBuilder;
  #use: BlockUse = 'discard';
  #nextStreamId = 1;
  #announcedStreams: number = Number.POSITIVE_INFINITY;
  #goAwayReceived = false;
  #ended = false;

  /** Writes the preface and the client's SETTINGS at once. */
  constructor(
    connection: CodecConnection,
    callbacks: ClientCodecCallbacks,
    options: Http2Options,
    stats: Http2Stats = noHttp2Stats,
  ) {
    super(connection, options, stats, false);
    this.#callbacks = callbacks;
    this.#response = new ResponseHeadBuilder(options);
    this.#trailers = new TrailersBuilder(options);
    this.output.writeBytes(clientPreface);
    this.sendSettings();
  }

  dispatch(chunk: Uint8Array): DispatchStatus {
    return this.readFrames(chunk, 0);
  }

  newStream(decoder: ResponseDecoder): RequestEncoder {
    return new ClientStream(this, decoder);
  }

  /** Whether the connection takes another stream: no GOAWAY, no failure, identifiers left. */
  get reusable(): boolean {
    return !this.#goAwayReceived && !this.#ended && this.failure === null && this.#nextStreamId <= max31Bits;
  }

  get takesExtendedConnect(): boolean {
    return this.peer.enableConnectProtocol;
  }

  openStream(stream: ClientStream): boolean {
    if (!this.reusable) {
      if (this.#goAwayReceived) stream.end('remote_refused_stream_reset', Details.GoAway);
      else stream.end('connection_termination', Details.ConnectionProtocol);
      return false;
    }
    stream.streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    stream.sendWindow = this.peer.initialWindowOctets;
    this.streams.add(stream);
    this.flood.streamsOpened++;
    if (this.aboveWatermark) stream.addBackPressure();
    return true;
  }

  writeRequestHead(streamId: number, method: string, head: RequestHead, protocol: string, endStream: boolean): number {
    const { path, authority } = head;
    const entries = head.headers.entries;
    const writer = this.blockWriter;
    const encoder = writer.encoder;
    const scheme = head.scheme === '' ? 'http' : head.scheme;
    this.beginHead(method.length + path.length + authority.length + scheme.length + protocol.length, entries);
    if (method === 'GET') encoder.indexed(0x82);
    else if (method === 'POST') encoder.indexed(0x83);
    else encoder.field(':method', method);
    if (method !== 'CONNECT' || protocol !== '') {
      if (scheme === 'http') encoder.indexed(0x86);
      else if (scheme === 'https') encoder.indexed(0x87);
      else encoder.field(':scheme', scheme);
      if (path === '/') encoder.indexed(0x84);
      else encoder.field(':path', path);
    }
    if (authority !== '') encoder.field(':authority', authority);
    if (protocol !== '') encoder.field(':protocol', protocol);
    writer.fields(entries);
    return writer.finish(streamId, endStream, this.peer.maxFrameOctets);
  }

  protected override isIdle(streamId: number): boolean {
    return streamId >= this.#nextStreamId || (streamId & 1) === 0;
  }

  protected override lastPeerStreamId(): number {
    return 0; // the server opens none
  }

  protected override beginBlock(streamId: number): FieldSink | null {
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (this.isIdle(streamId)) {
        this.fail(ErrorCode.ProtocolError, Details.ConnectionProtocol);
        return null;
      }
      if (!this.recentResets.has(streamId)) {
        this.fail(ErrorCode.StreamClosed, Details.ConnectionProtocol);
        return null;
      }
      this.#use = 'discard';
      return discardedFields;
    }
    if (stream.remoteEnded) {
      this.#use = 'closed';
      return discardedFields;
    }
    if (stream.headReceived) {
      this.#use = 'trailers';
      this.#trailers.reset();
      return this.#trailers;
    }
    this.#use = 'response';
    this.#response.reset();
    return this.#response;
  }

  protected override endBlock(streamId: number, endStream: boolean, selfDependent: boolean): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) return; // reset meanwhile
    stream.wireOctetsReceived += this.blockWireOctets;
    if (selfDependent) stream.malformed(Details.ConnectionProtocol);
    else if (this.#use === 'closed') stream.streamError(ErrorCode.StreamClosed, Details.MessagingRule);
    else if (this.#use === 'trailers') this.#onTrailers(stream, endStream);
    else if (this.#use === 'response') this.#onResponse(stream, endStream);
  }

  #onResponse(stream: ClientStream, endStream: boolean): void {
    const response = this.#response;
    if (response.limits.exceeded !== null) {
      this.stats.headerOverflow.inc();
      stream.streamError(ErrorCode.InternalError, response.limits.exceeded);
      return;
    }
    const head = response.finish();
    if (head === null) stream.malformed(response.malformed!);
    else stream.onHead(head, endStream, response.contentLength);
  }

  #onTrailers(stream: ClientStream, endStream: boolean): void {
    const trailers = endStream ? this.#trailers.finish() : null;
    if (trailers === null) {
      stream.malformed(this.#trailers.malformed ?? Details.MessagingRule);
      return;
    }
    this.stats.trailers.inc();
    stream.onTrailers(trailers);
  }

  onWireClosed(stream: ClientStream): void {
    this.streams.delete(stream);
  }

  onStreamClosed(stream: ClientStream): void {
    this.streams.delete(stream);
    this.#callbacks.onStreamClosed(stream, this.reusable);
  }

  protected override onPeerSettings(): void {
    if (this.peer.maxConcurrentStreams === this.#announcedStreams) return;
    this.#announcedStreams = this.peer.maxConcurrentStreams;
    this.#callbacks.onMaxConcurrentStreams(this.#announcedStreams);
  }

  protected override onPeerGoAway(errorCode: number, lastStreamId: number): void {
    this.#goAwayReceived = true;
    this.#callbacks.onGoAway(errorCode, lastStreamId);
    // The server has not touched what is above: it may be sent again elsewhere. RFC 9113 section 6.8.
    for (const stream of this.streams.snapshot()) {
      if (stream.streamId > lastStreamId) stream.end('remote_refused_stream_reset', Details.GoAway);
    }
  }

  protected override onKeepaliveAck(): void {
    this.#callbacks.onPingAck();
  }

  protected override onEnd(): void {
    this.#ended = true;
  }

  shutdownNotice(): void {}

  goAway(): void {
    this.writeGoAway(0, ErrorCode.NoError);
  }
}
