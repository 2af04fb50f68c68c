import type { CounterStore, CounterWaiter } from './counter-store.ts';
import { type TakePart, takeInParts } from './reserved-take.ts';
import type { Take } from './take.ts';

/** REDIS_PERSECOND: windows of a second are counted in a store of their own. */
export class PerSecondStore implements CounterStore {
  readonly #main: CounterStore;
  readonly #perSecond: CounterStore;

  constructor(main: CounterStore, perSecond: CounterStore) {
    this.#main = main;
    this.#perSecond = perSecond;
  }

  /** The store of all that lasts longer. */
  get main(): CounterStore {
    return this.#main;
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

  remove(key: string, windowSeconds: number, waiter: CounterWaiter, index: number): void {
    const store = windowSeconds === 1 ? this.#perSecond : this.#main;
    store.remove(key, windowSeconds, waiter, index);
  }

  take(takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void {
    const parts: TakePart[] = [];
    for (const store of [this.#main, this.#perSecond]) {
      const own = takes.filter(({ limit }) => (limit.windowSeconds === 1) === (store === this.#perSecond));
      if (own.length > 0) parts.push({ store, takes: own });
    }
    takeInParts(parts, allOrNothing, waiter);
  }

  close(): void {
    this.#main.close();
    this.#perSecond.close();
  }
}
