import type { ResetReason, StreamEncoder } from '../codec.ts';
import type { HeaderMap } from '../headers/header-map.ts';
import { writeChunkFrame, writeLastChunk, writeTrailerStart } from './body-writer.ts';
import type { HeadWriter } from './head-writer.ts';
import type { Http1Codec } from './http1-codec.ts';
import { BodyKind } from './request-parser.ts';

/**
 * One exchange on an HTTP/1 connection, seen from its sending side: what server and client streams share. The codec that
 * made it reads and sets the fields; others use the `StreamEncoder` part only.
 */
export abstract class Http1Stream implements StreamEncoder {
  readonly streamId: number;
  wireOctetsReceived = 0;
  wireOctetsSent = 0;
  /** How the message being sent is delimited. */
  outKind: BodyKind = BodyKind.None;
  /** Octets still to be sent of a body of kind `Length`. */
  outRemaining = 0;
  /** The final head has been written. */
  headSent = false;
  /** Our message has ended. */
  outDone = false;
  /** The peer's message has ended. */
  inDone = false;
  /** What was sent does not match the head: the connection cannot go on. */
  broken = false;
  /** Detached from the codec: complete or reset. Everything is ignored from here on. */
  closed = false;
  /** `readDisable` calls not yet undone. */
  readDisables = 0;
  protected readonly codec: Http1Codec;
  readonly #writer: HeadWriter;

  constructor(codec: Http1Codec, streamId: number, writer: HeadWriter) {
    this.codec = codec;
    this.streamId = streamId;
    this.#writer = writer;
  }

  get bufferedOctets(): number {
    return 0;
  }

  encodeData(chunk: Uint8Array, endStream: boolean): void {
    if (this.closed || this.outDone || !this.headSent) return;
    this.writeBody(chunk);
    if (!endStream) return;
    if (this.outKind === BodyKind.Chunked) this.wireOctetsSent += writeLastChunk(this.codec.output);
    this.endMessage();
  }

  encodeTrailers(trailers: HeaderMap): void {
    if (this.closed || this.outDone || !this.headSent) return;
    if (this.outKind === BodyKind.Chunked) {
      const { output, options } = this.codec;
      if (options.enableTrailers && trailers.size > 0) {
        this.wireOctetsSent += writeTrailerStart(output);
        if (this.#writer.writeTrailers(output, trailers.entries)) {
          this.wireOctetsSent += this.#writer.octets;
        } else {
          output.writeLatin1('\r\n'); // trailers that cannot be sent are left out
          this.wireOctetsSent += 2;
        }
      } else {
        this.wireOctetsSent += writeLastChunk(output);
      }
    }
    this.endMessage();
  }

  readDisable(disable: boolean): void {
    if (this.closed) return;
    this.readDisables += disable ? 1 : -1;
    this.codec.pause(disable);
  }

  abstract resetStream(reason: ResetReason): void;

  /** Writes octets of the body as its kind wants them; more than Content-Length promised are dropped. */
  protected writeBody(chunk: Uint8Array): void {
    const length = chunk.length;
    if (length === 0) return;
    switch (this.outKind) {
      case BodyKind.Chunked:
        this.wireOctetsSent += writeChunkFrame(this.codec.output, chunk);
        return;
      case BodyKind.Length:
        if (length > this.outRemaining) {
          this.broken = true;
          if (this.outRemaining > 0) this.#write(chunk.subarray(0, this.outRemaining));
          this.outRemaining = 0;
          return;
        }
        this.outRemaining -= length;
        this.#write(chunk);
        return;
      case BodyKind.None:
        return;
      default:
        this.#write(chunk);
    }
  }

  /** Our message has ended: tells the codec. */
  protected endMessage(): void {
    this.outDone = true;
    if (this.outKind === BodyKind.Length && this.outRemaining > 0) this.broken = true;
    this.codec.messageSent(this);
  }

  #write(chunk: Uint8Array): void {
    this.codec.output.writeChunk(chunk);
    this.wireOctetsSent += chunk.length;
  }
}
