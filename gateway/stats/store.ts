import { type CounterSource, SourcedCounters } from './counter-source.ts';
import { Counter, Gauge, type Histogram, type HistogramUnit, type Scope, TextReadout } from './stats.ts';
import { StoreHistogram } from './store-histogram.ts';

/** Says which statistics are kept: stats_config.stats_matcher. */
export interface StatsMatcher {
  /** False: the statistic works but is not shown. */
  accepts(name: string): boolean;
}

class Kind<T> {
  readonly kept = new Map<string, T>();
  readonly #owners = new Map<string, number>();
  readonly #hidden = new Map<string, T>();

  take(name: string, accepted: boolean, make: (name: string) => T): T {
    this.#owners.set(name, (this.#owners.get(name) ?? 0) + 1);
    const map = accepted ? this.kept : this.#hidden;
    let stat = map.get(name);
    if (stat === undefined) {
      stat = make(name);
      map.set(name, stat);
    }
    return stat;
  }

  release(name: string): void {
    const owners = (this.#owners.get(name) ?? 1) - 1;
    if (owners > 0) {
      this.#owners.set(name, owners);
      return;
    }
    this.#owners.delete(name);
    this.kept.delete(name);
    this.#hidden.delete(name);
  }
}

/**
 * All statistics of the process by full name. A statistic lives until every scope that asked for it is closed, so an
 * object that replaces another of the same name goes on counting where that one stopped.
 */
export class StatsStore {
  readonly #counters = new Kind<Counter>();
  readonly #gauges = new Kind<Gauge>();
  readonly #histograms = new Kind<StoreHistogram>();
  readonly #texts = new Kind<TextReadout>();
  readonly #sources: SourcedCounters[] = [];
  readonly #matcher: StatsMatcher | null;
  /** The scope with no prefix. */
  readonly root: Scope;

  constructor(matcher: StatsMatcher | null = null) {
    this.#matcher = matcher;
    this.root = new StoreScope(this, '', null);
  }

  /** @internal for scopes: each `take...` needs its `release...`. */
  takeCounter(name: string): Counter {
    return this.#counters.take(name, this.#accepts(name), (n) => new Counter(n));
  }
  /** @internal */
  takeGauge(name: string): Gauge {
    return this.#gauges.take(name, this.#accepts(name), (n) => new Gauge(n));
  }
  /** @internal */
  takeHistogram(name: string, unit: HistogramUnit): StoreHistogram {
    return this.#histograms.take(name, this.#accepts(name), (n) => new StoreHistogram(n, unit));
  }
  /** @internal */
  releaseCounter(name: string): void {
    this.#counters.release(name);
  }
  /** @internal */
  releaseGauge(name: string): void {
    this.#gauges.release(name);
  }
  /** @internal */
  releaseHistogram(name: string): void {
    this.#histograms.release(name);
  }

  /** @internal */
  takeText(name: string): TextReadout {
    return this.#texts.take(name, this.#accepts(name), (n) => new TextReadout(n));
  }
  /** @internal */
  releaseText(name: string): void {
    this.#texts.release(name);
  }

  /** Shows what is kept elsewhere among the store's own. */
  addSource(source: CounterSource): void {
    this.#sources.push(new SourcedCounters(source));
  }

  /** All counters, by name. */
  counters(): Counter[] {
    const all = [...this.#counters.kept.values()];
    for (const source of this.#sources) source.collect((name) => this.#accepts(name), all);
    return all.sort(byName);
  }
  /** All gauges, by name. */
  gauges(): Gauge[] {
    const all = [...this.#gauges.kept.values()];
    for (const source of this.#sources) source.collectGauges((name) => this.#accepts(name), all);
    return all.sort(byName);
  }
  /** All histograms, by name. */
  histograms(): StoreHistogram[] {
    return [...this.#histograms.kept.values()].sort(byName);
  }
  /** All texts, by name. */
  texts(): TextReadout[] {
    return [...this.#texts.kept.values()].sort(byName);
  }

  /** Ends the histograms' interval: every stats_flush_interval. */
  flush(): void {
    for (const histogram of this.#histograms.kept.values()) histogram.flush();
  }

  /** POST /reset_counters. */
  resetCounters(): void {
    for (const counter of this.#counters.kept.values()) counter.reset();
    for (const source of this.#sources) source.reset();
  }

  #accepts(name: string): boolean {
    return this.#matcher === null || this.#matcher.accepts(name);
  }
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

class StoreScope implements Scope {
  readonly prefix: string;
  readonly #store: StatsStore;
  readonly #parent: StoreScope | null;
  readonly #children = new Set<StoreScope>();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #texts = new Map<string, TextReadout>();

  constructor(store: StatsStore, prefix: string, parent: StoreScope | null) {
    this.#store = store;
    this.prefix = prefix;
    this.#parent = parent;
  }

  counter(name: string): Counter {
    let counter = this.#counters.get(name);
    if (counter === undefined) {
      counter = this.#store.takeCounter(this.#full(name));
      this.#counters.set(name, counter);
    }
    return counter;
  }

  gauge(name: string): Gauge {
    let gauge = this.#gauges.get(name);
    if (gauge === undefined) {
      gauge = this.#store.takeGauge(this.#full(name));
      this.#gauges.set(name, gauge);
    }
    return gauge;
  }

  histogram(name: string, unit: HistogramUnit): Histogram {
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      histogram = this.#store.takeHistogram(this.#full(name), unit);
      this.#histograms.set(name, histogram);
    }
    return histogram;
  }

  text(name: string): TextReadout {
    let text = this.#texts.get(name);
    if (text === undefined) {
      text = this.#store.takeText(this.#full(name));
      this.#texts.set(name, text);
    }
    return text;
  }

  scope(prefix: string): Scope {
    // Envoy drops dots at the ends of a prefix.
    const child = new StoreScope(this.#store, this.#full(prefix.replace(/^\.+|\.+$/g, '')), this);
    this.#children.add(child);
    return child;
  }

  close(): void {
    if (this.#parent !== null) this.#parent.#children.delete(this);
    for (const child of this.#children) child.close();
    for (const name of this.#counters.keys()) this.#store.releaseCounter(this.#full(name));
    for (const name of this.#gauges.keys()) this.#store.releaseGauge(this.#full(name));
    for (const name of this.#histograms.keys()) this.#store.releaseHistogram(this.#full(name));
    for (const name of this.#texts.keys()) this.#store.releaseText(this.#full(name));
    this.#counters.clear();
    this.#gauges.clear();
    this.#histograms.clear();
    this.#texts.clear();
  }

  #full(name: string): string {
    return this.prefix === '' ? name : `${this.prefix}.${name}`;
  }
}
