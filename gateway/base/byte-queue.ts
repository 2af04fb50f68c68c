/**
 * Octets that wait, in order, as the chunks they came in, with a running total. Chunks are not copied: they must not
 * change while they are here.
 */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #head = 0;
  /** Octets held. */
  length = 0;

  /** Appends a chunk; an empty one is dropped. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.length += chunk.length;
  }

  /** Takes the oldest chunk, at most `maxOctets` of it, or null when empty. */
  shift(maxOctets: number = Number.MAX_SAFE_INTEGER): Uint8Array | null {
    const first = this.#chunks[this.#head];
    if (first === undefined) return null;
    if (first.length <= maxOctets) {
      this.#head++;
      if (this.#head === this.#chunks.length) {
        this.#chunks = [];
        this.#head = 0;
      } else if (this.#head > 32 && this.#head * 2 > this.#chunks.length) {
        this.#chunks = this.#chunks.slice(this.#head);
        this.#head = 0;
      }
      this.length -= first.length;
      return first;
    }
    this.#chunks[this.#head] = first.subarray(maxOctets);
    this.length -= maxOctets;
    return first.subarray(0, maxOctets);
  }

  /** All octets as one array: the chunk itself when there is one, a copy when there are more. The queue keeps them. */
  concat(): Uint8Array {
    if (this.#chunks.length - this.#head === 1) return this.#chunks[this.#head]!;
    const all = new Uint8Array(this.length);
    let at = 0;
    for (let i = this.#head; i < this.#chunks.length; i++) {
      all.set(this.#chunks[i]!, at);
      at += this.#chunks[i]!.length;
    }
    return all;
  }

  /** Drops everything. */
  clear(): void {
    this.#chunks = [];
    this.#head = 0;
    this.length = 0;
  }
}
