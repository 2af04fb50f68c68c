import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createCertificate } from '#test/support/certificates.ts';
import { type GatewayProcess, ownRuntime, startGateway } from '#test/support/gateway-process.ts';
import { opensslClient } from '#test/support/openssl-client.ts';
import { findPeer, isRequired } from '#test/support/peers.ts';
import { exchange, helloMessage, helloRecords, type RawHello, sayHello } from '#test/support/raw-tls-client.ts';
import { answeringChain } from '#test/support/tls-listeners.ts';

const { certificate, privateKey } = await createCertificate({ name: 'server', sans: ['dns:x.test'] });
const files = { 'c.pem': certificate, 'c.key': privateKey };
const common =
  '{ tls_certificates: [{ certificate_chain: { filename: "{dir}/c.pem" }, private_key: { filename: "{dir}/c.key" } }] }';
const config = `static_resources:
  listeners:${answeringChain('patient', { common })}${answeringChain('hasty', {
    common,
    chain: 'transport_socket_connect_timeout: 1s',
  })}
`;

const hello: RawHello = {
  suites: [0xc02b],
  groups: [29, 23],
  signatureAlgorithms: [0x0403],
  serverName: 'x.test',
};
const message = helloMessage(hello);
const padded = (octets: number): Buffer => helloMessage({ ...hello, more: [[21, Buffer.alloc(octets)]] });
const record = (type: number, ...body: number[]): Buffer => Buffer.from([type, 3, 1, 0, body.length, ...body]);
const text = (line: string): Buffer => Buffer.from(`${line}\r\nhost: x\r\n\r\n`);

/** First octets, how many a write, and what comes of them; all as at Envoy. */
const openings: Readonly<Record<string, { octets: Uint8Array; piece?: number; want: string }>> = {
  'a ClientHello': { octets: helloRecords(message), want: 'flight server' },
  'a ClientHello octet by octet': { octets: helloRecords(message), piece: 1, want: 'flight server' },
  'a ClientHello in records of one octet': { octets: helloRecords(message, 1), want: 'flight server' },
  'a ClientHello in records of forty, octet by octet': {
    octets: helloRecords(message, 40),
    piece: 1,
    want: 'flight server',
  },
  'a ClientHello of 15,000 octets': { octets: helloRecords(padded(15_000)), want: 'flight server' },
  'a ClientHello of 17,000 octets': { octets: helloRecords(padded(17_000)), want: 'closed alert 47' },
  'a ClientHello that says it has 20,000': {
    octets: helloRecords(Buffer.concat([Buffer.from([1, 0, 0x4e, 0x20]), Buffer.alloc(20_000)])),
    want: 'closed alert 47',
  },
  'an extension twice': {
    octets: helloRecords(
      helloMessage({
        ...hello,
        more: [
          [0x1234, Buffer.alloc(0)],
          [0x1234, Buffer.alloc(0)],
        ],
      }),
    ),
    want: 'closed alert 50',
  },
  'no version in common': {
    octets: helloRecords(helloMessage({ ...hello, versions: [0x0301] })),
    want: 'closed alert 70',
  },
  'no suite in common': { octets: helloRecords(helloMessage({ ...hello, suites: [5] })), want: 'closed alert 40' },
  'plain HTTP GET': { octets: text('GET / HTTP/1.1'), want: 'closed silent' },
  'plain HTTP POST': { octets: text('POST / HTTP/1.1'), want: 'closed silent' },
  'plain HTTP HEAD': { octets: text('HEAD / HTTP/1.1'), want: 'closed silent' },
  'plain HTTP PUT': { octets: text('PUT / HTTP/1.1'), want: 'closed silent' },
  'plain HTTP CONNECT': { octets: text('CONNECT a:1 HTTP/1.1'), want: 'closed silent' },
  'plain HTTP DELETE': { octets: text('DELETE / HTTP/1.1'), want: 'closed alert 70' },
  'plain HTTP/2': { octets: Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), want: 'closed alert 70' },
  'an SSH client': { octets: Buffer.from('SSH-2.0-x\r\n'), want: 'closed alert 70' },
  garbage: { octets: Buffer.from('ff00010203040506', 'hex'), want: 'closed alert 70' },
  'SSL 2': { octets: Buffer.from('802e010002001500000010010080020080030080', 'hex'), want: 'closed alert 70' },
  'an unknown version': { octets: Buffer.from([22, 9, 9, 0, 5, 1, 0, 0, 1, 0]), want: 'closed alert 70' },
  'application data': { octets: record(23, 1, 2), want: 'closed alert 10' },
  'a ServerHello': { octets: record(22, 2, 0, 0, 1, 0), want: 'closed alert 10' },
  'an alert': { octets: record(21, 2, 40), want: 'closed silent' },
  'an oversized record': {
    octets: Buffer.concat([Buffer.from([22, 3, 1, 0x48, 1]), Buffer.alloc(200, 1)]),
    want: 'closed alert 22',
  },
};

async function opening(gateway: GatewayProcess, { octets, piece }: { octets: Uint8Array; piece?: number }) {
  const { end, alert, subject } = await exchange(gateway.port('patient'), octets, piece ?? 0);
  if (end === 'flight') return `flight ${subject}`;
  return `closed ${alert === -1 ? 'silent' : `alert ${alert}`}`;
}

