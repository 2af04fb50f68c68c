import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import tls, { type TLSSocket } from 'node:tls';
import { type TlsCapability, tlsCannot, tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { HandshakeServer, type HandshakeServerOptions, type TlsSettings } from '#gateway/runtime/tls-sockets.ts';
import { createCertificate, unknownCriticalExtension } from '#test/support/certificates.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { type RawAnswer, type RawHello, sayHello } from '#test/support/raw-tls-client.ts';

const ecdsa = await createCertificate({ name: 'ecdsa', sans: ['dns:x.test'] });
const rsa = await createCertificate({ name: 'rsa', sans: ['dns:x.test'], key: 'rsa' });
const strange = await createCertificate({ name: 'strange', extensions: [unknownCriticalExtension] });

const aes128 = 0xc02b;
const aes256 = 0xc02c;
const hello: RawHello = {
  suites: [aes128, aes256, 0xc02f],
  groups: [29, 23],
  signatureAlgorithms: [0x0403, 0x0804],
  serverName: 'x.test',
};
const settings: TlsSettings = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: '',
  ecdhCurves: '',
  signatureAlgorithms: '',
};

type Asked = Partial<Omit<HandshakeServerOptions, 'settings'>> & { readonly settings?: Partial<TlsSettings> };

/** Runs `use` with the port of a server that is set so. Throws what the TLS library throws at the settings. */
async function withServer<T>(asked: Asked, use: (port: number) => Promise<T>): Promise<T> {
  const server = new HandshakeServer({
    identity: { certificateChain: ecdsa.certificate, privateKey: ecdsa.privateKey },
    alpn: null,
    requestClientCertificate: false,
    sessionTickets: true,
    sessionTimeoutSeconds: 300,
    ...asked,
    settings: { ...settings, ...asked.settings },
  });
  return await listening(
    (raw) =>
      server.start(raw, {
        onHandshake: (socket) => (socket as TLSSocket).on('error', () => {}).write('hi'),
        onHandshakeFailure: () => raw.destroy(),
      }),
    use,
  );
}

