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
import { type PrintedRun, SimulationFiles, simulate } from './simulated-log.ts';

const files = new SimulationFiles();

const limits = `domain: edge
descriptors:
- { key: path, rate_limit: { unit: year, requests_per_unit: 5 } }
- { key: path, value: /api/*, share_threshold: true, rate_limit: { unit: year, requests_per_unit: 9, algorithm: sliding_window } }
- key: remote_address
  descriptors:
  - { key: header_match, value: writes, rate_limit: { unit: year, requests_per_unit: 12, algorithm: gcra } }
`;

/** What differs between two runs. */
interface Variant {
  /** Members of the connection manager. */
  readonly manager: string;
  /** Of the file access log. */
  readonly accessLog: string;
  readonly routes: string;
  readonly rateLimits: string;
  /** HTTP filters before the limits. */
  readonly filters: string;
}

const plain: Variant = {
  manager: '',
  accessLog: '',
  routes: '[{ match: { prefix: / }, route: { cluster: app } }]',
  rateLimits: `
              - actions: [{ request_headers: { header_name: ":path", descriptor_key: path } }]
              - actions:
                - remote_address: {}
                - header_value_match: { descriptor_value: writes, headers: [{ name: ":method", string_match: { exact: POST } }] }`,
  filters: '',
};

function bootstrap(listen: number, limiter: number, app: number, log: string, variant: Variant): string {
  const endpoint = (cluster: string, port: number): string =>
    `{ cluster_name: ${cluster}, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }] }`;
  return `
node: { id: one, cluster: edge-a }
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
          ${variant.manager}
          access_log:
          - name: envoy.access_loggers.file
            typed_config: { "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: ${log}${variant.accessLog} }
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: ${variant.routes}
              rate_limits: ${variant.rateLimits}
          http_filters:${variant.filters}
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

/** Sends requests through Envoy, and plays its log with its configuration: how many it limited, and what came of the log. */
async function besideEnvoy(
  envoy: string,
  name: string,
  rules: string,
  variant: Variant,
  headers: (choose: <Value>(values: readonly Value[]) => Value) => Record<string, string>,
  args: readonly string[],
): Promise<{ readonly refused: number; readonly summary: PrintedRun['summary'] }> {
  const folder = join(files.root, name, 'rl', 'config');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'edge.yaml'), rules);
  const log = join(files.root, name, 'access.log');
  const app = createServer((_request, response) => response.end('passed'));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const [listen = 0, limiter = 0] = await freePorts(2);
  const service = startProgram(projectCommand(runtimeName, 'ratelimit-service/main.ts'), {
    RUNTIME_ROOT: join(files.root, name),
    RUNTIME_SUBDIRECTORY: 'rl',
    BACKEND_TYPE: 'memory',
    DISABLE_STATS: 'true',
    PORT: '0',
    DEBUG_PORT: '0',
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: String(limiter),
  });
  const port = (app.address() as AddressInfo).port;
  const config = files.write(`${name}.yaml`, bootstrap(listen, limiter, port, log, variant));
  const proxy = startProgram([envoy, '-c', config, '--use-dynamic-base-id', '--concurrency', '1', '-l', 'warning']);
  let refused = 0;
  try {
    await service.until(async () => await portIsOpen(limiter));
    await proxy.until(async () => await portIsOpen(listen));
    const random = createSeededRandom(9);
    const choose = <Value>(values: readonly Value[]): Value => values[Math.floor(random.next() * values.length)]!;
    for (let i = 0; i < 120; i++) {
      const path = choose(['/a', '/b', '/api/1', '/api/2?q', '/c']);
      const method = random.next() < 0.3 ? 'POST' : 'GET';
      const response = await fetch(`http://127.0.0.1:${listen}${path}`, { method, headers: headers(choose) });
      await response.text();
      if (response.status === 429) refused++;
    }
  } finally {
    await proxy.stop();
    await service.stop('SIGKILL');
    app.close();
    app.closeAllConnections();
  }
  const { summary } = await simulate('--config', folder, '--log', log, '--rate-limits', config, ...args);
  assert.deepEqual([summary.requests, summary.unread], [120, 0]);
  assert.deepEqual(summary.logged, { limited: refused, limited_here_too: refused, only_in_log: 0, only_here: 0 });
  return { refused, summary };
}

