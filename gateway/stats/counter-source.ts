import { Counter, Gauge } from './stats.ts';

/** A statistic that something else keeps, by its full name. */
interface SourcedValue {
  readonly name: string;
  readonly value: number;
}

/** Counters and gauges that something else keeps; they are read when they are shown. */
export interface CounterSource {
  counters(): Iterable<SourcedValue>;
  gauges?(): Iterable<SourcedValue>;
}

/** A source as part of a store: what a reset set to zero is subtracted. */
export class SourcedCounters {
  readonly #source: CounterSource;
  /** Values at the last reset, by name. */
  #zeros = new Map<string, number>();

  constructor(source: CounterSource) {
    this.#source = source;
  }

  /** Adds the counters as they are now to `into`, those that `accepts` wants. */
  collect(accepts: (name: string) => boolean, into: Counter[]): void {
    for (const { name, value } of this.#source.counters()) {
      if (!accepts(name)) continue;
      const counter = new Counter(name);
      if (value > 0) counter.inc(value);
      const zero = this.#zeros.get(name);
      // A count that is below its zero has been forgotten and begun anew.
      if (zero !== undefined && zero <= value) counter.value -= zero;
      into.push(counter);
    }
  }

  /** Adds the gauges as they are now to `into`, those that `accepts` wants. */
  collectGauges(accepts: (name: string) => boolean, into: Gauge[]): void {
    for (const { name, value } of this.#source.gauges?.() ?? []) {
      if (!accepts(name)) continue;
      const gauge = new Gauge(name);
      gauge.set(value);
      into.push(gauge);
    }
  }

  /** Counts from here on. */
  reset(): void {
    const zeros = new Map<string, number>();
    for (const { name, value } of this.#source.counters()) if (value > 0) zeros.set(name, value);
    this.#zeros = zeros;
  }
}
