import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { it } from 'node:test';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { statLines } from '#ratelimit/service/stat-lines.ts';
import { limitFolder } from '#test/ratelimit-service/support/running-service.ts';
import { startService } from '#test/ratelimit-service/support/start-service.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';

/** Another seed makes other requests: SLUICE_SEED=7. */
const seed = Number(process.env['SLUICE_SEED'] ?? 1);
const requests = 2000;

// Windows that do not end, and buckets that do not leak, while the test runs.
const limits = `
domain: edge
descriptors:
  - key: generic_key
    value: all
    rate_limit: { unit: year, requests_per_unit: 150 }
  - key: user
    rate_limit: { unit: year, requests_per_unit: 6 }
    descriptors:
      - key: path
        value: /user/*
        rate_limit: { unit: day, unit_multiplier: 300, requests_per_unit: 3 }
  - key: user
    value: vip
    rate_limit: { unlimited: true }
  - key: shadow
    shadow_mode: true
    rate_limit: { unit: year, requests_per_unit: 10 }
  - key: bucket
    rate_limit: { unit: year, requests_per_unit: 2, algorithm: gcra, burst: 9 }
  - key: window
    rate_limit: { unit: year, requests_per_unit: 8, algorithm: sliding_window }
`;

const settings = {
  RUNTIME_WATCH_ROOT: 'false',
  LIMIT_RESPONSE_HEADERS_ENABLED: 'true',
  // Some new keys are errors, as failure_mode_deny says.
  MEMORY_MAX_COUNTERS: '60',
};

const route = (prefix: string, ...descriptors: string[]): string => {
  const rules = descriptors.map((actions) => `{ actions: [${actions}] }`).join(', ');
  return `{ match: { prefix: ${prefix} }, route: { cluster: app, rate_limits: [${rules}] } }`;
};
const header = (key: string, name: string): string =>
  `{ request_headers: { header_name: "${name}", descriptor_key: ${key} } }`;

const routes = [
  route('/all', '{ generic_key: { descriptor_value: all } }'),
  route('/user', header('user', 'x-user'), `${header('user', 'x-user')}, ${header('path', ':path')}`),
  route('/shadow', header('shadow', 'x-user'), '{ generic_key: { descriptor_value: all } }'),
  route('/bucket', header('bucket', 'x-user')),
  route('/window', header('window', 'x-user')),
  route('/none', '{ generic_key: { descriptor_value: nobody } }'),
  `{ match: { prefix: /else }, route: { cluster: app, rate_limits: [{ actions: [${header('user', 'x-user')}] }] }, typed_per_filter_config: { rl: { "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute, domain: elsewhere } } }`,
];

function bootstrap(appPort: number, cluster: string): string {
  return `
static_resources:
  listeners:
    - name: http
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: ingress
                http_filters:
                  - name: rl
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit
                      domain: edge
                      timeout: 10s
                      enable_x_ratelimit_headers: DRAFT_VERSION_03
                      enable_retry_after_header: true
                      rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: rls } } }
                  - name: router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
                route_config: { virtual_hosts: [ { name: v, domains: ["*"], routes: [${routes.join(', ')}] } ] }
  clusters:
    - { name: app, load_assignment: { cluster_name: app, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${appPort} } } } } ] } ] } }
    - ${cluster}
`;
}

/** Whose value is the time. */
const timed = /-reset$|^retry-after$/;
const unlike = new Set(['date', 'x-envoy-upstream-service-time']);

interface Answer {
  readonly status: number;
  /** `name: value` in order, times left out. */
  readonly head: readonly string[];
  readonly times: readonly number[];
}

