/** Lengths of a bucket, seconds; each is a whole number of those before it. */
const lengths = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 864_000] as const;

/** As many buckets are held. */
const maxBuckets = 10_000;

/** One row of a timeline. */
export interface TimelineRow {
  /** Unix seconds. */
  readonly start: number;
  readonly requests: number;
  /** Limited requests, for each of the configurations. */
  readonly limited: readonly number[];
}

/**
 * Requests and limited requests over time, in buckets. In bounded memory: when there are too many buckets they are made
 * longer. Without a length from outside it starts at a second, and rows are joined when they are read.
 */
export class Timeline {
  readonly #fixed: boolean;
  readonly #configurations: number;
  #seconds: number;
  #buckets = new Map<number, number[]>();

  /** `seconds`: length of a bucket, or null to find one that fits. */
  constructor(seconds: number | null, configurations: number) {
    this.#fixed = seconds !== null;
    this.#seconds = seconds ?? 1;
    this.#configurations = configurations;
  }

  /** Counts a request; `configuration` -1, or a limited one of a configuration. */
  add(timeUs: number, configuration: number): void {
    const index = Math.floor(timeUs / 1_000_000 / this.#seconds);
    let bucket = this.#buckets.get(index);
    if (bucket === undefined) {
      bucket = new Array<number>(this.#configurations + 1).fill(0);
      this.#buckets.set(index, bucket);
      if (this.#buckets.size > maxBuckets) {
        bucket[configuration + 1]!++;
        this.#lengthen(this.#longer());
        return;
      }
    }
    bucket[configuration + 1]!++;
  }

  /** Length of a bucket as they are held, seconds. */
  get seconds(): number {
    return this.#seconds;
  }

  /** The rows with a request in them, at most about `wanted` unless the length was given. */
  rows(wanted: number): { readonly seconds: number; readonly rows: TimelineRow[] } {
    const indexes = [...this.#buckets.keys()];
    let first = Number.POSITIVE_INFINITY;
    let last = Number.NEGATIVE_INFINITY;
    for (const index of indexes) {
      first = Math.min(first, index);
      last = Math.max(last, index);
    }
    const span = indexes.length === 0 ? 0 : (last - first + 1) * this.#seconds;
    if (!this.#fixed) {
      const fits = lengths.find((length) => length >= this.#seconds && span / length <= wanted);
      this.#lengthen(fits ?? Math.max(this.#seconds, lengths.at(-1)!));
    }
    const rows = [...this.#buckets]
      .sort(([a], [b]) => a - b)
      .map(([index, [requests, ...limited]]) => ({ start: index * this.#seconds, requests: requests!, limited }));
    return { seconds: this.#seconds, rows };
  }

  #longer(): number {
    const next = this.#fixed ? undefined : lengths.find((length) => length > this.#seconds);
    return next ?? this.#seconds * 2;
  }

  #lengthen(seconds: number): void {
    if (seconds === this.#seconds) return;
    const joined = new Map<number, number[]>();
    for (const [index, bucket] of this.#buckets) {
      const to = Math.floor((index * this.#seconds) / seconds);
      const sum = joined.get(to);
      if (sum === undefined) joined.set(to, bucket);
      else
        bucket.forEach((count, i) => {
          sum[i]! += count;
        });
    }
    this.#seconds = seconds;
    this.#buckets = joined;
  }
}
