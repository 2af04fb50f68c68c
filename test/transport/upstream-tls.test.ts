import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import tls, { type TLSSocket } from 'node:tls';
import type { JsonObject } from '@bufbuild/protobuf';
import { fromJson } from '@bufbuild/protobuf';
import type { UpstreamConnectOptions } from '#gateway/api/transport-socket.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import type { SocketConnection } from '#gateway/network/socket-connection.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { createUpstreamTransport } from '#gateway/transport/create-transport.ts';
import { ChangingSecret } from '#gateway/transport/secrets/changing-secret.ts';
import type { TransportSocket } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { createCertificate, keyUsageExtension, type TestCertificate } from '#test/support/certificates.ts';
import { RecordingPeer } from '#test/support/connections.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { findPeer } from '#test/support/peers.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';

const day = 86_400_000;
const ca = await createCertificate({ name: 'ca', ca: true });
const server = await createCertificate({ name: 'server', sans: ['dns:a.test', 'dns:b.test'], issuer: ca });
const client = await createCertificate({ name: 'client', issuer: ca });
const next = await createCertificate({ name: 'next', issuer: ca });
const sealing = await createCertificate({
  name: 'sealing',
  sans: ['dns:a.test'],
  issuer: ca,
  key: 'rsa',
  extensions: [keyUsageExtension('keyEncipherment')],
});

interface Seen {
  readonly port: number;
  /** SNI of each connection. */
  readonly names: string[];
  /** Common name of each client's certificate, or ''. */
  readonly clients: string[];
  close(): void;
}

/** A TLS server that answers octets with themselves. */
async function listen(identity: TestCertificate, options: tls.TlsOptions = {}): Promise<Seen> {
  const names: string[] = [];
  const clients: string[] = [];
  const open = new Set<TLSSocket>();
  const echo = tls.createServer(
    {
      cert: identity.certificate,
      key: identity.privateKey,
      requestCert: true,
      rejectUnauthorized: false,
      ...options,
    },
    (socket) => {
      open.add(socket);
      names.push(String((socket as TLSSocket & { servername?: string | false }).servername || ''));
      clients.push(String(socket.getPeerCertificate()?.subject?.CN ?? ''));
      socket.on('error', () => {});
      socket.on('data', (chunk) => socket.write(chunk));
    },
  );
  echo.on('tlsClientError', () => {});
  await new Promise<void>((done) => echo.listen(0, '127.0.0.1', done));
  return {
    port: (echo.address() as { port: number }).port,
    names,
    clients,
    close() {
      for (const socket of open) socket.destroy();
      echo.close();
    },
  };
}

function factory(context: JsonObject, server: TestServerContext) {
  const type = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
  const socket = fromJson(
    messageSchema<TransportSocket>('envoy.config.core.v3.TransportSocket'),
    { name: 'tls', typed_config: { '@type': type, ...context } },
    { registry: protoRegistry() },
  );
  const diagnostics = new Diagnostics();
  const made = createUpstreamTransport(socket, server, server.stats.scope('cluster.c'), diagnostics);
  diagnostics.throwIfFailed();
  return made;
}

const trusting = (issuer: TestCertificate): JsonObject => ({
  validation_context: { trusted_ca: { inline_string: issuer.certificate } },
});
const pem = (identity: TestCertificate): JsonObject => ({
  certificate_chain: { inline_string: identity.certificate },
  private_key: { inline_string: identity.privateKey },
});

const usual: UpstreamConnectOptions = {
  connectTimeoutMs: 5000,
  alpn: null,
  serverName: '',
  verifyServerName: false,
  hostname: '',
  bufferLimitOctets: 0,
  bindAddress: null,
};

/** One connection: says `x`, awaits it back, closes. The first event, and when it connected that the echo came. */
async function talk(
  made: ReturnType<typeof factory>,
  port: number,
  options: Partial<UpstreamConnectOptions> = {},
): Promise<string> {
  const connection = made.connect(ipAddress('127.0.0.1', port), { ...usual, ...options }) as SocketConnection;
  const peer = new RecordingPeer();
  connection.addCallbacks(peer);
  connection.setSink(peer);
  connection.output.writeLatin1('x');
  await peer.until(() => peer.events.length > 0);
  const [event = ''] = peer.events;
  if (event === 'connected') {
    await peer.until(() => peer.text === 'x');
    connection.close('abort');
    // Deno tells of a session once the connection is gone.
    await delay(20);
  }
  return event;
}

function cleaned(t: TestContext, seen: Seen): Seen {
  t.after(() => seen.close());
  return seen;
}

