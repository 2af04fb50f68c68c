import type { Take } from './take.ts';

/** Told what became of one counter. `index` is what the asker passed to `add`. Exactly one method is called for each `add`. */
export interface CounterWaiter {
  /**
   * `after` is the counter with the hits in it. Stores of other algorithms than fixed windows answer `take` with the number
   * that stands in the same relation to the limit, and with the seconds until the limit is whole or has room again.
   */
  onCounter(index: number, after: number, resetSeconds?: number): void;
  onCounterError(index: number, message: string): void;
}

/**
 * Counts hits. Calls are handled in the order they are made; a store may answer during `add` or later, but never twice.
 * Keys are the reference service's, see `limiter/plan.ts`.
 */
export interface CounterStore {
  /**
   * Adds `hits` (0 reads) to the counter at `key`, which belongs to the window that began at `windowStart` and lasts
   * `windowSeconds`, both in Unix seconds.
   */
  add(
    key: string,
    hits: number,
    windowStart: number,
    windowSeconds: number,
    waiter: CounterWaiter,
    index: number,
  ): void;
  /** Reads a counter without making it; 0 when there is none. The answer comes by `onCounter`, as for `add`. */
  read(key: string, windowStart: number, windowSeconds: number, waiter: CounterWaiter, index: number): void;
  /**
   * Takes hits from the limits of one call, which count only when there is room for them. With `allOrNothing`, when an
   * enforced one has no room, nothing of the call counts anywhere. Where the keys lie in several places that rule is kept
   * by giving back, see `reserved-take.ts`. Each is answered by its own `index`.
   */
  take(takes: readonly Take[], allOrNothing: boolean, waiter: CounterWaiter): void;
  /**
   * Deletes what is held at `key`, whatever its algorithm; `windowSeconds` as for `add`. The answer comes by `onCounter`: 1
   * when there was something, else 0.
   */
  remove(key: string, windowSeconds: number, waiter: CounterWaiter, index: number): void;
  /** Whether the store can count at this moment, for the health check. */
  readonly healthy: boolean;
  /** Ends connections; what waits is answered with an error. */
  close(): void;
}
