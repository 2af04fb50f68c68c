import { windowStart } from '../config/limit-unit.ts';
import type { CounterStore, CounterWaiter } from '../store/counter-store.ts';
import type { Take } from '../store/take.ts';
import type { QuotaLimit } from './quota-limit.ts';

/**
 * Told how much was taken, exactly once. `taken` is between 0 and what was asked for, or null when the store failed; `start` is
 * the window it was taken from; `left` is what remained afterwards.
 */
export type Taken = (taken: number | null, start: number, left: number) => void;

/** Takes from one limit's counter in the store, and gives back. */
export class LimitAccount {
  readonly #store: CounterStore;
  readonly #limit: QuotaLimit;
  readonly #keyPrefix: string;

  /** `keyPrefix`: the counter's key without the start of its window. */
  constructor(store: CounterStore, limit: QuotaLimit, keyPrefix: string) {
    this.#store = store;
    this.#limit = limit;
    this.#keyPrefix = keyPrefix;
  }

  /** Start of the window that `wallMs` falls into, Unix seconds; 0 where there are none. */
  start(wallMs: number): number {
    return this.#limit.windowed ? windowStart(Math.floor(wallMs / 1000), this.#limit.windowSeconds) : 0;
  }

  /** Takes `hits`, or what there is when it is less. */
  take(hits: number, start: number, done: Taken): void {
    new TakeUpTo(this, hits, start, done).try(hits);
  }

  /** Gives back what was taken from the window that began at `start`. */
  giveBack(hits: number, start: number): void {
    if (hits > 0) this.#store.take([this.#take(-hits, start, 0)], false, ignored);
  }

  /** Counts what has passed already, beyond the limit too; `done` gets the count, null when the store failed. Fixed windows only. */
  count(hits: number, start: number, done: (after: number | null) => void): void {
    const waiter: CounterWaiter = { onCounter: (_index, after) => done(after), onCounterError: () => done(null) };
    this.#store.add(this.#keyPrefix + start, hits, start, this.#limit.windowSeconds, waiter, 0);
  }

  /** Takes `hits` all or nothing, and looks at what is left: indices 0 and 1. */
  ask(hits: number, start: number, waiter: CounterWaiter): void {
    this.#store.take([this.#take(hits, start, 0), this.#take(0, start, 1)], false, waiter);
  }

  /** What is left, from the answer to a take of nothing. */
  left(after: number): number {
    return Math.max(0, this.#limit.take.limit - after);
  }

  /** Whether an answer says that nothing was taken. */
  over(after: number): boolean {
    return after > this.#limit.take.limit;
  }

  #take(hits: number, start: number, index: number): Take {
    const key = this.#limit.windowed ? this.#keyPrefix + start : this.#keyPrefix;
    return { limit: this.#limit.take, key, windowStart: start, hits, index };
  }
}

const ignored: CounterWaiter = { onCounter: () => {}, onCounterError: () => {} };

/** Somebody else may take what was left in between: then it is tried again, this often in all. */
const maxTries = 3;

class TakeUpTo implements CounterWaiter {
  readonly #account: LimitAccount;
  readonly #most: number;
  readonly #start: number;
  readonly #done: Taken;
  #asked = 0;
  #tries = 0;
  #answers = 0;
  #over = false;
  #failed = false;
  #left = 0;

  constructor(account: LimitAccount, most: number, start: number, done: Taken) {
    this.#account = account;
    this.#most = most;
    this.#start = start;
    this.#done = done;
  }

  try(hits: number): void {
    this.#asked = hits;
    this.#tries++;
    this.#answers = 0;
    this.#account.ask(hits, this.#start, this);
  }

  onCounter(index: number, after: number): void {
    if (index === 0) this.#over = this.#account.over(after);
    else this.#left = this.#account.left(after);
    this.#settle();
  }

  onCounterError(): void {
    this.#failed = true;
    this.#settle();
  }

  #settle(): void {
    if (++this.#answers < 2) return;
    if (this.#failed) this.#done(null, this.#start, 0);
    else if (!this.#over) this.#done(this.#asked, this.#start, this.#left);
    else {
      const rest = Math.min(this.#most, Math.floor(this.#left));
      if (rest < 1 || this.#tries >= maxTries) this.#done(0, this.#start, this.#left);
      else this.try(rest);
    }
  }
}
