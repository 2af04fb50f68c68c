import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import type { IssuedCertificate } from '#certs/ca/issued-certificate.ts';
import { SdsServer } from '#certs/sds/sds-server.ts';
import { SecretResources, tlsCertificateSecret } from '#certs/sds/secret-resources.ts';
import { Logger } from '#gateway/base/log.ts';
import { createCertificate, type TestCertificate } from '#test/support/certificates.ts';
import { peerTest } from '#test/support/peers.ts';
import { freePorts, startProgram } from '#test/support/running-program.ts';
import { sdsBootstrap } from '#test/support/sds-gateway.ts';

const upstreamTls = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';

function secret(name: string, { certificate, privateKey }: TestCertificate): ReturnType<typeof tlsCertificateSecret> {
  const issued = { chainPem: certificate, privateKey: { reveal: () => privateKey } };
  return tlsCertificateSecret(name, issued as unknown as IssuedCertificate);
}

async function servedName(port: number): Promise<string> {
  return await new Promise((resolve) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'edge.test', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', () => resolve(''));
    socket.on('close', () => resolve(''));
  });
}

for (const delta of [false, true]) {
  const title = `fetches by mutual TLS (${delta ? 'incremental' : 'state of the world'}), rotates, refuses, comes back`;
  peerTest('envoy', title, async (envoy) => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-sds-'));
    const ca = await createCertificate({ name: 'ca', ca: true });
    const sans = ['dns:localhost', 'ip:127.0.0.1'];
    const own = await createCertificate({ name: 'sds', sans, issuer: ca });
    const client = await createCertificate({ name: 'envoy', sans: ['uri:spiffe://test/envoy'], issuer: ca });
    const leaf = (name: string): Promise<TestCertificate> =>
      createCertificate({ name, sans: ['dns:edge.test'], issuer: ca });
    const [one, two, three] = [await leaf('one'), await leaf('two'), await leaf('three')];
    const resources = new SecretResources();
    resources.set(secret('edge', one));
    const lines: string[] = [];
    const log = new Logger('sds', { write: (_level, _component, message) => lines.push(message) }, 'info');
    const options = {
      tls: {
        current: () => ({ certificate: own.certificate, key: own.privateKey, clientAuthorities: ca.certificate }),
      },
      access: [{ identities: ['uri:spiffe://test/envoy'], secrets: ['edge'] }],
    };
    let server = new SdsServer(resources, log);
    const sdsPort = await server.listen('127.0.0.1:0', options);
    writeFileSync(join(dir, 'ca.pem'), ca.certificate);
    writeFileSync(join(dir, 'client.pem'), client.certificate);
    writeFileSync(join(dir, 'client.key'), client.privateKey, { mode: 0o600 });
    const [port = 0] = await freePorts(1);
    const transport = `
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": ${upstreamTls}
        sni: localhost
        common_tls_context:
          tls_certificates: [ { certificate_chain: { filename: ${dir}/client.pem }, private_key: { filename: ${dir}/client.key } } ]
          validation_context: { trusted_ca: { filename: ${dir}/ca.pem } }
`;
    writeFileSync(
      join(dir, 'envoy.yaml'),
      `${sdsBootstrap({ aggregated: false, delta }, sdsPort, port, 0)}${transport}`,
    );
    const program = startProgram([envoy, '-c', join(dir, 'envoy.yaml'), '--use-dynamic-base-id', '-l', 'warning']);
    const shows = (name: string): Promise<void> => program.until(async () => (await servedName(port)) === name);
    try {
      await shows('one');
      assert.deepEqual(server.status().clients[0]!.identity, ['uri:spiffe://test/envoy']);
      resources.set(secret('edge', two));
      await shows('two');
      resources.set(secret('edge', { ...three, privateKey: one.privateKey }));
      await program.until(() => server.status().refusals.length > 0);
      assert.match(server.status().refusals[0]!.message, /KEY_VALUES_MISMATCH/);
      assert.equal(await servedName(port), 'two');
      server.close();
      resources.set(secret('edge', one));
      server = new SdsServer(resources, log);
      await server.listen(`127.0.0.1:${sdsPort}`, options);
      await shows('one');
      // The second connection to the same server too is known by its certificate, though Envoy keeps sessions.
      assert.deepEqual(server.status().clients[0]!.identity, ['uri:spiffe://test/envoy']);
      assert.ok(!lines.join('\n').includes('PRIVATE KEY'));
    } finally {
      await program.stop();
      server.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
}
