const most = 1024;

/** Streams reset lately by this side: what the peer sent on them before it knew is ignored. RFC 9113 section 5.1. */
export class RecentIds {
  #ids: Set<number> | null = null;

  add(streamId: number): void {
    if (this.#ids === null) this.#ids = new Set();
    else if (this.#ids.size >= most) this.#ids.delete(this.#ids.values().next().value!);
    this.#ids.add(streamId);
  }

  has(streamId: number): boolean {
    return this.#ids?.has(streamId) === true;
  }
}
