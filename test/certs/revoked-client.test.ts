import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { intermediateEntry } from '#certs/ca/certificate-authority.ts';
import { certifyIntermediate, replaceIntermediate } from '#certs/ca/create-authority.ts';
import type { IssuedCertificate } from '#certs/ca/issued-certificate.ts';
import type { RevocationReason } from '#certs/ca/revocation-reason.ts';
import { type CertificateService, createCertificateService } from '#certs/certificate-service.ts';
import { Logger } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { gatewayCommand } from '#test/support/gateway-command.ts';
import { ownRuntime } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';
import { freePorts, portIsOpen, startProgram } from '#test/support/running-program.ts';

const hello = `
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: hello
          delayed_close_timeout: 0.02s # every request has a connection of its own, which Envoy would keep for a second
          http_filters: [{ name: envoy.filters.http.router, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router } }]
          route_config: { virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: / }, direct_response: { status: 200, body: { inline_string: hello } } }] }] }`;

/** A listener that wants a client certificate; `validation` is the member that says how it is judged. */
function bootstrap(port: number, certificate: string, validation: string, sdsPort: number): string {
  return `
node: { id: test, cluster: test }
static_resources:
  listeners:
  - name: mtls
    address: { socket_address: { address: 127.0.0.1, port_value: ${port} } }
    filter_chains:
    - filters:${hello}
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            ${certificate}
            ${validation}
  clusters:
  - name: sds
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    load_assignment: { cluster_name: sds, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${sdsPort} } } } }] }] }
`;
}

const sds =
  'sds_config: { resource_api_version: V3, api_config_source: { api_type: GRPC, transport_api_version: V3, grpc_services: [{ envoy_grpc: { cluster_name: sds } }] } }';

/** Whether the server says hello to a client with this certificate. */
async function isLetIn(port: number, ca: string, client: IssuedCertificate): Promise<boolean> {
  return await new Promise((resolve) => {
    const { chainPem: cert, privateKey } = client;
    const options = { port, host: '127.0.0.1', servername: 'localhost', ca, cert, key: privateKey.reveal() };
    let text = '';
    const socket = tls.connect(options, () => socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'));
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => {}); // also after what it said
    socket.on('close', () => resolve(text.endsWith('hello')));
  });
}

