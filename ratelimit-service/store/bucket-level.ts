/**
 * A clock that is set back by no more than this stands still, so that no time counts twice, microseconds. By more, and time goes on
 * from where it was set to: a clock that was an hour ahead for a moment must not reject everybody for an hour.
 */
export const setBackUs = 1_000_000;

/** 2^52: sums of two smaller numbers are exact. */
const exactBelow = 0x10_0000_0000_0000;

/** Lengths of a tick that are tried, microseconds. */
const tickLengths = [1, 1000, 1_000_000] as const;

/**
 * How a bucket counts: one hit is `scale` units, and every tick drains `drain` units. The tick is the shortest with which a
 * full bucket is a whole number below 2^52, so that the arithmetic is exact.
 */
export interface BucketRate {
  /** Units of a full bucket. */
  readonly capacity: number;
  /** Units of one hit: the ticks of the window. */
  readonly scale: number;
  /** Units that leave at each tick: the hits of the window. */
  readonly drain: number;
  /** Microseconds. */
  readonly tickUs: number;
}

/** The rate of `limit` hits in `windowSeconds` with room for `burst` at once. */
export function bucketRate(limit: number, burst: number, windowSeconds: number): BucketRate {
  const windowUs = windowSeconds * 1_000_000;
  const tickUs = tickLengths.find((length) => (burst * windowUs) / length < exactBelow) ?? 1_000_000;
  const scale = windowUs / tickUs;
  return { capacity: burst * scale, scale, drain: limit, tickUs };
}

/**
 * A leaky bucket as a meter, which is what GCRA and a token bucket are: hits raise the level, time lowers it, and what would
 * overflow is refused. In any time `t` at most `burst + floor(rate * t)` hits are taken. `store/take-script.ts` says the same
 * in Redis's language; a test holds the two against each other.
 */
export class BucketLevel {
  /** Numbers that a level is kept as. */
  static readonly width: number = 3;
  #level = 0;
  /** Start of the tick that the level is of, microseconds. */
  #atUs = 0;
  #scale = 1;

  /** Brings the level up to this time. A clock that was set back stands still, see {@link setBackUs}. */
  advance(rate: BucketRate, nowUs: number): void {
    if (rate.scale !== this.#scale) {
      this.#level = Math.ceil((this.#level * rate.scale) / this.#scale);
      this.#scale = rate.scale;
    }
    const ticks = Math.floor(nowUs / rate.tickUs) - Math.floor(this.#atUs / rate.tickUs);
    if (ticks <= 0 && this.#atUs - nowUs <= setBackUs) return;
    if (ticks > 0) this.#level = Math.max(0, this.#level - ticks * rate.drain);
    this.#atUs = Math.floor(nowUs / rate.tickUs) * rate.tickUs;
  }

  /** Takes hits, or gives some back when negative; false when there is no room. The level is of this time already. */
  take(rate: BucketRate, hits: number): boolean {
    const units = hits * rate.scale;
    if (hits >= 0 && this.#level + units > rate.capacity) return false;
    this.#level = Math.max(0, this.#level + units);
    return true;
  }

  /** Whole hits that there is room for. */
  remaining(rate: BucketRate): number {
    return Math.max(0, Math.floor((rate.capacity - this.#level) / rate.scale));
  }

  /** Microseconds until the bucket is empty, or until there is room for `hits` when they are not 0 and could ever fit. */
  resetUs(rate: BucketRate, hits: number): number {
    if (rate.drain === 0) return rate.scale * rate.tickUs;
    const over = this.#level + hits * rate.scale - rate.capacity;
    const units = hits > 0 && over <= this.#level ? over : this.#level;
    return Math.ceil(Math.max(0, units) / rate.drain) * rate.tickUs;
  }

  /** Whether it is as good as new. */
  get empty(): boolean {
    return this.#level === 0;
  }

  /** Becomes what was kept in `numbers` from `at` on; zeros are a new one. */
  load(numbers: Float64Array, at: number): void {
    this.#level = numbers[at]!;
    this.#atUs = numbers[at + 1]!;
    this.#scale = numbers[at + 2]! || 1;
  }

  /** Keeps this one in `numbers` from `at` on. */
  save(numbers: Float64Array, at: number): void {
    numbers[at] = this.#level;
    numbers[at + 1] = this.#atUs;
    numbers[at + 2] = this.#scale;
  }
}
