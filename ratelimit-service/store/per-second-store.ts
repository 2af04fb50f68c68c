import type { CounterStore, CounterWaiter } from './counter-store.ts';

/** REDIS_PERSECOND: windows of a second are counted in a store of their own. */
export class PerSecondStore implements CounterStore {
  readonly #main: CounterStore;
  readonly #perSecond: CounterStore;

  constructor(main: CounterStore, perSecond: CounterStore) {
    this.#main = main;
    this.#perSecond = perSecond;
  }

  get healthy(): boolean {
    return this.#main.healthy && this.#perSecond.healthy;
  }

  add(
    key: string,
    hits: number,
    windowStart: number,
    windowSeconds: number,
    waiter: CounterWaiter,
    index: number,
  ): void {
    const store = windowSeconds === 1 ? this.#perSecond : this.#main;
    store.add(key, hits, windowStart, windowSeconds, waiter, index);
  }

  read(key: string, windowStart: number, windowSeconds: number, waiter: CounterWaiter, index: number): void {
    const store = windowSeconds === 1 ? this.#perSecond : this.#main;
    store.read(key, windowStart, windowSeconds, waiter, index);
  }

  close(): void {
    this.#main.close();
    this.#perSecond.close();
  }
}
