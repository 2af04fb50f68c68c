import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { allTo, httpListener, staticCluster, staticResources } from '../support/bootstrap.ts';
import { createCertificate } from '../support/certificates.ts';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';
import { findPeer, peerTest } from '../support/peers.ts';
import { freePorts, portIsOpen, type RunningProgram, startProgram } from '../support/running-program.ts';

const run = promisify(execFile);

const cases = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
];

describe('gRPC interop client and server through the gateway', () => {
  const serverPath = findPeer('interop-server');
  let server: RunningProgram | null = null;
  let gateway: GatewayProcess | null = null;

  before(async () => {
    if (serverPath === null || findPeer('interop-client') === null) return;
    const [port = 0] = await freePorts(1);
    server = startProgram([serverPath, `-port=${port}`]);
    await server.until(() => portIsOpen(port));
    const ca = await createCertificate({ name: 'interop test CA', ca: true });
    const leaf = await createCertificate({ name: 'localhost', sans: ['dns:localhost'], issuer: ca });
    // Half-way through a stream that waits for its client, a route timeout would be the gateway's doing.
    const toServer = allTo('interop', 'timeout: 0s, max_stream_duration: { grpc_timeout_header_max: 0s }');
    const listeners = [
      httpListener({ name: 'clear', codecType: 'HTTP2', virtualHosts: toServer }),
      httpListener({ name: 'tls', virtualHosts: toServer, tls: true }),
    ];
    gateway = await startGateway(staticResources(listeners, [staticCluster('interop', [port], { http2: true })]), {
      files: { 'cert.pem': leaf.certificate, 'key.pem': leaf.privateKey, 'ca.pem': ca.certificate },
    });
  });

  after(async () => {
    await server?.stop('SIGKILL');
    await gateway?.stop();
  });

  for (const name of cases) {
    for (const listener of ['clear', 'tls']) {
      peerTest('interop-client', `${name} over ${listener}`, async (client) => {
        assert.ok(gateway !== null, 'the interop server is missing');
        const secure = [
          '-use_tls',
          '-use_test_ca',
          `-ca_file=${gateway.dir}/ca.pem`,
          '-server_host_override=localhost',
        ];
        const target = ['-server_host=127.0.0.1', `-server_port=${gateway.port(listener)}`, `-test_case=${name}`];
        await run(client, [...target, ...(listener === 'tls' ? secure : [])], { timeout: 20_000 });
      });
    }
  }

  test('the gateway still answers afterwards', async () => {
    if (gateway === null) return;
    assert.equal((await gateway.admin('/ready')).status, 200);
  });
});
