import { type Bin, countUpTo, quantilesOf, sumOf } from './distribution.ts';
import type { StatsStore } from './store.ts';
import type { StoreHistogram } from './store-histogram.ts';
import type { Tag, TagProducer } from './tags.ts';

/** Upper bounds of Prometheus buckets, in the histogram's unit. Envoy's defaults. */
export const defaultBuckets: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
];

/** Quantiles that Envoy computes for every histogram. */
export const shownQuantiles: readonly number[] = [0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1];

/** What `/stats/prometheus` may be asked for. */
export interface PrometheusOptions {
  readonly usedOnly: boolean;
  /** Null: everything. Told the full name with its dimensions. */
  readonly filter: ((name: string) => boolean) | null;
  readonly textReadouts: boolean;
  /** Histograms as buckets, or as summaries of quantiles. */
  readonly histograms: 'cumulative' | 'summary';
  /** Bucket bounds of a histogram by its full name. */
  readonly bucketsFor: (name: string) => readonly number[];
}

/** The options of a plain scrape. */
export const defaultPrometheusOptions: PrometheusOptions = {
  usedOnly: false,
  filter: null,
  textReadouts: false,
  histograms: 'cumulative',
  bucketsFor: () => defaultBuckets,
};

interface Series<T> {
  readonly labels: string;
  readonly stat: T;
}

/** Everything in the Prometheus text format 0.0.4, as Envoy names it: `envoy_` in front, dots and the like as `_`. */
export function renderPrometheus(store: StatsStore, tags: TagProducer, options: PrometheusOptions): string {
  const out: string[] = [];
  const wanted = (stat: { readonly name: string; readonly used: boolean }): boolean =>
    (stat.used || !options.usedOnly) && (options.filter === null || options.filter(stat.name));
  const simple = (
    kind: 'counter' | 'gauge',
    stats: readonly { name: string; used: boolean; value: number }[],
  ): void => {
    for (const [name, series] of grouped(stats.filter(wanted), tags)) {
      out.push(`# TYPE ${name} ${kind}\n`);
      for (const { labels, stat } of series) out.push(`${name}{${labels}} ${stat.value}\n`);
    }
  };
  simple('counter', store.counters());
  simple('gauge', store.gauges());
  if (options.textReadouts) {
    for (const [name, series] of grouped(store.texts(), tags)) {
      out.push(`# TYPE ${name} gauge\n`);
      for (const { labels, stat } of series) {
        out.push(`${name}{${labels === '' ? '' : `${labels},`}text_value="${escapeLabel(stat.value)}"} 0\n`);
      }
    }
  }
  for (const [name, series] of grouped(store.histograms().filter(wanted), tags)) {
    out.push(`# TYPE ${name} ${options.histograms === 'summary' ? 'summary' : 'histogram'}\n`);
    for (const { labels, stat } of series) renderHistogram(out, name, labels, stat, options);
  }
  return out.join('');
}

function renderHistogram(
  out: string[],
  name: string,
  labels: string,
  histogram: StoreHistogram,
  options: PrometheusOptions,
): void {
  const bins = histogram.cumulative.bins();
  const comma = labels === '' ? '' : ',';
  if (options.histograms === 'summary') {
    // Summaries speak of the last interval, sum and count of everything.
    const values = quantilesOf(histogram.interval.bins(), shownQuantiles);
    shownQuantiles.forEach((quantile, i) => {
      out.push(`${name}{${labels}${comma}quantile="${quantile}"} ${values[i]}\n`);
    });
  } else {
    for (const bound of options.bucketsFor(histogram.name)) {
      out.push(`${name}_bucket{${labels}${comma}le="${bound}"} ${countUpTo(bins, bound)}\n`);
    }
    out.push(`${name}_bucket{${labels}${comma}le="+Inf"} ${total(bins)}\n`);
  }
  out.push(`${name}_sum{${labels}} ${sumOf(bins)}\n${name}_count{${labels}} ${total(bins)}\n`);
}

function total(bins: readonly Bin[]): number {
  let count = 0;
  for (const bin of bins) count += bin.count;
  return count;
}

/** Groups statistics under their Prometheus names, names in order. */
function grouped<T extends { readonly name: string }>(stats: readonly T[], tags: TagProducer): [string, Series<T>[]][] {
  const groups = new Map<string, Series<T>[]>();
  for (const stat of stats) {
    const tagged = tags.produce(stat.name);
    const series = { labels: labelsOf(tagged.tags), stat };
    const group = groups.get(tagged.name);
    if (group === undefined) groups.set(tagged.name, [series]);
    else group.push(series);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, series]) => [`envoy_${sanitize(name)}`, series]);
}

function labelsOf(tags: readonly Tag[]): string {
  return tags.map((tag) => `${sanitize(tag.name)}="${escapeLabel(tag.value)}"`).join(',');
}

function sanitize(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_');
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
}