function ask(gateway: GatewayProcess, agent: http.Agent, path: string, user: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: gateway.port('http'), path, agent, headers: { 'x-user': user } };
    const request = http.request(options, (response) => {
      const head: string[] = [];
      const times: number[] = [];
      for (let i = 0; i < response.rawHeaders.length; i += 2) {
        const name = response.rawHeaders[i]!.toLowerCase();
        if (timed.test(name)) times.push(Number(response.rawHeaders[i + 1]));
        else if (!unlike.has(name)) head.push(`${name}: ${response.rawHeaders[i + 1]}`);
      }
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode!, head, times }));
    });
    request.on('error', reject);
    request.end();
  });
}

async function counters(gateway: GatewayProcess, filter: RegExp): Promise<string[]> {
  return (await gateway.admin('/stats?type=Counters')).text.split('\n').filter((line) => filter.test(line));
}

it('a service in the process answers as one behind a port does: seeded requests, headers and statistics', async (t) => {
  const folder = limitFolder({ 'edge.yaml': limits });
  t.after(() => folder.remove());
  const root = join(folder.root, 'rl');
  const app = http.createServer((_request, response) => response.end('app'));
  await new Promise<void>((done) => app.listen(0, '127.0.0.1', done));
  t.after(() => void app.close());
  const appPort = (app.address() as AddressInfo).port;

  const { service } = await startService({ ...settings, RUNTIME_ROOT: root });
  t.after(() => service.close());
  const given = Object.entries({ ...settings, RUNTIME_ROOT: root }).map(([name, value]) => `${name}: "${value}"`);
  const within = await startGateway(
    bootstrap(
      appPort,
      `{ name: rls, cluster_type: { name: sluice.in_process, typed_config: { "@type": type.googleapis.com/sluice.clusters.in_process.v1.InProcess, service: ratelimit, settings: { ${given.join(', ')} } } } }`,
    ),
  );
  t.after(() => within.stop());
  const apart = await startGateway(
    bootstrap(
      appPort,
      `{ name: rls, typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: { http2_protocol_options: {} } } }, load_assignment: { cluster_name: rls, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${service.grpcPort} } } } } ] } ] } }`,
    ),
  );
  t.after(() => apart.stop());

  const agents = [new http.Agent({ keepAlive: true }), new http.Agent({ keepAlive: true })] as const;
  t.after(() => {
    for (const agent of agents) agent.destroy();
  });
  const random = createSeededRandom(seed);
  const paths = ['/all', '/user/a', '/user/b?c', '/users', '/shadow', '/bucket', '/window', '/none', '/else'];
  const seen = new Map<number, number>();
  for (let i = 0; i < requests; i++) {
    const path = paths[Math.floor(random.next() * paths.length)]!;
    const user = random.next() < 0.1 ? 'vip' : `u${Math.floor(random.next() * 25)}`;
    const [one, other] = await Promise.all([ask(within, agents[0], path, user), ask(apart, agents[1], path, user)]);
    const about = `seed ${seed}, request ${i}: ${path} of ${user}`;
    assert.equal(one.status, other.status, about);
    assert.deepEqual(one.head, other.head, about);
    assert.equal(one.times.length, other.times.length, about);
    one.times.forEach((time, n) => void assert.ok(Math.abs(time - other.times[n]!) <= 2, about));
    seen.set(one.status, (seen.get(one.status) ?? 0) + 1);
  }
  assert.ok((seen.get(200) ?? 0) > 200 && (seen.get(429) ?? 0) > 200, `too much of one kind: ${[...seen]}`);

  const shared = /^cluster\.(app\.ratelimit\.|rls\.(internal\.|external\.)?upstream_rq_(\d|completed|total|timeout))/;
  const counted = await counters(within, shared);
  assert.deepEqual(counted, await counters(apart, shared));
  const errors = Number(/ratelimit\.error: (\d+)/.exec(counted.join('\n'))![1]);
  assert.ok(errors > 0, 'some calls were errors');
  const inside = await counters(within, /^ratelimit[._]/);
  const outside = [...statLines(service.stats)].map(({ name, value }) => `${name}: ${value}`);
  assert.deepEqual([...inside].sort(), outside.filter((line) => line.startsWith('ratelimit')).sort());
});
