import type { Dice } from '#test/support/dice.ts';
import { accessLog, anyPort, cluster, manager, randomHeaders, router, share, types } from './edge-parts.ts';
import { type Fields, randomRules } from './random-rules.ts';

/** Ports of what stands around an edge. */
export interface EdgePeers {
  readonly app: number;
  readonly limits: number;
}

/** A route that requests are made for. */
export interface MadeRoute {
  readonly host: string;
  readonly path: string;
  /** Rules that report when a stream is done may apply. */
  readonly reportsAtEnd: boolean;
}

/** A listener with its own chain of filters and its own routes. */
export interface MadeListener {
  readonly name: string;
  readonly routes: readonly MadeRoute[];
  readonly message: Fields;
}

const filterType = `${types}filters.http.ratelimit.v3`;

/** The listener whose only rule marks where all that was reported before has come. */
export const fenceListener = 'fence';
/** Its domain. */
export const fenceDomain = 'fence';
/** The domain whose answers carry the metadata that a header names. */
export const seedDomain = 'seed';

/** A configuration for Envoy and the gateway: bootstrap fields without admin, as YAML text. */
export function edgeBootstrap(dice: Dice, listeners: readonly MadeListener[], { app, limits }: EdgePeers): string {
  const http2 = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${types}upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  };
  const clusters = [
    cluster('app', app),
    cluster('other', app),
    { ...cluster('limits', limits), typed_extension_protocol_options: http2 },
    { ...cluster('gone', limits), load_assignment: { cluster_name: 'gone', endpoints: [] } },
  ];
  const fence = {
    name: fenceListener,
    address: anyPort,
    filter_chains: [
      {
        filters: [
          manager(fenceListener, {
            http_filters: [
              {
                name: 'rl',
                typed_config: {
                  ...limitService('limits'),
                  '@type': `${filterType}.RateLimit`,
                  domain: fenceDomain,
                  rate_limits: [{ actions: [{ generic_key: { descriptor_value: 'x' } }] }],
                },
              },
              router,
            ],
            route_config: {
              virtual_hosts: [
                { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] },
              ],
            },
          }),
        ],
      },
    ],
  };
  const runtime = {
    ratelimit: { off: { http_filter_enabled: 0 }, on: { http_filter_enabled: 100 } },
    none_of: { numerator: 0, denominator: 'HUNDRED' },
    'envoy.features.enable_all_deprecated_features': true,
    ...(dice.chance(0.5)
      ? { 'envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value': true }
      : {}),
  };
  const fields: Fields = {
    node: { id: 'one', cluster: dice.chance(0.8) ? 'here' : '' },
    layered_runtime: { layers: [{ name: 'static', static_layer: runtime }] },
    static_resources: { listeners: [...listeners.map(({ message }) => message), fence], clusters },
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join('');
}

/** A listener with one to three rate limit filters. */
export function randomListener(dice: Dice, name: string): MadeListener {
  const count = 1 + dice.below(3);
  const filters = Array.from({ length: count }, (_, i) => ({
    name: `rl${i}`,
    typed_config: randomFilter(dice, i),
  }));
  if (dice.chance(0.7)) filters.unshift({ name: 'seed', typed_config: seedFilter() });
  const names = filters.map((filter) => filter.name);
  const hosts = ['a.test', 'b.test', '*'].map((domain) => randomHost(dice, domain, names));
  const message = {
    name,
    address: anyPort,
    filter_chains: [
      {
        filters: [
          manager(name, {
            http_filters: [...filters, router],
            route_config: {
              virtual_hosts: hosts.map((host) => host.message),
              ...(dice.chance(0.15) ? { typed_per_filter_config: randomPerRoute(dice, names) } : {}),
            },
            use_remote_address: dice.chance(0.6),
            xff_num_trusted_hops: dice.pick([0, 0, 1, 2]),
            normalize_path: dice.chance(0.3),
            access_log: [accessLog(name)],
          }),
        ],
      },
    ],
  };
  const listenerReports = reports(filters) || reports(message.filter_chains[0]!.filters);
  const routes = hosts.flatMap((host) =>
    host.paths.map((path) => ({ host: host.host, path, reportsAtEnd: listenerReports })),
  );
  return { name, routes, message };
}

const reports = (message: unknown): boolean => JSON.stringify(message).includes('apply_on_stream_done');

function limitService(name: string): Fields {
  return {
    timeout: '20s',
    rate_limit_service: { transport_api_version: 'V3', grpc_service: { envoy_grpc: { cluster_name: name } } },
  };
}

/** A filter whose answers bring the metadata that `x-meta` names. */
function seedFilter(): Fields {
  return {
    ...limitService('limits'),
    '@type': `${filterType}.RateLimit`,
    domain: seedDomain,
    metadata_namespace: 'own.space',
    rate_limits: [{ actions: [{ request_headers: { header_name: 'x-meta', descriptor_key: 'meta' } }] }],
  };
}

