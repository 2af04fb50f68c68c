import assert from 'node:assert/strict';
import type net from 'node:net';
import { describe, it } from 'node:test';
import type { ConnectionInfo } from '#gateway/api/connection.ts';
import type { Cancellable, Host, HttpPool, PoolCallbacks } from '#gateway/api/upstream.ts';
import type { Protocol, RequestEncoder, ResponseDecoder } from '#gateway/protocol/codec.ts';
import type { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { startH2Upstream } from '#test/support/h2-upstream.ts';
import { requestHead } from '#test/support/router-stream.ts';
import { until } from '#test/support/until.ts';
import {
  createUpstreamWorld,
  http2Options,
  onPorts,
  response,
  startScriptedUpstream,
  type UpstreamWorld,
} from '#test/support/upstream-world.ts';

/** One request through a pool, told as a text when it ends: `200`, `failed overflow`, `reset connection_termination`. */
class Exchange implements ResponseDecoder, PoolCallbacks {
  readonly outcome: Promise<string>;
  encoder: RequestEncoder | null = null;
  pending: Cancellable | null = null;
  info: ConnectionInfo | null = null;
  protocol: Protocol | null = null;
  #done!: (text: string) => void;
  #status = 0;
  readonly #path: string;

  constructor(pool: HttpPool, path: string) {
    this.outcome = new Promise((done) => {
      this.#done = done;
    });
    this.#path = path;
    this.pending = pool.newStream(this, this);
  }
  onPoolReady(encoder: RequestEncoder, _host: Host, info: ConnectionInfo, protocol: Protocol): void {
    this.encoder = encoder;
    this.info = info;
    this.protocol = protocol;
    encoder.encodeHeaders(requestHead('GET', this.#path), true);
  }
  onPoolFailure(reason: string): void {
    this.#done(`failed ${reason}`);
  }
  decodeInformational(): void {}
  decodeHeaders(head: ResponseHead, endStream: boolean): void {
    this.#status = head.status;
    if (endStream) this.#done(String(head.status));
  }
  decodeData(_chunk: Uint8Array, endStream: boolean): void {
    if (endStream) this.#done(String(this.#status));
  }
  decodeTrailers(): void {
    this.#done(String(this.#status));
  }
  onResetStream(reason: string): void {
    this.#done(`reset ${reason}`);
  }
  onAboveWriteBufferHighWatermark(): void {}
  onBelowWriteBufferLowWatermark(): void {}
}

function poolOf(world: UpstreamWorld, name = 'c'): HttpPool {
  const cluster = world.clusters.get(name)!;
  return cluster.httpPool(cluster.chooseHost(null)!, 'default', null, '');
}

describe('HTTP/1 pool', () => {
  it('opens a connection a waiting request, and uses the last one first', async (t) => {
    const held: net.Socket[] = [];
    const upstream = await startScriptedUpstream((head, socket) => {
      if (head.startsWith('GET /hold')) held.push(socket);
      else socket.write(response(200, 'x'));
    });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([{ name: 'c', load_assignment: onPorts(upstream.port) }]);
    t.after(() => world.clusters.close());
    const pool = poolOf(world);
    const both = [new Exchange(pool, '/hold/1'), new Exchange(pool, '/hold/2')];
    await until(() => held.length === 2);
    assert.equal(upstream.connections, 2);
    held[0]!.write(response(200, 'x'));
    await both[0]!.outcome;
    held[1]!.write(response(200, 'x'));
    await both[1]!.outcome;
    const third = new Exchange(pool, '/');
    assert.equal(third.info, both[1]!.info);
    assert.equal(await third.outcome, '200');
    assert.equal(world.context.stat('cluster.c.upstream_cx_active'), 2);
  });

  it('waits for a connection when there may be no more, and takes cancelled requests out', async (t) => {
    const held: net.Socket[] = [];
    const upstream = await startScriptedUpstream((_head, socket) => void held.push(socket));
    t.after(() => upstream.close());
    const breakers = { thresholds: [{ max_connections: 1 }] };
    const world = createUpstreamWorld([
      { name: 'c', load_assignment: onPorts(upstream.port), circuit_breakers: breakers },
    ]);
    t.after(() => world.clusters.close());
    const pool = poolOf(world);
    const first = new Exchange(pool, '/1');
    const second = new Exchange(pool, '/2');
    const third = new Exchange(pool, '/3');
    await until(() => held.length === 1);
    second.pending!.cancel();
    held[0]!.write(response(200, 'x'));
    assert.equal(await first.outcome, '200');
    await until(() => held.length === 2);
    held[1]!.write(response(200, 'x'));
    assert.equal(await third.outcome, '200');
    assert.deepEqual(
      upstream.heads.map((head) => head.split(' ')[1]),
      ['/1', '/3'],
    );
    assert.equal(upstream.connections, 1);
    assert.ok(world.context.stat('cluster.c.upstream_cx_overflow') > 0);
    assert.equal(world.context.stat('cluster.c.upstream_rq_cancelled'), 1);
    assert.equal(world.context.stat('cluster.c.upstream_rq_pending_active'), 0);
  });

  it('leaves a connection after its last request, and when the upstream says so', async (t) => {
    const upstream = await startScriptedUpstream((head, socket) => {
      socket.write(response(200, 'x', ...(head.startsWith('GET /close') ? ['connection: close'] : [])));
    });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([
      { name: 'c', load_assignment: onPorts(upstream.port), max_requests_per_connection: 2 },
      { name: 'd', load_assignment: onPorts(upstream.port) },
    ]);
    t.after(() => world.clusters.close());
    for (let i = 0; i < 4; i++) assert.equal(await new Exchange(poolOf(world), '/').outcome, '200');
    assert.equal(upstream.connections, 2);
    assert.equal(world.context.stat('cluster.c.upstream_cx_max_requests'), 2);
    await new Exchange(poolOf(world, 'd'), '/close').outcome;
    await new Exchange(poolOf(world, 'd'), '/').outcome;
    assert.equal(upstream.connections, 4);
  });

  it('closes idle connections after their time, and not busy ones', async (t) => {
    const upstream = await startScriptedUpstream((_head, socket) => socket.write(response(200, 'x')));
    t.after(() => upstream.close());
    const world = createUpstreamWorld([
      { name: 'c', load_assignment: onPorts(upstream.port), common_http_protocol_options: { idle_timeout: '0.03s' } },
    ]);
    t.after(() => world.clusters.close());
    await new Exchange(poolOf(world), '/').outcome;
    await until(() => world.context.stat('cluster.c.upstream_cx_active') === 0);
    assert.equal(world.context.stat('cluster.c.upstream_cx_idle_timeout'), 1);
  });

  it('gives up connecting after the connect timeout', async (t) => {
    const world = createUpstreamWorld([
      // TEST-NET-1: nobody answers, or the network says at once that it cannot be reached.
      {
        name: 'c',
        connect_timeout: '0.05s',
        load_assignment: {
          endpoints: [
            { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '192.0.2.1', port_value: 9 } } } }] },
          ],
        },
      },
    ]);
    t.after(() => world.clusters.close());
    assert.match(await new Exchange(poolOf(world), '/').outcome, /^failed (timeout|remote_connection_failure)$/);
    assert.equal(world.context.stat('cluster.c.upstream_cx_connect_fail'), 1);
    assert.equal(world.context.stat('cluster.c.upstream_rq_pending_failure_eject'), 1);
  });
});

