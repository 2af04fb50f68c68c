import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { describe, it } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { ResponseFlag } from '#gateway/api/response-flags.ts';
import { once } from '#test/support/connections.ts';
import {
  addTestCluster,
  listenerTestContext,
  loopback,
  portOf,
  startListeners,
  stopListeners,
  tcpProxyTo,
} from '#test/support/listeners.ts';
import type { TestServerContext } from '#test/support/server-context.ts';

async function upstream(onSocket: (socket: net.Socket) => void): Promise<{ port: number; close(): void }> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { port: (server.address() as net.AddressInfo).port, close: () => server.close() };
}

async function proxy(server: TestServerContext, more: JsonObject = {}) {
  return await startListeners(server, {
    name: 'l',
    stat_prefix: 'l',
    address: loopback,
    per_connection_buffer_limit_bytes: 65536,
    filter_chains: [{ filters: tcpProxyTo('c', { access_log: [{ name: 'any' }], ...more }) }],
  });
}

async function untilLogged(server: TestServerContext): Promise<void> {
  while (server.logged.length === 0) await new Promise((done) => setImmediate(done));
}

describe('tcp_proxy', () => {
  it('passes half-closes both ways', async () => {
    const server = listenerTestContext();
    let got = '';
    const up = await upstream((socket) => {
      socket.on('data', (chunk: Buffer) => {
        got += chunk.toString();
      });
      socket.on('end', () => socket.end('answer after your end'));
    });
    addTestCluster(server, 'c', up.port);
    const manager = await proxy(server);
    const client = net.connect({ port: portOf(manager), host: '127.0.0.1', allowHalfOpen: true });
    client.end('question');
    let answer = '';
    client.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    await once(client, 'end');
    assert.equal(got, 'question');
    assert.equal(answer, 'answer after your end');
    await untilLogged(server);
    const { streamInfo } = server.logged[0]!;
    assert.equal(streamInfo.octetsReceived, 8);
    assert.equal(streamInfo.octetsSent, 21);
    assert.equal(streamInfo.flags, 0);
    stopListeners(manager);
    up.close();
  });

  it('passes on a half-close that came before the upstream was there', async () => {
    const server = listenerTestContext();
    const up = await upstream((socket) => socket.on('end', () => socket.end()).resume());
    addTestCluster(server, 'c', up.port);
    const manager = await proxy(server);
    const client = net.connect({ port: portOf(manager), host: '127.0.0.1', allowHalfOpen: true });
    client.end();
    client.resume();
    await once(client, 'end');
    await untilLogged(server);
    stopListeners(manager);
    up.close();
  });

  it('holds a fast sender back while the receiver is slow, and loses nothing', async () => {
    const server = listenerTestContext();
    const total = 24 * 1024 * 1024;
    const block = Buffer.alloc(64 * 1024);
    for (let i = 0; i < block.length; i++) block[i] = (i * 13) & 0xff;
    let sent = 0;
    const up = await upstream((socket) => {
      const more = (): void => {
        while (sent < total) {
          sent += block.length;
          if (!socket.write(block)) {
            socket.once('drain', more);
            return;
          }
        }
        socket.end();
      };
      more();
    });
    addTestCluster(server, 'c', up.port);
    const manager = await proxy(server);
    const client = net.connect({ port: portOf(manager), host: '127.0.0.1', allowHalfOpen: true });
    client.pause();
    await once(client, 'connect');
    // Wait until the sender makes no progress any more: then everything between is full, and bounded.
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((done) => setTimeout(done, 60));
    }
    assert.ok(sent < total, 'the sender was never held back');
    let at = 0;
    let wrong = 0;
    client.on('data', (chunk: Buffer) => {
      for (let i = 0; i < chunk.length; i++) if (chunk[i] !== block[(at + i) % block.length]) wrong++;
      at += chunk.length;
    });
    client.resume();
    await once(client, 'end');
    assert.equal(at, total);
    assert.equal(wrong, 0);
    client.destroy();
    stopListeners(manager);
    up.close();
  });

  it('closes the client when nothing can be reached, after max_connect_attempts', async () => {
    const server = listenerTestContext();
    const up = await upstream(() => {});
    up.close();
    addTestCluster(server, 'c', up.port);
    const manager = await proxy(server, { max_connect_attempts: 3 });
    const client = net.connect(portOf(manager), '127.0.0.1');
    client.on('error', () => {});
    client.resume();
    await once(client, 'close');
    await untilLogged(server);
    const { streamInfo } = server.logged[0]!;
    assert.equal(streamInfo.upstreamRequestAttempts, 3);
    assert.equal(streamInfo.flags, ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRetryLimitExceeded);
    assert.equal(server.stat('cluster.c.upstream_cx_connect_attempts_exceeded'), 1);
    stopListeners(manager);
  });

  it('closes the client when the cluster is unknown', async () => {
    const server = listenerTestContext();
    const manager = await proxy(server);
    const client = net.connect(portOf(manager), '127.0.0.1');
    client.on('error', () => {});
    client.resume();
    await once(client, 'close');
    await untilLogged(server);
    assert.equal(server.logged[0]!.streamInfo.flags, ResponseFlag.NoClusterFound);
    assert.equal(server.stat('tcp.tp.downstream_cx_no_route'), 1);
    stopListeners(manager);
  });

  it('ends idle sessions', async () => {
    const server = listenerTestContext();
    const up = await upstream((socket) => socket.resume());
    addTestCluster(server, 'c', up.port);
    const manager = await proxy(server, { idle_timeout: '0.05s' });
    const client = net.connect(portOf(manager), '127.0.0.1');
    client.on('error', () => {});
    client.resume();
    client.write('x');
    await once(client, 'close');
    assert.equal(server.stat('tcp.tp.idle_timeout'), 1);
    stopListeners(manager);
    up.close();
  });

  it('spreads over weighted clusters', async () => {
    const server = listenerTestContext();
    const ups = await Promise.all(['a', 'b'].map((name) => upstream((socket) => socket.end(name))));
    addTestCluster(server, 'a', ups[0]!.port);
    addTestCluster(server, 'b', ups[1]!.port);
    const clusters = [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 3 },
    ];
    const type = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
    const manager = await startListeners(server, {
      name: 'l',
      address: loopback,
      filter_chains: [
        {
          filters: [{ name: 't', typed_config: { '@type': type, stat_prefix: 'tp', weighted_clusters: { clusters } } }],
        },
      ],
    });
    let a = 0;
    for (let i = 0; i < 40; i++) {
      const client = net.connect(portOf(manager), '127.0.0.1');
      const chunk = (await once(client, 'data')) as Buffer;
      if (chunk.toString() === 'a') a++;
      client.destroy();
    }
    assert.ok(a >= 3 && a <= 20, `${a} of 40`);
    stopListeners(manager);
    for (const up of ups) up.close();
  });

  it('resets the other side when one is reset', async () => {
    const server = listenerTestContext();
    const up = await upstream((socket) => socket.once('data', () => socket.resetAndDestroy()));
    addTestCluster(server, 'c', up.port);
    const manager = await proxy(server);
    const client = net.connect(portOf(manager), '127.0.0.1');
    client.on('error', () => {});
    client.resume();
    client.write('x');
    await once(client, 'close');
    stopListeners(manager);
    up.close();
  });
});
