/** Keys that are told apart exactly. */
const exactKeys = 10_000;

/**
 * The keys that count most, in bounded memory: exact for up to 10,000 keys, after which the lower half of the counts is
 * forgotten now and then, and `error` says by how much any count may be too low.
 */
export class TopKeys {
  #counts = new Map<string, number>();
  #error = 0;

  /** Counts, and answers what the key has by now. */
  add(key: string, count: number): number {
    const before = this.#counts.get(key);
    const after = (before ?? 0) + count;
    this.#counts.set(key, after);
    if (before === undefined && this.#counts.size > exactKeys) this.#forget();
    return after;
  }

  /** By how much a count may be too low; 0 as long as nothing was forgotten. */
  get error(): number {
    return this.#error;
  }

  /** How many keys are known; more there were when `error` is not 0. */
  get size(): number {
    return this.#counts.size;
  }

  /** The highest, the highest first. */
  top(count: number): { readonly key: string; readonly count: number }[] {
    return [...this.#counts]
      .sort(([keyA, a], [keyB, b]) => b - a || (keyA < keyB ? -1 : 1))
      .slice(0, count)
      .map(([key, value]) => ({ key, count: value }));
  }

  #forget(): void {
    const kept = [...this.#counts].sort(([, a], [, b]) => b - a);
    const forgotten = kept.splice(exactKeys / 2);
    this.#error += forgotten[0]![1];
    this.#counts = new Map(kept);
  }
}