describe('HTTP/2 pool', () => {
  it('multiplexes up to the limit and opens another connection above it', async (t) => {
    const upstream = await startH2Upstream({ maxConcurrentStreams: 2, hold: true });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([
      { name: 'c', load_assignment: onPorts(upstream.port), typed_extension_protocol_options: http2Options() },
    ]);
    t.after(() => world.clusters.close());
    const pool = poolOf(world);
    const early = new Exchange(pool, '/0');
    await until(() => upstream.held.length === 1);
    upstream.releaseAll();
    await early.outcome; // the peer's limit is known by now
    const [first, ...rest] = ['/1', '/2', '/3', '/4'].map((path) => new Exchange(pool, path));
    await until(() => upstream.held.length === 4);
    assert.equal(upstream.connections, 2);
    upstream.releaseAll();
    for (const exchange of [first!, ...rest]) assert.equal(await exchange.outcome, '200');
    assert.equal(early.protocol, 'HTTP/2');
    assert.equal(world.context.stat('cluster.c.upstream_rq_active'), 0);
    assert.equal(world.context.stat('cluster.c.upstream_cx_http2_total'), 2);
  });

  it('lets streams end after GOAWAY and opens a new connection for others', async (t) => {
    const upstream = await startH2Upstream({ maxConcurrentStreams: 100, hold: true });
    t.after(() => upstream.close());
    const world = createUpstreamWorld([
      { name: 'c', load_assignment: onPorts(upstream.port), typed_extension_protocol_options: http2Options() },
    ]);
    t.after(() => world.clusters.close());
    const pool = poolOf(world);
    const first = new Exchange(pool, '/1');
    await until(() => upstream.held.length === 1);
    upstream.goAway();
    await until(() => world.context.stat('cluster.c.upstream_cx_close_notify') === 1);
    const second = new Exchange(pool, '/2');
    await until(() => upstream.held.length === 2);
    assert.equal(upstream.connections, 2);
    upstream.releaseAll();
    assert.deepEqual([await first.outcome, await second.outcome], ['200', '200']);
    await until(() => world.context.stat('cluster.c.upstream_cx_active') === 1);
  });
});
