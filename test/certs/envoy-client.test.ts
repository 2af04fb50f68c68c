import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { createCertificateService } from '#certs/certificate-service.ts';
import { Logger } from '#gateway/base/log.ts';
import { systemClock } from '#gateway/runtime/clock.ts';
import { createSystemTimers } from '#gateway/runtime/timers.ts';
import { peerTest } from '#test/support/peers.ts';
import { freePorts, portIsOpen, startProgram } from '#test/support/running-program.ts';

function bootstrap(apiType: string, sdsPort: number, listenPort: number): string {
  return `
node: { id: test, cluster: test }
static_resources:
  listeners:
  - name: tls
    address: { socket_address: { address: 127.0.0.1, port_value: ${listenPort} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.direct_response
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config
          response: { inline_string: hello }
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificate_sds_secret_configs: [{ name: edge, sds_config: &sds { resource_api_version: V3, api_config_source: { api_type: ${apiType}, transport_api_version: V3, grpc_services: [{ envoy_grpc: { cluster_name: sds } }] } } }]
            validation_context_sds_secret_config: { name: ca, sds_config: *sds }
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

/** Serial number of the certificate that a server shows; the handshake must succeed against the authority. */
async function servedSerial(port: number, ca: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

for (const apiType of ['GRPC', 'DELTA_GRPC']) {
  peerTest('envoy', `takes certificates over SDS (${apiType}) and their rotation`, async (envoy) => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-sds-'));
    const lines: string[] = [];
    const service = await createCertificateService({
      directory: join(directory, 'state'),
      listen: '127.0.0.1:0',
      certificates: [{ name: 'edge', dns: ['localhost'], ip: [], lifetimeMs: 3_600_000 }],
      authorityName: 'ca',
      authorityLifetimeMs: 86_400_000,
      clock: systemClock,
      timers: createSystemTimers(systemClock),
      log: new Logger('certs', { write: (_level, _component, message) => lines.push(message) }, 'debug'),
    });
    const [port = 0] = await freePorts(1);
    const config = join(directory, 'envoy.yaml');
    writeFileSync(config, bootstrap(apiType, service.port, port));
    const running = startProgram([envoy, '-c', config, '--use-dynamic-base-id', '--concurrency', '1', '-l', 'warning']);
    try {
      const ca = readFileSync(service.authorityPath, 'utf8');
      const servesCurrent = async (): Promise<boolean> => {
        try {
          return (await servedSerial(port, ca)) === service.status()[0]!.serial;
        } catch {
          return false;
        }
      };
      await running.until(async () => await portIsOpen(port));
      await running.until(servesCurrent);
      const before = service.status()[0]!.serial;
      await service.rotate('edge');
      assert.notEqual(service.status()[0]!.serial, before);
      await running.until(servesCurrent);
      await running.until(() => lines.filter((line) => line.includes('ACK edge')).length >= 2);
      assert.ok(!lines.some((line) => line.includes('NACK')), lines.join('\n'));
      assert.ok(!lines.join('\n').includes('PRIVATE KEY'));
    } finally {
      await running.stop();
      service.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
