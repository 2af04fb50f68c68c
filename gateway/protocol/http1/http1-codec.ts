import { ByteQueue } from '#gateway/base/byte-queue.ts';
import type { OutputBuffer } from '#gateway/base/output-buffer.ts';
import type { TurnTask } from '#gateway/runtime/turn.ts';
import type { ResetReason } from '../codec.ts';
import { type Codec, type CodecConnection, DispatchStatus, type MessageSink, type Protocol } from '../codec.ts';
import type { HeaderMap } from '../headers/header-map.ts';
import { ChunkParser, ChunkState } from './chunk-parser.ts';
import { HeadKind, HeadReader } from './head-reader.ts';
import { HeadScanner, ScanResult } from './head-scanner.ts';
import { Http1Error } from './http1-error.ts';
import type { Http1Options } from './http1-options.ts';
import type { Http1Stream } from './http1-stream.ts';
import { BodyKind } from './request-parser.ts';
import { readTrailers } from './trailers.ts';

/** What an HTTP/1 codec may do to its connection: a tunnel closes one direction at a time. */
export interface Http1Connection extends CodecConnection {
  /** Half-closes our side after what is pending. */
  endWrite(): void;
}

/**
 * What the octets that come in are.
 *
 *     Head -> Body (-> Trailers) -> Blocked -> Head     server: Blocked until the response has ended
 *     Idle -> Head -> Body (-> Trailers) -> Idle        client: Idle until the next request
 *     any  -> Dead                                      octets are discarded
 */
export const Phase = { Idle: 0, Head: 1, Body: 2, Trailers: 3, Blocked: 4, Dead: 5 } as const;
/** @see Phase */
export type Phase = (typeof Phase)[keyof typeof Phase];

/** Shared by all connections: see `HeadScanner`. */
export const scanner: HeadScanner = new HeadScanner();

const noBytes = new Uint8Array(0);

/**
 * What server and client codecs share: the reading loop, bodies, and holding octets back. Octets that come while nobody
 * may have them (the stream is read-disabled, the response to the last request is pending) are kept, with reading
 * from the socket disabled, and read on at the end of a later turn: never from within an encoder call.
 */
export abstract class Http1Codec implements Codec, TurnTask {
  readonly output: OutputBuffer;
  readonly options: Http1Options;
  protected readonly connection: Http1Connection;
  protected readonly reader: HeadReader;
  protected phase: Phase;
  protected minorVersion = 1;
  /** The open stream. */
  protected active: Http1Stream | null = null;
  protected bodyKind: BodyKind = BodyKind.None;
  protected bodyRemaining = 0;
  /** Octets follow the message that has just ended. */
  protected excess = false;
  protected goingAway = false;
  /** Server: too much waits to be written, so no further request is begun. */
  protected outputFull = false;
  protected nextStreamId = 1;
  readonly #chunks = new ChunkParser();
  readonly #held = new ByteQueue();
  #leftover: Uint8Array | null = null; // rest of the chunk that was being read; older than #held
  #holding = false;
  #paused = 0;
  #running = false;
  #scheduled = false;
  #remoteClosed = false;

  constructor(connection: Http1Connection, options: Http1Options, phase: Phase) {
    this.connection = connection;
    this.output = connection.output;
    this.options = options;
    this.phase = phase;
    this.reader = new HeadReader(scanner, options.maxHeadOctets, options.maxHeadersCount);
  }

  get protocol(): Protocol {
    return this.minorVersion === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
  }

  get activeStreams(): number {
    return this.active === null ? 0 : 1;
  }

  dispatch(chunk: Uint8Array): DispatchStatus {
    if (this.phase === Phase.Dead) return DispatchStatus.Ok;
    if (this.#holding || this.#running) {
      this.#hold(chunk);
      return DispatchStatus.Ok;
    }
    return this.#run(chunk);
  }

