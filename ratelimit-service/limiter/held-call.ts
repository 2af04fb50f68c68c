import type { CounterStore, CounterWaiter } from '../store/counter-store.ts';
import type { LocalCache } from '../store/local-cache.ts';
import type { DescriptorPlan, RequestPlan } from './plan.ts';

/** What a held call tells besides counters: a descriptor is over its limit by the local cache. */
export interface HeldCallReceiver extends CounterWaiter {
  onCached(index: number): void;
}

/** One descriptor's counter, as it was when the call began. */
interface HeldCounter {
  readonly index: number;
  readonly plan: DescriptorPlan;
  readonly key: string;
  readonly windowStart: number;
  /** The counter before this call. */
  current: number;
}

/**
 * A request under STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT: reads all counters, and when one would go over its limit adds
 * only to those that would, so that a rejected request does not use up its other limits. Reading and adding are two steps:
 * calls that come at the same time may both pass, as in the reference service.
 */
export class HeldCall implements CounterWaiter {
  readonly #receiver: HeldCallReceiver;
  readonly #store: CounterStore;
  readonly #counters: HeldCounter[] = [];
  #pending = 0;
  #error: string | null = null;

  constructor(plan: RequestPlan, receiver: HeldCallReceiver, store: CounterStore) {
    this.#receiver = receiver;
    this.#store = store;
    plan.descriptors.forEach((each, index) => {
      if (each.windowSeconds === 0) return;
      // Copied, because the plan is shared and may be in its next window when the answers come.
      this.#counters.push({ index, plan: each, key: each.key, windowStart: each.keyWindow, current: 0 });
    });
  }

  /** Reads; or, when the local cache knows a key that is over, counts nothing. */
  start(cache: LocalCache | null, nowSeconds: number): void {
    const cached = this.#counters.map(
      ({ key, plan }) => cache?.isOver(key, plan.rule!.requestsPerUnit, nowSeconds) === true,
    );
    if (cached.includes(true)) {
      this.#counters.forEach((counter, i) => {
        if (cached[i]!) this.#receiver.onCached(counter.index);
        else this.#add(counter, 0);
      });
      return;
    }
    this.#pending = this.#counters.length;
    this.#counters.forEach(({ key, plan, windowStart }, i) => {
      this.#store.read(key, windowStart, plan.windowSeconds, this, i);
    });
  }

  onCounter(index: number, current: number): void {
    this.#counters[index]!.current = current;
    this.#settle();
  }

  onCounterError(_index: number, message: string): void {
    this.#error = message;
    this.#settle();
  }

  #settle(): void {
    if (--this.#pending > 0) return;
    if (this.#error !== null) {
      for (const { index } of this.#counters) this.#receiver.onCounterError(index, this.#error);
      return;
    }
    const over = this.#counters.map(({ current, plan }) => current + plan.hits > plan.rule!.requestsPerUnit);
    const held = over.includes(true);
    this.#counters.forEach((counter, i) => {
      this.#add(counter, held && !over[i]! ? 0 : counter.plan.hits);
    });
  }

  #add({ key, plan, windowStart, index }: HeldCounter, hits: number): void {
    this.#store.add(key, hits, windowStart, plan.windowSeconds, this.#receiver, index);
  }
}