describe('upstream sessions', () => {
  const context = { sni: 'a.test', common_tls_context: trusting(ca) };

  it('are resumed', async (t) => {
    const { port } = cleaned(t, await listen(server));
    const world = createTestServerContext();
    const made = factory(context, world);
    for (let i = 0; i < 3; i++) assert.equal(await talk(made, port), 'connected');
    assert.equal(world.stat('cluster.c.ssl.handshake'), 3);
    assert.equal(world.stat('cluster.c.ssl.session_reused'), 2);
  });

  it('are not kept with max_session_keys: 0', async (t) => {
    const { port } = cleaned(t, await listen(server));
    const world = createTestServerContext();
    const made = factory({ ...context, max_session_keys: 0 }, world);
    for (let i = 0; i < 3; i++) assert.equal(await talk(made, port), 'connected');
    assert.equal(world.stat('cluster.c.ssl.session_reused'), 0);
  });

  it('are kept for max_session_keys peers', async (t) => {
    const { port } = cleaned(t, await listen(server));
    const world = createTestServerContext();
    const made = factory({ ...context, max_session_keys: 2 }, world);
    const reused = async (serverName: string): Promise<number> => {
      assert.equal(await talk(made, port, { serverName }), 'connected');
      return world.stat('cluster.c.ssl.session_reused');
    };
    assert.equal(await reused('a.test'), 0);
    assert.equal(await reused('b.test'), 0);
    assert.equal(await reused('a.test'), 1);
    assert.equal(await reused('c.test'), 1); // puts b.test out
    assert.equal(await reused('b.test'), 1);
  });

  it('do not spare a peer whose certificate has expired since', async (t) => {
    const { port } = cleaned(t, await listen(server));
    let nowMs = Date.now();
    const clock = { nowMs: () => performance.now(), wallMs: () => nowMs };
    const world = createTestServerContext({ clock });
    const made = factory(context, world);
    assert.equal(await talk(made, port), 'connected');
    nowMs += 30 * day;
    assert.match(await talk(made, port), /certificate has expired/);
    assert.equal(world.stat('cluster.c.ssl.handshake'), 1);
  });
});

describe('the name that an upstream server is asked for', () => {
  const cases: readonly [string, JsonObject, Partial<UpstreamConnectOptions>, string][] = [
    ['sni', { sni: 'b.test' }, {}, 'b.test'],
    ["auto_host_sni: the endpoint's", { sni: 'b.test', auto_host_sni: true }, { hostname: 'host.test' }, 'host.test'],
    ['auto_host_sni without a host name', { sni: 'b.test', auto_host_sni: true }, {}, 'b.test'],
    ["auto_sni: the request's", { sni: 'b.test' }, { serverName: 'request.test' }, 'request.test'],
    ['none', {}, {}, ''],
  ];
  for (const [title, context, options, want] of cases) {
    it(title, async (t) => {
      const seen = cleaned(t, await listen(server));
      assert.equal(await talk(factory(context, createTestServerContext()), seen.port, options), 'connected');
      assert.deepEqual(seen.names, [want]);
    });
  }

  const verified: readonly [string, JsonObject, Partial<UpstreamConnectOptions>, RegExp][] = [
    ['auto_sni_san_validation finds it', { sni: 'a.test', auto_sni_san_validation: true }, {}, /^connected$/],
    ['auto_sni_san_validation does not', { sni: 'c.test', auto_sni_san_validation: true }, {}, /SAN matcher/],
    ['auto_san_validation finds it', {}, { serverName: 'b.test', verifyServerName: true }, /^connected$/],
    ['auto_san_validation does not', {}, { serverName: 'c.test', verifyServerName: true }, /SAN matcher/],
  ];
  for (const [title, context, options, want] of verified) {
    it(title, async (t) => {
      const { port } = cleaned(t, await listen(server));
      const made = factory({ ...context, common_tls_context: trusting(ca) }, createTestServerContext());
      assert.match(await talk(made, port, options), want);
    });
  }

  it('auto_san_validation without a CA lets nobody in, as in Envoy', async (t) => {
    const { port } = cleaned(t, await listen(server));
    const made = factory({}, createTestServerContext());
    assert.match(await talk(made, port, { serverName: 'a.test', verifyServerName: true }), /no trusted CA/);
  });

  it('auto_sni_san_validation without a CA is refused at load', () => {
    const context = { sni: 'a.test', auto_sni_san_validation: true };
    assert.throws(() => factory(context, createTestServerContext()), /auto_sni_san_validation: needs a validation/);
  });
});

