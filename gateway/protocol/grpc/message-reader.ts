/** Octets before every message: one of flags, four of length. gRPC over HTTP/2, "Length-Prefixed-Message". */
export const messageHeadOctets = 5;

/** Receives messages. `message` is a view of a chunk given to the reader, or a fresh array: it may be kept. */
export interface GrpcMessageSink {
  onMessage(message: Uint8Array, compressed: boolean): void;
}

/** Result of reading. `TooLarge` and `BadFlags` end the stream: RESOURCE_EXHAUSTED and INTERNAL. */
export const GrpcReadStatus = { Ok: 0, TooLarge: 1, BadFlags: 2 } as const;
/** @see GrpcReadStatus */
export type GrpcReadStatus = (typeof GrpcReadStatus)[keyof typeof GrpcReadStatus];

const empty = new Uint8Array(0);

/**
 * Cuts the body of a gRPC request or response into messages, whichever way DATA frames cut it. A message that lies in one
 * chunk is handed on where it lies; others are gathered, at most `maxOctets` of them.
 */
export class GrpcMessageReader {
  readonly #sink: GrpcMessageSink;
  readonly #maxOctets: number;
  readonly #head = new Uint8Array(messageHeadOctets);
  #headOctets = 0;
  #message: Uint8Array = empty; // gathered so far, when `#gathering`
  #messageOctets = 0;
  #gathering = false;

  constructor(sink: GrpcMessageSink, maxOctets: number) {
    this.#sink = sink;
    this.#maxOctets = maxOctets;
  }

  /** Whether the body may end here: between two messages. */
  get atBoundary(): boolean {
    return this.#headOctets === 0;
  }

  /** Octets that are held of a message that has come in part. */
  get heldOctets(): number {
    return this.#message.length;
  }

  /** Reads a chunk, which must not change afterwards. */
  read(chunk: Uint8Array): GrpcReadStatus {
    let at = 0;
    while (at < chunk.length) {
      while (this.#headOctets < messageHeadOctets && at < chunk.length) this.#head[this.#headOctets++] = chunk[at++]!;
      if (this.#headOctets < messageHeadOctets) break;
      if (this.#head[0]! > 1) return GrpcReadStatus.BadFlags;
      const length = this.#length();
      if (length > this.#maxOctets) return GrpcReadStatus.TooLarge;
      if (!this.#gathering && chunk.length - at >= length) {
        this.#hand(length === 0 ? empty : chunk.subarray(at, at + length));
        at += length;
        continue;
      }
      at = this.#gather(chunk, at, length);
    }
    return GrpcReadStatus.Ok;
  }

  #gather(chunk: Uint8Array, at: number, length: number): number {
    if (!this.#gathering) {
      this.#gathering = true;
      this.#message = empty;
      this.#messageOctets = 0;
    }
    const end = Math.min(chunk.length, at + length - this.#messageOctets);
    const octets = this.#messageOctets + end - at;
    if (this.#message.length < octets) {
      // Grows with what has arrived, not with what was announced: a peer must send what it makes us hold.
      const grown = new Uint8Array(Math.min(length, Math.max(octets * 2, 256)));
      grown.set(this.#message.subarray(0, this.#messageOctets));
      this.#message = grown;
    }
    this.#message.set(chunk.subarray(at, end), this.#messageOctets);
    this.#messageOctets = octets;
    if (octets === length) {
      const message = this.#message.length === length ? this.#message : this.#message.subarray(0, length);
      this.#gathering = false;
      this.#message = empty;
      this.#hand(message);
    }
    return end;
  }

  #hand(message: Uint8Array): void {
    const compressed = this.#head[0] === 1;
    this.#headOctets = 0;
    this.#sink.onMessage(message, compressed);
  }

  #length(): number {
    const head = this.#head;
    return ((head[1]! << 24) | (head[2]! << 16) | (head[3]! << 8) | head[4]!) >>> 0;
  }
}
