import type { Clock } from '#gateway/runtime/clock.ts';

/** The Date header's value, made anew once a second. RFC 9110 section 6.6.1. */
export class DateHeader {
  readonly #clock: Clock;
  #second = -1;
  #text = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  value(): string {
    const second = Math.floor(this.#clock.wallMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toUTCString();
    }
    return this.#text;
  }
}