async function statOf(gateway: GatewayProcess, name: string): Promise<number> {
  const { text: lines } = await gateway.admin(`/stats?filter=${name}$`);
  return lines.split('\n').reduce((sum, line) => sum + Number(/: (\d+)$/.exec(line)?.[1] ?? 0), 0);
}

/** Opens a connection, writes `octets`, and resolves with the socket once `answered` octets are there. */
function half(port: number, octets: Uint8Array, answered = 0): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    let got = 0;
    socket.on('error', reject);
    socket.on('connect', () => {
      if (octets.length > 0) socket.write(octets);
      if (answered === 0) resolve(socket);
    });
    socket.on('data', (chunk) => {
      got += chunk.length;
      if (answered > 0 && got >= answered) resolve(socket);
    });
  });
}

const ended = (socket: net.Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.on('end', () => resolve());
    socket.resume();
  });

const envoyPath = findPeer('envoy');
const openssl = findPeer('openssl') === null ? { skip: 'openssl is not installed' } : {};

describe('what is wrong on a TLS port', () => {
  let gateway: GatewayProcess;
  before(async () => {
    gateway = await startGateway(config, { files });
  });
  after(() => gateway?.stop());
  const serves = async (listener = 'patient'): Promise<void> => {
    assert.equal((await sayHello(gateway.port(listener), hello)).subject, 'server');
  };
  const idle = async (): Promise<void> => {
    for (let i = 0; (await statOf(gateway, 'listener.127.0.0.1_0.downstream_cx_active')) > 0; i++) {
      assert.ok(i < 200, 'connections stay');
      await delay(25);
    }
  };

  for (const [name, wrong] of Object.entries(openings)) {
    it(`${name}: ${wrong.want}`, async () => {
      assert.equal(await opening(gateway, wrong), wrong.want);
      await serves();
    });
  }

  for (const [title, octets] of [
    ['before the ClientHello', Buffer.alloc(0)],
    ['within the ClientHello', helloRecords(message).subarray(0, 60)],
  ] as const) {
    it(`an end ${title}`, async () => {
      const socket = await half(gateway.port('patient'), octets);
      socket.end();
      await ended(socket);
      socket.destroy();
      await idle();
      await serves();
    });

    it(`a client that is slow ${title} is let go after the timeout`, async () => {
      const before = await statOf(gateway, 'downstream_cx_transport_socket_connect_timeout');
      const socket = await half(gateway.port('hasty'), octets);
      await ended(socket);
      socket.destroy();
      assert.equal(await statOf(gateway, 'downstream_cx_transport_socket_connect_timeout'), before + 1);
      await serves('hasty');
    });
  }

  it('a client that never answers the ServerHello is let go after the timeout', async () => {
    const before = await statOf(gateway, 'downstream_cx_transport_socket_connect_timeout');
    const socket = await half(gateway.port('hasty'), helloRecords(message), 100);
    await ended(socket);
    socket.destroy();
    assert.equal(await statOf(gateway, 'downstream_cx_transport_socket_connect_timeout'), before + 1);
    await serves('hasty');
  });

  it('garbage within the handshake ends it with an alert', async () => {
    const errors = await statOf(gateway, 'ssl.connection_error');
    const socket = await half(gateway.port('patient'), helloRecords(message), 100);
    let last = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      last = Buffer.concat([last, chunk]);
    });
    socket.write(Buffer.from([22, 3, 3, 0, 4, 9, 9, 9, 9]));
    await ended(socket);
    // Deno ends the connection before its alert is out.
    if (ownRuntime !== 'deno') assert.equal(last.subarray(-7)[0], 21);
    assert.equal(await statOf(gateway, 'ssl.connection_error'), errors + 1);
    await serves();
  });

  it('resets within the handshake: two hundred of them', async () => {
    for (let i = 0; i < 200; i++) {
      const socket = await half(gateway.port('patient'), helloRecords(message), i % 2 === 0 ? 0 : 100);
      socket.resetAndDestroy();
    }
    await idle();
    await serves();
  });

  it('renegotiation is refused', openssl, async () => {
    const { text: said } = await opensslClient(gateway.port('patient'), ['-tls1_2'], ['R\n']);
    assert.match(said, /RENEGOTIATING\n(?!.*verify return)/);
    assert.match(said, /no renegotiation/);
    await serves();
  });

  describe('beside Envoy', envoyPath === null && !isRequired('envoy') ? { skip: 'envoy is not installed' } : {}, () => {
    let envoy: GatewayProcess;
    before(async () => {
      if (envoyPath === null) throw new Error('the peer envoy is required by SLUICE_REQUIRE but was not found');
      envoy = await startGateway(config, { files, envoy: envoyPath });
    });
    after(() => envoy?.stop());

    it('every opening comes to the same', async () => {
      const [got, want]: Record<string, string>[] = [{}, {}];
      for (const [name, wrong] of Object.entries(openings)) {
        got![name] = await opening(envoy, wrong);
        want![name] = wrong.want;
      }
      assert.deepEqual(got, want);
    });

    it('renegotiation is refused', openssl, async () => {
      const { text: said } = await opensslClient(envoy.port('patient'), ['-tls1_2'], ['R\n']);
      assert.match(said, /no renegotiation/);
    });
  });
});