function randomFilter(dice: Dice, index: number): Fields {
  const filter: Fields = {
    '@type': `${filterType}.RateLimit`,
    ...limitService(dice.chance(0.03) ? 'gone' : 'limits'),
    domain: dice.pick(['d', 'edge', 'ü']),
  };
  const set = (probability: number, name: string, value: () => unknown): void => {
    if (dice.chance(probability)) filter[name] = value();
  };
  if (index > 0 || dice.chance(0.2)) filter['stage'] = dice.pick([0, 1, 1, 2, 10]);
  set(0.15, 'request_type', () => dice.pick(['internal', 'external', 'both']));
  set(0.5, 'enable_x_ratelimit_headers', () => 'DRAFT_VERSION_03');
  set(0.3, 'rate_limited_status', () => ({ code: dice.pick([200, 302, 400, 404, 503]) }));
  set(0.3, 'response_headers_to_add', () => randomHeaders(dice));
  set(0.25, 'disable_x_envoy_ratelimited_header', () => true);
  set(0.35, 'rate_limited_as_resource_exhausted', () => true);
  set(0.4, 'failure_mode_deny', () => true);
  set(0.1, 'failure_mode_deny_percent', () => share(dice));
  set(0.2, 'status_on_error', () => ({ code: dice.pick([200, 404, 503]) }));
  set(0.3, 'stat_prefix', () => dice.pick(['one', 'two', 'a.b']));
  set(0.15, 'filter_enabled', () => share(dice));
  set(0.15, 'filter_enforced', () => share(dice));
  set(0.3, 'metadata_namespace', () => dice.pick(['own.space', 'route.space']));
  set(0.3, 'enable_retry_after_header', () => true);
  set(0.15, 'rate_limits', () => randomRules(dice, 'filter', 3));
  return filter;
}

interface MadeHost {
  readonly host: string;
  readonly paths: readonly string[];
  readonly message: Fields;
}

function randomHost(dice: Dice, domain: string, filters: readonly string[]): MadeHost {
  const paths = ['/r0', '/r1', '/r2', '/r3', '/r4', '/r5'];
  const routes = paths.map((path) => randomRoute(dice, path, filters));
  if (dice.chance(0.3)) {
    // Matched only by requests that have got a header from the service.
    const added = {
      match: { prefix: '/', headers: [{ name: 'x-from-service', present_match: true }] },
      ...randomRoute(dice, '/', filters),
    };
    routes.unshift({ ...added, match: { prefix: '/', headers: [{ name: 'x-from-service', present_match: true }] } });
  }
  const rules = randomRules(dice, 'route', 3);
  return {
    host: domain === '*' ? 'c.test' : domain,
    paths,
    message: {
      name: `v-${domain}`,
      domains: [domain],
      ...(rules.length > 0 ? { rate_limits: rules } : {}),
      ...(dice.chance(0.2) ? { typed_per_filter_config: randomPerRoute(dice, filters) } : {}),
      routes,
    },
  };
}

function randomRoute(dice: Dice, path: string, filters: readonly string[]): Fields {
  const perRoute = dice.chance(0.4) ? { typed_per_filter_config: randomPerRoute(dice, filters) } : {};
  const metadata = dice.chance(0.5)
    ? {
        metadata: {
          filter_metadata: {
            'route.space': {
              text: 'of route',
              number: 3,
              limit: { requests_per_unit: 9, unit: 'DAY' },
              deep: { text: 'deep route' },
            },
            'own.space': { text: 'own of route', flag: true, list: ['a'], empty: '' },
          },
        },
      }
    : {};
  const common = { match: { prefix: path }, ...metadata, ...perRoute };
  const kind = dice.below(20);
  if (kind === 0) return { ...common, direct_response: { status: 200, body: { inline_string: 'direct' } } };
  if (kind === 1) return { ...common, redirect: { path_redirect: '/elsewhere' } };
  const action: Fields = {};
  if (kind === 2) action['cluster_header'] = 'x-cluster';
  else if (kind < 5) {
    action['weighted_clusters'] = {
      clusters: [
        {
          name: 'app',
          weight: 1,
          ...(dice.chance(0.5) ? { typed_per_filter_config: randomPerRoute(dice, filters) } : {}),
        },
      ],
    };
  } else action['cluster'] = dice.pick(['app', 'app', 'other']);
  const rules = randomRules(dice, 'route', 4);
  if (rules.length > 0) action['rate_limits'] = rules;
  if (dice.chance(0.25)) action['include_vh_rate_limits'] = dice.chance(0.8);
  return { ...common, route: action };
}

function randomPerRoute(dice: Dice, filters: readonly string[]): Fields {
  const config: Fields = {};
  for (const name of filters) {
    if (dice.chance(0.4)) continue;
    const perRoute: Fields = { '@type': `${filterType}.RateLimitPerRoute` };
    if (dice.chance(0.6)) perRoute['vh_rate_limits'] = dice.pick(['OVERRIDE', 'INCLUDE', 'IGNORE']);
    if (dice.chance(0.3))
      perRoute['override_option'] = dice.pick(['DEFAULT', 'OVERRIDE_POLICY', 'INCLUDE_POLICY', 'IGNORE_POLICY']);
    if (dice.chance(0.4)) perRoute['rate_limits'] = randomRules(dice, 'filter', 3);
    if (dice.chance(0.3)) perRoute['domain'] = 'of-route';
    config[name] = dice.chance(0.1)
      ? {
          '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig',
          ...(dice.chance(0.5) ? { disabled: true } : { config: perRoute }),
        }
      : perRoute;
  }
  return config;
}
