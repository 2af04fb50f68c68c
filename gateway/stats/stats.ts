/** A count that only grows. Names are resolved once, at configuration time; `inc` is a plain addition. */
export class Counter {
  readonly name: string;
  value = 0;
  /** True once it was incremented: `/stats?usedonly`. */
  used = false;

  constructor(name: string) {
    this.name = name;
  }

  inc(by = 1): void {
    this.value += by;
    this.used = true;
  }

  /** POST /reset_counters. */
  reset(): void {
    this.value = 0;
  }
}

/** A value that goes up and down. */
export class Gauge {
  readonly name: string;
  value = 0;
  used = false;

  constructor(name: string) {
    this.name = name;
  }

  set(value: number): void {
    this.value = value;
    this.used = true;
  }
  inc(by = 1): void {
    this.value += by;
    this.used = true;
  }
  dec(by = 1): void {
    this.value -= by;
  }
}

/** A text that is shown among the statistics: `sds.<name>.version_text`. */
export class TextReadout {
  readonly name: string;
  value = '';

  constructor(name: string) {
    this.name = name;
  }
}

/** Unit of what a histogram records. */
export type HistogramUnit = 'unspecified' | 'milliseconds' | 'microseconds' | 'bytes' | 'percent';

/** A distribution of recorded values. */
export interface Histogram {
  readonly name: string;
  readonly unit: HistogramUnit;
  record(value: number): void;
}

/**
 * A place in the tree of statistics. Names are Envoy's, joined by dots; asking twice for a name gives the same object.
 * `close` drops the scope's statistics when what they describe is removed.
 */
export interface Scope {
  readonly prefix: string;
  counter(name: string): Counter;
  gauge(name: string): Gauge;
  histogram(name: string, unit: HistogramUnit): Histogram;
  text(name: string): TextReadout;
  /** A child scope, `prefix` joined by a dot. */
  scope(prefix: string): Scope;
  close(): void;
}
