import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatsStore } from '#ratelimit/limiter/stats-store.ts';
import { defaultMapping } from '#ratelimit/stats/default-mapping.ts';
import { MetricMapping, type MetricType } from '#ratelimit/stats/metric-mapping.ts';
import { PrometheusPage } from '#ratelimit/stats/prometheus-page.ts';
import { readMapping } from '#ratelimit/stats/read-mapping.ts';

/** `name{label="value"}`, or null when it is dropped. */
function mapped(mapping: MetricMapping, name: string, type: MetricType = 'counter'): string | null {
  const metric = mapping.map(name, type);
  if (metric === null) return null;
  return `${metric.name}{${metric.labels.map(([label, value]) => `${label}="${value}"`).join(',')}}`;
}

test('the reference’s names and labels', () => {
  const mapping = new MetricMapping(defaultMapping);
  const limit = 'ratelimit.service.rate_limit';
  const cases: readonly (readonly [name: string, expected: string])[] = [
    [`${limit}.d.k.over_limit`, 'ratelimit_service_rate_limit_over_limit{domain="d",key1="k"}'],
    [`${limit}.d.k.l.over_limit`, 'ratelimit_service_rate_limit_over_limit{domain="d",key1="k",key2="l"}'],
    [`${limit}.d.k.l.m.n.total_hits`, 'ratelimit_service_rate_limit_total_hits{domain="d",key1="k",key2="l"}'],
    // The reference counts this one as over_limit as well.
    [`${limit}.d.k.l.over_limit_with_local_cache`, 'ratelimit_service_rate_limit_d_k_l_over_limit_with_local_cache{}'],
    [`${limit}.d.domain_not_found`, 'ratelimit_service_rate_limit_d_domain_not_found{}'],
    [
      'ratelimit.service.call.should_rate_limit.redis_error',
      'ratelimit_service_should_rate_limit_error{err_type="redis_error"}',
    ],
    ['ratelimit_server.Check.total_requests', 'ratelimit_service_total_requests{grpc_method="Check"}'],
    ['ratelimit.service.config_load_error', 'ratelimit_service_config_load_error{}'],
    ['ratelimit.redis_pool.cx_total', 'ratelimit_redis_pool_cx_total{}'],
    ['1.ü-x', '_1___x{}'],
  ];
  for (const [name, expected] of cases) assert.equal(mapped(mapping, name), expected, name);
  assert.equal(
    mapped(mapping, 'ratelimit_server.ShouldRateLimit.response_time', 'observer'),
    'ratelimit_service_response_time_seconds{grpc_method="ShouldRateLimit"}',
  );
});

test('a mapping file: the first glob, else the first expression, else the name', () => {
  const mapping = new MetricMapping(
    readMapping(`
defaults: { timer_type: histogram, buckets: [1, 2] }
mappings:
- { match: 'a.(.*)\\.(?P<rest>x)', match_type: regex, name: 'regex_$1', labels: { all: '$0', two: '\${2}', name: '\${rest}', none: $9, other: $no } }
- { match: a.*.x, name: glob, labels: { part: '$1', both: '\${1}_$1', none: '$2', zero: $0 } }
- { match: a.b.x, name: never }
- { match: 'g.*', match_metric_type: gauge, name: gauges }
- { match: 'g.*', name: others_$1, scale: 2, help: 'some help' }
- { match: drop.*, action: drop, name: gone }
- { match: 't.*', match_metric_type: timer, name: times, observer_type: summary }
`),
  );
  assert.equal(mapped(mapping, 'a.b.x'), 'glob{part="b",both="b_b",none="",zero=""}');
  assert.equal(mapped(mapping, 'xa.b.c.xyz'), 'regex_b_c{all="a.b.c.x",two="x",name="x",none="",other=""}');
  assert.equal(mapped(mapping, 'g.h', 'gauge'), 'gauges{}');
  assert.equal(mapped(mapping, 'g.h'), 'others_h{}');
  assert.equal(mapping.map('g.h', 'counter')!.scale, 2);
  assert.equal(mapped(mapping, 'drop.it'), null);
  assert.equal(mapped(mapping, 'not.any'), 'not_any{}');
  assert.equal(mapping.map('t.x', 'observer')!.observerType, 'summary');
  assert.deepEqual(mapping.map('u.x', 'observer')!.buckets, [1, 2]);
  assert.equal(mapping.map('u.x', 'observer')!.observerType, 'histogram');
});

