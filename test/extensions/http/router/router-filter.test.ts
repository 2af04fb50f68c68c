import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Route, RouteEntry } from '#gateway/api/route.ts';
import { createRouterConfig } from '#gateway/extensions/http/router/router-config.ts';
import { RouterFilter } from '#gateway/extensions/http/router/router-filter.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import { RetryOn } from '#gateway/upstream/retry-on.ts';
import type { Router } from '#proto-types/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { FilterStream, requestHead, routeTo } from '#test/support/router-stream.ts';
import {
  closedPort,
  createUpstreamWorld,
  onPorts,
  response,
  startScriptedUpstream,
  type UpstreamWorld,
} from '#test/support/upstream-world.ts';

function streamTo(world: UpstreamWorld, route: Route | null): FilterStream {
  const { context } = world;
  const message = createMessage<Router>('envoy.extensions.filters.http.router.v3.Router');
  const config = createRouterConfig(message, context, context.stats.scope('http.test'));
  return new FilterStream(new RouterFilter(config), route);
}

function retryRoute(
  retryOn: number,
  changes: Partial<NonNullable<RouteEntry['retryPolicy']>> = {},
): Partial<RouteEntry> {
  return {
    retryPolicy: {
      retryOn,
      numRetries: 2,
      perTryTimeoutMs: 0,
      perTryIdleTimeoutMs: 0,
      retriableStatusCodes: [],
      retriableHeaders: [],
      retriableRequestHeaders: [],
      backOffBaseMs: 2,
      backOffMaxMs: 10,
      avoidPreviousHosts: false,
      previousPrioritiesFrequency: 0,
      hostSelectionRetryMaxAttempts: 1,
      ...changes,
    },
  };
}

