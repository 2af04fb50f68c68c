import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { describe, it } from 'node:test';
import type { Route } from '#gateway/api/route.ts';
import { createRouterConfig } from '#gateway/extensions/http/router/router-config.ts';
import { RouterFilter } from '#gateway/extensions/http/router/router-filter.ts';
import { createMessage } from '#gateway/proto/registry.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import type { Router } from '#proto-types/envoy/extensions/filters/http/router/v3/router_pb.ts';
import { startH2Upstream } from '#test/support/h2-upstream.ts';
import { FilterStream, requestHead, routeTo } from '#test/support/router-stream.ts';
import { until } from '#test/support/until.ts';
import {
  createUpstreamWorld,
  http2Options,
  onPorts,
  response,
  startScriptedUpstream,
  type UpstreamWorld,
} from '#test/support/upstream-world.ts';

function streamTo(world: UpstreamWorld, route: Route): FilterStream {
  const { context } = world;
  const message = createMessage<Router>('envoy.extensions.filters.http.router.v3.Router');
  const config = createRouterConfig(message, context, context.stats.scope('http.test'));
  return new FilterStream(new RouterFilter(config), route);
}

/** A server whose sockets a test reads and writes itself. */
async function startRawServer(): Promise<{ port: number; sockets: net.Socket[]; close(): void }> {
  const sockets: net.Socket[] = [];
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as net.AddressInfo).port,
    sockets,
    close(): void {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe('router streams', () => {
  it('pass on an answer that comes before the request has ended, and drop the rest of the request', async (t) => {
    const upstream = await startScriptedUpstream((_head, socket) => socket.write(response(413, 'too much')));
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    t.after(() => world.clusters.close());
    const stream = streamTo(world, routeTo('c'));
    stream.request(requestHead('POST', '/', 'content-length', '100'), false);
    stream.send('abc');
    await stream.finished();
    assert.deepEqual([stream.responseHead?.status, stream.body], [413, 'too much']);
    stream.send('more');
    await until(() => world.context.stat('cluster.c.upstream_cx_active') === 0);
    assert.equal(world.context.stat('cluster.c.upstream_rq_active'), 0);
  });

  it('pass interim responses, trailers and octet counts', async (t) => {
    const upstream = await startScriptedUpstream((_head, socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n');
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n');
    });
    t.after(() => upstream.close());
    const http = { explicit_http_config: { http_protocol_options: { enable_trailers: true } } };
    const world = createUpstreamWorld([
      { name: 'c', load_assignment: onPorts(upstream.port), typed_extension_protocol_options: http2Options(http) },
    ]);
    t.after(() => world.clusters.close());
    const stream = streamTo(world, routeTo('c'));
    stream.request(requestHead('POST', '/', 'transfer-encoding', 'chunked'), false);
    stream.send('12345');
    stream.filter.decodeTrailers(new HeaderMap(['x-r', '2']));
    await stream.finished();
    assert.deepEqual(stream.events, ['informational 103', 'headers 200', 'data 3', 'trailers', 'end']);
    assert.equal(stream.trailers?.get('x-t'), '1');
    assert.equal(stream.streamInfo.upstreamOctetsSent, 5);
    assert.equal(stream.streamInfo.upstreamOctetsReceived, 3);
    assert.ok(stream.streamInfo.upstreamWireOctetsReceived > 3);
  });

  it('pause the downstream while the upstream does not read', async (t) => {
    const server = await startRawServer();
    t.after(() => server.close());
    const world = createUpstreamWorld([
      { name: 'c', load_assignment: onPorts(server.port), per_connection_buffer_limit_bytes: 65_536 },
    ]);
    t.after(() => world.clusters.close());
    const stream = streamTo(world, routeTo('c', { timeoutMs: 0 }));
    stream.request(requestHead('POST', '/', 'content-length', '100000000'), false);
    await until(() => server.sockets.length === 1);
    let sent = 0;
    while (stream.paused === 0 && sent < 60_000_000) {
      stream.filter.decodeData(new Uint8Array(65_536), false);
      sent += 65_536;
      await new Promise((done) => setImmediate(done));
    }
    assert.equal(stream.paused, 1);
    assert.ok(world.context.stat('cluster.c.upstream_flow_control_backed_up_total') > 0);
    server.sockets[0]!.resume();
    await stream.until(() => stream.paused === 0);
    stream.filter.onDestroy();
    await until(() => world.context.stat('cluster.c.upstream_cx_active') === 0);
  });

  it('pause the upstream while the downstream does not read', async (t) => {
    let written = 0;
    const upstream = await startScriptedUpstream((_head, socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n');
      const more = (): void => {
        while (written < 50_000_000) {
          written += 100_000;
          if (!socket.write(Buffer.alloc(100_000))) {
            socket.once('drain', more);
            return;
          }
        }
      };
      more();
    });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    t.after(() => world.clusters.close());
    const stream = streamTo(world, routeTo('c', { timeoutMs: 0 }));
    let got = 0;
    stream.encodeData = (chunk: Uint8Array, endStream: boolean): void => {
      got += chunk.length;
      if (got === chunk.length) stream.watermarks[0]!.onAboveWriteBufferHighWatermark();
      if (endStream) stream.ended = true;
    };
    stream.request(requestHead('GET', '/'));
    await until(() => got > 0);
    const before = got;
    for (let i = 0; i < 200; i++) await new Promise((done) => setImmediate(done));
    assert.ok(got < 20_000_000, `${before} ${got}`);
    stream.watermarks[0]!.onBelowWriteBufferLowWatermark();
    await until(() => stream.ended);
    assert.equal(got, 50_000_000);
    assert.equal(world.context.stat('cluster.c.upstream_flow_control_paused_reading_total'), 1);
  });

  it('tunnel an upgrade both ways', async (t) => {
    const server = await startRawServer();
    t.after(() => server.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(server.port) }]);
    t.after(() => world.clusters.close());
    const stream = streamTo(world, routeTo('c'));
    stream.request(requestHead('GET', '/chat', 'connection', 'Upgrade', 'upgrade', 'websocket'), false);
    await until(() => server.sockets.length === 1);
    const [socket] = server.sockets as [net.Socket];
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString();
    });
    socket.resume();
    await until(() => received.includes('\r\n\r\n'));
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello');
    await stream.until(() => stream.body === 'hello');
    assert.equal(stream.responseHead?.status, 101);
    stream.send('ping');
    await until(() => received.endsWith('ping'));
    socket.end();
    await stream.finished();
  });

  it('end a CONNECT here and tunnel its octets', async (t) => {
    const echo = net.createServer((socket) => socket.pipe(socket));
    await new Promise<void>((done) => echo.listen(0, '127.0.0.1', done));
    t.after(() => echo.close());
    const { port } = echo.address() as net.AddressInfo;
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(port) }]);
    const stream = streamTo(world, routeTo('c', { terminatesConnect: true }));
    stream.request(requestHead('CONNECT', ''), false);
    await stream.until(() => stream.responseHead !== null);
    assert.equal(stream.responseHead?.status, 200);
    stream.send('through');
    await stream.until(() => stream.body === 'through');
    stream.send('', true);
    await stream.finished();
    await until(() => world.context.stat('cluster.c.upstream_cx_active') === 0);
  });

  it('reset the HTTP/2 stream of a client that goes away, and keep the connection', async (t) => {
    const upstream = await startH2Upstream({ maxConcurrentStreams: 10, hold: true });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([
      { name: 'c', load_assignment: onPorts(upstream.port), typed_extension_protocol_options: http2Options() },
    ]);
    t.after(() => world.clusters.close());
    const gone = streamTo(world, routeTo('c'));
    gone.request(requestHead('GET', '/'));
    await until(() => upstream.held.length === 1);
    gone.filter.onDestroy();
    await until(() => upstream.held[0]!.destroyed);
    assert.equal(world.context.stat('cluster.c.upstream_rq_tx_reset'), 1);
    assert.equal(world.context.stat('cluster.c.upstream_cx_active'), 1);
    const next = streamTo(world, routeTo('c'));
    next.request(requestHead('GET', '/'));
    await until(() => upstream.held.length === 2);
    upstream.held.shift();
    upstream.releaseAll();
    await next.finished();
    assert.deepEqual([next.responseHead?.status, next.body, upstream.connections], [200, 'ok', 1]);
  });

  it("rewrite the host to the upstream's name", async (t) => {
    const upstream = await startScriptedUpstream((_head, socket) => socket.write(response(200, 'x')));
    t.after(() => upstream.close());
    const endpoint = {
      hostname: 'real.test',
      address: { socket_address: { address: '127.0.0.1', port_value: upstream.port } },
    };
    const world = createUpstreamWorld([
      { name: 'c', load_assignment: { endpoints: [{ lb_endpoints: [{ endpoint }] }] } },
    ]);
    t.after(() => world.clusters.close());
    const stream = streamTo(world, routeTo('c', { autoHostRewrite: true, appendXForwardedHost: true }));
    stream.request(requestHead('GET', '/'));
    await stream.finished();
    assert.match(upstream.heads[0]!, /host: real\.test\r\n/);
    assert.match(upstream.heads[0]!, /x-forwarded-host: example\.com/);
  });
});