peerTest(
  'envoy',
  'its log, replayed with its own configuration, limits the very requests that it limited',
  async (envoy) => {
    const { refused, summary } = await besideEnvoy(envoy, 'plain', limits, plain, () => ({}), []);
    assert.ok(refused > 50 && refused < 110, `${refused}`);
    assert.equal(summary.format, 'envoy');
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

const byConfiguration: Variant = {
  manager: 'xff_num_trusted_hops: 1',
  accessLog: `, log_format: { text_format_source: { inline_string: "%START_TIME% %RESPONSE_CODE% %RESPONSE_FLAGS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %ROUTE_NAME% %REQ(X-WHO)% %DYNAMIC_METADATA(own:limit)%\\n" } }`,
  routes: `
              - { name: api, match: { prefix: /api }, route: { cluster: app }, metadata: { filter_metadata: { tier: { of: gold } } } }
              - { name: none, match: { prefix: /c }, route: { cluster: app } }
              - { match: { prefix: / }, route: { cluster: app }, metadata: { filter_metadata: { tier: { of: silver } } } }`,
  rateLimits: `
              - actions:
                - source_cluster: {}
                - metadata: { descriptor_key: tier, source: ROUTE_ENTRY, metadata_key: { key: tier, path: [{ key: of }] } }
              - actions:
                - remote_address_match:
                    descriptor_value: "in-%REQ(X-WHO)%"
                    default_value: nobody
                    address_matcher: { ranges: [{ address_prefix: 10.1.0.0, prefix_len: 16 }] }
              - actions: [{ request_headers: { header_name: x-who, descriptor_key: who } }]
                limit: { dynamic_metadata: { metadata_key: { key: own, path: [{ key: limit }] } } }
              - actions: [{ generic_key: { descriptor_value: all } }]
                limit: { rate_limit: { requests_per_unit: 90, unit: YEAR } }`,
  filters: `
          - name: envoy.filters.http.lua
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
              default_source_code:
                inline_string: |
                  function envoy_on_request(handle)
                    if handle:headers():get("x-limit") ~= nil then
                      handle:streamInfo():dynamicMetadata():set("own", "limit", { requests_per_unit = 9, unit = "YEAR" })
                    end
                  end`,
};

peerTest(
  'envoy',
  'what the configuration says of routes, addresses, the cluster and limits is replayed',
  async (envoy) => {
    const rules = `domain: edge
descriptors:
- key: source_cluster
  value: edge-a
  descriptors:
  - { key: tier, value: gold, rate_limit: { unit: year, requests_per_unit: 30 } }
  - { key: tier, value: silver, rate_limit: { unit: year, requests_per_unit: 25 } }
- { key: remote_address_match, rate_limit: { unit: year, requests_per_unit: 12 } }
- { key: who, rate_limit: { unit: year, requests_per_unit: 35 } }
`;
    const format =
      '%START_TIME% %RESPONSE_CODE% %RESPONSE_FLAGS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %ROUTE_NAME% %REQ(X-WHO)% %DYNAMIC_METADATA(own:limit)%';
    const { refused, summary } = await besideEnvoy(
      envoy,
      'by-configuration',
      rules,
      byConfiguration,
      (choose) => ({
        'x-forwarded-for': choose(['10.1.2.3', '10.2.2.3']),
        ...choose<Record<string, string>>([{ 'x-who': 'ann' }, { 'x-who': 'bob' }, {}]),
        ...choose<Record<string, string>>([{ 'x-limit': 'yes' }, {}]),
      }),
      ['--format', format],
    );
    assert.ok(refused > 40 && refused < 110, `${refused}`);
    assert.deepEqual(
      summary.configs[0]!.rules.map(({ rule, limit, limited }) => [rule, limit, limited > 0]),
      [
        ['edge.source_cluster_edge-a.tier_gold', '30/year', true],
        ['edge.source_cluster_edge-a.tier_silver', '25/year', true],
        ['edge.remote_address_match', '12/year', true],
        ['edge.who', '35/year', true],
        ['edge.generic_key (limit of the request)', '90/year', true],
        ['edge.who (limit of the request)', '9/year', true],
      ],
    );
  },
);
