import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, it } from 'node:test';
import { besideEnvoy } from '#test/support/beside-envoy.ts';
import { httpListener, staticCluster } from '#test/support/bootstrap.ts';
import { type GatewayProcess, startGateway } from '#test/support/gateway-process.ts';
import { peerTest } from '#test/support/peers.ts';

const direct =
  '{ name: all, domains: [ "*" ], routes: [ { match: { prefix: "/" }, direct_response: { status: 200 } } ] }';
const all = '{ default_value: { numerator: 100 } }';
const bucket = (max: number, fields = ''): string =>
  `token_bucket: { max_tokens: ${max}, tokens_per_fill: 1, fill_interval: 600s } ${fields}`;
/** A rule and a descriptor of it with `max` tokens, of which a request takes `hits`. */
const descriptor = (hits: number, max: number): string =>
  `rate_limits: [ { actions: [ { generic_key: { descriptor_value: x } } ], hits_addend: { number: ${hits} } } ], descriptors: [ { entries: [ { key: generic_key, value: x } ], ${bucket(max)} } ]`;

const ofHeader = (name: string, key: string): string =>
  `{ actions: [ { request_headers: { header_name: ${name}, descriptor_key: ${key}, skip_if_absent: true } } ] }`;

/** Configurations by the name of their listener. */
const filters: { readonly [name: string]: string } = {
  alone: bucket(3),
  share: `local_cluster_rate_limit: {}, enable_retry_after_header: true, ${bucket(10)}`,
  share_is_too_small: `local_cluster_rate_limit: {}, enable_retry_after_header: true, ${bucket(2)}`,
  share_of_descriptors: `local_cluster_rate_limit: {}, ${bucket(100)}, ${descriptor(2, 20)}`,
  not_429: `status: { code: 503 }, enable_retry_after_header: true, ${bucket(1)}`,
  own_retry_after: `enable_retry_after_header: true, ${bucket(1)}, response_headers_to_add: [ { header: { key: Retry-After, value: mine } } ]`,
  hits: `enable_retry_after_header: true, ${bucket(100)}, ${descriptor(4, 6)}`,
  exhausted: `rate_limited_as_resource_exhausted: true, ${bucket(1)}`,
  keeps_default: `always_consume_default_token_bucket: false, ${bucket(2)}, ${descriptor(1, 3)}`,
  shadowed: `${bucket(2)}, filter_enforced: { default_value: { numerator: 0 } }`,
  wildcards: `${bucket(100)}, max_dynamic_descriptors: 2, rate_limits: [ ${ofHeader('x-a', 'a')} ], descriptors: [ { entries: [ { key: a, value: named } ], ${bucket(3)} }, { entries: [ { key: a } ], ${bucket(1)} } ]`,
  shadow_descriptors: `${bucket(100)}, rate_limits: [ ${ofHeader('x-a', 'a')} ], descriptors: [ { entries: [ { key: a, value: v1 } ], shadow_mode: true, ${bucket(1)} } ]`,
  shadow_and_real: `${bucket(100)}, rate_limits: [ ${ofHeader('x-a', 'a')}, ${ofHeader('x-b', 'b')} ], descriptors: [ { entries: [ { key: a, value: v1 } ], shadow_mode: true, ${bucket(1)} }, { entries: [ { key: b, value: w1 } ], token_bucket: { max_tokens: 2, tokens_per_fill: 1, fill_interval: 300s } } ]`,
  shadow_and_default: `${bucket(2)}, ${descriptor(1, 1).replace('entries', 'shadow_mode: true, entries')}`,
  two_shadows: `rate_limits: [ ${ofHeader('x-a', 'a')}, ${ofHeader('x-b', 'b')} ], descriptors: [ { entries: [ { key: a, value: v1 } ], shadow_mode: true, ${bucket(2)} }, { entries: [ { key: b, value: w1 } ], shadow_mode: true, ${bucket(1)} } ]`,
  several: `${bucket(100)}, rate_limits: [ ${ofHeader('x-a', 'a')}, ${ofHeader('x-b', 'b')} ], descriptors: [ { entries: [ { key: a, value: v1 } ], token_bucket: { max_tokens: 5, tokens_per_fill: 1, fill_interval: 10s } }, { entries: [ { key: b, value: w1 } ], ${bucket(2)} } ]`,
  per_connection: `${bucket(1)}, local_rate_limit_per_downstream_connection: true`,
  untold_rule: `${bucket(2)}, rate_limits: [ { actions: [ { generic_key: { descriptor_value: x } } ], x_ratelimit_option: "OFF" } ], descriptors: [ { entries: [ { key: generic_key, value: x } ], ${bucket(1)} } ]`,
};

