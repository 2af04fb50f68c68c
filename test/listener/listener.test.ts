import assert from 'node:assert/strict';
import type { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import tls, { type TLSSocket } from 'node:tls';
import type { JsonObject } from '@bufbuild/protobuf';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { createCertificate, type TestCertificate } from '#test/support/certificates.ts';
import { once } from '#test/support/connections.ts';
import {
  addTestCluster,
  listenerMessage,
  listenerTestContext,
  loopback,
  portOf,
  startListeners,
  stopListeners,
  tcpProxyTo,
} from '#test/support/listeners.ts';

const ca = await createCertificate({ name: 'ca', ca: true });
const one = await createCertificate({ name: 'one', sans: ['dns:one.test'], issuer: ca });
const two = await createCertificate({ name: 'two', sans: ['dns:two.test'], issuer: ca });

/** A server that says its name, then echoes. */
async function namedEcho(name: string): Promise<{ port: number; close(): void }> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.write(`${name}:`);
    socket.pipe(socket);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { port: (server.address() as net.AddressInfo).port, close: () => server.close() };
}

function tlsSocket(certificate: TestCertificate, more: JsonObject = {}): JsonObject {
  return {
    name: 'tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      common_tls_context: {
        tls_certificates: [
          {
            certificate_chain: { inline_string: certificate.certificate },
            private_key: { inline_string: certificate.privateKey },
          },
        ],
        ...more,
      },
    },
  };
}

function read(socket: net.Socket, octets: number): Promise<string> {
  return new Promise((done, fail) => {
    let got = '';
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
      if (got.length >= octets) done(got);
    });
    socket.on('close', () => fail(new Error(`closed after "${got}"`)));
    socket.on('error', fail);
  });
}

function secure(port: number, servername: string, more: tls.ConnectionOptions = {}): TLSSocket {
  return tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername, ...more });
}

