import assert from 'node:assert/strict';
import type { Buffer } from 'node:buffer';
import net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import type { JsonObject } from '@bufbuild/protobuf';
import type { TlsCertificateSecret } from '#gateway/api/secrets.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { ChangingSecret } from '#gateway/transport/secrets/changing-secret.ts';
import { createCertificate } from '#test/support/certificates.ts';
import {
  listenerMessage,
  listenerTestContext,
  loopback,
  portOf,
  startListeners,
  stopListeners,
  tcpProxyTo,
} from '#test/support/listeners.ts';
import { until } from '#test/support/until.ts';

const one = await createCertificate({ name: 'one', sans: ['dns:edge.test'] });

class AwaitedSecret extends ChangingSecret<TlsCertificateSecret> {
  arrive(): void {
    this.set({ certificateChain: one.certificate, privateKey: one.privateKey, ocspStaple: null });
    this.settle();
  }

  /** It did not come in time. */
  giveUp(): void {
    this.settle();
  }
}

function listener(name: string, secret: string): JsonObject {
  const sds = { name: secret, sds_config: { path_config_source: { path: 'none' } } };
  const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext';
  const typed = { '@type': type, common_tls_context: { tls_certificate_sds_secret_configs: [sds] } };
  const transport = secret === '' ? {} : { transport_socket: { name: 'tls', typed_config: typed } };
  return { name, address: loopback, filter_chains: [{ filters: tcpProxyTo('none'), ...transport }] };
}

/** Common name that a TLS server shows; '' when it closes instead. */
async function served(port: number): Promise<string> {
  return await new Promise((resolve) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'edge.test', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', () => resolve(''));
    socket.on('close', () => resolve(''));
  });
}

test('a listener added later opens once its secret is there', async () => {
  const server = listenerTestContext();
  const edge = new AwaitedSecret('edge');
  server.secretSources.set('edge', edge);
  const manager = await startListeners(server, listener('first', ''));
  const added = manager.addOrUpdate(listenerMessage(listener('tls', 'edge')), new Diagnostics());
  assert.equal(manager.listeners.length, 1);
  assert.equal(server.stat('listener_manager.total_listeners_warming'), 1);
  edge.arrive();
  assert.equal(await added, 'added');
  assert.equal(server.stat('listener_manager.total_listeners_warming'), 0);
  assert.equal(await served(portOf(manager, 1)), 'one');
  stopListeners(manager);
});

test('one whose secret does not come in time opens too: connections are closed and counted until it comes', async () => {
  const server = listenerTestContext();
  const edge = new AwaitedSecret('edge');
  server.secretSources.set('edge', edge);
  const manager = await startListeners(server, listener('first', ''));
  const added = manager.addOrUpdate(listenerMessage(listener('tls', 'edge')), new Diagnostics());
  edge.giveUp();
  assert.equal(await added, 'added');
  const port = portOf(manager, 1);
  const socket = net.connect({ port, host: '127.0.0.1' });
  const octets = await new Promise<number>((resolve) => {
    let got = 0;
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(got));
    tls.connect({ socket, servername: 'edge.test' }).on('error', () => {});
  });
  assert.equal(octets, 0);
  const counter = 'listener.127.0.0.1_0.server_ssl_socket_factory.downstream_context_secrets_not_ready';
  await until(() => server.stat(counter) === 1);
  edge.arrive();
  assert.equal(await served(port), 'one');
  stopListeners(manager);
});

test('an update that warms leaves the old one serving; a newer one, or removal, takes its place', async () => {
  const server = listenerTestContext();
  const [a, b] = [new AwaitedSecret('a'), new AwaitedSecret('b')];
  server.secretSources.set('a', a);
  server.secretSources.set('b', b);
  const manager = await startListeners(server, listener('l', ''));
  const before = manager.listeners[0]!.config;
  const first = manager.addOrUpdate(listenerMessage(listener('l', 'a')), new Diagnostics());
  const same = manager.addOrUpdate(listenerMessage(listener('l', 'a')), new Diagnostics());
  assert.equal(await same, 'unchanged');
  const second = manager.addOrUpdate(listenerMessage(listener('l', 'b')), new Diagnostics());
  assert.equal(await first, 'superseded');
  assert.equal(manager.listeners[0]!.config, before);
  b.arrive();
  assert.equal(await second, 'updated');
  assert.equal(await served(portOf(manager)), 'one');
  const late = manager.addOrUpdate(listenerMessage(listener('late', 'a')), new Diagnostics());
  assert.equal(manager.remove('late'), true);
  assert.equal(await late, 'superseded');
  assert.equal(manager.remove('late'), false);
  stopListeners(manager);
});
