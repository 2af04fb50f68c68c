import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { tlsCapabilities } from '#gateway/runtime/tls-capabilities.ts';
import { HandshakeServer, type TlsSettings } from '#gateway/runtime/tls-sockets.ts';
import { createCertificate } from '#test/support/certificates.ts';

const certificate = await createCertificate({ name: 'x', sans: ['dns:x.test'] });
const base: TlsSettings = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  ciphers: '',
  ecdhCurves: '',
  signatureAlgorithms: '',
};

/** One handshake with the server set so: the error's code, or '' when it worked; 'refused' when the setting is not taken. */
async function handshake(settings: Partial<TlsSettings>, client: tls.ConnectionOptions): Promise<string> {
  let server: HandshakeServer;
  try {
    server = new HandshakeServer({
      settings: { ...base, ...settings },
      identity: { certificateChain: certificate.certificate, privateKey: certificate.privateKey },
      alpn: null,
      requestClientCertificate: false,
      sessionTickets: true,
      sessionTimeoutSeconds: 300,
    });
  } catch {
    return 'refused';
  }
  const listener = net.createServer((raw) => {
    raw.on('error', () => {});
    server.start(raw, {
      onHandshake: (socket) => socket.on('error', () => {}).end(),
      onHandshakeFailure: () => raw.destroy(),
    });
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  const { port } = listener.address() as net.AddressInfo;
  const outcome = await new Promise<string>((done) => {
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      maxVersion: 'TLSv1.2',
      ...client,
    });
    socket.on('secureConnect', () => {
      done('');
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    socket.on('close', () => done('closed'));
  });
  listener.close();
  return outcome;
}

// Each handshake must fail where the setting is honoured, and works where it is ignored.
describe('TLS capabilities are what the table says', () => {
  it('a handshake without settings works', async () => {
    assert.equal(await handshake({}, {}), '');
  });

  it('the lowest version is honoured everywhere', async () => {
    assert.notEqual(await handshake({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' }), '');
  });

  it('the highest version is honoured everywhere', async () => {
    const client: tls.ConnectionOptions = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' };
    assert.notEqual(await handshake({ maxVersion: 'TLSv1.2' }, client), '');
  });

  it('cipher_suites', async () => {
    // The certificate's key is ECDSA: suites of RSA alone leave nothing to agree on.
    const outcome = await handshake({ ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }, {});
    assert.equal(outcome !== '', tlsCapabilities.cipherSuites, outcome);
  });
});
