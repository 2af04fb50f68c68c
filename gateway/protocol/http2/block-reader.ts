import { type FieldSink, HpackDecoder, HpackStatus } from '../hpack/decoder.ts';
import { ErrorCode } from './error-code.ts';
import { FrameFlag, frameHeadOctets } from './frame.ts';
import { HeadersReader } from './frames/headers.ts';
import type { Http2Options } from './options.ts';
import { discardedFields } from './trailers-builder.ts';

/** Octets, above the header limit, that an incomplete field may hold back between two frames. */
const slackOctets = 16_384;
const defaultTableOctets = 4096; // what the peer may use until it has acknowledged our settings
const empty = new Uint8Array(0);

/**
 * Reads a header block that may be spread over HEADERS and CONTINUATION frames. Complete fields are decoded frame by
 * frame, so that what is held is at most one field, however long the block. RFC 9113 section 4.3.
 */
export class BlockReader {
  readonly decoder: HpackDecoder;
  readonly #headers = new HeadersReader();
  readonly #maxHeldOctets: number;
  #held: Uint8Array = empty;
  /** Stream whose block is not complete; 0 for none. */
  streamId = 0;
  endStream = false;
  selfDependent = false;
  /** Octets of the block's frames so far, their heads included. */
  wireOctets = 0;
  sink: FieldSink = discardedFields;

  constructor(options: Http2Options) {
    this.decoder = new HpackDecoder(Math.max(defaultTableOctets, options.hpackTableOctets));
    this.#maxHeldOctets = options.maxHeaderOctets + slackOctets;
  }

  /** Takes the payload of a HEADERS frame apart. */
  open(buf: Uint8Array, at: number, length: number, flags: number, streamId: number): ErrorCode {
    const error = this.#headers.read(buf, at, length, flags, streamId);
    if (error !== ErrorCode.NoError) return error;
    this.streamId = streamId;
    this.wireOctets = frameHeadOctets + length;
    this.endStream = (flags & FrameFlag.EndStream) !== 0;
    this.selfDependent = this.#headers.selfDependent;
    this.decoder.beginBlock();
    return ErrorCode.NoError;
  }

  /** Where the block begins in the frame opened last, and where it ends. */
  get start(): number {
    return this.#headers.blockStart;
  }

  get end(): number {
    return this.#headers.blockEnd;
  }

  get isEmpty(): boolean {
    return this.#headers.blockStart === this.#headers.blockEnd;
  }

  /** Decodes the next part of the block. `EnhanceYourCalm`: one field is larger than any limit. */
  read(buf: Uint8Array, at: number, end: number, endHeaders: boolean): ErrorCode {
    let octets = buf;
    let start = at;
    let stop = end;
    if (this.#held.length > 0) {
      octets = new Uint8Array(this.#held.length + end - at);
      octets.set(this.#held);
      octets.set(buf.subarray(at, end), this.#held.length);
      start = 0;
      stop = octets.length;
      this.#held = empty;
    }
    const status = this.decoder.decode(octets, start, stop, this.sink);
    if (endHeaders) {
      this.streamId = 0;
      this.sink = discardedFields;
      return status === HpackStatus.Ok ? ErrorCode.NoError : ErrorCode.CompressionError;
    }
    if (status === HpackStatus.Ok) return ErrorCode.NoError;
    if (status !== HpackStatus.Incomplete) return ErrorCode.CompressionError;
    if (stop - this.decoder.at > this.#maxHeldOctets) return ErrorCode.EnhanceYourCalm;
    this.#held = octets.slice(this.decoder.at, stop);
    return ErrorCode.NoError;
  }
}
