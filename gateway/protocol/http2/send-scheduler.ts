import type { SendSide } from './send-side.ts';

/** Streams that wait for the connection's window, served in turn, one frame each. RFC 9113 section 5.2.1 leaves the order free. */
export class SendScheduler {
  #waiting: SendSide[] = [];
  #next = 0;

  /** Puts a stream at the end of the line. */
  add(stream: SendSide): void {
    if (stream.scheduled) return;
    stream.scheduled = true;
    this.#waiting.push(stream);
  }

  /** Lets streams send until the connection's window is used up or nobody waits. */
  run(connection: { readonly sendWindow: number }): void {
    while (connection.sendWindow > 0 && this.#next < this.#waiting.length) {
      const stream = this.#waiting[this.#next++]!;
      stream.scheduled = false;
      if (stream.flush(1)) this.add(stream);
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    } else if (this.#next > 64) {
      this.#waiting = this.#waiting.slice(this.#next);
      this.#next = 0;
    }
  }
}
