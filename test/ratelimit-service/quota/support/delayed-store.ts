import type { CounterStore, CounterWaiter } from '#ratelimit/store/counter-store.ts';
import type { MemoryStore } from '#ratelimit/store/memory-store.ts';
import type { Take } from '#ratelimit/store/take.ts';

/** A store that answers when it is told to, as one on the network does. Many may share what lies behind. */
export class DelayedStore implements CounterStore {
  readonly healthy: boolean = true;
  /** Answers with errors. */
  failing = false;
  readonly #behind: MemoryStore;
  #waiting: (() => void)[] = [];

  constructor(behind: MemoryStore) {
    this.#behind = behind;
  }

  /** Everything asked until now is done, in its order. */
  run(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each();
  }

  add(key: string, hits: number, start: number, seconds: number, waiter: CounterWaiter, index: number): void {
    this.#later([index], waiter, () => this.#behind.add(key, hits, start, seconds, waiter, index));
  }

  read(key: string, start: number, seconds: number, waiter: CounterWaiter, index: number): void {
    this.#later([index], waiter, () => this.#behind.read(key, start, seconds, waiter, index));
  }

  take(takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    const indices = takes.map(({ index }) => index);
    this.#later(indices, waiter, () => this.#behind.take(takes, allOrNothing, waiter));
  }

  remove(key: string, seconds: number, waiter: CounterWaiter, index: number): void {
    this.#later([index], waiter, () => this.#behind.remove(key, seconds, waiter, index));
  }

  close(): void {}

  #later(indices: readonly number[], waiter: CounterWaiter, work: () => void): void {
    const { failing } = this;
    this.#waiting.push(() => {
      if (failing) for (const index of indices) waiter.onCounterError(index, 'away');
      else work();
    });
  }
}