describe('upstream TLS', () => {
  it('shows its certificate, and the next one after a rotation', async (t) => {
    const seen = cleaned(t, await listen(server));
    const world = createTestServerContext();
    const secret = new ChangingSecret('own');
    world.secretSources.set('own', secret);
    const own = { tls_certificate_sds_secret_configs: [{ name: 'own' }] };
    const made = factory({ sni: 'a.test', max_session_keys: 0, common_tls_context: own }, world);
    assert.match(await talk(made, seen.port), /not supplied by SDS/);
    for (const { certificate, privateKey } of [client, next]) {
      secret.set({ certificateChain: certificate, privateKey, ocspStaple: null });
      assert.equal(await talk(made, seen.port), 'connected');
    }
    assert.deepEqual(seen.clients.slice(-2), ['client', 'next']);
    const { port, clients } = cleaned(t, await listen(server));
    const fixed = { common_tls_context: { tls_certificates: [pem(client)] } };
    assert.equal(await talk(factory(fixed, world), port), 'connected');
    assert.deepEqual(clients, ['client']);
  });

  for (const [title, common] of [
    ['with a CA', trusting(ca)],
    ['without', {}],
  ] as const) {
    it(`refuses a key that may not sign, ${title}`, async (t) => {
      const { port } = cleaned(t, await listen(sealing));
      const world = createTestServerContext();
      const made = factory({ sni: 'a.test', common_tls_context: common }, world);
      assert.match(await talk(made, port), /KEY_USAGE_BIT_INCORRECT/);
      assert.equal(world.stat('cluster.c.ssl.connection_error'), 1);
      assert.equal(world.stat('cluster.c.ssl.handshake'), 0);
    });
  }

  it('logs its secrets where the runtime tells them', async (t) => {
    const { port } = cleaned(t, await listen(server));
    const world = createTestServerContext();
    const log = (range: string) => ({
      key_log: { path: 'keys.log', remote_address_range: [{ address_prefix: range, prefix_len: 8 }] },
    });
    if (ownRuntime === 'deno') {
      const context = { common_tls_context: log('127.0.0.0') };
      assert.throws(() => factory(context, world), /key_log: Deno cannot log TLS secrets; .*run on Bun or Node/);
      return;
    }
    assert.equal(await talk(factory({ common_tls_context: log('10.0.0.0') }, world), port), 'connected');
    assert.deepEqual(world.lines, []);
    assert.equal(await talk(factory({ common_tls_context: log('127.0.0.0') }, world), port), 'connected');
    assert.match(world.lines.join(''), /^CLIENT_HANDSHAKE_TRAFFIC_SECRET [0-9a-f]{64} [0-9a-f]+\n/m);
  });
});

/** OpenSSL's server: resolves with its port; `renegotiate` asks the client that is connected for another handshake. */
async function opensslServer(t: TestContext): Promise<{ port: number; renegotiate(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-renegotiation-'));
  const [cert, key] = [join(dir, 'c.pem'), join(dir, 'c.key')];
  writeFileSync(cert, server.certificate);
  writeFileSync(key, server.privateKey);
  const args = ['s_server', '-accept', '127.0.0.1:0', '-cert', cert, '-key', key, '-tls1_2'];
  const child = spawn('openssl', args);
  t.after(() => {
    child.kill();
    rmSync(dir, { recursive: true, force: true });
  });
  let text = '';
  const waiting = new Set<() => void>();
  const gather = (chunk: Buffer): void => {
    text += chunk.toString();
    for (const look of waiting) look();
  };
  child.stdout.on('data', gather);
  child.stderr.on('data', gather);
  child.stdin.on('error', () => {});
  const says = (what: RegExp): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = what.exec(text);
        if (found === null) return;
        waiting.delete(look);
        resolve(found[1] ?? '');
      };
      waiting.add(look);
      look();
    });
  return {
    port: Number(await says(/ACCEPT \S+:(\d+)/)),
    async renegotiate() {
      await says(/CIPHER is/);
      child.stdin.write('r\n');
    },
  };
}

describe('an upstream server that renegotiates', () => {
  const absent = findPeer('openssl') === null ? { skip: 'openssl is not installed' } : {};
  it('is not followed', absent, async (t) => {
    const { port, renegotiate } = await opensslServer(t);
    const made = factory({ sni: 'a.test', common_tls_context: trusting(ca) }, createTestServerContext());
    const connection = made.connect(ipAddress('127.0.0.1', port), { ...usual }) as SocketConnection;
    const peer = new RecordingPeer();
    connection.addCallbacks(peer);
    connection.setSink(peer);
    await peer.until(() => peer.events.length > 0);
    assert.deepEqual(peer.events, ['connected']);
    await renegotiate();
    await peer.until(() => peer.ended || peer.events.length > 1);
    connection.close('abort');
  });
});
