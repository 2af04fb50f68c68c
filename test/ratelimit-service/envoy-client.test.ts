import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
import { projectCommand } from '#test/support/gateway-command.ts';
import { peerTest } from '#test/support/peers.ts';
import { freePorts, portIsOpen, startProgram } from '#test/support/running-program.ts';

function bootstrap(listenPort: number, limitPort: number, appPort: number): string {
  return `
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: ${listenPort} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { prefix: / }
                route: { cluster: app }
              rate_limits:
              - actions: [{ request_headers: { header_name: x-user, descriptor_key: user } }]
          http_filters:
          - name: envoy.filters.http.ratelimit
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
              domain: edge
              failure_mode_deny: true
              timeout: 2s
              enable_x_ratelimit_headers: DRAFT_VERSION_03
              rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: limits } } }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: app
    type: STATIC
    load_assignment: { cluster_name: app, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${appPort} } } } }] }] }
  - name: limits
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    load_assignment: { cluster_name: limits, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${limitPort} } } } }] }] }
`;
}

peerTest('envoy', 'asks the rate-limit service, whose process ends on SIGTERM', async (envoy) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-rl-envoy-'));
  mkdirSync(join(directory, 'rl', 'config'), { recursive: true });
  writeFileSync(
    join(directory, 'rl', 'config', 'edge.yaml'),
    'domain: edge\ndescriptors: [{ key: user, rate_limit: { unit: year, requests_per_unit: 3 } }]',
  );
  const app = createServer((_request, response) => response.end('passed'));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const [listen = 0, limits = 0] = await freePorts(2);
  const service = startProgram(projectCommand(runtimeName, 'ratelimit-service/main.ts'), {
    RUNTIME_ROOT: directory,
    RUNTIME_SUBDIRECTORY: 'rl',
    BACKEND_TYPE: 'memory',
    USE_STATSD: 'false',
    PORT: '0',
    DEBUG_PORT: '0',
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: String(limits),
    LIMIT_RESPONSE_HEADERS_ENABLED: 'true',
  });
  writeFileSync(join(directory, 'envoy.yaml'), bootstrap(listen, limits, (app.address() as AddressInfo).port));
  const proxy = startProgram([
    envoy,
    '-c',
    join(directory, 'envoy.yaml'),
    '--use-dynamic-base-id',
    '--concurrency',
    '1',
    '-l',
    'warning',
  ]);
  try {
    await service.until(async () => await portIsOpen(limits));
    await proxy.until(async () => await portIsOpen(listen));
    const get = async (user: string): Promise<Response> =>
      await fetch(`http://127.0.0.1:${listen}/`, { headers: { 'x-user': user } });
    const remaining: (string | null)[] = [];
    for (let i = 0; i < 3; i++) {
      const response = await get('ann');
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('ratelimit-limit'), '3');
      remaining.push(response.headers.get('x-ratelimit-remaining'));
    }
    assert.deepEqual(remaining, ['2', '1', '0']);
    const refused = await get('ann');
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('x-envoy-ratelimited'), 'true');
    assert.equal(refused.headers.get('ratelimit-remaining'), '0');
    assert.equal((await get('bob')).status, 200);
    assert.equal(await service.stop(), 0, service.output());
  } finally {
    await proxy.stop();
    await service.stop('SIGKILL');
    app.close();
    app.closeAllConnections();
    rmSync(directory, { recursive: true, force: true });
  }
});
