import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import type { MirrorPolicy, Route } from '#gateway/api/route.ts';
import { createRouterConfig } from '#gateway/extensions/http/router/router-config.ts';
import { RouterFilter } from '#gateway/extensions/http/router/router-filter.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import type { Router } from '#proto-types/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { FilterStream, requestHead, routeTo } from '#test/support/router-stream.ts';
import { until } from '#test/support/until.ts';
import {
  closedPort,
  createUpstreamWorld,
  onPorts,
  response,
  startScriptedUpstream,
  type UpstreamWorld,
} from '#test/support/upstream-world.ts';

const always: MirrorPolicy = {
  cluster: 'mirror',
  clusterHeader: '',
  numerator: 100,
  denominator: 100,
  runtimeKey: '',
  keepHost: false,
  hostRewrite: '',
};

function streamTo(world: UpstreamWorld, route: Route): FilterStream {
  const { context } = world;
  const runtime = {
    ...context.runtime,
    enabled: (_key: string, numerator: number, denominator: number) => numerator === denominator,
  };
  const message = createMessage<Router>('envoy.extensions.filters.http.router.v3.Router');
  const config = createRouterConfig(message, { ...context, clusters: world.clusters, runtime }, context.stats);
  return new FilterStream(new RouterFilter(config), route);
}

const cluster = (name: string, port: number) => ({ name, load_assignment: onPorts(port) });

describe('request mirroring', () => {
  it('sends a marked copy and drops its answer', async (t) => {
    const main = await startScriptedUpstream((_head, socket) => socket.write(response(200, 'main')));
    const mirror = await startScriptedUpstream((_head, socket) => socket.write(response(500, 'mirror')));
    t.after(() => main.close());
    t.after(() => mirror.close());
    const world = createUpstreamWorld([cluster('c', main.port), cluster('mirror', mirror.port)]);
    t.after(() => world.clusters.close());
    const stream = streamTo(world, routeTo('c', { mirrors: [always] }));
    stream.request(requestHead('GET', '/x', 'x-forwarded-for', '1.2.3.4'));
    await stream.finished();
    await until(() => world.context.stat('cluster.mirror.internal.upstream_rq_500') === 1);
    assert.deepEqual([stream.responseHead?.status, stream.body], [200, 'main']);
    const copy = mirror.heads[0]!.toLowerCase();
    assert.match(copy, /^get \/x http\/1\.1\r\n/);
    assert.match(copy, /\r\nhost: example\.com-shadow(\r\n|$)/);
    assert.match(copy, /\r\nx-forwarded-for: 1\.2\.3\.4,[\d.]+(\r\n|$)/);
    assert.match(copy, /\r\nx-envoy-internal: true(\r\n|$)/);
    assert.match(copy, /\r\nx-envoy-expected-rq-timeout-ms: 15000(\r\n|$)/);
    assert.doesNotMatch(main.heads[0]!.toLowerCase(), /x-envoy-internal|shadow/);
    assert.equal(world.context.stat('http.async-client.rq_total'), 1);
    assert.equal(world.context.stat('cluster.mirror.upstream_rq_active'), 0);
  });

  it('copies the body as it comes', async (t) => {
    const main = await startScriptedUpstream((_head, socket) => socket.write(response(200, '')));
    t.after(() => main.close());
    let copied = '';
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        copied += String(chunk);
      });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    t.after(() => void server.close());
    const world = createUpstreamWorld([
      cluster('c', main.port),
      cluster('mirror', (server.address() as net.AddressInfo).port),
    ]);
    t.after(() => world.clusters.close());
    const stream = streamTo(world, routeTo('c', { mirrors: [{ ...always, keepHost: true }] }));
    stream.request(requestHead('POST', '/', 'content-length', '6'), false);
    stream.send('abc');
    await until(() => copied.endsWith('\r\n\r\nabc'));
    stream.send('def', true);
    await stream.finished();
    await until(() => copied.endsWith('abcdef'));
    assert.match(copied, /host: example\.com\r\n/i);
  });

  it('gives up the copy of a request that its client gives up', async (t) => {
    const main = await startScriptedUpstream(() => {});
    const mirror = await startScriptedUpstream(() => {});
    t.after(() => main.close());
    t.after(() => mirror.close());
    const world = createUpstreamWorld([cluster('c', main.port), cluster('mirror', mirror.port)]);
    t.after(() => world.clusters.close());
    const stream = streamTo(world, routeTo('c', { mirrors: [always] }));
    stream.request(requestHead('POST', '/', 'content-length', '6'), false);
    await until(() => mirror.heads.length === 1);
    stream.filter.onDestroy();
    await until(() => world.context.stat('cluster.mirror.upstream_cx_active') === 0);
    assert.equal(world.context.stat('cluster.mirror.upstream_rq_active'), 0);
  });

  it('serves the request whatever becomes of its copies', async (t) => {
    const main = await startScriptedUpstream((_head, socket) => socket.write(response(200, 'main')));
    const named = await startScriptedUpstream((_head, socket) => socket.write(response(200, '')));
    t.after(() => main.close());
    t.after(() => named.close());
    const world = createUpstreamWorld([
      cluster('c', main.port),
      cluster('mirror', await closedPort()),
      cluster('named', named.port),
      { name: 'empty' },
    ]);
    t.after(() => world.clusters.close());
    const mirrors = [
      always,
      { ...always, cluster: 'nowhere' },
      { ...always, cluster: 'empty' },
      { ...always, cluster: 'named', numerator: 0 },
      { ...always, cluster: '', clusterHeader: 'x-to', hostRewrite: 'shadow.example' },
    ];
    const stream = streamTo(world, routeTo('c', { mirrors }));
    stream.request(requestHead('GET', '/', 'x-to', 'named'));
    await stream.finished();
    assert.equal(stream.body, 'main');
    await until(() => world.context.stat('cluster.mirror.internal.upstream_rq_503') === 1);
    await until(() => world.context.stat('cluster.named.internal.upstream_rq_200') === 1);
    assert.equal(world.context.stat('cluster.empty.upstream_cx_none_healthy'), 1);
    assert.equal(named.heads.length, 1);
    assert.match(named.heads[0]!, /host: shadow\.example(\r\n|$)/i);
  });
});
