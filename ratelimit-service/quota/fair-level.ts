import type { Clock } from '#gateway/runtime/clock.ts';
import { fairLevel } from './fair-share.ts';
import type { Holding } from './holding.ts';

/** With more clients than this the level is worked out anew at most twice a second. */
const fewClients = 16;
const staleMs = 500;

/** The level of {@link fairLevel} for the clients of one bucket, remembered for a moment when there are many. */
export class FairLevel {
  readonly #clock: Clock;
  readonly #holdings: ReadonlySet<Holding>;
  readonly #want: (holding: Holding) => number;
  #level: number = Number.POSITIVE_INFINITY;
  #atMs: number = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, holdings: ReadonlySet<Holding>, want: (holding: Holding) => number) {
    this.#clock = clock;
    this.#holdings = holdings;
    this.#want = want;
  }

  /** What a client gets at most when there is `capacity()` for all. */
  of(capacity: () => number): number {
    const nowMs = this.#clock.nowMs();
    if (this.#holdings.size > fewClients && nowMs - this.#atMs < staleMs) return this.#level;
    this.#atMs = nowMs;
    this.#level = fairLevel(Array.from(this.#holdings, this.#want), capacity());
    return this.#level;
  }
}
