import type { StatsStore } from '../limiter/stats-store.ts';
import { gaugeLines, statLines, timerLines } from '../service/stat-lines.ts';
import type { MappedMetric, MetricMapping, MetricType } from './metric-mapping.ts';
import { processFigures } from './process-stats.ts';
import { placeMs, type ResponseTimes } from './response-times.ts';
import type { StatTags } from './stats-sink.ts';

/** How the page is made. */
export interface PrometheusPageOptions {
  readonly mapping: MetricMapping;
  /** On every line. */
  readonly tags: StatTags;
  /** PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS; else seconds. */
  readonly milliseconds: boolean;
}

/** All series of one name. */
interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly help: string;
  /** Values by their labels, of counters and gauges. */
  readonly values: Map<string, number>;
  /** Finished lines, of the others. */
  readonly lines: string[];
}

/** All statistics in Prometheus' text format. */
export class PrometheusPage {
  readonly #stats: StatsStore;
  readonly #options: PrometheusPageOptions;

  constructor(stats: StatsStore, options: PrometheusPageOptions) {
    this.#stats = stats;
    this.#options = options;
  }

  /** The page as it is now. Statistics whose name is taken by one of another type are left out. */
  text(): string {
    const families = new Map<string, Family>();
    for (const { name, value } of statLines(this.#stats)) this.#add(families, name, 'counter', value);
    for (const { name, value } of gaugeLines(this.#stats)) this.#add(families, name, 'gauge', value);
    for (const { name, times } of timerLines(this.#stats)) this.#addTimes(families, name, times);
    for (const [name, type, value] of processFigures()) {
      family(families, name, type, 'Of the process.')?.values.set(this.#labels([]), value);
    }
    let page = '';
    for (const [name, { type, help, values, lines }] of families) {
      page += `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`;
      for (const [labels, value] of values) page += `${name}${labels} ${number(value)}\n`;
      page += lines.join('');
    }
    return page;
  }

  #add(families: Map<string, Family>, name: string, type: 'counter' | 'gauge', value: number): void {
    const metric = this.#options.mapping.map(name, type);
    // What has no name of its own is shown once it has happened, as in the reference.
    if (metric === null || (type === 'counter' && value === 0 && !metric.mapped)) return;
    const values = family(families, metric.name, type, metric.help)?.values;
    if (values === undefined) return;
    const labels = this.#labels(metric.labels);
    values.set(labels, value * metric.scale + (type === 'counter' ? (values.get(labels) ?? 0) : 0));
  }

  #addTimes(families: Map<string, Family>, name: string, times: ResponseTimes): void {
    const metric = this.#options.mapping.map(name, 'observer' satisfies MetricType);
    if (metric === null || times.count === 0) return;
    const lines = family(families, metric.name, metric.observerType, metric.help)?.lines;
    if (lines === undefined) return;
    const perUnit = (this.#options.milliseconds ? 1 : 1000) / metric.scale;
    if (metric.observerType === 'histogram') this.#addBuckets(lines, metric, times, perUnit);
    lines.push(`${metric.name}_sum${this.#labels(metric.labels)} ${number(times.sumMs / perUnit)}\n`);
    lines.push(`${metric.name}_count${this.#labels(metric.labels)} ${times.count}\n`);
  }

  #addBuckets(lines: string[], metric: MappedMetric, times: ResponseTimes, perUnit: number): void {
    let place = 0;
    let below = 0;
    for (const bound of metric.buckets) {
      for (; place < times.counts.length && placeMs(place) / perUnit <= bound; place++) below += times.counts[place]!;
      lines.push(`${metric.name}_bucket${this.#labels([...metric.labels, ['le', number(bound)]])} ${below}\n`);
    }
    lines.push(`${metric.name}_bucket${this.#labels([...metric.labels, ['le', '+Inf']])} ${times.count}\n`);
  }

  #labels(labels: StatTags): string {
    const all = [...this.#options.tags.filter(([tag]) => labels.every(([name]) => name !== tag)), ...labels];
    if (all.length === 0) return '';
    return `{${all.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(',')}}`;
  }
}

/** The family of a name; undefined when it is of another type. */
function family(families: Map<string, Family>, name: string, type: Family['type'], help: string): Family | undefined {
  let found = families.get(name);
  if (found === undefined) {
    found = { type, help, values: new Map(), lines: [] };
    families.set(name, found);
  }
  return found.type === type ? found : undefined;
}

/** Without the noise of binary fractions. */
function number(value: number): string {
  return String(Number(value.toPrecision(15)));
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
