import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterDataStatus, FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import type { UpstreamCluster } from '#gateway/api/upstream.ts';
import { healthCheckExtension } from '#gateway/extensions/http/health-check/health-check-extension.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { ConfiguredFilter } from '#test/support/filter-callbacks.ts';
import { requestHead } from '#test/support/router-stream.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';

const PATH = 'headers: [ { name: ":path", string_match: { exact: /healthz } } ]';

interface World {
  /** Writable here: the admin interface sets it on the real one. */
  readonly server: TestServerContext & { healthCheckFailed: boolean };
  readonly time: { now: number };
  readonly filter: ConfiguredFilter;
}

function world(yaml: string): World {
  const time = { now: 0 };
  const clock = { nowMs: () => time.now, wallMs: () => time.now };
  const server = createTestServerContext({ clock });
  return { server, time, filter: new ConfiguredFilter(healthCheckExtension, `${yaml}\n${PATH}`, server) };
}

function addCluster(server: TestServerContext, name: string, total: number, healthy: number, degraded: number): void {
  const scope = server.stats.scope(`cluster.${name}`);
  scope.gauge('membership_total').set(total);
  scope.gauge('membership_healthy').set(healthy);
  scope.gauge('membership_degraded').set(degraded);
  server.clusterMap.set(name, { info: { name, stats: { scope } } } as unknown as UpstreamCluster);
}

const probe = () => requestHead('GET', '/healthz');

describe('health check filter', () => {
  it('answers its path and no other', () => {
    const { filter } = world('pass_through_mode: false');
    const one = filter.stream();
    assert.equal(one.request(probe()), FilterHeadersStatus.StopIteration);
    assert.deepEqual([one.answered, one.body, one.details, one.flags], [200, '', 'health_check_ok', '']);
    assert.deepEqual(one.responseHead!.headers.entries, ['x-envoy-upstream-healthchecked-cluster', 'test']);
    assert.equal(one.streamInfo.healthCheck, true);
    const other = filter.stream();
    assert.equal(other.request(requestHead('GET', '/')), FilterHeadersStatus.Continue);
    assert.equal(other.respond(new ResponseHead(200)).headers.size, 0);
    assert.equal(other.streamInfo.healthCheck, false);
  });

  it('takes the body before it answers', () => {
    const one = world('pass_through_mode: false').filter.stream();
    assert.equal(one.request(probe(), false), FilterHeadersStatus.StopIteration);
    assert.equal(one.send('abc'), FilterDataStatus.StopIterationNoBuffer);
    assert.equal(one.answered, 0);
    assert.equal(one.send('', true), FilterDataStatus.StopIterationNoBuffer);
    assert.equal(one.answered, 200);
  });

  it('fails while the server is failed, and says so in every response', () => {
    const { server, filter } = world('pass_through_mode: true');
    const passed = filter.stream();
    assert.equal(passed.request(probe()), FilterHeadersStatus.Continue);
    server.healthCheckFailed = true;
    const one = filter.stream();
    one.request(probe());
    assert.deepEqual([one.answered, one.details, one.flags], [503, 'health_check_failed', 'LH']);
    const other = filter.stream();
    other.request(requestHead('GET', '/'));
    assert.deepEqual(other.respond(new ResponseHead(200)).headers.entries, [
      'x-envoy-immediate-health-check-fail',
      'true',
    ]);
  });

  it("repeats the upstream's answer until the period ends", () => {
    const { time, filter } = world('pass_through_mode: true\ncache_time: 2s');
    const first = filter.stream();
    assert.equal(first.request(probe()), FilterHeadersStatus.Continue);
    first.respond(new ResponseHead(500, new HeaderMap(['x-envoy-degraded', ''])));
    time.now = 1999;
    const cached = filter.stream();
    cached.request(probe());
    assert.deepEqual([cached.answered, cached.details, cached.flags], [500, 'health_check_cached', 'LH']);
    assert.equal(cached.responseHead!.get('x-envoy-degraded'), '');
    time.now = 2000;
    assert.equal(filter.stream().request(probe()), FilterHeadersStatus.Continue);
  });

  for (const [percent, details] of [
    ['full: { value: 100 }', 'health_check_ok_cluster_healthy'],
    ['half: { value: 75 }', 'health_check_ok_cluster_healthy'],
    ['half: { value: 76 }', 'health_check_failed_cluster_unhealthy'],
    ['full: { value: 100 }, half: { value: 100 }', 'health_check_failed_cluster_unhealthy'],
    ['empty: { value: 0.5 }', 'health_check_ok_cluster_healthy'],
    ['empty: { value: 1 }', 'health_check_failed_cluster_empty'],
    ['none: { value: 0 }', 'health_check_failed_no_cluster_found'],
  ] as const) {
    it(`judges clusters: ${percent}`, () => {
      const { server, filter } = world(`pass_through_mode: false\ncluster_min_healthy_percentages: { ${percent} }`);
      addCluster(server, 'full', 2, 2, 0);
      addCluster(server, 'half', 4, 2, 1);
      addCluster(server, 'empty', 0, 0, 0);
      const one = filter.stream();
      one.request(probe());
      const fine = details.includes('_ok_');
      assert.deepEqual([one.answered, one.details, one.flags], [fine ? 200 : 503, details, fine ? '' : 'LH']);
    });
  }

  it('refuses a cache without pass-through', () => {
    assert.throws(() => world('pass_through_mode: false\ncache_time: 1s'), /cache_time/);
    assert.throws(() => world(''), /pass_through_mode/);
  });
});
