import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { describe, it } from 'node:test';
import tls, { type TLSSocket } from 'node:tls';
import type { JsonObject } from '@bufbuild/protobuf';
import { fromJson } from '@bufbuild/protobuf';
import { ConnectionInfo, type TlsInfo } from '#gateway/api/connection.ts';
import { ipAddress } from '#gateway/base/address.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { nextConnectionId } from '#gateway/network/connection-id.ts';
import { SocketConnection } from '#gateway/network/socket-connection.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { ClientHelloReader } from '#gateway/protocol/client-hello/client-hello-reader.ts';
import { createDownstreamTransport, createUpstreamTransport } from '#gateway/transport/create-transport.ts';
import type { DownstreamTls } from '#gateway/transport/downstream-tls.ts';
import { ChangingSecret } from '#gateway/transport/secrets/changing-secret.ts';
import type { TransportSocket } from '#proto-types/envoy/config/core/v3/base_pb.ts';
import { createCertificate, type TestCertificate } from '#test/support/certificates.ts';
import { once, RecordingPeer } from '#test/support/connections.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';

const ca = await createCertificate({ name: 'ca', ca: true });
const otherCa = await createCertificate({ name: 'other ca', ca: true });
const mid = await createCertificate({ name: 'mid', ca: true, issuer: ca });
const rsa = await createCertificate({ name: 'rsa', sans: ['dns:rsa.test', 'dns:both.test'], issuer: ca, key: 'rsa' });
const ec = await createCertificate({
  name: 'ec',
  sans: ['dns:ec.test', 'dns:both.test', 'dns:*.wild.test'],
  issuer: ca,
});
const client = await createCertificate({ name: 'client', sans: ['uri:spiffe://x/client'], issuer: mid });
const stranger = await createCertificate({ name: 'client', sans: ['uri:spiffe://x/client'], issuer: otherCa });

function socketConfig(side: 'Downstream' | 'Upstream', context: JsonObject): TransportSocket {
  const type = `type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.${side}TlsContext`;
  return fromJson(
    messageSchema<TransportSocket>('envoy.config.core.v3.TransportSocket'),
    { name: 'tls', typed_config: { '@type': type, ...context } },
    { registry: protoRegistry() },
  );
}
const pem = (c: TestCertificate, extra = ''): JsonObject => ({
  certificate_chain: { inline_string: c.certificate + extra },
  private_key: { inline_string: c.privateKey },
});

interface Accepted {
  readonly connection: SocketConnection | null;
  readonly info: TlsInfo | null;
  readonly reason: string;
}