/** Passes octets on to `port`, the first ones one by one. */
async function fragmenter(port: number): Promise<{ port: number; close(): void }> {
  const server = net.createServer((from) => {
    const to = net.connect({ port, host: '127.0.0.1', noDelay: true });
    from.on('error', () => to.destroy());
    to.on('error', () => from.destroy());
    to.pipe(from);
    let first = true;
    from.on('data', (chunk: Buffer) => {
      if (!first) {
        to.write(chunk);
        return;
      }
      first = false;
      from.pause();
      let at = 0;
      const next = (): void => {
        if (at === Math.min(chunk.length, 300)) {
          to.write(chunk.subarray(at));
          from.resume();
          return;
        }
        to.write(chunk.subarray(at, at + 1), () => setImmediate(next));
        at++;
      };
      next();
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { port: (server.address() as net.AddressInfo).port, close: () => server.close() };
}

describe('listener', () => {
  it('serves raw connections and counts them', async () => {
    const server = listenerTestContext();
    const echo = await namedEcho('a');
    addTestCluster(server, 'a', echo.port);
    const manager = await startListeners(server, {
      name: 'l',
      stat_prefix: 'l',
      address: loopback,
      access_log: [{ name: 'any' }],
      filter_chains: [{ filters: tcpProxyTo('a') }],
    });
    const socket = net.connect(portOf(manager), '127.0.0.1');
    socket.write('hello');
    assert.equal(await read(socket, 7), 'a:hello');
    assert.equal(server.stat('listener.l.downstream_cx_active'), 1);
    socket.removeAllListeners('close');
    socket.end();
    await once(socket, 'close');
    assert.equal(server.stat('listener.l.downstream_cx_total'), 1);
    assert.equal(server.stat('tcp.tp.downstream_cx_rx_bytes_total'), 5);
    assert.equal(server.stat('listener_manager.total_listeners_active'), 1);
    stopListeners(manager);
    echo.close();
  });

  it('chooses chains by SNI through a ClientHello in single octets; plain text on the same port goes elsewhere', async () => {
    const server = listenerTestContext();
    const echoes = await Promise.all([namedEcho('1'), namedEcho('2'), namedEcho('plain'), namedEcho('other')]);
    for (const [i, name] of ['c1', 'c2', 'plain', 'other'].entries()) addTestCluster(server, name, echoes[i]!.port);
    const manager = await startListeners(server, {
      name: 'l',
      stat_prefix: 'l',
      address: loopback,
      filter_chains: [
        {
          filter_chain_match: { server_names: ['one.test'] },
          transport_socket: tlsSocket(one, { alpn_protocols: ['h2', 'http/1.1'] }),
          filters: tcpProxyTo('c1'),
        },
        {
          filter_chain_match: { server_names: ['*.two.test', 'two.test'] },
          transport_socket: tlsSocket(two),
          filters: tcpProxyTo('c2'),
        },
        { filter_chain_match: { transport_protocol: 'raw_buffer' }, filters: tcpProxyTo('plain') },
      ],
      default_filter_chain: { transport_socket: tlsSocket(two), filters: tcpProxyTo('other') },
    });
    const slow = await fragmenter(portOf(manager));
    const cases = [
      { sni: 'one.test', says: '1:hi', subject: 'one' },
      { sni: 'a.two.test', says: '2:hi', subject: 'two' },
      { sni: 'stranger.test', says: 'other:hi', subject: 'two' },
    ];
    for (const { sni, says, subject } of cases) {
      for (const port of [portOf(manager), slow.port]) {
        const socket = secure(port, sni, { ALPNProtocols: ['http/1.1'] });
        socket.write('hi');
        assert.equal(await read(socket, says.length), says);
        assert.equal(socket.getPeerCertificate().subject.CN, subject);
        assert.equal(socket.alpnProtocol, sni === 'one.test' ? 'http/1.1' : false);
        socket.destroy();
      }
    }
    const plain = net.connect(portOf(manager), '127.0.0.1');
    plain.write('GET /');
    assert.equal(await read(plain, 11), 'plain:GET /');
    plain.destroy();
    assert.equal(server.stat('tls_inspector.tls_found'), 6);
    assert.equal(server.stat('tls_inspector.tls_not_found'), 1);
    stopListeners(manager);
    slow.close();
    for (const echo of echoes) echo.close();
  });

  it('takes addresses from a PROXY header, and chooses by them', async () => {
    const server = listenerTestContext();
    const echoes = await Promise.all([namedEcho('far'), namedEcho('near')]);
    addTestCluster(server, 'far', echoes[0]!.port);
    addTestCluster(server, 'near', echoes[1]!.port);
    const type = 'type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol';
    const range = [{ address_prefix: '203.0.113.0', prefix_len: 24 }];
    const manager = await startListeners(server, {
      name: 'l',
      stat_prefix: 'l',
      address: loopback,
      access_log: [{ name: 'any' }],
      listener_filters: [{ name: 'envoy.filters.listener.proxy_protocol', typed_config: { '@type': type } }],
      filter_chains: [
        { filter_chain_match: { source_prefix_ranges: range }, filters: tcpProxyTo('far') },
        { transport_socket: tlsSocket(one), filters: tcpProxyTo('near') },
      ],
    });
    const socket = net.connect(portOf(manager), '127.0.0.1');
    socket.write('PROXY TCP4 203.0.113.7 192.0.2.1 1234 443\r\nhello');
    assert.equal(await read(socket, 9), 'far:hello');
    socket.destroy();
    const raw = net.connect(portOf(manager), '127.0.0.1');
    raw.write('PROXY TCP4 198.51.100.7 192.0.2.1 1234 443\r\n');
    const socket2 = tls.connect({ socket: raw, rejectUnauthorized: false, servername: 'one.test' });
    socket2.write('hello');
    assert.equal(await read(socket2, 10), 'near:hello');
    socket2.destroy();
    const refused = net.connect(portOf(manager), '127.0.0.1');
    refused.on('error', () => {});
    refused.resume();
    refused.write('GET / HTTP/1.1\r\n\r\n');
    await once(refused, 'close');
    assert.equal(server.stat('proxy_proto.versions.v1.found'), 2);
    assert.equal(server.stat('proxy_proto.not_found_disallowed'), 1);
    stopListeners(manager);
    for (const echo of echoes) echo.close();
  });

  it('closes and logs what no chain matches', async () => {
    const server = listenerTestContext();
    const manager = await startListeners(server, {
      name: 'l',
      stat_prefix: 'l',
      address: loopback,
      access_log: [{ name: 'any' }],
      filter_chains: [{ filter_chain_match: { destination_port: 1 }, filters: tcpProxyTo('none') }],
    });
    const socket = net.connect(portOf(manager), '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    await once(socket, 'close');
    assert.equal(server.stat('listener.l.no_filter_chain_match'), 1);
    assert.equal(server.stat('listener.l.downstream_cx_total'), 0);
    assert.equal(server.logged.length, 1);
    assert.equal(server.logged[0]!.streamInfo.responseCodeDetails, 'filter_chain_not_found');
    stopListeners(manager);
  });

  it('times out listener filters and handshakes', async () => {
    const server = listenerTestContext();
    const filters = {
      listener_filters: [
        {
          name: 'envoy.filters.listener.tls_inspector',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector',
          },
        },
      ],
    };
    const chain = { transport_socket: tlsSocket(one), transport_socket_connect_timeout: '0.03s' };
    const manager = await startListeners(
      server,
      {
        ...filters,
        name: 'f',
        stat_prefix: 'f',
        address: loopback,
        listener_filters_timeout: '0.03s',
        filter_chains: [{ filters: tcpProxyTo('none') }],
      },
      { name: 'h', stat_prefix: 'h', address: loopback, filter_chains: [{ ...chain, filters: tcpProxyTo('none') }] },
    );
    for (const index of [0, 1]) {
      const socket = net.connect(portOf(manager, index), '127.0.0.1');
      socket.on('error', () => {});
      socket.resume();
      await once(socket, 'close');
    }
    assert.equal(server.stat('listener.f.downstream_pre_cx_timeout'), 1);
    assert.equal(server.stat('listener.f.downstream_pre_cx_active'), 0);
    assert.equal(server.stat('listener.h.downstream_cx_transport_socket_connect_timeout'), 1);
    assert.equal(server.stat('listener.h.downstream_cx_active'), 0);
    stopListeners(manager);
  });

  it('counts what is not TLS on a TLS chain as a connection error', async () => {
    const server = listenerTestContext();
    const manager = await startListeners(server, {
      name: 'l',
      stat_prefix: 'l',
      address: loopback,
      access_log: [{ name: 'any' }],
      filter_chains: [{ transport_socket: tlsSocket(one), filters: tcpProxyTo('none') }],
    });
    const socket = net.connect(portOf(manager), '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
    assert.equal(server.stat('listener.l.ssl.connection_error'), 1);
    assert.equal(server.stat('listener.l.downstream_cx_destroy'), 1);
    assert.match(server.logged[0]!.streamInfo.connection.transportFailureReason, /^TLS_error/);
    stopListeners(manager);
  });

  it('listens on unix sockets and IPv6, and takes over a stale socket file', async () => {
    const server = listenerTestContext();
    const echo = await namedEcho('u');
    addTestCluster(server, 'u', echo.port);
    const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
    const path = join(folder, 's.sock');
    const manager = await startListeners(
      server,
      { name: 'u', address: { pipe: { path, mode: 0o600 } }, filter_chains: [{ filters: tcpProxyTo('u') }] },
      {
        name: 'six',
        stat_prefix: 'six',
        address: { socket_address: { address: '::1', port_value: 0 } },
        filter_chains: [{ filters: tcpProxyTo('u') }],
      },
    );
    for (const socket of [net.connect(path), net.connect(portOf(manager, 1), '::1')]) {
      socket.write('x');
      assert.equal(await read(socket, 3), 'u:x');
      socket.destroy();
    }
    stopListeners(manager);

    const blocked = join(folder, 'file');
    writeFileSync(blocked, '');
    const pipe = { name: 'b', address: { pipe: { path: blocked } }, filter_chains: [{ filters: tcpProxyTo('u') }] };
    await assert.rejects(startListeners(server, pipe), /listener 'b': cannot bind '.*file': Address already in use/);
    rmSync(folder, { recursive: true });
    echo.close();
  });

  it('names listener and address when binding fails', async () => {
    const taken = net.createServer();
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done));
    const port = (taken.address() as net.AddressInfo).port;
    await assert.rejects(
      startListeners(listenerTestContext(), {
        name: 'front',
        address: { socket_address: { address: '127.0.0.1', port_value: port } },
        filter_chains: [{ filters: tcpProxyTo('x') }],
      }),
      { message: `listener 'front': cannot bind '127.0.0.1:${port}': Address already in use` },
    );
    taken.close();
  });

  it('an update in place serves new connections; old ones drain, then end', async () => {
    const server = listenerTestContext();
    const echoes = await Promise.all([namedEcho('old'), namedEcho('new')]);
    addTestCluster(server, 'old', echoes[0]!.port);
    addTestCluster(server, 'new', echoes[1]!.port);
    const json = (certificate: TestCertificate, cluster: string): JsonObject => ({
      name: 'l',
      stat_prefix: 'l',
      address: loopback,
      filter_chains: [{ transport_socket: tlsSocket(certificate), filters: tcpProxyTo(cluster) }],
    });
    const manager = await startListeners(server, json(one, 'old'));
    const first = secure(portOf(manager), 'x.test');
    first.write('1');
    assert.equal(await read(first, 5), 'old:1');
    assert.equal(await manager.addOrUpdate(listenerMessage(json(one, 'old')), new Diagnostics()), 'unchanged');
    assert.equal(await manager.addOrUpdate(listenerMessage(json(two, 'new')), new Diagnostics()), 'updated');
    const ended = once(first, 'end');
    const second = secure(portOf(manager), 'x.test');
    second.write('2');
    assert.equal(await read(second, 5), 'new:2');
    assert.equal(second.getPeerCertificate().subject.CN, 'two');
    await ended;
    const broken = { ...json(two, 'new'), filter_chains: [{ filters: [] }], default_filter_chain: {} };
    const bad = await manager.addOrUpdate(
      listenerMessage({ ...broken, filter_chains: [{ filters: [{ name: 'x' }] }] }),
      new Diagnostics(),
    );
    assert.equal(bad, 'refused');
    second.destroy();
    stopListeners(manager);
    for (const echo of echoes) echo.close();
  });
});
