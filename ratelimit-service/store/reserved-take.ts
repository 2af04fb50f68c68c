import type { CounterStore, CounterWaiter } from './counter-store.ts';
import type { Take } from './take.ts';

/** Takes of one call that lie in one place. */
export interface TakePart {
  readonly store: Pick<CounterStore, 'take'>;
  readonly takes: readonly Take[];
}

/**
 * One all-or-nothing call whose keys lie in several places. Each place takes all its part or nothing; when one has no room
 * (or fails), the others are given back what they took.
 *
 * Until then, one turn-around, what was reserved is missing to others: at most the hits of the rejected calls that are under
 * way, and for good (until they leave the window by themselves) when this process or the place ends before the giving back.
 * Giving back takes the newest hits of a window and stops at an empty bucket, so that others may get at most as many hits
 * more as were given back.
 */
export class ReservedTake implements CounterWaiter {
  readonly #parts: readonly TakePart[];
  readonly #waiter: CounterWaiter;
  readonly #takes: readonly Take[];
  readonly #after: number[];
  readonly #reset: (number | undefined)[];
  readonly #errors: (string | null)[];
  #pending: number;

  constructor(parts: readonly TakePart[], waiter: CounterWaiter) {
    this.#parts = parts;
    this.#waiter = waiter;
    this.#takes = parts.flatMap(({ takes }) => takes);
    this.#after = this.#takes.map(() => 0);
    this.#reset = this.#takes.map(() => undefined);
    this.#errors = this.#takes.map(() => null);
    this.#pending = this.#takes.length;
  }

  /** Reserves. */
  start(): void {
    let at = 0;
    for (const { store, takes } of this.#parts) {
      const first = at;
      at += takes.length;
      store.take(
        takes.map((take, i) => ({ ...take, index: first + i })),
        true,
        this,
      );
    }
  }

  onCounter(index: number, after: number, resetSeconds?: number): void {
    this.#after[index] = after;
    this.#reset[index] = resetSeconds;
    this.#settle();
  }

  onCounterError(index: number, message: string): void {
    this.#errors[index] = message;
    this.#settle();
  }

  #settle(): void {
    if (--this.#pending > 0) return;
    const refuses = (i: number): boolean =>
      this.#errors[i] !== null || (this.#takes[i]!.limit.enforced && this.#over(i));
    if (this.#takes.some((_, i) => refuses(i))) this.#giveBack(refuses);
    this.#takes.forEach(({ index }, i) => {
      const error = this.#errors[i]!;
      if (error !== null) this.#waiter.onCounterError(index, error);
      else this.#waiter.onCounter(index, this.#after[i]!, this.#reset[i]);
    });
  }

  #over(i: number): boolean {
    return this.#after[i]! > this.#takes[i]!.limit.limit;
  }

  #giveBack(refuses: (i: number) => boolean): void {
    let at = 0;
    for (const { store, takes } of this.#parts) {
      const first = at;
      at += takes.length;
      // A part with a limit that refuses has taken nothing.
      if (takes.some((_, i) => refuses(first + i))) continue;
      const back = takes.flatMap((take, i) =>
        take.hits > 0 && !this.#over(first + i) ? [{ ...take, hits: -take.hits, index: first + i }] : [],
      );
      for (const { index, hits } of back) this.#after[index]! += hits;
      if (back.length > 0) store.take(back, false, ignored);
    }
  }
}

const ignored: CounterWaiter = { onCounter: () => {}, onCounterError: () => {} };

/** Asks one place at once, and several as one call or each for itself. */
export function takeInParts(parts: readonly TakePart[], allOrNothing: boolean, waiter: CounterWaiter): void {
  if (allOrNothing && parts.length > 1) new ReservedTake(parts, waiter).start();
  else for (const { store, takes } of parts) store.take(takes, allOrNothing, waiter);
}
