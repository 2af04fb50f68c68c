import { setBackUs } from './bucket-level.ts';

/** Parts that a window is divided into: a hit stops counting between one window and one window and a 20th after it came. */
export const slotsPerWindow = 20;

/** Length of one part, microseconds: a whole number for whole seconds. */
export function slotUs(windowSeconds: number): number {
  return (windowSeconds * 1_000_000) / slotsPerWindow;
}

/**
 * The hits of the last window by the part of it in which they came, the newest first, and the part that is ending in full:
 * never more than the limit are taken in any window of time. What is given back is taken from the newest part, so that a
 * request in flight that never says that it is done stops counting when its lease is over, whatever comes and goes after it.
 * `store/take-script.ts` says the same in Redis's language; a test holds the two against each other.
 */
export class SlotRing {
  /** Numbers that a ring is kept as. */
  static readonly width: number = slotsPerWindow + 3;
  /** Hits by age in parts; at most one more than a window has. */
  readonly #counts: number[] = new Array<number>(slotsPerWindow + 1).fill(0);
  #sum = 0;
  #newest = 0;

  /** Drops what is too old. A clock that was set back stands still, see {@link setBackUs}. */
  advance(lengthUs: number, nowUs: number): void {
    const slot = Math.floor(nowUs / lengthUs);
    const counts = this.#counts;
    const shift = Math.min(slot - this.#newest, counts.length);
    if (shift <= 0) {
      if (shift < -1 && -shift * lengthUs > setBackUs) this.#newest = slot;
      return;
    }
    this.#newest = slot;
    for (let i = counts.length - 1; i >= 0; i--) {
      if (i + shift >= counts.length) this.#sum -= counts[i]!;
      counts[i] = i >= shift ? counts[i - shift]! : 0;
    }
  }

  /** Takes hits, or gives some back when negative; false when there is no room. */
  take(limit: number, hits: number): boolean {
    if (hits >= 0) {
      if (this.#sum + hits > limit) return false;
      this.#counts[0]! += hits;
      this.#sum += hits;
      return true;
    }
    let left = -hits;
    for (let i = 0; i < this.#counts.length && left > 0; i++) {
      const back = Math.min(left, this.#counts[i]!);
      this.#counts[i]! -= back;
      this.#sum -= back;
      left -= back;
    }
    return true;
  }

  /** Hits that there is room for. */
  remaining(limit: number): number {
    return Math.max(0, limit - this.#sum);
  }

  /** Microseconds until nothing counts any more, or until there is room for `hits` when they are not 0 and could ever fit. */
  resetUs(limit: number, lengthUs: number, nowUs: number, hits: number): number {
    const over = this.#sum + hits - limit;
    let gone = hits > 0 && over <= this.#sum ? over : this.#sum;
    for (let i = this.#counts.length - 1; i >= 0; i--) {
      if (this.#counts[i] === 0) continue;
      gone -= this.#counts[i]!;
      if (gone <= 0) return Math.max(0, (this.#newest - i + this.#counts.length) * lengthUs - nowUs);
    }
    return 0;
  }

  /** Whether nothing counts. */
  get empty(): boolean {
    return this.#sum === 0;
  }

  /** Becomes what was kept in `numbers` from `at` on; zeros are a new one. */
  load(numbers: Float64Array, at: number): void {
    this.#sum = numbers[at]!;
    this.#newest = numbers[at + 1]!;
    for (let i = 0; i <= slotsPerWindow; i++) this.#counts[i] = numbers[at + 2 + i]!;
  }

  /** Keeps this one in `numbers` from `at` on. */
  save(numbers: Float64Array, at: number): void {
    numbers[at] = this.#sum;
    numbers[at + 1] = this.#newest;
    for (let i = 0; i <= slotsPerWindow; i++) numbers[at + 2 + i] = this.#counts[i]!;
  }
}