async function withService(body: (service: CertificateService, directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-crl-'));
  const service = await createCertificateService({
    directory: join(directory, 'state'),
    listen: '127.0.0.1:0',
    certificates: [{ name: 'edge', dns: ['localhost'], ip: [], lifetimeMs: 3_600_000, template: 'server' }],
    authorityName: 'trust',
    authorityLifetimeMs: 86_400_000,
    offerRevocations: true,
    clock: systemClock,
    timers: createSystemTimers(systemClock),
    log: new Logger('certs', { write: () => {} }, 'info'),
  });
  try {
    await body(service, directory);
  } finally {
    service.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Clients lose their access one after the other, for a gateway that takes everything over SDS. */
async function overSds(command: readonly string[]): Promise<void> {
  await withService(async (service, directory) => {
    const { authority } = service;
    const issue = async (name: string): Promise<IssuedCertificate> =>
      await authority.issue({ name, dns: [`${name}.test`], ip: [], lifetimeMs: 3_600_000, template: 'client' }, 'test');
    const [good, ...bad] = await Promise.all(['good', 'first', 'second'].map(issue));
    const [port = 0] = await freePorts(1);
    const config = join(directory, 'gateway.yaml');
    writeFileSync(
      config,
      bootstrap(
        port,
        `tls_certificate_sds_secret_configs: [{ name: edge, ${sds} }]`,
        `validation_context_sds_secret_config: { name: trust, ${sds} }`,
        service.port,
      ),
    );
    const running = startProgram([...command, '-c', config]);
    try {
      const ca = authority.rootPem;
      await running.until(() => portIsOpen(port));
      await running.until(() => isLetIn(port, ca, good!));
      const reasons: RevocationReason[] = ['unspecified', 'keyCompromise'];
      for (const [i, client] of bad.entries()) {
        assert.equal(await isLetIn(port, ca, client), true, `client ${i} before`);
        authority.revoke(client.serial, reasons[i]!, 'test');
        await service.publishRevocations();
        await running.until(async () => !(await isLetIn(port, ca, client)));
        assert.equal(await isLetIn(port, ca, good!), true, 'the others stay welcome');
      }
      // A renewed intermediate has the key of the one before: old leaves and the lists stay good.
      const root = authority.store.load('ca')!;
      const plan = { name: 'sluice local CA', key: 'P-256', lifetimeMs: 43_200_000 } as const;
      await certifyIntermediate(authority.store, root, plan, null, systemClock.wallMs());
      authority.reload();
      const late = await issue('late');
      assert.notEqual(authority.store.load(intermediateEntry), null);
      assert.equal(await isLetIn(port, ca, late), true, 'of the renewed intermediate');
      assert.equal(await isLetIn(port, ca, good!), true, 'of the intermediate before');
      assert.equal(await isLetIn(port, ca, bad[0]!), false);
      // One with another key, because the old one is known to others, voids everything.
      const edge = service.status()[0]!.serial;
      await replaceIntermediate(authority.store, root, plan, null, systemClock.wallMs());
      await service.publishRevocations();
      await running.until(() => service.status()[0]!.serial !== edge);
      const fresh = await issue('fresh');
      await running.until(() => isLetIn(port, ca, fresh));
      await running.until(async () => !(await isLetIn(port, ca, good!)));
    } finally {
      await running.stop();
    }
  });
}

/** The bundle of a file, as `sluice certs crl --out` writes it. */
async function fromFiles(command: readonly string[]): Promise<void> {
  await withService(async (service, directory) => {
    const { authority } = service;
    const issue = async (name: string): Promise<IssuedCertificate> =>
      await authority.issue({ name, dns: [`${name}.test`], ip: [], lifetimeMs: 3_600_000, template: 'client' }, 'test');
    const [good, bad] = [await issue('good'), await issue('bad')];
    authority.revoke(bad.serial, 'superseded', 'test');
    await service.publishRevocations();
    const state = (name: string): string => JSON.stringify(join(directory, 'state', name));
    const bundle = ['intermediate', 'root'].map((name) => readFileSync(join(directory, 'state', 'crl', `${name}.pem`)));
    writeFileSync(join(directory, 'crl.pem'), Buffer.concat(bundle));
    const [port = 0] = await freePorts(1);
    const config = join(directory, 'gateway.yaml');
    writeFileSync(
      config,
      bootstrap(
        port,
        `tls_certificates: [{ certificate_chain: { filename: ${state('edge.crt')} }, private_key: { filename: ${state('edge.key')} } }]`,
        `validation_context: { trusted_ca: { filename: ${state('ca.crt')} }, crl: { filename: ${JSON.stringify(join(directory, 'crl.pem'))} } }`,
        service.port,
      ),
    );
    const running = startProgram([...command, '-c', config]);
    try {
      await running.until(() => portIsOpen(port));
      await running.until(() => isLetIn(port, authority.rootPem, good));
      assert.equal(await isLetIn(port, authority.rootPem, bad), false);
    } finally {
      await running.stop();
    }
  });
}

const own = [...gatewayCommand(ownRuntime), 'run', '-l', 'warning'];
const envoyFlags = ['--use-dynamic-base-id', '--concurrency', '1', '-l', 'warning'];

test('a revoked client is refused as soon as the list is out: SDS', async () => await overSds(own));
test('a revoked client is refused: files', async () => await fromFiles(own));
peerTest('envoy', 'a revoked client is refused as soon as the list is out: SDS', (envoy) =>
  overSds([envoy, ...envoyFlags]),
);
peerTest('envoy', 'a revoked client is refused: files', (envoy) => fromFiles([envoy, ...envoyFlags]));
