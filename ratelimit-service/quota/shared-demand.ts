import type { CounterStore, CounterWaiter } from '../store/counter-store.ts';
import type { QuotaStats } from './quota-stats.ts';

/**
 * What all replicas want of one limit: each adds what it wants to a counter of the current lease. What the others wanted in the
 * lease before counts as well, until they have said otherwise.
 */
export class SharedDemand implements CounterWaiter {
  readonly #store: CounterStore;
  readonly #stats: QuotaStats;
  readonly #keyPrefix: string;
  readonly #windowSeconds: number;
  #start = 0;
  /** What this replica has added in the current lease. */
  #told = 0;
  #others = 0;
  #othersBefore = 0;
  #done: ((others: number) => void) | null = null;

  constructor(store: CounterStore, stats: QuotaStats, keyPrefix: string, windowSeconds: number) {
    this.#store = store;
    this.#stats = stats;
    this.#keyPrefix = keyPrefix;
    this.#windowSeconds = windowSeconds;
  }

  /**
   * Says what this replica wants in the lease that began at `start`; `done` gets what the others want, as far as is known.
   * False when the last answer is still to come, and nothing was said.
   */
  tell(wanted: number, start: number, done: (others: number) => void): boolean {
    if (this.#done !== null) return false;
    if (start !== this.#start) {
      this.#start = start;
      this.#othersBefore = this.#others;
      this.#told = 0;
    }
    this.#done = done;
    const more = wanted - this.#told;
    this.#told = wanted;
    this.#store.add(this.#keyPrefix + start, more, start, this.#windowSeconds, this, 0);
    return true;
  }

  onCounter(_index: number, after: number): void {
    this.#others = Math.max(0, after - this.#told);
    this.#finish();
  }

  onCounterError(): void {
    this.#stats.storeErrors++;
    this.#finish();
  }

  #finish(): void {
    const done = this.#done;
    this.#done = null;
    done?.(Math.max(this.#others, this.#othersBefore));
  }
}
