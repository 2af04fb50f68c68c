import type { Clock } from '#gateway/runtime/clock.ts';
import type { CounterWaiter } from './counter-store.ts';
import { MemoryStore } from './memory-store.ts';
import { type Take, type TakeLimit, takeLimit } from './take.ts';

/** What is asked of the estimate. */
export interface EstimatedTake extends Take {
  /** Hits of a plain fixed window: they count whether there is room or not, as in Redis. */
  readonly plain: boolean;
}

/**
 * Counts in this process while Redis is away: each limit's share of one instance, exactly. Answers are told as of the whole
 * limit, as if all instances had counted alike. It knows nothing of what Redis had counted, and Redis learns nothing of it.
 */
export class LocalEstimate {
  readonly #store: MemoryStore;
  readonly #replicas: number;
  readonly #shares = new WeakMap<TakeLimit, TakeLimit>();

  /** `replicas`: how many instances share each limit. Beyond `maxCounters` is an error. */
  constructor(clock: Clock, replicas: number, maxCounters: number) {
    this.#store = new MemoryStore(clock, maxCounters);
    this.#replicas = replicas;
  }

  /** Counts, and answers at once; each by its own `index`. */
  take(takes: readonly EstimatedTake[], allOrNothing: boolean, waiter: CounterWaiter): void {
    const whole = new WholeLimits(takes, waiter, this.#replicas);
    const own = takes.map((each, index) => ({ ...each, limit: this.#share(each.limit), index }));
    const inSteps = own.filter(({ plain }) => allOrNothing || !plain);
    for (const { plain, key, hits, windowStart, limit, index } of own) {
      if (plain && !allOrNothing) this.#store.add(key, hits, windowStart, limit.windowSeconds, whole, index);
    }
    if (inSteps.length > 0) this.#store.take(inSteps, allOrNothing, whole);
  }

  /** Deletes these counters, of whatever window; answers whether there was one. */
  forget(keys: readonly string[]): boolean {
    let removed = false;
    for (const key of keys) removed = this.#store.forget(key) || removed;
    return removed;
  }

  /** What one instance may let through. */
  #share(limit: TakeLimit): TakeLimit {
    if (this.#replicas === 1) return limit;
    let share = this.#shares.get(limit);
    if (share === undefined) {
      const { algorithm, capacity, windowSeconds, enforced } = limit;
      const part = (count: number): number => shareOf(count, this.#replicas);
      share = takeLimit(algorithm, part(limit.limit), part(capacity), windowSeconds, enforced);
      this.#shares.set(limit, share);
    }
    return share;
  }
}

/** A limit of something is a share of something. */
function shareOf(count: number, replicas: number): number {
  return count === 0 ? 0 : Math.max(1, Math.floor(count / replicas));
}

/** Tells the answers of the shares as answers of the whole limits. */
class WholeLimits implements CounterWaiter {
  readonly #takes: readonly EstimatedTake[];
  readonly #waiter: CounterWaiter;
  readonly #replicas: number;

  constructor(takes: readonly EstimatedTake[], waiter: CounterWaiter, replicas: number) {
    this.#takes = takes;
    this.#waiter = waiter;
    this.#replicas = replicas;
  }

  onCounter(index: number, after: number, resetSeconds?: number): void {
    const { limit, index: asked } = this.#takes[index]!;
    const remaining = (this.#replicas === 1 ? limit.limit : shareOf(limit.limit, this.#replicas)) - after;
    const left = remaining < 0 ? remaining : Math.min(limit.capacity, remaining * this.#replicas);
    this.#waiter.onCounter(asked, limit.limit - left, resetSeconds);
  }

  onCounterError(index: number, message: string): void {
    this.#waiter.onCounterError(this.#takes[index]!.index, message);
  }
}
