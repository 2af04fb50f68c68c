import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadBootstrap } from '#gateway/config/load/load-message.ts';

// Envoy 1.40 refuses each of these in its validate mode, but for a second listener of one name, where it lets the
// later one replace the earlier without a word.

function errors(text: string): readonly string[] {
  const options = { checks: { rules: true, support: false }, fileExists: (path: string) => path !== '/nope' };
  return loadBootstrap(text, 'a.yaml', options).diagnostics.errors.map((one) => `${one.path}: ${one.problem}`);
}

function withCluster(fields: string): string {
  return `static_resources: { clusters: [{ name: a, ${fields} }] }\n`;
}

function withListener(fields: string): string {
  const address = 'address: { socket_address: { address: 127.0.0.1, port_value: 1 } }';
  return `static_resources: { listeners: [{ name: l, ${address}, ${fields} }] }\n`;
}

function withRoutes(virtualHosts: string, more = ''): string {
  const manager = `"@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: x, route_config: { ${more} virtual_hosts: ${virtualHosts} }`;
  return withListener(`filter_chains: [{ filters: [{ name: m, typed_config: { ${manager} } }] }]`);
}

const HOST = (fields: string): string => `[{ name: v, domains: ["*"], ${fields} }]`;
const ROUTE = (action: string): string => HOST(`routes: [{ match: { prefix: / }, ${action} }]`);
const CHAINS = (...matches: string[]): string =>
  withListener(`filter_chains: [${matches.map((one, i) => `{ name: c${i}, filter_chain_match: ${one} }`).join(', ')}]`);
const TLS = (fields: string): string =>
  withCluster(
    `transport_socket: { name: t, typed_config: { "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: { ${fields} } } }`,
  );

const refused: Readonly<Record<string, readonly [text: string, problem: RegExp]>> = {
  'a mirror to an unknown cluster': [
    withRoutes(ROUTE('route: { cluster_header: x, request_mirror_policies: [{ cluster: nope }] }')),
    /request_mirror_policies\[0\]\.cluster: unknown cluster "nope"/,
  ],
  'a domain twice in one virtual host': [
    withRoutes('[{ name: v, domains: [b, B] }]'),
    /domains\[1\]: the domain "B" is in/,
  ],
  'a rule for the host header': [
    withRoutes(HOST('request_headers_to_add: [{ header: { key: host, value: x } }]')),
    /header host may not be set here/,
  ],
  'a rule for a pseudo-header': [
    withRoutes(HOST('response_headers_to_add: [{ header: { key: ":status", value: x } }]')),
    /header :status may not be set here/,
  ],
  'the host header removed': [withRoutes(HOST('request_headers_to_remove: [Host]')), /may not be removed/],
  'weights of nothing': [
    withRoutes(ROUTE('route: { weighted_clusters: { clusters: [{ cluster_header: x, weight: 0 }] } }')),
    /weights must add up to more than zero/,
  ],
  'a back-off that ends before it starts': [
    withRoutes(
      ROUTE('route: { cluster_header: x, retry_policy: { retry_back_off: { base_interval: 5s, max_interval: 1s } } }'),
    ),
    /max_interval: must not be less than base_interval/,
  ],
  'a body from a file that is not there': [
    withRoutes(ROUTE('direct_response: { status: 200, body: { filename: /nope } }')),
    /the file \/nope does not exist/,
  ],
  'a source of secrets that is not there': [
    TLS(
      'validation_context_sds_secret_config: { name: x, sds_config: { resource_api_version: V3, path_config_source: { path: /nope } } }',
    ),
    /the file \/nope does not exist/,
  ],
  'two endpoints of LOGICAL_DNS': [
    withCluster('type: LOGICAL_DNS, load_assignment: { cluster_name: a, endpoints: [{ lb_endpoints: [{}, {}] }] }'),
    /exactly one endpoint, this one has 2/,
  ],
  'EDS without its source': [withCluster('type: EDS'), /eds_cluster_config: is required/],
  'a listener without address': [
    'static_resources: { listeners: [{ name: l }] }\n',
    /listeners\[0\]\.address: is required/,
  ],
  'two listeners of one name': [
    'static_resources: { listeners: [{ name: l, internal_listener: {} }, { name: l, internal_listener: {} }] }\n',
    /listeners\[1\]\.name: a second listener "l"/,
  ],
  'filter chains that match the same': [
    CHAINS('{}', '{}'),
    /filter_chains\[1\]: has the same filter_chain_match as filter chain "c0"/,
  ],
  'filter chains that share a name': [
    CHAINS('{ server_names: [b] }', '{ server_names: [c, B] }'),
    /filter_chains\[1\]/,
  ],
  'filter chains of one range': [
    CHAINS(
      '{ prefix_ranges: [{ address_prefix: 10.0.0.0, prefix_len: 8 }] }',
      '{ prefix_ranges: [{ address_prefix: 10.1.0.0, prefix_len: 8 }] }',
    ),
    /filter_chains\[1\]/,
  ],
  'a partial wildcard': [CHAINS('{ server_names: ["*b.com"] }'), /server_names\[0\]: partial wildcards/],
  'a wildcard alone': [CHAINS('{ server_names: ["*"] }'), /server_names\[0\]: partial wildcards/],
};

const taken: Readonly<Record<string, string>> = {
  'a route to an unknown cluster where that is not to be checked': withRoutes(
    ROUTE('route: { cluster: nope }'),
    'validate_clusters: false,',
  ),
  'virtual hosts of one name': withRoutes('[{ name: v, domains: [a] }, { name: v, domains: [b] }]'),
  'filter chains told apart by one thing': CHAINS('{}', '{ transport_protocol: tls }', '{ server_names: [b] }'),
  'filter chains of one name': CHAINS('{ server_names: [b] }', '{ server_names: [c] }').replace('c1', 'c0'),
};

describe('what Envoy refuses for its meaning is refused', () => {
  for (const [name, [text, problem]] of Object.entries(refused)) {
    test(name, () => {
      const found = errors(text);
      assert.match(found.join('\n'), problem);
      assert.equal(found.length, 1, found.join('\n'));
    });
  }
});

describe('what Envoy takes is taken', () => {
  for (const [name, text] of Object.entries(taken)) test(name, () => assert.deepEqual(errors(text), []));
});
