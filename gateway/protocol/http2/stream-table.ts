/**
 * The open streams of one connection by identifier: a power-of-two table with linear probing, grown when half full.
 *
 * It is not a Map because entries come and go with every request. JavaScriptCore replaces a Map's storage after as many
 * removals as it holds entries, and the old storage points to the new: once one of them has grown old, everything that ever
 * was in the Map lives on until a full collection. Here a removed stream is referenced from nowhere.
 */
export class StreamTable<Stream extends { readonly streamId: number }> {
  #slots: (Stream | null)[] = [null, null, null, null, null, null, null, null];
  #mask = 7;
  #size = 0;

  /** Streams in the table. */
  get size(): number {
    return this.#size;
  }

  get(streamId: number): Stream | undefined {
    const slots = this.#slots;
    const mask = this.#mask;
    // Identifiers of one side are all odd or all even: the lowest bit tells nothing.
    for (let at = (streamId >>> 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at]!;
      if (stream === null) return undefined;
      if (stream.streamId === streamId) return stream;
    }
  }

  /** Adds a stream whose identifier is not in the table. */
  add(stream: Stream): void {
    if (++this.#size * 2 > this.#mask + 1) this.#grow();
    this.#place(stream);
  }

  /** Removes a stream; harmless when it is not there. */
  delete(stream: Stream): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let hole = (stream.streamId >>> 1) & mask;
    while (slots[hole] !== stream) {
      if (slots[hole] === null) return;
      hole = (hole + 1) & mask;
    }
    this.#size--;
    // Closes the gap: whoever probed past the hole moves into it.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const next = slots[at]!;
      if (next === null) break;
      const home = (next.streamId >>> 1) & mask;
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        slots[hole] = next;
        hole = at;
      }
    }
    slots[hole] = null;
  }

  /** The streams of this moment by ascending identifier: the caller's own array, so streams may end while it is read. */
  snapshot(): Stream[] {
    const streams = this.#slots.filter((stream) => stream !== null);
    return streams.sort((a, b) => a.streamId - b.streamId);
  }

  #place(stream: Stream): void {
    const mask = this.#mask;
    let at = (stream.streamId >>> 1) & mask;
    while (this.#slots[at] !== null) at = (at + 1) & mask;
    this.#slots[at] = stream;
  }

  #grow(): void {
    const old = this.#slots;
    const capacity = 2 * (this.#mask + 1);
    this.#slots = new Array<Stream | null>(capacity).fill(null);
    this.#mask = capacity - 1;
    for (const stream of old) if (stream !== null) this.#place(stream);
  }
}