/** A TLS echo server over `transport`; every outcome is told in order. */
async function serve(transport: DownstreamTls): Promise<{ port: number; next(): Promise<Accepted>; close(): void }> {
  const outcomes: Accepted[] = [];
  const waiting: ((outcome: Accepted) => void)[] = [];
  const tell = (outcome: Accepted): void => {
    const waiter = waiting.shift();
    if (waiter === undefined) outcomes.push(outcome);
    else waiter(outcome);
  };
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (raw) => {
    sockets.add(raw);
    let peeked = Buffer.alloc(0);
    const reader = new ClientHelloReader();
    const onData = (chunk: Buffer): void => {
      peeked = Buffer.concat([peeked, chunk]);
      if (reader.read(peeked) !== 'complete') return;
      raw.pause();
      raw.removeListener('data', onData);
      raw.unshift(peeked);
      transport.start(raw, reader.hello!, {
        onTlsReady(socket: TLSSocket, info: TlsInfo): void {
          const here = ipAddress('127.0.0.1', 1);
          const facts = new ConnectionInfo(nextConnectionId(), here, here, 0);
          const { timers } = createTestServerContext();
          const connection = new SocketConnection(socket, facts, { timers, secure: true, connecting: false });
          tell({ connection, info, reason: '' });
        },
        onTlsFailure(reason: string): void {
          raw.destroy();
          tell({ connection: null, info: null, reason });
        },
      });
    };
    raw.on('data', onData);
    raw.on('error', () => {});
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as net.AddressInfo).port,
    next(): Promise<Accepted> {
      const outcome = outcomes.shift();
      return outcome === undefined ? new Promise((done) => waiting.push(done)) : Promise.resolve(outcome);
    },
    close(): void {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function downstream(context: JsonObject, server: TestServerContext = createTestServerContext()): DownstreamTls {
  const diagnostics = new Diagnostics();
  const transport = createDownstreamTransport(
    socketConfig('Downstream', context),
    server,
    server.stats.scope('listener.l'),
    diagnostics,
  );
  diagnostics.throwIfFailed();
  return transport!;
}

function dial(port: number, options: tls.ConnectionOptions): Promise<TLSSocket | string> {
  return new Promise((done) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    socket.on('secureConnect', () => done(socket));
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    socket.on('close', () => done('closed'));
  });
}

describe('downstream TLS', () => {
  const both: JsonObject = { alpn_protocols: ['h2', 'http/1.1'], tls_certificates: [pem(rsa), pem(ec)] };
  const choices: readonly { sni: string; alpn: string[]; subject: string; protocol: string | false }[] = [
    { sni: 'rsa.test', alpn: ['h2'], subject: 'rsa', protocol: 'h2' },
    { sni: 'ec.test', alpn: ['http/1.1', 'h2'], subject: 'ec', protocol: 'h2' },
    { sni: 'both.test', alpn: ['http/1.1'], subject: 'ec', protocol: 'http/1.1' },
    { sni: 'a.wild.test', alpn: ['foo'], subject: 'ec', protocol: false },
    { sni: 'unknown.test', alpn: [], subject: 'rsa', protocol: false },
  ];
  for (const { sni, alpn, subject, protocol } of choices) {
    it(`${sni} offering [${alpn}] gets the ${subject} certificate and ${protocol || 'no'} ALPN`, async () => {
      const server = await serve(downstream({ common_tls_context: both }));
      const socket = await dial(server.port, {
        servername: sni,
        ...(alpn.length > 0 ? { ALPNProtocols: alpn } : {}),
      });
      assert.ok(typeof socket !== 'string', String(socket));
      assert.equal(socket.getPeerCertificate().subject.CN, subject);
      const { info } = await server.next();
      assert.equal(info!.serverName, sni);
      assert.equal(info!.alpn, protocol || '');
      socket.destroy();
      server.close();
    });
  }

  it('carries every octet both ways to a slow reader', async () => {
    const server = await serve(downstream({ common_tls_context: both }));
    const socket = await dial(server.port, { servername: 'ec.test' });
    assert.ok(typeof socket !== 'string');
    const { connection } = await server.next();
    const peer = new RecordingPeer();
    connection!.addCallbacks(peer);
    connection!.setSink(peer);
    connection!.setBufferLimit(32 * 1024);
    const want = Buffer.alloc(3 * 1024 * 1024);
    for (let i = 0; i < want.length; i++) want[i] = (i * 7 + (i >> 9)) & 0xff;
    let at = 0;
    const pump = (): void => {
      for (let n = 0; n < 8 && at < want.length; n++) {
        const size = n % 2 === 0 ? 700 : 9001;
        const piece = want.subarray(at, Math.min(at + size, want.length));
        if (piece.length < 4096) connection!.output.writeBytes(piece);
        else connection!.output.writeChunk(piece);
        at += piece.length;
      }
      if (at < want.length) setImmediate(pump);
    };
    pump();
    const got: Buffer[] = [];
    let octets = 0;
    await new Promise<void>((done) => {
      socket.on('data', (chunk: Buffer) => {
        got.push(chunk);
        octets += chunk.length;
        if (octets === want.length) done();
      });
    });
    assert.ok(Buffer.concat(got).equals(want));
    socket.write(want);
    await peer.until(() => peer.octets === want.length);
    assert.ok(Buffer.concat(peer.chunks).equals(want));
    socket.destroy();
    connection!.close('abort');
    server.close();
  });

  it('half-closes over TLS', async () => {
    const server = await serve(downstream({ common_tls_context: both }));
    const socket = tls.connect({
      port: server.port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      servername: 'ec.test',
      allowHalfOpen: true,
    } as tls.ConnectionOptions);
    socket.on('error', () => {});
    const { connection } = await server.next();
    const peer = new RecordingPeer();
    connection!.addCallbacks(peer);
    connection!.setSink(peer);
    socket.end('bye');
    await peer.until(() => peer.ended);
    assert.equal(peer.text, 'bye');
    const answer = once(socket, 'data');
    connection!.output.writeLatin1('late');
    connection!.close('flush');
    assert.equal(String(await answer), 'late');
    server.close();
    socket.destroy();
  });

  const mtls: JsonObject = {
    require_client_certificate: true,
    common_tls_context: {
      tls_certificates: [pem(ec)],
      validation_context: {
        trusted_ca: { inline_string: ca.certificate },
        match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: 'spiffe://x/client' } }],
      },
    },
  };
  const peers: readonly { name: string; identity: tls.ConnectionOptions; reason: RegExp; stat: string }[] = [
    { name: 'none', identity: {}, reason: /PEER_DID_NOT_RETURN_A_CERTIFICATE/, stat: 'fail_verify_no_cert' },
    {
      name: 'an unknown CA',
      identity: { cert: stranger.certificate, key: stranger.privateKey },
      reason: /unable to get local issuer/,
      stat: 'fail_verify_error',
    },
    {
      name: 'a wrong name',
      identity: { cert: ec.certificate, key: ec.privateKey },
      reason: /SAN matcher/,
      stat: 'fail_verify_san',
    },
  ];
  for (const { name, identity, reason, stat } of peers) {
    it(`refuses a client certificate: ${name}`, async () => {
      const context = createTestServerContext();
      const server = await serve(downstream(mtls, context));
      const socket = await dial(server.port, { servername: 'ec.test', ...identity });
      const outcome = await server.next();
      assert.equal(outcome.connection, null);
      assert.match(outcome.reason, reason);
      assert.equal(context.stat(`listener.l.ssl.${stat}`), 1);
      assert.equal(context.stat('listener.l.ssl.handshake'), 0);
      if (typeof socket !== 'string') socket.destroy();
      server.close();
    });
  }

  it('accepts a client certificate through an intermediate, resumed or not', async () => {
    const context = createTestServerContext();
    const server = await serve(downstream(mtls, context));
    let session: Buffer | undefined;
    for (let round = 0; round < 2; round++) {
      const socket = await dial(server.port, {
        servername: 'ec.test',
        cert: client.certificate + mid.certificate,
        key: client.privateKey,
        ...(session === undefined ? {} : { session }),
      });
      assert.ok(typeof socket !== 'string', String(socket));
      socket.on('session', (ticket: Buffer) => {
        session = ticket;
      });
      const { connection, info, reason } = await server.next();
      assert.equal(reason, '');
      assert.equal(info!.peerValidated, true);
      connection!.output.writeLatin1('hi');
      await once(socket, 'data');
      socket.destroy();
      connection!.close('abort');
    }
    assert.equal(context.stat('listener.l.ssl.handshake'), 2);
    server.close();
  });

  it('serves a rotated certificate to the next handshake; old connections live on', async () => {
    const context = createTestServerContext();
    const secret = new ChangingSecret('rotating');
    context.secretSources.set('rotating', secret);
    const sds: JsonObject = { common_tls_context: { tls_certificate_sds_secret_configs: [{ name: 'rotating' }] } };
    const server = await serve(downstream(sds, context));
    const early = await dial(server.port, { servername: 'ec.test' });
    if (typeof early !== 'string') early.destroy();
    assert.match((await server.next()).reason, /not supplied by SDS/);
    assert.equal(context.stat('listener.l.server_ssl_socket_factory.downstream_context_secrets_not_ready'), 1);

    secret.set({ certificateChain: ec.certificate, privateKey: ec.privateKey, ocspStaple: null });
    const first = await dial(server.port, { servername: 'ec.test' });
    assert.ok(typeof first !== 'string');
    assert.equal(first.getPeerCertificate().subject.CN, 'ec');
    const { connection } = await server.next();
    secret.set({ certificateChain: rsa.certificate, privateKey: rsa.privateKey, ocspStaple: null });
    const second = await dial(server.port, { servername: 'ec.test' });
    assert.ok(typeof second !== 'string');
    assert.equal(second.getPeerCertificate().subject.CN, 'rsa');
    await server.next();
    connection!.output.writeLatin1('still here');
    assert.equal(String(await once(first, 'data')), 'still here');
    assert.equal(context.stat('listener.l.server_ssl_socket_factory.ssl_context_update_by_sds'), 2);
    first.destroy();
    second.destroy();
    server.close();
  });

  it('refuses a key that does not belong to the certificate, without showing it', () => {
    const wrong: JsonObject = {
      certificate_chain: { inline_string: ec.certificate },
      private_key: { inline_string: client.privateKey },
    };
    assert.throws(
      () => downstream({ common_tls_context: { tls_certificates: [wrong] } }),
      (error: Error) =>
        error.message.includes('tls_certificates[0].private_key: the private key does not belong') &&
        !error.message.includes('PRIVATE KEY-----'),
    );
  });
});

