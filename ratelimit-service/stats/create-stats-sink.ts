import { readFileSync } from 'node:fs';
import type { Logger } from '#gateway/base/log.ts';
import type { Clock } from '#gateway/runtime/clock.ts';
import type { Timers } from '#gateway/runtime/timers.ts';
import { withNamedFile } from '../config/failure-text.ts';
import type { StatsSettings } from '../config/settings-stats.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import { defaultMapping } from './default-mapping.ts';
import { DogStatsdSink } from './dog-statsd-sink.ts';
import { LogSink } from './log-sink.ts';
import { type MappingFile, MetricMapping, metricName } from './metric-mapping.ts';
import { PrometheusPage } from './prometheus-page.ts';
import { PrometheusSink } from './prometheus-sink.ts';
import { readMapping } from './read-mapping.ts';
import { cleanTags, type StatsSink } from './stats-sink.ts';
import { StatsdSink } from './statsd-sink.ts';

/** What sinks work with. */
export interface SinkWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  /** Writes to standard error; null when this process is not the service's own. */
  readonly writeLine: ((line: string) => void) | null;
}

/** The sink that the settings name; null for none. Throws when a mapping file cannot be used. */
export function createStatsSink(settings: StatsSettings, stats: StatsStore, world: SinkWorld): StatsSink | null {
  if (settings.DISABLE_STATS) return null;
  const tags = settings.EXTRA_TAGS;
  const server = { host: settings.STATSD_HOST, port: settings.STATSD_PORT };
  if (settings.USE_PROMETHEUS) {
    const page = new PrometheusPage(stats, {
      mapping: new MetricMapping(mappingOf(settings.PROMETHEUS_MAPPER_YAML)),
      tags: cleanTags(tags).map(([name, value]) => [metricName(name), value] as const),
      milliseconds: settings.PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS,
    });
    return new PrometheusSink(settings.PROMETHEUS_ADDR, settings.PROMETHEUS_PATH, page, world.log);
  }
  if (settings.USE_DOG_STATSD) return new DogStatsdSink(server, tags, settings.mogrifiers, world.log);
  if (settings.USE_STATSD) return new StatsdSink(server, tags, world.timers, world.log);
  return world.writeLine === null ? null : new LogSink(tags, world.clock, world.writeLine);
}

function mappingOf(path: string): MappingFile {
  if (path === '') return defaultMapping;
  return withNamedFile('PROMETHEUS_MAPPER_YAML', path, () => readMapping(readFileSync(path, 'utf8')));
}
