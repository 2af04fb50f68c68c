/** What one connection may make the service hold, octets: four of the longest messages. */
const maxOctets = 16 * 1024 * 1024;

/** As much is nobody's business, even when all connections together hold too much: who behaves well is not to suffer from others. */
const freeOctets = 512 * 1024;

/** Octets that the calls of all connections make the service hold. */
export class HeldOctets {
  /** When there are more, connections that hold more than a little get no more. */
  readonly max: number;
  octets = 0;

  constructor(max: number = 256 * 1024 * 1024) {
    this.max = max;
  }
}

/** Where octets wait that were sent and that the client does not take: the encoder of a call. */
export interface Unread {
  readonly bufferedOctets: number;
}

/**
 * What the calls of one connection make the service hold: messages that have come in part, answers that the client gives no
 * window for, and what the socket has not taken. A client that leaves both ends of a thousand calls hanging would otherwise take
 * gigabytes.
 */
export class ConnectionHeld {
  readonly #all: HeldOctets;
  readonly #unread = new Set<Unread>();
  #unreadOctets = 0;
  #partialOctets = 0;
  #stalledOctets = 0;

  constructor(all: HeldOctets) {
    this.#all = all;
  }

  /** Whether this connection may have nothing more kept for it. */
  get full(): boolean {
    if (!this.#over) return false;
    this.measure();
    return this.#over;
  }

  /** Whether all hold too much and this connection is one of those that do. */
  get excessive(): boolean {
    return this.#own > freeOctets && this.#all.octets > this.#all.max;
  }

  /** So many octets more, or less, of messages that have come in part. */
  partial(octets: number): void {
    this.#partialOctets += octets;
    this.#all.octets += octets;
  }

  /** Octets of a call wait for the client. */
  unread(call: Unread): void {
    this.#unread.add(call);
    this.measure();
  }

  /** So many octets wait in the socket. */
  stalled(octets: number): void {
    this.#all.octets += octets - this.#stalledOctets;
    this.#stalledOctets = octets;
  }

  /** Looks what of the answers still waits. */
  measure(): void {
    if (this.#unread.size === 0) return;
    let octets = 0;
    for (const call of this.#unread) {
      const { bufferedOctets } = call;
      if (bufferedOctets === 0) this.#unread.delete(call);
      octets += bufferedOctets;
    }
    this.#all.octets += octets - this.#unreadOctets;
    this.#unreadOctets = octets;
  }

  /** The connection is gone. */
  close(): void {
    this.#all.octets -= this.#own;
    this.#unread.clear();
    this.#unreadOctets = 0;
    this.#partialOctets = 0;
    this.#stalledOctets = 0;
  }

  get #own(): number {
    return this.#unreadOctets + this.#partialOctets + this.#stalledOctets;
  }

  get #over(): boolean {
    return this.#own > maxOctets || this.excessive;
  }
}