describe('router', () => {
  it('forwards a request and its response, and uses the connection again', async (t) => {
    const upstream = await startScriptedUpstream((head, socket) => {
      if (head.startsWith('POST')) socket.write(response(201, 'made'));
      else socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
    });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    t.after(() => world.clusters.close());
    const first = streamTo(world, routeTo('c'));
    first.request(requestHead('GET', '/a', 'x-one', '1'));
    await first.finished();
    assert.equal(first.responseHead?.status, 200);
    assert.equal(first.body, 'hello');
    assert.equal(first.details, 'via_upstream');
    assert.match(first.responseHead?.headers.get('x-envoy-upstream-service-time') ?? '', /^\d+$/);
    assert.match(upstream.heads[0]!, /x-one: 1\r\nx-envoy-expected-rq-timeout-ms: 15000/);
    const second = streamTo(world, routeTo('c'));
    second.request(requestHead('POST', '/b', 'content-length', '3'), false);
    second.send('abc', true);
    await second.finished();
    assert.equal(second.responseHead?.status, 201);
    assert.equal(upstream.connections, 1);
    const { context } = world;
    assert.equal(context.stat('cluster.c.upstream_rq_total'), 2);
    assert.equal(context.stat('cluster.c.upstream_rq_active'), 0);
    assert.equal(context.stat('cluster.c.upstream_cx_total'), 1);
    assert.equal(context.stat('cluster.c.upstream_rq_200'), 1);
    assert.equal(context.stat('cluster.c.external.upstream_rq_2xx'), 2);
    assert.equal(context.stat('cluster.c.upstream_rq_pending_total'), 1);
  });

  it('answers when there is no route, no cluster and no host', async () => {
    const world = createUpstreamWorld([{ name: 'empty' }]);
    const none = streamTo(world, null);
    none.request(requestHead('GET', '/'));
    assert.deepEqual([none.events[0], none.flags], ['reply 404 route_not_found', 'NR']);
    const unknown = streamTo(world, routeTo('nowhere'));
    unknown.request(requestHead('GET', '/'));
    assert.deepEqual([unknown.events[0], unknown.flags], ['reply 503 cluster_not_found', 'NC']);
    const empty = streamTo(world, routeTo('empty'));
    empty.request(requestHead('GET', '/'));
    assert.deepEqual(
      [empty.events[0], empty.flags, empty.body],
      ['reply 503 no_healthy_upstream', 'UH', 'no healthy upstream'],
    );
    assert.equal(world.context.stat('cluster.empty.upstream_cx_none_healthy'), 1);
    assert.equal(world.context.stat('cluster.empty.upstream_rq_503'), 1);
  });

  it('tells a refused connection, a lost one and garbage as Envoy does', async (t) => {
    const upstream = await startScriptedUpstream((head, socket) => {
      if (head.startsWith('GET /close')) socket.end();
      else socket.write('gibberish\r\n\r\n');
    });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([
      { name: 'refused', load_assignment: onPorts(await closedPort()) },
      { name: 'up', load_assignment: onPorts(upstream.port) },
    ]);
    const refused = streamTo(world, routeTo('refused'));
    refused.request(requestHead('GET', '/'));
    await refused.finished();
    assert.equal(
      refused.details,
      'upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}',
    );
    assert.equal(
      refused.body,
      'upstream connect error or disconnect/reset before headers. reset reason: remote connection failure',
    );
    assert.deepEqual([refused.responseHead?.status, refused.flags], [503, 'UF']);
    const lost = streamTo(world, routeTo('up'));
    lost.request(requestHead('GET', '/close'));
    await lost.finished();
    assert.deepEqual(
      [lost.details, lost.flags],
      ['upstream_reset_before_response_started{connection_termination}', 'UC'],
    );
    const garbage = streamTo(world, routeTo('up'));
    garbage.request(requestHead('GET', '/garbage'));
    await garbage.finished();
    assert.deepEqual([garbage.responseHead?.status, garbage.flags], [502, 'UPE']);
    assert.equal(world.context.stat('cluster.up.upstream_rq_active'), 0);
    assert.equal(world.context.stat('cluster.up.upstream_cx_active'), 0);
    assert.equal(world.context.stat('cluster.refused.upstream_cx_connect_fail'), 1);
    assert.equal(world.context.stat('cluster.refused.upstream_rq_pending_failure_eject'), 1);
  });

  it('ends a request that takes too long', async (t) => {
    const upstream = await startScriptedUpstream(() => {});
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    const stream = streamTo(world, routeTo('c', { timeoutMs: 30 }));
    stream.request(requestHead('GET', '/hang'));
    await stream.finished();
    assert.deepEqual(
      [stream.events[0], stream.flags, stream.body],
      ['reply 504 response_timeout', 'UT', 'upstream request timeout'],
    );
    assert.equal(world.context.stat('cluster.c.upstream_rq_timeout'), 1);
    assert.equal(world.context.stat('cluster.c.upstream_rq_504'), 1);
    assert.equal(world.context.stat('cluster.c.upstream_cx_active'), 0);
  });

  it('tries again on 5xx with the whole body, and counts attempts', async (t) => {
    const bodies: string[] = [];
    const upstream = await startScriptedUpstream((head, socket, nth) => {
      bodies.push(head);
      socket.write(nth < 3 ? response(503, 'no') : response(200, 'yes'));
    });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    const route = routeTo('c', retryRoute(RetryOn.FiveXx), {
      includeRequestAttemptCount: true,
      includeAttemptCountInResponse: true,
    });
    const stream = streamTo(world, route);
    stream.request(requestHead('POST', '/r', 'content-length', '4'), false);
    stream.send('ab');
    stream.send('\r\n', true);
    await stream.finished();
    assert.equal(stream.body, 'yes');
    assert.equal(stream.responseHead?.headers.get('x-envoy-attempt-count'), '3');
    assert.match(bodies[2]!, /x-envoy-attempt-count: 3/);
    assert.equal(stream.streamInfo.upstreamRequestAttempts, 3);
    const { context } = world;
    assert.equal(context.stat('cluster.c.upstream_rq_retry'), 2);
    assert.equal(context.stat('cluster.c.upstream_rq_retry_success'), 1);
    assert.equal(context.stat('cluster.c.retry.upstream_rq_503'), 2);
    assert.equal(context.stat('cluster.c.upstream_rq_503'), 0);
    assert.equal(context.stat('cluster.c.circuit_breakers.default.rq_retry_open'), 0);
  });

  it('stops trying at the limit and passes on the last answer', async (t) => {
    const upstream = await startScriptedUpstream((_head, socket) => socket.write(response(503, 'no')));
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    const stream = streamTo(world, routeTo('c', retryRoute(0)));
    stream.request(requestHead('GET', '/', 'x-envoy-retry-on', 'gateway-error', 'x-envoy-max-retries', '1'));
    await stream.finished();
    assert.deepEqual([stream.responseHead?.status, stream.body, stream.flags], [503, 'no', 'URX']);
    assert.equal(upstream.heads.length, 2);
    assert.doesNotMatch(upstream.heads[0]!, /x-envoy-(retry-on|max-retries)/);
    assert.equal(world.context.stat('cluster.c.upstream_rq_retry_limit_exceeded'), 1);
  });

  it('retries a lost connection and then says so', async (t) => {
    const upstream = await startScriptedUpstream((_head, socket) => socket.end());
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    const stream = streamTo(world, routeTo('c', retryRoute(RetryOn.Reset)));
    stream.request(requestHead('GET', '/'));
    await stream.finished();
    assert.equal(
      stream.body,
      'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: connection termination',
    );
    assert.equal(stream.flags, 'UC,URX');
    assert.equal(upstream.heads.length, 3);
  });

  it('limits each try', async (t) => {
    const upstream = await startScriptedUpstream(() => {});
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    const stream = streamTo(world, routeTo('c', retryRoute(RetryOn.FiveXx, { perTryTimeoutMs: 20, numRetries: 1 })));
    stream.request(requestHead('GET', '/'));
    await stream.finished();
    assert.deepEqual([stream.events[0], stream.flags], ['reply 504 upstream_per_try_timeout', 'UT,URX']);
    assert.equal(world.context.stat('cluster.c.upstream_rq_per_try_timeout'), 2);
  });

  it('refuses what the circuit breaker has no room for', async (t) => {
    const upstream = await startScriptedUpstream(() => {});
    t.after(() => upstream.close());
    const world = createUpstreamWorld([
      {
        name: 'c',
        load_assignment: onPorts(upstream.port),
        circuit_breakers: { thresholds: [{ max_requests: 1, max_pending_requests: 1, track_remaining: true }] },
      },
    ]);
    const first = streamTo(world, routeTo('c'));
    first.request(requestHead('GET', '/1'));
    assert.equal(world.context.stat('cluster.c.circuit_breakers.default.rq_pending_open'), 1);
    assert.equal(world.context.stat('cluster.c.circuit_breakers.default.remaining_pending'), 0);
    const second = streamTo(world, routeTo('c'));
    second.request(requestHead('GET', '/2'));
    assert.deepEqual([second.flags, second.details], ['UO', 'upstream_reset_before_response_started{overflow}']);
    assert.equal(second.responseHead?.headers.get('x-envoy-overloaded'), 'true');
    assert.equal(world.context.stat('cluster.c.upstream_rq_pending_overflow'), 1);
    first.filter.onDestroy();
    assert.equal(world.context.stat('cluster.c.upstream_rq_cancelled'), 1);
    assert.equal(world.context.stat('cluster.c.circuit_breakers.default.rq_pending_open'), 0);
  });

  it('resets a response that breaks off', async (t) => {
    const upstream = await startScriptedUpstream((_head, socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', () => socket.end());
    });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    const stream = streamTo(world, routeTo('c'));
    stream.request(requestHead('GET', '/'));
    await stream.finished();
    assert.equal(stream.body, 'abc');
    assert.equal(stream.details, 'upstream_reset_after_response_started{protocol_error}');
    assert.equal(stream.flags, 'UPE');
  });

  it('answers directly and redirects', () => {
    const world = createUpstreamWorld([]);
    const route = {
      ...routeTo('c'),
      entry: null,
      directResponse: {
        status: 301,
        body: '',
        formatBody: () => '',
        location: () => 'https://example.com/x',
        finalizeResponseHeaders: () => {},
      },
    };
    const stream = streamTo(world, route);
    stream.request(requestHead('GET', '/'));
    assert.equal(stream.events[0], 'reply 301 direct_response');
    assert.equal(stream.responseHead?.headers.get('location'), 'https://example.com/x');
    assert.equal(world.context.stat('http.test.rq_redirect'), 0);
  });
});