  onRemoteClose(): void {
    if (this.phase === Phase.Dead) return;
    if (this.#holding && this.active !== null) this.#remoteClosed = true;
    else this.remoteClosed();
  }

  onConnectionClosed(reason: ResetReason, details: string): void {
    if (this.#holding && this.#remoteClosed) this.onTurnEnd();
    this.abort(reason, details);
  }

  shutdownNotice(): void {}

  goAway(): void {
    this.goingAway = true;
  }

  ping(): void {}

  onConnectionAboveWriteBufferHighWatermark(): void {
    this.sink()?.onAboveWriteBufferHighWatermark();
  }

  onConnectionBelowWriteBufferLowWatermark(): void {
    this.sink()?.onBelowWriteBufferLowWatermark();
  }

  /** Reads on with what was held back. */
  onTurnEnd(): void {
    this.#scheduled = false;
    while (this.#holding && !this.#running) {
      const dead = this.phase === Phase.Dead;
      const empty = dead || (this.#leftover === null && this.#held.length === 0);
      if (!empty && this.#blocked) return;
      const chunk = dead ? null : (this.#leftover ?? this.#held.shift());
      this.#leftover = null;
      if (chunk === null) {
        this.#held.clear();
        this.#holding = false;
        this.connection.readDisable(false);
        if (this.#remoteClosed) {
          this.#remoteClosed = false;
          if (!dead) this.remoteClosed();
        }
        return;
      }
      this.#run(chunk);
    }
  }

  /** Counts a stream's read-disable. */
  pause(disable: boolean): void {
    this.#paused += disable ? 1 : -1;
    this.connection.readDisable(disable);
    if (this.#paused === 0) this.resume();
  }

  /** A stream's own message has ended. */
  abstract messageSent(stream: Http1Stream): void;
  /** Resets what is open and reads nothing more. */
  protected abstract abort(reason: ResetReason, details: string): void;
  /** Reads a head at `chunk[at]`; returns the first octet not read, or -1 after `malformed`. */
  protected abstract readHead(chunk: Uint8Array, at: number): number;
  /** Refuses what is being read; returns -1. */
  protected abstract malformed(error: Http1Error): number;
  /** The peer's message ends with the next call to its sink: set the state that follows. */
  protected abstract messageEnds(stream: Http1Stream): void;
  /** The peer's message has ended and its sink knows. */
  protected abstract messageReceived(stream: Http1Stream): void;
  /** The peer has half-closed and all it sent has been read. */
  protected abstract remoteClosed(): void;
  /** Whoever receives the open stream's message. */
  protected abstract sink(): MessageSink | null;

  /** Starts reading a body. */
  protected startBody(kind: BodyKind, octets: number): void {
    this.bodyKind = kind;
    this.bodyRemaining = octets;
    this.phase = Phase.Body;
    if (kind === BodyKind.Chunked) this.#chunks.reset();
  }

  /** Undoes what a stream that ends has disabled, and detaches it. */
  protected detach(stream: Http1Stream): void {
    stream.closed = true;
    this.active = null;
    while (stream.readDisables > 0) {
      stream.readDisables--;
      this.#paused--;
      this.connection.readDisable(false);
    }
  }

  /** Sees to it that held octets are read on. */
  protected resume(): void {
    if (!this.#holding || this.#running || this.#scheduled) return;
    this.#scheduled = true;
    this.options.atTurnEnd(this);
  }

  /** Ends the peer's message without further octets: a close-delimited body or a tunnel. */
  protected endOfInput(stream: Http1Stream): void {
    const sink = this.sink();
    this.excess = false;
    stream.inDone = true;
    this.messageEnds(stream);
    sink?.decodeData(noBytes, true);
    this.messageReceived(stream);
  }

  /** Whether nobody may have the next octets. */
  get #blocked(): boolean {
    return this.#paused > 0 || this.phase === Phase.Blocked || (this.outputFull && this.phase === Phase.Head);
  }

  #run(chunk: Uint8Array): DispatchStatus {
    const end = chunk.length;
    let at = 0;
    this.#running = true;
    while (at < end && this.phase !== Phase.Dead) {
      if (this.#blocked) {
        this.#leftover = at === 0 ? chunk : chunk.subarray(at);
        this.#startHolding();
        break;
      }
      if (this.phase === Phase.Body) at = this.#readBody(chunk, at);
      else if (this.phase === Phase.Trailers) at = this.#readTrailers(chunk, at);
      else at = this.readHead(chunk, at);
      if (at === -1) {
        this.#running = false;
        return DispatchStatus.ProtocolError;
      }
    }
    this.#running = false;
    return DispatchStatus.Ok;
  }

  #hold(chunk: Uint8Array): void {
    this.#held.push(chunk);
    this.#startHolding();
  }

  #startHolding(): void {
    if (this.#holding) return;
    this.#holding = true;
    this.connection.readDisable(true);
  }

  #readBody(chunk: Uint8Array, at: number): number {
    const stream = this.active!;
    const sink = this.sink()!;
    const available = chunk.length - at;
    switch (this.bodyKind) {
      case BodyKind.Length: {
        const taken = Math.min(this.bodyRemaining, available);
        const piece = taken === chunk.length ? chunk : chunk.subarray(at, at + taken);
        stream.wireOctetsReceived += taken;
        this.bodyRemaining -= taken;
        if (this.bodyRemaining > 0) {
          sink.decodeData(piece, false);
          return at + taken;
        }
        this.#messageEnds(stream, chunk, at + taken);
        sink.decodeData(piece, true);
        this.messageReceived(stream);
        return at + taken;
      }
      case BodyKind.Chunked:
        return this.#readChunks(stream, sink, chunk, at);
      default:
        stream.wireOctetsReceived += available;
        sink.decodeData(at === 0 ? chunk : chunk.subarray(at), false);
        return chunk.length;
    }
  }

  #readChunks(stream: Http1Stream, sink: MessageSink, chunk: Uint8Array, at: number): number {
    const chunks = this.#chunks;
    if (chunks.state === ChunkState.Data) {
      const taken = Math.min(chunks.remaining, chunk.length - at);
      chunks.remaining -= taken;
      if (chunks.remaining === 0) chunks.dataEnded();
      stream.wireOctetsReceived += taken;
      sink.decodeData(taken === chunk.length ? chunk : chunk.subarray(at, at + taken), false);
      return at + taken;
    }
    const next = chunks.read(chunk, at, chunk.length);
    stream.wireOctetsReceived += next - at;
    if (chunks.state === ChunkState.Failed) return this.malformed(Http1Error.Syntax);
    if (chunks.state === ChunkState.Trailers) this.phase = Phase.Trailers;
    return next;
  }

  #readTrailers(chunk: Uint8Array, at: number): number {
    const stream = this.active!;
    const sink = this.sink()!;
    let trailers: HeaderMap | null = null;
    let next = at + 2;
    if (this.reader.hasPartial || next > chunk.length || chunk[at] !== 0x0d || chunk[at + 1] !== 0x0a) {
      const result = this.reader.read(HeadKind.Trailers, chunk, at);
      if (result === ScanResult.Incomplete) {
        stream.wireOctetsReceived += chunk.length - at;
        return chunk.length;
      }
      if (result === ScanResult.Failed) return this.malformed(trailerError(scanner.error));
      next = this.reader.next;
      if (this.options.enableTrailers) trailers = readTrailers(scanner, this.reader.bytes);
      this.reader.release();
    }
    stream.wireOctetsReceived += next - at;
    this.#messageEnds(stream, chunk, next);
    if (trailers !== null) sink.decodeTrailers(trailers);
    else sink.decodeData(noBytes, true);
    this.messageReceived(stream);
    return next;
  }

  #messageEnds(stream: Http1Stream, chunk: Uint8Array, next: number): void {
    this.excess = next < chunk.length || this.#held.length > 0;
    stream.inDone = true;
    this.messageEnds(stream);
  }
}

function trailerError(error: Http1Error): Http1Error {
  if (error === Http1Error.HeadersTooLarge) return Http1Error.TrailersTooLarge;
  return error === Http1Error.TooManyHeaders ? Http1Error.TooManyTrailers : error;
}
