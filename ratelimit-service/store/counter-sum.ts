import type { CounterWaiter } from './counter-store.ts';

/** What is done with a counter; all answer a number. */
export type CounterCommand = 'incrby' | 'get' | 'del';

/** The counter of one key in one batch, with everyone who asked the same of it. */
export class CounterSum {
  readonly command: CounterCommand;
  readonly key: string;
  /** Life of a key that is added to, seconds. */
  readonly ttlSeconds: number;
  total = 0;
  /** Everyone has an answer. */
  settled = false;
  readonly #waiters: CounterWaiter[] = [];
  readonly #indices: number[] = [];
  /** Sum of the hits up to and with each waiter's. */
  readonly #sums: number[] = [];

  constructor(command: CounterCommand, key: string, ttlSeconds = 0) {
    this.command = command;
    this.key = key;
    this.ttlSeconds = ttlSeconds;
  }

  /** How many asked. */
  get size(): number {
    return this.#waiters.length;
  }

  add(hits: number, waiter: CounterWaiter, index: number): void {
    this.total += hits;
    this.#waiters.push(waiter);
    this.#indices.push(index);
    this.#sums.push(this.total);
  }

  /** Tells everyone the number that each would have got alone; `total` is the counter with the hits of all. */
  answer(total: number): void {
    this.settled = true;
    const before = total - this.total;
    for (let i = 0; i < this.#waiters.length; i++) {
      this.#waiters[i]!.onCounter(this.#indices[i]!, before + this.#sums[i]!);
    }
  }

  fail(message: string): void {
    this.settled = true;
    for (let i = 0; i < this.#waiters.length; i++) this.#waiters[i]!.onCounterError(this.#indices[i]!, message);
  }
}
