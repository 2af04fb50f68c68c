/** Bins of one power of ten: two significant digits, 10 to 99. */
const binsPerDecade = 90;
/** Smallest power of ten that is told apart; smaller values count as zero. */
const lowestExponent = -7;
/** Powers of ten covered: 1e-7 up to 1e16. */
const decades = 24;

const powers: readonly number[] = Array.from({ length: decades + 1 }, (_, i) => 10 ** (i + lowestExponent));

/** One non-empty bin: values in [left, left + width). */
export interface Bin {
  readonly left: number;
  readonly width: number;
  readonly count: number;
}

/**
 * Counts of values in log-linear bins of two significant decimal digits, so that a quantile is within 10 % whatever the
 * scale. Bins are made a decade at a time, so an unused distribution costs next to nothing.
 */
export class Distribution {
  readonly #decades: (Float64Array | null)[] = new Array<Float64Array | null>(decades).fill(null);
  #zeros = 0;
  #count = 0;

  /** Number of values recorded. */
  get count(): number {
    return this.#count;
  }

  /** Counts one value; negative ones and NaN count as zero. */
  record(value: number): void {
    this.#count++;
    if (!(value >= powers[0]!)) {
      this.#zeros++;
      return;
    }
    let decade = value >= 1 ? -lowestExponent : 0;
    while (decade < decades - 1 && value >= powers[decade + 1]!) decade++;
    let bins = this.#decades[decade];
    if (bins === null || bins === undefined) {
      bins = new Float64Array(binsPerDecade);
      this.#decades[decade] = bins;
    }
    // The small addend undoes rounding: 0.29 / 0.01 is 28.999999999999996.
    const mantissa = Math.floor((value / powers[decade]!) * 10 + 1e-9);
    const bin = mantissa > 99 ? 89 : mantissa - 10;
    bins[bin] = bins[bin]! + 1;
  }

  /** Adds all of `other`'s counts to this one. */
  merge(other: Distribution): void {
    this.#zeros += other.#zeros;
    this.#count += other.#count;
    for (let d = 0; d < decades; d++) {
      const from = other.#decades[d];
      if (from === null || from === undefined) continue;
      let to = this.#decades[d];
      if (to === null || to === undefined) {
        to = new Float64Array(binsPerDecade);
        this.#decades[d] = to;
      }
      for (let b = 0; b < binsPerDecade; b++) to[b] = to[b]! + from[b]!;
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#zeros = 0;
    this.#count = 0;
    this.#decades.fill(null);
  }

  /** Non-empty bins, smallest values first. */
  bins(): Bin[] {
    const found: Bin[] = [];
    if (this.#zeros > 0) found.push({ left: 0, width: 0, count: this.#zeros });
    for (let d = 0; d < decades; d++) {
      const counts = this.#decades[d];
      if (counts === null || counts === undefined) continue;
      const width = powers[d]! / 10;
      for (let b = 0; b < binsPerDecade; b++) {
        // Division keeps decimals exact where multiplication would not: 29 / 10, not 29 * 0.1.
        const left = d < -lowestExponent + 1 ? (b + 10) / (10 / powers[d]!) : (b + 10) * width;
        if (counts[b] !== 0) found.push({ left, width, count: counts[b]! });
      }
    }
    return found;
  }
}

/** Values at `quantiles` (each in [0, 1], ascending); NaN each when nothing was recorded. The k-th of n values of a bin is taken to lie at k/(n+1) of its width. */
export function quantilesOf(bins: readonly Bin[], quantiles: readonly number[]): number[] {
  let total = 0;
  for (const bin of bins) total += bin.count;
  if (total === 0) return quantiles.map(() => Number.NaN);
  let at = 0;
  let below = 0;
  return quantiles.map((quantile) => {
    const rank = Math.min(total, Math.max(1, Math.ceil(quantile * total - 1e-9)));
    while (below + bins[at]!.count < rank) below += bins[at++]!.count;
    const bin = bins[at]!;
    return bin.left + bin.width * ((rank - below) / (bin.count + 1));
  });
}

/** Number of values in bins that begin at or below `bound`: what Prometheus' `le` asks for. */
export function countUpTo(bins: readonly Bin[], bound: number): number {
  let count = 0;
  for (const bin of bins) {
    if (bin.left > bound) break;
    count += bin.count;
  }
  return count;
}

/** Approximate sum of all values: each counts as its bin's harmonic midpoint. */
export function sumOf(bins: readonly Bin[]): number {
  let sum = 0;
  for (const { left, width, count } of bins) {
    if (left > 0) sum += count * (left + width * (left / (left + left + width)));
  }
  return sum;
}