const both: readonly http.OutgoingHttpHeaders[] = Array.from({ length: 4 }, () => ({ 'x-a': 'v1', 'x-b': 'w1' }));
/** Headers of further requests, by listener. */
const further: { readonly [name: string]: readonly http.OutgoingHttpHeaders[] } = {
  // The least recently used value is forgotten, and begins anew.
  wildcards: ['1', '1', '2', '1', '3', '2', '2', '1', 'named', 'named', 'named', 'named'].map((value) => ({
    'x-a': value,
  })),
  shadow_descriptors: ['v1', 'v1', 'v2', 'v2'].map((value) => ({ 'x-a': value })),
  shadow_and_real: both,
  two_shadows: both,
  several: both,
};

function listener([name, fields]: [string, string]): string {
  const enforced = fields.includes('filter_enforced') ? '' : `filter_enforced: ${all},`;
  const config = `"@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit, stat_prefix: ${name}, filter_enabled: ${all}, ${enforced} enable_x_ratelimit_headers: DRAFT_VERSION_03, ${fields}`;
  return httpListener({ name, virtualHosts: direct, filters: [`{ name: l, typed_config: { ${config} } }`] });
}

function get(port: number, headers: http.OutgoingHttpHeaders): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, headers, agent: false }, (response) => {
      const told = Object.entries(response.headers)
        .filter(([name]) => /ratelimit|retry|grpc/.test(name))
        .map(([name, value]) => `${name}=${String(value)}`);
      response.resume();
      response.on('end', () => resolve([response.statusCode, ...told.sort()].join(' ')));
    });
    request.on('error', reject);
    request.end();
  });
}

async function drive(gateway: GatewayProcess): Promise<{ [what: string]: unknown }> {
  const seen: { [what: string]: unknown } = {};
  for (const name of Object.keys(filters)) {
    const answers: string[] = [];
    for (let i = 0; i < 4; i++) answers.push(await get(gateway.port(name), {}));
    answers.push(await get(gateway.port(name), { 'content-type': 'application/grpc' }));
    for (const headers of further[name] ?? []) answers.push(await get(gateway.port(name), headers));
    seen[name] = answers;
  }
  const { text } = await gateway.admin('/stats?filter=http_local_rate_limit');
  seen['stats'] = text.trim().split('\n').sort();
  return seen;
}

describe('local_ratelimit beside Envoy', () => {
  peerTest('envoy', 'limits the same requests, shares a limit with its cluster, says the same', async (envoy) => {
    const members = staticCluster('us', [9001, 9002, 9003]);
    const listeners = Object.entries(filters).map(listener).join(', ');
    const config = `cluster_manager: { local_cluster_name: us }\nstatic_resources: { listeners: [ ${listeners} ], clusters: [ ${members} ] }\n`;
    const { theirs, ours } = await besideEnvoy(envoy, config, {}, drive);
    for (const what of Object.keys(theirs)) assert.deepEqual(ours[what], theirs[what], what);
  });

  const refused: readonly { name: string; bootstrap: string; problem: RegExp }[] = [
    {
      name: 'a local cluster that is not there',
      bootstrap: 'cluster_manager: { local_cluster_name: other }',
      problem: /cluster_manager\.local_cluster_name: local cluster 'other' must be defined/,
    },
    {
      name: 'a local cluster for a node with a zone',
      bootstrap: 'cluster_manager: { local_cluster_name: us }\nnode: { id: a, cluster: b, locality: { zone: z } }',
      problem: /cluster_manager\.local_cluster_name: .*zone-aware routing: not supported yet/,
    },
  ];
  for (const { name, bootstrap, problem } of refused)
    it(`refuses ${name}`, async () => {
      const config = `${bootstrap}\nstatic_resources: { clusters: [ ${staticCluster('us', [9001])} ] }\n`;
      await assert.rejects(startGateway(config), problem);
    });
});