describe('upstream TLS', () => {
  const echo = async (identity: TestCertificate, chain = ''): Promise<{ port: number; close(): void }> => {
    const server = tls.createServer(
      { cert: identity.certificate + chain, key: identity.privateKey, ALPNProtocols: ['h2', 'http/1.1'] },
      (socket) => {
        socket.on('error', () => {});
        socket.on('data', (chunk) => socket.write(chunk));
      },
    );
    server.on('tlsClientError', () => {});
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return { port: (server.address() as net.AddressInfo).port, close: () => server.close() };
  };
  const connect = async (
    port: number,
    context: JsonObject,
    server: TestServerContext,
  ): Promise<{ connection: SocketConnection; peer: RecordingPeer }> => {
    const diagnostics = new Diagnostics();
    const factory = createUpstreamTransport(
      socketConfig('Upstream', context),
      server,
      server.stats.scope('cluster.c'),
      diagnostics,
    );
    diagnostics.throwIfFailed();
    const connection = factory.connect(ipAddress('127.0.0.1', port), {
      connectTimeoutMs: 5000,
      alpn: null,
      serverName: '',
      verifyServerName: false,
      hostname: '',
      bufferLimitOctets: 0,
      bindAddress: null,
    }) as SocketConnection;
    const peer = new RecordingPeer();
    connection.addCallbacks(peer);
    connection.setSink(peer);
    connection.output.writeLatin1('early octets wait for the verdict');
    await peer.until(() => peer.events.length > 0);
    return { connection, peer };
  };
  const rules = (issuer: TestCertificate, san: string): JsonObject => ({
    sni: 'ec.test',
    common_tls_context: {
      alpn_protocols: ['http/1.1'],
      validation_context: {
        trusted_ca: { inline_string: issuer.certificate },
        match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: san } }],
      },
    },
  });

  it('connects, checks CA and name, and carries data', async () => {
    const server = await echo(ec);
    const context = createTestServerContext();
    const { connection, peer } = await connect(server.port, rules(ca, 'x.wild.test'), context);
    assert.deepEqual(peer.events, ['connected']);
    assert.equal(connection.info.tls!.alpn, 'http/1.1');
    assert.equal(connection.info.tls!.peerValidated, true);
    await peer.until(() => peer.text === 'early octets wait for the verdict');
    assert.equal(context.stat('cluster.c.ssl.handshake'), 1);
    connection.close('abort');
    server.close();
  });

  it('refuses an unknown CA and a wrong name; nothing is sent before the verdict', async () => {
    const server = await echo(ec);
    const context = createTestServerContext();
    const unknown = await connect(server.port, rules(otherCa, 'ec.test'), context);
    assert.match(
      unknown.peer.events[0]!,
      /^remote_close:TLS_error:.*CERTIFICATE_VERIFY_FAILED.*unable to get local issuer/,
    );
    const wrong = await connect(server.port, rules(ca, 'nobody.test'), context);
    assert.match(wrong.peer.events[0]!, /SAN matcher/);
    assert.equal(wrong.connection.octetsSent, 0);
    assert.equal(context.stat('cluster.c.ssl.fail_verify_error'), 1);
    assert.equal(context.stat('cluster.c.ssl.fail_verify_san'), 1);
    server.close();
  });

  it('sees the end of a peer that was read with pauses', async () => {
    const body = Buffer.alloc(700_000, 'x');
    const server = tls.createServer({ cert: ec.certificate, key: ec.privateKey }, (socket) => {
      socket.on('error', () => {});
      socket.end(body);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as net.AddressInfo;
    const { connection, peer } = await connect(port, { sni: 'ec.test' }, createTestServerContext());
    let pauses = 3;
    peer.onChunk = () => {
      if (pauses-- <= 0) return;
      connection.readDisable(true);
      const before = peer.octets;
      setTimeout(() => {
        assert.equal(peer.octets, before);
        connection.readDisable(false);
      }, 20);
    };
    await peer.until(() => peer.ended);
    assert.equal(peer.octets, body.length);
    connection.close('abort');
    server.close();
  });

  it('without a validation context any certificate will do', async () => {
    const server = await echo(stranger);
    const { connection, peer } = await connect(server.port, { sni: 'a.test' }, createTestServerContext());
    assert.deepEqual(peer.events, ['connected']);
    assert.equal(connection.info.tls!.peerValidated, false);
    connection.close('abort');
    server.close();
  });

  it('resumes a session where the runtime can, and tells a plain server', async () => {
    const server = await echo(ec);
    const context = createTestServerContext();
    const diagnostics = new Diagnostics();
    const scope = context.stats.scope('cluster.c');
    const factory = createUpstreamTransport(
      socketConfig('Upstream', rules(ca, 'ec.test')),
      context,
      scope,
      diagnostics,
    );
    for (let round = 0; round < 2; round++) {
      const options = {
        connectTimeoutMs: 5000,
        alpn: null,
        serverName: '',
        verifyServerName: false,
        hostname: '',
        bufferLimitOctets: 0,
        bindAddress: null,
      };
      const connection = factory.connect(ipAddress('127.0.0.1', server.port), options);
      const peer = new RecordingPeer();
      connection.addCallbacks(peer);
      connection.setSink(peer);
      connection.output.writeLatin1('ping');
      await peer.until(() => peer.text === 'ping');
      connection.close('flush');
    }
    assert.equal(context.stat('cluster.c.ssl.handshake'), 2);
    server.close();

    const plain = net.createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((done) => plain.listen(0, '127.0.0.1', done));
    const { connection, peer } = await connect((plain.address() as net.AddressInfo).port, { sni: 'x.test' }, context);
    assert.match(peer.events[0]!, /^remote_close/);
    assert.equal(connection.state, 'closed');
    plain.close();
  });

  it('tells a refused connection', async () => {
    const server = await echo(ec);
    server.close();
    const { peer } = await connect(server.port, { sni: 'x.test' }, createTestServerContext());
    assert.deepEqual(peer.events, ['remote_close:ECONNREFUSED']);
  });
});
