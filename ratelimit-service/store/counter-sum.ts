import type { CounterWaiter } from './counter-store.ts';

/** What is done with a counter; all answer a number. */
export type CounterCommand = 'incrby' | 'get' | 'del';

/** The counter of one key in one batch, with everyone who asked the same of it. */
export class CounterSum {
  readonly command: CounterCommand;
  readonly key: string;
  /** Life of a key that is added to, seconds. */
  readonly ttlSeconds: number;
  total: number;
  /** Everyone has an answer. */
  settled = false;
  /** The first who asked; mostly nobody else does, so the others' lists are made when they are needed. */
  readonly #first: CounterWaiter;
  readonly #firstIndex: number;
  readonly #firstHits: number;
  #others: OtherWaiters | null = null;

  constructor(
    command: CounterCommand,
    key: string,
    ttlSeconds: number,
    hits: number,
    waiter: CounterWaiter,
    index: number,
  ) {
    this.command = command;
    this.key = key;
    this.ttlSeconds = ttlSeconds;
    this.total = hits;
    this.#first = waiter;
    this.#firstIndex = index;
    this.#firstHits = hits;
  }

  /** How many asked. */
  get size(): number {
    return 1 + (this.#others?.waiters.length ?? 0);
  }

  add(hits: number, waiter: CounterWaiter, index: number): void {
    this.total += hits;
    this.#others ??= { waiters: [], indices: [], sums: [] };
    this.#others.waiters.push(waiter);
    this.#others.indices.push(index);
    this.#others.sums.push(this.total);
  }

  /** Tells everyone the number that each would have got alone; `total` is the counter with the hits of all. */
  answer(total: number): void {
    this.settled = true;
    const before = total - this.total;
    this.#first.onCounter(this.#firstIndex, before + this.#firstHits);
    const others = this.#others;
    if (others === null) return;
    for (let i = 0; i < others.waiters.length; i++) {
      others.waiters[i]!.onCounter(others.indices[i]!, before + others.sums[i]!);
    }
  }

  fail(message: string): void {
    this.settled = true;
    this.#first.onCounterError(this.#firstIndex, message);
    const others = this.#others;
    if (others === null) return;
    for (let i = 0; i < others.waiters.length; i++) others.waiters[i]!.onCounterError(others.indices[i]!, message);
  }
}

interface OtherWaiters {
  readonly waiters: CounterWaiter[];
  readonly indices: number[];
  /** Sum of the hits up to and with each waiter's. */
  readonly sums: number[];
}
