import { type HeadScanner, ScanResult } from './head-scanner.ts';
import { Http1Error } from './http1-error.ts';

/** Which kind of head to read. */
export const HeadKind = { Request: 0, Response: 1, Trailers: 2 } as const;
/** @see HeadKind */
export type HeadKind = (typeof HeadKind)[keyof typeof HeadKind];

const firstCapacity = 1024;

/**
 * Reads message heads that may come in pieces, for one connection. A head that lies in one chunk is scanned where it is;
 * the pieces of another are gathered, and scanned again whenever they hold one more line end, so that what is wrong is
 * said at the end of its line and a drip-fed head costs no more than lines times octets, both limited.
 */
export class HeadReader {
  readonly #scanner: HeadScanner;
  readonly #maxOctets: number;
  readonly #maxCount: number;
  #partial: Uint8Array | null = null;
  #partialOctets = 0;
  /** Where the scanner's offsets point into, after `Complete`. */
  bytes: Uint8Array = noBytes;
  /** After `Complete`: first octet of the chunk that is not part of the head. */
  next = 0;

  constructor(scanner: HeadScanner, maxOctets: number, maxCount: number) {
    this.#scanner = scanner;
    this.#maxOctets = maxOctets;
    this.#maxCount = maxCount;
  }

  /** Whether a head has begun and not ended. */
  get hasPartial(): boolean {
    return this.#partialOctets > 0;
  }

  /** Whether what there is of the unfinished head is more than an empty line before it. */
  get hasBegun(): boolean {
    return this.#partialOctets > 2 || (this.#partialOctets > 0 && this.#partial![0] !== 0x0d);
  }

  /** Lets go of the octets of the last head. */
  release(): void {
    this.bytes = noBytes;
  }

  /** Drops an unfinished head. */
  reset(): void {
    this.bytes = noBytes;
    this.#partial = null;
    this.#partialOctets = 0;
  }

  /** Reads on at `chunk[at]`. On `Incomplete` the rest of the chunk was taken. */
  read(kind: HeadKind, chunk: Uint8Array, at: number): ScanResult {
    if (this.#partialOctets > 0) return this.#readOn(kind, chunk, at);
    // What lies beyond the limit is not looked at: the answer must not depend on how the octets came.
    const end = Math.min(chunk.length, at + this.#maxOctets);
    const result = this.#scan(kind, chunk, at, end);
    if (result === ScanResult.Complete) {
      this.bytes = chunk;
      this.next = this.#scanner.end;
      return result;
    }
    if (result === ScanResult.Incomplete) {
      if (chunk.length > end) return this.#tooLarge();
      this.#append(chunk, at, end);
    }
    return result;
  }

  #readOn(kind: HeadKind, chunk: Uint8Array, at: number): ScanResult {
    const before = this.#partialOctets;
    // One octet more than allowed is enough to know that it is too much.
    const taken = Math.min(chunk.length - at, this.#maxOctets + 1 - before);
    this.#append(chunk, at, at + taken);
    const bytes = this.#partial!;
    const octets = this.#partialOctets;
    const lineEnd = bytes.indexOf(0x0a, before);
    if (lineEnd !== -1 && lineEnd < octets) {
      const result = this.#scan(kind, bytes, 0, Math.min(octets, this.#maxOctets));
      if (result === ScanResult.Failed) return result;
      if (result === ScanResult.Complete) {
        this.bytes = bytes;
        this.next = at + this.#scanner.end - before;
        this.#partial = null;
        this.#partialOctets = 0;
        return result;
      }
    }
    return octets > this.#maxOctets ? this.#tooLarge() : ScanResult.Incomplete;
  }

  #scan(kind: HeadKind, bytes: Uint8Array, at: number, end: number): ScanResult {
    if (kind === HeadKind.Request) return this.#scanner.scanRequest(bytes, at, end, this.#maxCount);
    if (kind === HeadKind.Response) return this.#scanner.scanResponse(bytes, at, end, this.#maxCount);
    this.#scanner.start = at;
    return this.#scanner.scanFields(bytes, at, end, this.#maxCount);
  }

  #append(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#partialOctets + end - start;
    if (this.#partial === null || this.#partial.length < needed) {
      const grown = new Uint8Array(Math.max(firstCapacity, needed, 2 * this.#partialOctets));
      if (this.#partial !== null) grown.set(this.#partial.subarray(0, this.#partialOctets));
      this.#partial = grown;
    }
    this.#partial.set(chunk.subarray(start, end), this.#partialOctets);
    this.#partialOctets = needed;
  }

  #tooLarge(): ScanResult {
    this.#scanner.error = Http1Error.HeadersTooLarge;
    return ScanResult.Failed;
  }
}

const noBytes = new Uint8Array(0);
