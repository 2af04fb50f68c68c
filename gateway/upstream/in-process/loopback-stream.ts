import type {
  MessageSink,
  RequestDecoder,
  RequestEncoder,
  ResetReason,
  ResponseDecoder,
  ResponseEncoder,
  StreamEncoder,
} from '#gateway/protocol/codec.ts';
import { EncodeStatus as Encoded, type EncodeStatus } from '#gateway/protocol/codec.ts';
import type { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { atTurnEnd, type TurnTask } from '#gateway/runtime/turn.ts';

/** What one side may have said that the other has not heard, octets; beyond it that side is told to wait. */
const highWatermarkOctets = 1024 * 1024;

/** One thing said on a stream. */
type Said =
  | { readonly kind: 'head'; readonly head: RequestHead | ResponseHead; readonly end: boolean }
  | { readonly kind: 'informational'; readonly head: ResponseHead }
  | { readonly kind: 'data'; readonly chunk: Uint8Array; readonly end: boolean }
  | { readonly kind: 'trailers'; readonly trailers: HeaderMap };

/** Who takes the request of a stream. */
export interface LoopbackServer {
  newStream(encoder: ResponseEncoder): RequestDecoder;
}

/** Told when a stream is over, however. */
export interface LoopbackOwner {
  onStreamClosed(): void;
}

/**
 * A stream whose two ends are in this process: what one side encodes the other decodes at the end of the turn, as if a
 * connection lay between them.
 */
export class LoopbackStream implements TurnTask {
  readonly #owner: LoopbackOwner;
  readonly #client: ClientEnd;
  readonly #server: ServerEnd;
  #scheduled = false;
  #closed = false;

  constructor(decoder: ResponseDecoder, server: LoopbackServer, owner: LoopbackOwner) {
    this.#owner = owner;
    this.#client = new ClientEnd(this, decoder);
    this.#server = new ServerEnd(this);
    this.#server.decoder = server.newStream(this.#server);
  }

  /** What the client encodes its request with. */
  get encoder(): RequestEncoder {
    return this.#client;
  }

  onTurnEnd(): void {
    this.#scheduled = false;
    this.#pass(this.#client, this.#server);
    this.#pass(this.#server, this.#client);
    if (this.#client.drained && this.#server.drained) this.#close();
  }

  /** @internal One side said something, or listens again. */
  schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    atTurnEnd(this);
  }

  /** @internal `from` ends the stream at once. */
  reset(from: End): void {
    if (this.#closed) return;
    const other = from === this.#client ? this.#server : this.#client;
    this.#close();
    other.sink.onResetStream('remote_reset', '');
  }

  #pass(from: End, to: End): void {
    while (!this.#closed && to.paused === 0) {
      const said = from.next();
      if (said === null) return;
      to.hear(said);
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.closed = true;
    this.#server.closed = true;
    this.#owner.onStreamClosed();
  }
}

/** One end: what it encodes waits here for the other. */
abstract class End implements StreamEncoder {
  readonly streamId = 1;
  bufferedOctets = 0;
  wireOctetsReceived = 0;
  wireOctetsSent = 0;
  paused = 0;
  closed = false;
  readonly #stream: LoopbackStream;
  readonly #said: Said[] = [];
  #ended = false;
  #above = false;

  constructor(stream: LoopbackStream) {
    this.#stream = stream;
  }

  abstract get sink(): MessageSink;
  /** Passes on what the other end said. */
  abstract hear(said: Said): void;

  /** Everything was said, and heard by the other end. */
  get drained(): boolean {
    return this.#ended && this.#said.length === 0;
  }

  /** What the other end has to hear next, or null. */
  next(): Said | null {
    const said = this.#said.shift() ?? null;
    if (said !== null && said.kind === 'data') {
      this.bufferedOctets -= said.chunk.length;
      if (this.#above && this.bufferedOctets <= highWatermarkOctets / 2) {
        this.#above = false;
        this.sink.onBelowWriteBufferLowWatermark();
      }
    }
    return said;
  }

  encodeData(chunk: Uint8Array, endStream: boolean): void {
    this.bufferedOctets += chunk.length;
    this.wireOctetsSent += chunk.length;
    this.say({ kind: 'data', chunk, end: endStream }, endStream);
    if (!this.#above && this.bufferedOctets > highWatermarkOctets && !this.closed) {
      this.#above = true;
      this.sink.onAboveWriteBufferHighWatermark();
    }
  }

  encodeTrailers(trailers: HeaderMap): void {
    this.say({ kind: 'trailers', trailers }, true);
  }

  resetStream(_reason: ResetReason): void {
    this.#stream.reset(this);
  }

  readDisable(disable: boolean): void {
    this.paused += disable ? 1 : -1;
    if (this.paused === 0) this.#stream.schedule();
  }

  protected say(said: Said, end: boolean): void {
    if (this.closed || this.#ended) return;
    this.#ended = end;
    this.#said.push(said);
    this.#stream.schedule();
  }

  protected hearBody(said: Said, sink: MessageSink): void {
    if (said.kind === 'data') {
      this.wireOctetsReceived += said.chunk.length;
      sink.decodeData(said.chunk, said.end);
    } else if (said.kind === 'trailers') sink.decodeTrailers(said.trailers);
  }
}

/** The end of the gateway: encodes the request, decodes the response. */
class ClientEnd extends End implements RequestEncoder {
  readonly sink: ResponseDecoder;

  constructor(stream: LoopbackStream, decoder: ResponseDecoder) {
    super(stream);
    this.sink = decoder;
  }

  encodeHeaders(head: RequestHead, endStream: boolean): EncodeStatus {
    this.say({ kind: 'head', head, end: endStream }, endStream);
    return Encoded.Ok;
  }

  hear(said: Said): void {
    if (said.kind === 'head') this.sink.decodeHeaders(said.head as ResponseHead, said.end);
    else if (said.kind === 'informational') this.sink.decodeInformational(said.head);
    else this.hearBody(said, this.sink);
  }
}

/** The end of the service. */
class ServerEnd extends End implements ResponseEncoder {
  /** Set as soon as there is one: the service gets this end to make it. */
  decoder: RequestDecoder | null = null;

  get sink(): RequestDecoder {
    return this.decoder!;
  }

  encodeInformational(head: ResponseHead): void {
    this.say({ kind: 'informational', head }, false);
  }

  encodeHeaders(head: ResponseHead, endStream: boolean): EncodeStatus {
    this.say({ kind: 'head', head, end: endStream }, endStream);
    return Encoded.Ok;
  }

  closeAfterResponse(): void {}

  hear(said: Said): void {
    if (said.kind === 'head') this.sink.decodeHeaders(said.head as RequestHead, said.end);
    else this.hearBody(said, this.sink);
  }
}
