import { limitStatValues } from '../limiter/limit-stats.ts';
import type { StatsStore } from '../limiter/stats-store.ts';
import type { ResponseTimes } from '../stats/response-times.ts';

/** One counter as sinks see it. */
export interface StatLine {
  /** Dotted, in the reference service's words. */
  readonly name: string;
  /** Since the process began. */
  readonly value: number;
}

/** The name of a limit's (or domain's) counter. */
export function limitLineName(key: string, counter: string): string {
  return `ratelimit.service.rate_limit.${key}.${counter}`;
}

/** All counters of the service, those that are 0 included. */
export function* statLines(stats: StatsStore): Generator<StatLine> {
  for (const limit of stats.limits()) {
    for (const [name, value] of limitStatValues(limit)) {
      yield { name: limitLineName(limit.key, name), value };
    }
  }
  for (const [domain, value] of stats.domainsNotFound) {
    yield { name: limitLineName(domain, 'domain_not_found'), value };
  }
  yield { name: 'ratelimit.service.config_load_success', value: stats.configLoadSuccess };
  yield { name: 'ratelimit.service.config_load_error', value: stats.configLoadError };
  yield { name: 'ratelimit.service.global_shadow_mode', value: stats.globalShadowMode };
  yield { name: 'ratelimit.service.call.should_rate_limit.redis_error', value: stats.redisError };
  yield { name: 'ratelimit.service.call.should_rate_limit.service_error', value: stats.serviceError };
  for (const [name, value] of stats.redis.counters()) yield { name, value };
  for (const source of stats.sources) {
    for (const [name, value] of source.counters?.() ?? []) yield { name, value };
  }
  for (const { method, requests } of stats.methods()) {
    yield { name: `ratelimit_server.${method}.total_requests`, value: requests };
  }
}

/** All values of the service that go up and down. */
export function* gaugeLines(stats: StatsStore): Generator<StatLine> {
  for (const source of [stats.redis, ...stats.sources]) {
    for (const [name, value] of source.gauges?.() ?? []) yield { name, value };
  }
}

/** How long calls took, by method. */
export function* timerLines(stats: StatsStore): Generator<{ readonly name: string; readonly times: ResponseTimes }> {
  for (const { method, responseTimes } of stats.methods()) {
    yield { name: `ratelimit_server.${method}.response_time`, times: responseTimes };
  }
}
