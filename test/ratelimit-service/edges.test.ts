import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { findPeer, firstMissing, isRequired, peerTest } from '#test/support/peers.ts';
import { startRedis } from '#test/support/redis.ts';
import { limitFolder, ownService, type RunningService, startService } from './support/running-service.ts';

const type = (name: string): string => `"@type": type.googleapis.com/envoy.extensions.filters.${name}`;
const cluster = (name: string, port: number, more = ''): string => `
  - name: ${name}
    type: STATIC
    ${more}
    load_assignment: { cluster_name: ${name}, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } }] }] }`;
const http2 = `typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }`;

/** One edge configuration for Envoy and for the gateway. */
function bootstrap(app: number, limits: number): string {
  const cost = 'actions: [{ generic_key: { descriptor_key: cost, descriptor_value: a } }]';
  return `
static_resources:
  listeners:
  - name: edge
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          ${type('network.http_connection_manager.v3.HttpConnectionManager')}
          stat_prefix: in
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { prefix: /cost }
                route: { cluster: app }
                typed_per_filter_config:
                  envoy.filters.http.ratelimit:
                    ${type('http.ratelimit.v3.RateLimitPerRoute')}
                    rate_limits:
                    - { ${cost}, hits_addend: { number: 0 } }
                    - { ${cost}, hits_addend: { format: "%RESP(x-cost)%" }, apply_on_stream_done: true }
              - match: { prefix: / }
                route: { cluster: app }
              rate_limits:
              - actions: [{ request_headers: { header_name: x-user, descriptor_key: user } }]
              - actions: [{ request_headers: { header_name: x-user, descriptor_key: any } }, { remote_address: {} }]
          http_filters:
          - name: envoy.filters.http.ratelimit
            typed_config:
              ${type('http.ratelimit.v3.RateLimit')}
              domain: edge
              failure_mode_deny: true
              timeout: 5s
              enable_x_ratelimit_headers: DRAFT_VERSION_03
              rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: limits } } }
          - name: envoy.filters.http.router
            typed_config: { ${type('http.router.v3.Router')} }
  clusters:${cluster('app', app)}${cluster('limits', limits, http2)}
`;
}

const rules = `
domain: edge
descriptors:
- key: user
  rate_limit: { unit: year, requests_per_unit: 3, name: per_user }
- key: user
  value: shadow
  shadow_mode: true
  rate_limit: { unit: year, requests_per_unit: 1 }
- key: any
  descriptors: [{ key: remote_address, rate_limit: { unit: year, requests_per_unit: 100 } }]
- key: cost
  rate_limit: { unit: year, requests_per_unit: 10 }
`;

/** What is compared of a response. */
const shownHeaders = [
  'x-envoy-ratelimited',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'ratelimit-limit',
  'ratelimit-remaining',
  'x-cost',
] as const;

interface Seen {
  readonly answers: string[];
  readonly statistics: string[];
  readonly counters: string[];
}

/** Sends the same requests through an edge to a service, and tells all that was seen. */
async function runEdge(envoy: string | undefined, service: readonly string[]): Promise<Seen> {
  const app = createServer((_request, response) => response.setHeader('x-cost', '4').end('passed'));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const folder = limitFolder({ 'edge.yaml': rules });
  const redisServer = await startRedis(findPeer('redis-server')!);
  const redis = new Redis({ host: '127.0.0.1', port: redisServer.port });
  let started: RunningService | null = null;
  let edge: GatewayProcess | null = null;
  try {
    const settings = { LIMIT_RESPONSE_HEADERS_ENABLED: 'true' };
    const limits = await startService(service, folder.root, redisServer.port, settings);
    started = limits;
    const config = bootstrap((app.address() as AddressInfo).port, limits.grpc);
    edge = await startGateway(config, envoy === undefined ? {} : { envoy });
    const base = `http://127.0.0.1:${edge.port('edge')}`;
    const answers: string[] = [];
    const get = async (path: string, user = ''): Promise<void> => {
      const response = await fetch(base + path, { headers: user === '' ? {} : { 'x-user': user } });
      const headers = shownHeaders.map((name) => `${name}=${response.headers.get(name)}`).join(' ');
      answers.push(`${path} ${user}: ${response.status} ${headers} ${await response.text()}`);
    };
    const spent = async (): Promise<number> => {
      const [key] = await redis.keys('edge_cost_a_*');
      return key === undefined ? 0 : Number(await redis.get(key));
    };
    for (let i = 0; i < 5; i++) await get('/', 'ann');
    await get('/', 'bob');
    for (let i = 0; i < 3; i++) await get('/', 'shadow');
    await get('/');
    for (let i = 1; i <= 3; i++) {
      await get('/cost');
      // What it cost is counted when the stream is done.
      await limits.program.until(async () => (await spent()) === 4 * i);
    }
    await get('/cost');
    const counters = await Promise.all(
      (await redis.keys('*')).sort().map(async (key) => `${key}=${await redis.get(key)}`),
    );
    await limits.program.stop();
    await get('/', 'cat');
    const { text } = await edge.admin('/stats');
    const statistics = text
      .split('\n')
      .filter((line) => /^(cluster\.app\.ratelimit\.|http\.in\.downstream_rq_[2-5]xx)/.test(line))
      .sort();
    return { answers, statistics, counters };
  } finally {
    await edge?.stop();
    await started?.program.stop('SIGKILL');
    redis.disconnect();
    await redisServer.program.stop();
    app.close();
    app.closeAllConnections();
    folder.remove();
  }
}

peerTest(
  firstMissing('envoy', 'redis-server'),
  'Envoy and the gateway are limited alike, by this service and by the reference',
  async (envoy) => {
    const reference = findPeer('reference-ratelimit');
    assert.ok(reference !== null || !isRequired('reference-ratelimit'));
    const expected = await runEdge(envoy, ownService());
    const show = (i: number): string => expected.answers[i]!;
    assert.match(
      show(2),
      /^\/ ann: 200 x-envoy-ratelimited=null .* ratelimit-limit=3 ratelimit-remaining=0 x-cost=4 passed$/,
    );
    assert.match(
      show(3),
      /^\/ ann: 429 x-envoy-ratelimited=true .* ratelimit-limit=3 ratelimit-remaining=0 x-cost=null $/,
    );
    assert.match(show(8), /^\/ shadow: 200 /);
    assert.match(show(13), /^\/cost : 429 /);
    assert.match(show(14), /^\/ cat: 500 /);
    assert.ok(expected.statistics.includes('cluster.app.ratelimit.over_limit: 3'), expected.statistics.join('\n'));
    assert.ok(expected.counters.some((line) => /^edge_cost_a_\d+=12$/.test(line)));
    assert.deepEqual(await runEdge(undefined, ownService()), expected, 'the gateway and this service');
    if (reference === null) return;
    assert.deepEqual(await runEdge(envoy, [reference]), expected, 'Envoy and the reference');
    assert.deepEqual(await runEdge(undefined, [reference]), expected, 'the gateway and the reference');
  },
);
