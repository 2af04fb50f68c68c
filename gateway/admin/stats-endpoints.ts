import { quantilesOf } from '#gateway/stats/distribution.ts';
import { renderPrometheus, shownQuantiles } from '#gateway/stats/prometheus.ts';
import type { StoreHistogram } from '#gateway/stats/store-histogram.ts';
import type { AdminServices } from './admin-services.ts';
import { type AdminEndpoint, type AdminReply, queryFlag, textReply } from './endpoint.ts';
import { type NameFilter, nameFilter } from './name-filter.ts';
import { bucketCounts, type HistogramMode, histogramText, percentOf } from './stats-text.ts';

const types = ['All', 'Counters', 'Histograms', 'Gauges', 'TextReadouts'] as const;
const modes: readonly HistogramMode[] = ['cumulative', 'disjoint', 'summary'];

interface Selection {
  readonly texts: readonly { readonly name: string; readonly value: string }[];
  /** Counters and gauges together, by name. */
  readonly numbers: readonly { readonly name: string; readonly value: number }[];
  readonly histograms: readonly StoreHistogram[];
}

function select(services: AdminServices, query: URLSearchParams, filter: NameFilter | null): Selection {
  const type = query.get('type') ?? 'All';
  const usedOnly = queryFlag(query, 'usedonly');
  const shown = (stat: { readonly name: string; readonly used?: boolean }): boolean =>
    (!usedOnly || stat.used !== false) && (filter === null || filter(stat.name));
  const { store } = services;
  const wants = (kind: string): boolean => type === 'All' || type === kind;
  const numbers = [...(wants('Counters') ? store.counters() : []), ...(wants('Gauges') ? store.gauges() : [])];
  return {
    texts: wants('TextReadouts') ? store.texts().filter(shown) : [],
    numbers: numbers.filter(shown).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    histograms: wants('Histograms') ? store.histograms().filter(shown) : [],
  };
}

function stats(services: AdminServices, query: URLSearchParams): AdminReply {
  const format = query.get('format') ?? 'text';
  if (format === 'prometheus') return prometheus(services, query);
  if (format !== 'text' && format !== 'json') return textReply(`usage: /stats?format=(text|json|prometheus)\n\n`, 400);
  const type = query.get('type') ?? 'All';
  if (!(types as readonly string[]).includes(type)) {
    return textReply(`invalid &type= param; must be one of: ${types.join(', ')}\n`, 400);
  }
  const mode = (query.get('histogram_buckets') ?? 'summary') as HistogramMode;
  if (!modes.includes(mode)) return textReply('usage: /stats?histogram_buckets=(summary|cumulative|disjoint)\n', 400);
  const filter = nameFilter(query);
  if (filter !== null && typeof filter === 'object') return textReply(`${filter.error}\n`, 400);
  services.refreshStats();
  const selection = select(services, query, filter);
  return format === 'json' ? statsJson(services, selection, mode) : statsText(services, selection, mode);
}

function statsText(
  services: AdminServices,
  { texts, numbers, histograms }: Selection,
  mode: HistogramMode,
): AdminReply {
  let out = '';
  for (const text of texts) out += `${text.name}: "${text.value}"\n`;
  for (const stat of numbers) out += `${stat.name}: ${stat.value}\n`;
  for (const histogram of histograms) {
    out += `${histogram.name}: ${histogramText(histogram, mode, (name) => services.bucketsFor(name))}\n`;
  }
  return textReply(out);
}

function statsJson(
  services: AdminServices,
  { texts, numbers, histograms }: Selection,
  mode: HistogramMode,
): AdminReply {
  const items: unknown[] = [...texts, ...numbers].map(({ name, value }) => ({ name, value }));
  if (histograms.length > 0) items.push({ histograms: histogramsJson(services, histograms, mode) });
  return { status: 200, type: 'json', body: JSON.stringify({ stats: items }) };
}

function histogramsJson(services: AdminServices, histograms: readonly StoreHistogram[], mode: HistogramMode): unknown {
  if (mode !== 'summary') {
    return histograms.map((histogram) => ({
      name: histogram.name,
      buckets: bucketCounts(
        histogram.interval.bins(),
        histogram.cumulative.bins(),
        services.bucketsFor(histogram.name),
        mode,
      ),
    }));
  }
  return {
    supported_quantiles: shownQuantiles.map(percentOf),
    computed_quantiles: histograms.map((histogram) => {
      const interval = quantilesOf(histogram.interval.bins(), shownQuantiles);
      const cumulative = quantilesOf(histogram.cumulative.bins(), shownQuantiles);
      return {
        name: histogram.name,
        values: shownQuantiles.map((_, i) => ({ cumulative: cumulative[i], interval: interval[i] })),
      };
    }),
  };
}

function prometheus(services: AdminServices, query: URLSearchParams): AdminReply {
  const mode = query.get('histogram_buckets') ?? 'cumulative';
  if (mode !== 'cumulative' && mode !== 'summary') {
    return textReply('usage: /stats/prometheus?histogram_buckets=(cumulative|summary)\n', 400);
  }
  const filter = nameFilter(query);
  if (filter !== null && typeof filter === 'object') return textReply(`${filter.error}\n`, 400);
  services.refreshStats();
  const body = renderPrometheus(services.store, services.tags, {
    usedOnly: queryFlag(query, 'usedonly'),
    filter,
    textReadouts: queryFlag(query, 'text_readouts'),
    histograms: mode,
    bucketsFor: (name) => services.bucketsFor(name),
  });
  return { status: 200, type: 'prometheus', body };
}

/** /stats and what belongs to it. */
export const statsEndpoints: readonly AdminEndpoint[] = [
  {
    path: '/stats',
    mutates: false,
    help: 'print server stats',
    parameters: [
      { name: 'usedonly', help: 'Only include stats that have been written by system since restart' },
      { name: 'filter', help: 'Regular expression (RE2) for filtering stats' },
      { name: 'invert_filter', help: 'Invert the filter regex' },
      { name: 'format', help: 'Format to use; One of (text, json, prometheus)' },
      { name: 'type', help: `Stat types to include.; One of (${types.join(', ')})` },
      { name: 'histogram_buckets', help: `Histogram bucket display mode; One of (${modes.join(', ')})` },
    ],
    handle: stats,
  },
  {
    path: '/stats/prometheus',
    mutates: false,
    help: 'print server stats in prometheus format',
    parameters: [
      { name: 'usedonly', help: 'Only include stats that have been written by system since restart' },
      { name: 'text_readouts', help: 'Render text_readouts as new gauges with value 0' },
      { name: 'filter', help: 'Regular expression (RE2) for filtering stats' },
      { name: 'invert_filter', help: 'Invert the filter regex' },
      { name: 'histogram_buckets', help: 'Histogram bucket display mode; One of (cumulative, summary)' },
    ],
    handle: prometheus,
  },
  {
    path: '/reset_counters',
    mutates: true,
    help: 'reset all counters to zero',
    parameters: [],
    handle(services) {
      services.store.resetCounters();
      return textReply('OK\n');
    },
  },
];
