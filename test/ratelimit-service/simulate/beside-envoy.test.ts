import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { runtimeName } from '#gateway/runtime/runtime-name.ts';
import { projectCommand } from '#test/support/gateway-command.ts';
import { peerTest } from '#test/support/peers.ts';
import { freePorts, portIsOpen, startProgram } from '#test/support/running-program.ts';
import { SimulationFiles, simulate } from './simulated-log.ts';

const files = new SimulationFiles();

const limits = `domain: edge
descriptors:
- { key: path, rate_limit: { unit: year, requests_per_unit: 5 } }
- { key: path, value: /api/*, share_threshold: true, rate_limit: { unit: year, requests_per_unit: 9, algorithm: sliding_window } }
- key: remote_address
  descriptors:
  - { key: header_match, value: writes, rate_limit: { unit: year, requests_per_unit: 12, algorithm: gcra } }
`;

function bootstrap(listen: number, limiter: number, app: number, log: string): string {
  const endpoint = (cluster: string, port: number): string =>
    `{ cluster_name: ${cluster}, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }] }`;
  return `
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: ${listen} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          use_remote_address: true
          access_log:
          - name: envoy.access_loggers.file
            typed_config: { "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: ${log} }
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{ match: { prefix: / }, route: { cluster: app } }]
              rate_limits:
              - actions: [{ request_headers: { header_name: ":path", descriptor_key: path } }]
              - actions:
                - remote_address: {}
                - header_value_match: { descriptor_value: writes, headers: [{ name: ":method", string_match: { exact: POST } }] }
          http_filters:
          - name: envoy.filters.http.ratelimit
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
              domain: edge
              failure_mode_deny: true
              timeout: 5s
              rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: limits } } }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - { name: app, type: STATIC, load_assignment: ${endpoint('app', app)} }
  - name: limits
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    load_assignment: ${endpoint('limits', limiter)}
`;
}

peerTest(
  'envoy',
  'its log, replayed with its own configuration, limits the very requests that it limited',
  async (envoy) => {
    mkdirSync(join(files.root, 'rl', 'config'), { recursive: true });
    writeFileSync(join(files.root, 'rl', 'config', 'edge.yaml'), limits);
    const log = join(files.root, 'access.log');
    const app = createServer((_request, response) => response.end('passed'));
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    const [listen = 0, limiter = 0] = await freePorts(2);
    const service = startProgram(projectCommand(runtimeName, 'ratelimit-service/main.ts'), {
      RUNTIME_ROOT: files.root,
      RUNTIME_SUBDIRECTORY: 'rl',
      BACKEND_TYPE: 'memory',
      DISABLE_STATS: 'true',
      PORT: '0',
      DEBUG_PORT: '0',
      GRPC_HOST: '127.0.0.1',
      GRPC_PORT: String(limiter),
    });
    const config = files.write('envoy.yaml', bootstrap(listen, limiter, (app.address() as AddressInfo).port, log));
    const proxy = startProgram([envoy, '-c', config, '--use-dynamic-base-id', '--concurrency', '1', '-l', 'warning']);
    let refused = 0;
    try {
      await service.until(async () => await portIsOpen(limiter));
      await proxy.until(async () => await portIsOpen(listen));
      const random = createSeededRandom(9);
      for (let i = 0; i < 120; i++) {
        const path = ['/a', '/b', '/api/1', '/api/2?q', '/c'][Math.floor(random.next() * 5)]!;
        const method = random.next() < 0.3 ? 'POST' : 'GET';
        const response = await fetch(`http://127.0.0.1:${listen}${path}`, { method });
        await response.text();
        if (response.status === 429) refused++;
      }
    } finally {
      await proxy.stop();
      await service.stop('SIGKILL');
      app.close();
      app.closeAllConnections();
    }
    const { summary } = await simulate(
      ...['--config', join(files.root, 'rl', 'config'), '--log', log, '--rate-limits', config],
    );
    assert.ok(refused > 50 && refused < 110, `${refused}`);
    assert.deepEqual([summary.format, summary.requests, summary.unread], ['envoy', 120, 0]);
    assert.deepEqual(summary.logged, { limited: refused, limited_here_too: refused, only_in_log: 0, only_here: 0 });
    assert.deepEqual(
      summary.configs[0]!.rules.map(({ rule, limited }) => [rule, limited > 0]),
      [
        ['edge.path', true],
        ['edge.path_/api/*', true],
        ['edge.remote_address.header_match_writes', true],
      ],
    );
  },
);