async function listening<T>(accept: (raw: net.Socket) => void, use: (port: number) => Promise<T>): Promise<T> {
  const listener = net.createServer((raw) => {
    raw.on('error', () => {});
    accept(raw);
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  try {
    return await use((listener.address() as net.AddressInfo).port);
  } finally {
    listener.close();
  }
}

/** One TLS 1.2 handshake as far as the server's certificate, with a client written by hand. */
async function answer(asked: Asked, change: Partial<RawHello> = {}): Promise<RawAnswer> {
  return await withServer(asked, (port) => sayHello(port, { ...hello, ...change }));
}

/** Whether the server refuses settings or handshake. */
async function fails(asked: Asked, change: Partial<RawHello> = {}): Promise<boolean> {
  try {
    return (await answer(asked, change)).subject === '';
  } catch {
    return true;
  }
}

/** A whole handshake with the runtime's own client: whether it resumed, and the session to resume next. */
function connect(port: number, session: Buffer | null): Promise<{ resumed: boolean; session: Buffer | null }> {
  return new Promise((resolve, reject) => {
    let next: Buffer | null = null;
    const socket: TLSSocket = tls.connect({
      port,
      host: '127.0.0.1',
      servername: 'x.test',
      rejectUnauthorized: false,
      ...(session === null ? {} : { session }),
    });
    let resumed = false;
    socket.on('session', (ticket) => {
      next = ticket;
    });
    // Tickets come before the server's first octets, but Deno tells of a session only after the close.
    socket.on('data', () =>
      setImmediate(() => {
        resumed = socket.isSessionReused();
        socket.destroy();
      }),
    );
    socket.on('close', () => setTimeout(() => resolve({ resumed, session: next }), 25));
    socket.on('error', reject);
  });
}

async function resumes(first: Asked, second: Asked | null = null, waitMs = 0): Promise<boolean> {
  return await withServer(first, async (port) => {
    const { session } = await connect(port, null);
    if (session === null) return false;
    await delay(waitMs);
    if (second === null) return (await connect(port, session)).resumed;
    return await withServer(second, async (other) => (await connect(other, session)).resumed);
  });
}

const tls12 = { maxVersion: 'TLSv1.2' } as const;
const oneOf = (first: number, second: number): Partial<RawHello> => ({ suites: [first, second] });

// Each handshake fails (or shows the setting) where it is honoured, and works where it is ignored.
const probes: Readonly<Record<TlsCapability, () => Promise<boolean>>> = {
  // The certificate's key is ECDSA: suites of RSA alone leave nothing to agree on.
  cipherSuites: () => fails({ settings: { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' } }),
  cipherSuiteGroups: async () => {
    const agreed = async (ciphers: string, first: number, second: number): Promise<number> =>
      (await answer({ settings: { ciphers } }, oneOf(first, second))).suite;
    const [equals, ranked] = [
      '[ECDHE-ECDSA-AES256-GCM-SHA384|ECDHE-ECDSA-AES128-GCM-SHA256]',
      'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256',
    ];
    const clientDecides =
      (await agreed(equals, aes128, aes256)) === aes128 && (await agreed(equals, aes256, aes128)) === aes256;
    return clientDecides && (await agreed(ranked, aes128, aes256)) === aes256;
  },
  clientCipherOrder: async () => {
    const one = await answer({ preferClientCiphers: true }, oneOf(aes128, aes256));
    const other = await answer({ preferClientCiphers: true }, oneOf(aes256, aes128));
    return one.suite === aes128 && other.suite === aes256;
  },
  ecdhCurves: () => fails({ settings: { ecdhCurves: 'P-384' } }),
  postQuantumCurves: async () => {
    try {
      const alone = { settings: { ecdhCurves: 'X25519MLKEM768' } };
      const offered = await answer(alone, { versions: [0x0304], suites: [0x1301], groups: [0x11ec, 29] });
      return offered.group === 0x11ec && (await fails(alone));
    } catch {
      return false;
    }
  },
  signatureAlgorithms: () => fails({ settings: { signatureAlgorithms: 'rsa_pss_rsae_sha256' } }),
  sessionTicketsOff: async () => !(await resumes({ sessionTickets: false })),
  // Timeouts are whole seconds.
  sessionTimeout: async () => !(await resumes({ sessionTimeoutSeconds: 1 }, null, 2100)),
  sessionTicketKeys: async () => {
    const [key, other] = [randomBytes(48), randomBytes(48)];
    const same = await resumes({ ticketKeys: key }, { ticketKeys: key });
    return same && !(await resumes({ ticketKeys: key }, { ticketKeys: other }));
  },
  ocspStapling: async () => (await answer({ ocspStaple: Buffer.from('staple') }, { statusRequest: true })).stapled,
  keyLog: async () => {
    const lines: string[] = [];
    const keyLog = (line: Uint8Array): void => void lines.push(Buffer.from(line).toString());
    await withServer({ keyLog }, (port) => connect(port, null));
    return lines.some((line) => /^CLIENT_HANDSHAKE_TRAFFIC_SECRET [0-9a-f]{64} [0-9a-f]{64,96}\n?$/.test(line));
  },
  clientSessions: () => resumes({}),
  sessionIdentifiers: async () => {
    let shown = false;
    const server = tls.createServer({ cert: ecdsa.certificate, key: ecdsa.privateKey, maxVersion: 'TLSv1.2' });
    server.on('secureConnection', (socket) => {
      shown = (socket.getSession()?.length ?? 0) > 32;
      socket.on('error', () => {}).end();
    });
    return await listening(
      (raw) => void server.emit('connection', raw),
      async (port) => {
        const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
        client.on('error', () => {}).resume();
        await new Promise((done) => client.on('close', done));
        return shown;
      },
    );
  },
  unknownCriticalExtensions: async () =>
    !(await fails({ identity: { certificateChain: strange.certificate, privateKey: strange.privateKey } })),
  severalCertificates: async () => {
    const server = tls.createServer({
      cert: [rsa.certificate, ecdsa.certificate],
      key: [rsa.privateKey, ecdsa.privateKey],
    });
    server.on('tlsClientError', () => {});
    return await listening(
      (raw) => void server.emit('connection', raw),
      async (port) => {
        const one = await sayHello(port, { ...hello, suites: [0xc02f] });
        const other = await sayHello(port, { ...hello, suites: [aes128], signatureAlgorithms: [0x0403] });
        return one.subject === 'rsa' && other.subject === 'ecdsa';
      },
    );
  },
  alpnWithoutOverlap: async () => !(await fails({ alpn: 'h2' }, { alpn: ['foo'] })),
};

describe('TLS capabilities are what the table says', () => {
  it('a handshake without settings works', async () => {
    assert.equal((await answer({})).subject, 'ecdsa');
    assert.equal((await answer({ settings: tls12 })).subject, 'ecdsa');
  });

  it('the versions are honoured everywhere', async () => {
    assert.ok(await fails({ settings: { minVersion: 'TLSv1.3' } }));
    assert.ok(await fails({ settings: tls12 }, { versions: [0x0304], suites: [0x1301] }));
  });

  for (const [name, probe] of Object.entries(probes)) {
    const want = tlsCapabilities[name as TlsCapability];
    it(`${name}: ${want ? 'yes' : 'no'}`, async () => assert.equal(await probe(), want));
  }

  it('a refusal names the runtime and the way out', () => {
    const own = { bun: 'Bun', deno: 'Deno', node: 'Node' }[ownRuntime];
    assert.equal(tlsCannot('ocspStapling'), `${own} cannot staple OCSP responses; remove the field or run on Node`);
  });
});
