/**
 * The window that this side grants, of a stream or of the connection. What was consumed is given back in batches of half
 * the window. RFC 9113 section 6.9.1.
 */
export class ReceiveWindow {
  readonly #size: number;
  #available: number;
  #consumed = 0;

  /** `size`: octets to grant; `available`: what the peer may send now (smaller while an update is under way). */
  constructor(size: number, available: number = size) {
    this.#size = size;
    this.#available = available;
  }

  /** Counts octets that arrived; false when the peer sent more than it may: FLOW_CONTROL_ERROR. */
  receive(octets: number): boolean {
    this.#available -= octets;
    return this.#available >= 0;
  }

  /** Counts octets that are done with. Returns the increment to announce now, 0 for not yet. */
  consume(octets: number): number {
    this.#consumed += octets;
    if (this.#consumed * 2 < this.#size) return 0;
    const increment = this.#consumed;
    this.#consumed = 0;
    this.#available += increment;
    return increment;
  }
}