test('a mapping file with mistakes, or with what is not supported, is refused by name', () => {
  const cases: readonly (readonly [yaml: string, message: RegExp])[] = [
    ['mappings: [{ match: a.b, name: x, ttl: 5m }]', /^mappings\[0\]: ttl is not supported/],
    ['mappings: [{ match: a.b, name: x, quantiles: [] }]', /^mappings\[0\]: quantiles is not supported/],
    ['mappings: [{ match: a.b, name: x, summary_options: {} }]', /summary_options is not supported/],
    [
      'mappings: [{ match: a, name: x, histogram_options: { native_histogram_max_buckets: 3 } }]',
      /native_histogram_max_buckets is not/,
    ],
    ['defaults: { ttl: 1s }', /^defaults: ttl is not supported/],
    ['defaults: { glob_disable_ordering: true }', /glob_disable_ordering: can only be false/],
    ['mappings: [{ match: a..b, name: x }]', /^mappings\[0\]: invalid match: a\.\.b/],
    ['mappings: [{ match: "a(", match_type: regex, name: x }]', /^mappings\[0\]: invalid regex a\( in mapping/],
    ['mappings: [{ match: a, match_type: other, name: x }]', /^mappings\[0\]\.match_type: /],
    ['mappings: [{ match: a }]', /^mappings\[0\]\.name: /],
    ['mappings: [{ match: a, name: "a b" }]', /no name of a metric: a b/],
    ['mappings: [{ match: a, name: x, labels: { "a-b": c } }]', /^mappings\[0\]\.labels\.a-b: /],
    ['mappings: [', /^line 1: /],
    ['mapping: []', /^mapping is not supported/],
  ];
  for (const [yaml, message] of cases) assert.throws(() => readMapping(yaml), { message }, yaml);
  assert.deepEqual(readMapping('').rules, []);
});

test('the page: histograms in seconds or milliseconds, sums of equal series, labels that need escapes', () => {
  const stats = new StatsStore();
  for (const ms of [0.4, 1, 5, 5.9, 6, 30, 2500, 2501, 12_000, 99_999]) stats.shouldRateLimit.responseTimes.record(ms);
  stats.configured('d.a.b.c').totalHits = 2;
  stats.configured('d.a.b.d').totalHits = 3;
  stats.configured('d.q"\\').overLimit = 1;
  const page = (milliseconds: boolean): string[] =>
    new PrometheusPage(stats, { mapping: new MetricMapping(defaultMapping), tags: [['env', 'dev']], milliseconds })
      .text()
      .split('\n');
  const name = 'ratelimit_service_response_time_seconds';
  const labels = 'env="dev",grpc_method="ShouldRateLimit"';
  const seconds = page(false);
  for (const [bound, below] of [
    ['0.005', 4],
    ['0.01', 5],
    ['0.05', 6],
    ['2.5', 7],
    ['5', 8],
    ['10', 8],
    ['+Inf', 10],
  ]) {
    assert.ok(seconds.includes(`${name}_bucket{${labels},le="${bound}"} ${below}`), `${bound}: ${seconds.join('\n')}`);
  }
  assert.ok(seconds.includes(`${name}_sum{${labels}} 117.047`), seconds.join('\n'));
  assert.ok(seconds.includes(`${name}_count{${labels}} 10`));
  assert.ok(seconds.includes(`# TYPE ${name} histogram`));
  assert.ok(seconds.includes('ratelimit_service_rate_limit_total_hits{env="dev",domain="d",key1="a",key2="b"} 5'));
  assert.ok(seconds.includes('ratelimit_service_rate_limit_over_limit{env="dev",domain="d",key1="q\\"\\\\"} 1'));
  assert.ok(page(true).includes(`${name}_sum{${labels}} 117047`));
  assert.ok(page(true).includes(`${name}_bucket{${labels},le="2.5"} 2`));
});
