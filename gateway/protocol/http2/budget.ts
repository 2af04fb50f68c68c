import type { Clock } from '#gateway/runtime/clock.ts';

/** A number of events that a peer may cause, that refills with time or with good behaviour. */
export class Budget {
  readonly #most: number;
  readonly #perSecond: number;
  readonly #clock: Clock | null;
  #left: number;
  #refilledMs = 0;

  /** Starts full, with `most`. `perSecond` counts only with a clock. */
  constructor(most: number, perSecond: number, clock: Clock | null) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#left = most;
  }

  /** Takes one; false when none was left. */
  consume(): boolean {
    if (this.#clock !== null) {
      const nowMs = this.#clock.nowMs();
      if (this.#refilledMs !== 0) {
        this.#left = Math.min(this.#most, this.#left + ((nowMs - this.#refilledMs) / 1000) * this.#perSecond);
      }
      this.#refilledMs = nowMs;
    }
    this.#left -= 1;
    return this.#left >= 0;
  }

  /** Gives one back for good behaviour; with a clock, time alone refills. */
  replenish(): void {
    if (this.#clock === null && this.#left < this.#most) this.#left += 1;
  }
}
