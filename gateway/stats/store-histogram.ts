import { Distribution } from './distribution.ts';
import type { Histogram, HistogramUnit } from './stats.ts';

/**
 * A histogram with Envoy's two views: the last flush interval, and everything since the start. What is recorded shows up
 * in both at the next flush.
 */
export class StoreHistogram implements Histogram {
  readonly name: string;
  readonly unit: HistogramUnit;
  /** True once a value was recorded. */
  used = false;
  /** Values of the last complete flush interval. */
  interval: Distribution = new Distribution();
  /** All values up to the last flush. */
  readonly cumulative: Distribution = new Distribution();
  #current: Distribution = new Distribution();
  /** Envoy records whole milliseconds, microseconds and octets; fractions would make other quantiles of the same traffic. */
  readonly #whole: boolean;

  constructor(name: string, unit: HistogramUnit) {
    this.name = name;
    this.unit = unit;
    this.#whole = unit === 'milliseconds' || unit === 'microseconds' || unit === 'bytes';
  }

  record(value: number): void {
    this.used = true;
    this.#current.record(this.#whole ? Math.floor(value) : value);
  }

  /** Ends the flush interval. */
  flush(): void {
    if (this.#current.count === 0 && this.interval.count === 0) return;
    const ended = this.#current;
    this.#current = this.interval;
    this.#current.clear();
    this.interval = ended;
    this.cumulative.merge(ended);
  }
}
