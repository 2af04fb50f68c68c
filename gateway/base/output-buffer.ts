/** Told when an empty output buffer gets its first octets, so that a flush can be scheduled. */
export interface OutputOwner {
  onOutputPending(): void;
  /**
   * At least `largeOutputOctets` wait: better written now, while the octets are in the processor's cache, than at the end of the
   * turn. Called from `writeChunk` only. The owner may take everything before it returns.
   */
  onOutputLarge?(): void;
}

/** From here on output is worth a write of its own, octets. */
const largeOutputOctets: number = 64 * 1024;

/** Chunks of at least this many octets are passed on as they are; smaller ones are copied into the slab. */
export const passThroughOctets = 4096;

/** Size of a pooled slab, octets. */
export const slabOctets = 8192;

/** The rest of a slab is kept for another connection while it has this many octets. */
const minTailOctets = 1024;
const maxPooledSlabs = 256;
const slabPool: Uint8Array[] = [];

/** Takes an open slab of at least `minTailOctets` from the process-wide pool: a whole one, or the unused rest of one. */
export function acquireSlab(): Uint8Array {
  return slabPool.pop() ?? new Uint8Array(new ArrayBuffer(slabOctets));
}

/** Gives a slab back. The caller guarantees that no socket still holds a view of it. */
export function releaseSlab(slab: Uint8Array): void {
  if (slab.length >= minTailOctets && slab.length <= slabOctets && slabPool.length < maxPooledSlabs)
    slabPool.push(slab);
}

/** Gives back what is unused of a slab from `end` on, while a socket still holds a view of the octets before. */
export function releaseTail(slab: Uint8Array, end: number): void {
  if (slab.length - end >= minTailOctets) releaseSlab(slab.subarray(end));
}

const encoder = new TextEncoder();
const noBytes = new Uint8Array(0);

/**
 * What one connection will write at the end of the turn. Small writes gather in a slab; large body chunks are queued as
 * they are, without a copy, so a chunk given to `writeChunk` must never be changed afterwards.
 *
 * A codec may write straight into the slab: `reserve(n)`, then fill `slab` from `end`, then `advance(n)`.
 */
export class OutputBuffer {
  readonly #owner: OutputOwner;
  /** The open slab; only `[end, end + reserved)` may be written. */
  slab: Uint8Array = noBytes;
  /** Where the next octet goes in `slab`. */
  end = 0;
  /** Octets waiting, all chunks together. */
  pendingOctets = 0;
  #start = 0; // first octet of the slab that is not yet in #queue
  #queue: Uint8Array[] = [];

  constructor(owner: OutputOwner) {
    this.#owner = owner;
  }

  /** Makes room for `octets` contiguous octets at `slab[end]`. */
  reserve(octets: number): void {
    if (this.slab.length - this.end >= octets) return;
    this.#closeSlab();
    this.slab = octets <= slabOctets ? acquireSlab() : new Uint8Array(octets);
    if (this.slab.length < octets) this.slab = new Uint8Array(slabOctets); // it was the rest of a slab, and too short
    this.end = 0;
    this.#start = 0;
  }

  /** Counts `octets` just written at `slab[end]`. */
  advance(octets: number): void {
    this.end += octets;
    this.#grew(octets);
  }

  /** Copies `source[start, end)`. The source may be reused at once. */
  writeBytes(source: Uint8Array, start = 0, end: number = source.length): void {
    const octets = end - start;
    if (octets === 0) return;
    this.reserve(octets);
    this.slab.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.end);
    this.advance(octets);
  }

  /** Writes one octet. */
  writeByte(octet: number): void {
    this.reserve(1);
    this.slab[this.end] = octet;
    this.advance(1);
  }

  /** Writes a string of code points up to U+00FF, one octet each. */
  writeLatin1(text: string): void {
    const length = text.length;
    if (length === 0) return;
    this.reserve(length);
    const { read } = encoder.encodeInto(text, this.slab.subarray(this.end, this.end + length));
    // A code point above 0x7F takes two octets in UTF-8, so not all of the text fitted: then the slow and exact way.
    if (read !== length) {
      for (let i = 0; i < length; i++) this.slab[this.end + i] = text.charCodeAt(i);
    }
    this.advance(length);
  }

  /** Queues a body chunk. Ownership passes to the buffer: the octets must not change any more. */
  writeChunk(chunk: Uint8Array): void {
    if (chunk.length < passThroughOctets) {
      this.writeBytes(chunk);
      return;
    }
    this.#closeSegment();
    this.#queue.push(chunk);
    this.#grew(chunk.length);
    if (this.pendingOctets >= largeOutputOctets) this.#owner.onOutputLarge?.();
  }

  /**
   * Hands over everything that waits, oldest first, and empties the buffer. The open slab is detached: whoever takes the
   * chunks returns it with `releaseSlab` once no socket holds it.
   */
  take(): Uint8Array[] {
    this.#closeSlab();
    const chunks = this.#queue;
    this.#queue = [];
    this.pendingOctets = 0;
    return chunks;
  }

  /** True when all that waits is one segment of the open slab; then `takeSegment` is the cheap way. */
  get singleSegment(): boolean {
    return this.#queue.length === 0;
  }

  /** Like `take` for a buffer with a single segment: a view of the slab, which is detached. */
  takeSegment(): Uint8Array {
    const segment = this.slab.subarray(this.#start, this.end);
    this.slab = noBytes;
    this.end = 0;
    this.#start = 0;
    this.pendingOctets = 0;
    return segment;
  }

  #grew(octets: number): void {
    const wasEmpty = this.pendingOctets === 0;
    this.pendingOctets += octets;
    if (wasEmpty) this.#owner.onOutputPending();
  }

  #closeSegment(): void {
    if (this.end > this.#start) {
      this.#queue.push(this.slab.subarray(this.#start, this.end));
      this.#start = this.end;
    }
  }

  #closeSlab(): void {
    this.#closeSegment();
    this.slab = noBytes;
    this.end = 0;
    this.#start = 0;
  }
}
