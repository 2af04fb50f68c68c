import type { Clock } from '#gateway/runtime/clock.ts';

/**
 * The upstream's last answer to a health check, which stands for others until the current period ends. Periods follow each
 * other from the making of the cache on, whether or not anything is asked, as with Envoy's repeating timer.
 */
export class ResponseCache {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #startMs: number;
  /** The period that the answer was stored in; -1: none was. */
  #storedIn = -1;
  status = 200;
  degraded = false;

  constructor(clock: Clock, periodMs: number) {
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#startMs = clock.nowMs();
  }

  /** Whether `status` and `degraded` may be given as the answer now. */
  get fresh(): boolean {
    return this.#storedIn === this.#period();
  }

  store(status: number, degraded: boolean): void {
    this.status = status;
    this.degraded = degraded;
    this.#storedIn = this.#period();
  }

  #period(): number {
    return Math.floor((this.#clock.nowMs() - this.#startMs) / this.#periodMs);
  }
}
