const headOctets = 5;

/** Counts gRPC messages in a body that comes in pieces: each is counted when its first octet is there. */
export class FrameCounter {
  count = 0;
  /** Octets of the frame head still to come; `headOctets`: a new frame is next. */
  #head = headOctets;
  #length = 0;
  /** Octets of the message still to come. */
  #body = 0;

  /** Takes a piece; answers how many messages began in it. */
  inspect(chunk: Uint8Array): number {
    const before = this.count;
    let at = 0;
    while (at < chunk.length) {
      if (this.#body > 0) {
        const skipped = Math.min(this.#body, chunk.length - at);
        this.#body -= skipped;
        at += skipped;
        continue;
      }
      if (this.#head === headOctets) {
        this.count++;
        this.#length = 0;
      } else {
        this.#length = this.#length * 256 + chunk[at]!;
      }
      at++;
      if (--this.#head === 0) {
        this.#head = headOctets;
        this.#body = this.#length;
      }
    }
    return this.count - before;
  }
}
