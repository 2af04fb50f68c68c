import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultPrometheusOptions, renderPrometheus } from '#gateway/stats/prometheus.ts';
import { StatsStore } from '#gateway/stats/store.ts';
import { TagProducer } from '#gateway/stats/tags.ts';

test('a name is one statistic, whichever scope asks', () => {
  const store = new StatsStore();
  const scope = store.root.scope('cluster.a.');
  assert.equal(scope.counter('x'), store.root.counter('cluster.a.x'));
});

test('a closed scope drops what nobody else holds', () => {
  const store = new StatsStore();
  const first = store.root.scope('cluster.a');
  first.counter('x').inc(3);
  first.scope('ssl').gauge('y');
  const second = store.root.scope('cluster.a');
  assert.equal(second.counter('x').value, 3);
  first.close();
  assert.deepEqual(
    store.counters().map((c) => [c.name, c.value]),
    [['cluster.a.x', 3]],
  );
  assert.deepEqual(store.gauges(), []);
  second.close();
  assert.deepEqual(store.counters(), []);
});

test('a rejected statistic counts but is not shown', () => {
  const store = new StatsStore({ accepts: (name) => !name.startsWith('http.') });
  store.root.counter('http.a').inc();
  assert.equal(store.root.counter('http.a').value, 1);
  assert.deepEqual(store.counters(), []);
});

test('histograms show up at the flush, then only in the cumulative view', () => {
  const store = new StatsStore();
  store.root.histogram('h', 'milliseconds').record(5);
  const [histogram] = store.histograms();
  assert.equal(histogram!.cumulative.count, 0);
  store.flush();
  assert.deepEqual([histogram!.interval.count, histogram!.cumulative.count], [1, 1]);
  store.flush();
  assert.deepEqual([histogram!.interval.count, histogram!.cumulative.count], [0, 1]);
});

const names: readonly (readonly [name: string, left: string, tags: string])[] = [
  ['cluster.app.upstream_rq_total', 'cluster.upstream_rq_total', 'cluster_name=app'],
  ['cluster.app.upstream_rq_503', 'cluster.upstream_rq', 'response_code=503 cluster_name=app'],
  ['cluster.app.external.upstream_rq_5xx', 'cluster.external.upstream_rq_xx', 'response_code_class=5 cluster_name=app'],
  ['http.in.downstream_rq_2xx', 'http.downstream_rq_xx', 'response_code_class=2 http_conn_manager_prefix=in'],
  [
    'listener.127.0.0.1_80.http.in.downstream_rq_completed',
    'listener.http.downstream_rq_completed',
    'http_conn_manager_prefix=in listener_address=127.0.0.1_80',
  ],
  ['listener.[__1]_80.downstream_cx_total', 'listener.downstream_cx_total', 'listener_address=[__1]_80'],
  ['listener.admin.downstream_cx_total', 'listener.admin.downstream_cx_total', ''],
  [
    'vhost.v.vcluster.o.upstream_rq_200',
    'vhost.vcluster.upstream_rq',
    'response_code=200 virtual_cluster=o virtual_host=v',
  ],
  ['vhost.v.route.r.upstream_rq_total', 'vhost.route.upstream_rq_total', 'virtual_host=v route=r'],
  ['server.worker_0.watchdog_miss', 'server.worker.watchdog_miss', 'worker_id=0'],
  ['server.live', 'server.live', ''],
];

describe('tags', () => {
  const producer = new TagProducer();
  for (const [name, left, tags] of names) {
    test(name, () => {
      const tagged = producer.produce(name);
      assert.equal(tagged.name, left);
      assert.equal(tagged.tags.map((tag) => `${tag.name.replace('envoy.', '')}=${tag.value}`).join(' '), tags);
    });
  }
});

test('Prometheus text', () => {
  const store = new StatsStore();
  store.root.counter('cluster.b.upstream_rq_200').inc(2);
  store.root.counter('cluster.a.upstream_rq_404').inc();
  store.root.gauge('server.live').set(1);
  store.root.histogram('http.in.downstream_rq_time', 'milliseconds').record(7);
  store.flush();
  const text = renderPrometheus(store, new TagProducer(), { ...defaultPrometheusOptions, bucketsFor: () => [5, 10] });
  assert.equal(
    text,
    `# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_response_code="404",envoy_cluster_name="a"} 1
envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="b"} 2
# TYPE envoy_server_live gauge
envoy_server_live{} 1
# TYPE envoy_http_downstream_rq_time histogram
envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix="in",le="5"} 0
envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix="in",le="10"} 1
envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix="in",le="+Inf"} 1
envoy_http_downstream_rq_time_sum{envoy_http_conn_manager_prefix="in"} 7.049645390070922
envoy_http_downstream_rq_time_count{envoy_http_conn_manager_prefix="in"} 1
`,
  );
});
