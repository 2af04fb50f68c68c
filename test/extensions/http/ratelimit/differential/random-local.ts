import type { Dice } from '#test/support/dice.ts';
import { accessLog, anyPort, manager, randomHeaders, router, share, types } from './edge-parts.ts';
import type { MadeListener } from './random-edge.ts';
import type { Fields } from './random-rules.ts';

const filterType = `${types}filters.http.local_ratelimit.v3.LocalRateLimit`;
/** Keys of entries and what requests bring under them. */
const keys = ['k', 'user', 'generic_key', 'ü'] as const;
const values = ['va', 'VA', '1', 'v', 'ü', ''] as const;

/** A listener with one or two local rate limit filters. Buckets are small, and fill too slowly to matter. */
export function randomLocalListener(dice: Dice, name: string): MadeListener {
  const names = dice.chance(0.4) ? ['ll0', 'll1'] : ['ll0'];
  const filters = names.map((filter, i) => ({
    name: filter,
    typed_config: randomFilter(dice, filter, i === 0 ? 'first' : 'second'),
  }));
  const hosts = ['a.test', 'b.test', '*'].map((domain) => {
    const rules = randomRules(dice, 'route', 3);
    return {
      name: `v-${domain}`,
      domains: [domain],
      ...(rules.length > 0 ? { rate_limits: rules } : {}),
      ...(dice.chance(0.15) ? { typed_per_filter_config: randomPerRoute(dice, names) } : {}),
      routes: paths.map((path) => randomRoute(dice, path, names)),
    };
  });
  const fields = {
    http_filters: [...filters, router],
    route_config: { virtual_hosts: hosts },
    use_remote_address: dice.chance(0.5),
    access_log: [accessLog(name)],
  };
  return {
    name,
    routes: ['a.test', 'b.test', 'c.test'].flatMap((host) =>
      paths.map((path) => ({ host, path, reportsAtEnd: false })),
    ),
    message: { name, address: anyPort, filter_chains: [{ filters: [manager(name, fields)] }] },
  };
}

const paths = ['/r0', '/r1', '/r2'] as const;

function randomRoute(dice: Dice, path: string, filters: readonly string[]): Fields {
  const perRoute = dice.chance(0.3) ? { typed_per_filter_config: randomPerRoute(dice, filters) } : {};
  const common = { match: { prefix: path }, ...perRoute };
  if (dice.chance(0.1)) return { ...common, direct_response: { status: 200, body: { inline_string: 'direct' } } };
  const rules = randomRules(dice, 'route', 3);
  return {
    ...common,
    route: {
      cluster: 'app',
      ...(rules.length > 0 ? { rate_limits: rules } : {}),
      ...(dice.chance(0.2) ? { include_vh_rate_limits: true } : {}),
    },
  };
}

function randomPerRoute(dice: Dice, filters: readonly string[]): Fields {
  return Object.fromEntries(
    filters.filter(() => dice.chance(0.7)).map((name) => [name, randomFilter(dice, `r${name}`, 'route')]),
  );
}

/** Only one of a listener is per connection: Envoy shares the buckets of whichever comes first on a connection. */
function randomFilter(dice: Dice, prefix: string, place: 'first' | 'second' | 'route'): Fields {
  const filter: Fields = { '@type': filterType, stat_prefix: prefix };
  const set = (probability: number, name: string, value: () => unknown): void => {
    if (dice.chance(probability)) filter[name] = value();
  };
  if (place === 'route' || dice.chance(0.85)) filter['token_bucket'] = randomBucket(dice);
  set(0.95, 'filter_enabled', () => share(dice));
  set(0.9, 'filter_enforced', () => share(dice));
  set(0.2, 'status', () => ({ code: dice.pick([200, 400, 404, 503]) }));
  set(0.2, 'stage', () => dice.pick([0, 1, 2, 10]));
  set(0.3, 'request_headers_to_add_when_not_enforced', () => randomHeaders(dice));
  set(0.3, 'response_headers_to_add', () => randomHeaders(dice));
  if (place === 'first') set(0.3, 'local_rate_limit_per_downstream_connection', () => true);
  set(0.6, 'enable_x_ratelimit_headers', () => 'DRAFT_VERSION_03');
  set(0.4, 'vh_rate_limits', () => dice.pick(['OVERRIDE', 'INCLUDE', 'IGNORE']));
  set(0.3, 'always_consume_default_token_bucket', () => dice.chance(0.3));
  set(0.3, 'rate_limited_as_resource_exhausted', () => true);
  set(0.2, 'rate_limits', () => randomRules(dice, 'filter', 3));
  set(0.4, 'max_dynamic_descriptors', () => 1 + dice.below(3));
  set(0.4, 'enable_retry_after_header', () => true);
  const descriptors = randomDescriptors(dice);
  if (descriptors.length > 0) filter['descriptors'] = descriptors;
  return filter;
}

/** Each deficit is worth an hour at least: the moments that pass during a run do not show. */
function randomBucket(dice: Dice): Fields {
  return {
    max_tokens: dice.pick([1, 2, 3, 5, 10, 50]),
    ...(dice.chance(0.5) ? { tokens_per_fill: 1 } : {}),
    fill_interval: dice.pick(['3600s', '7200s', '36000s', '86400s']),
  };
}

function randomDescriptors(dice: Dice): Fields[] {
  const seen = new Set<string>();
  const descriptors: Fields[] = [];
  for (let i = dice.below(5); i > 0; i--) {
    const entries = Array.from({ length: dice.chance(0.75) ? 1 : 2 }, () => ({
      key: dice.pick(keys),
      ...(dice.chance(0.7) ? { value: dice.pick(values) } : {}),
    }));
    // Of two with a wildcard that fit a request, Envoy takes either.
    const wild = entries.some(({ value = '' }) => value === '');
    const key = JSON.stringify(entries.map((entry) => (wild ? [entry.key] : [entry.key, entry.value])));
    if (seen.has(key)) continue;
    seen.add(key);
    descriptors.push({
      entries,
      token_bucket: randomBucket(dice),
      ...(dice.chance(0.2) ? { shadow_mode: true } : {}),
    });
  }
  return descriptors;
}

function randomRules(dice: Dice, place: 'route' | 'filter', most: number): Fields[] {
  return Array.from({ length: dice.below(most + 1) }, () => {
    const rule: Fields = { actions: Array.from({ length: dice.chance(0.75) ? 1 : 2 }, () => randomAction(dice)) };
    if (place === 'route') {
      if (dice.chance(0.25)) rule['stage'] = dice.pick([0, 1, 2, 10]);
      if (dice.chance(0.1)) rule['disable_key'] = dice.pick(['off', 'on']);
    }
    if (dice.chance(0.3))
      rule['hits_addend'] = dice.chance(0.5) ? { number: dice.pick([0, 1, 2, 3]) } : { format: '%REQ(x-hits)%' };
    if (dice.chance(0.2)) rule['x_ratelimit_option'] = dice.pick(['DRAFT_VERSION_03', 'OFF']);
    if (dice.chance(0.05)) rule['apply_on_stream_done'] = true;
    return rule;
  });
}

function randomAction(dice: Dice): Fields {
  const key = dice.pick(keys);
  const skip = dice.chance(0.4) ? { skip_if_absent: true } : {};
  switch (dice.below(5)) {
    case 0:
      return { query_parameters: { query_parameter_name: 'q', descriptor_key: key, ...skip } };
    case 1:
      return { generic_key: { descriptor_key: key, descriptor_value: dice.pick(['va', 'v', 'ü']) } };
    case 2:
      return { generic_key: { descriptor_value: dice.pick(['va', 'v', '1']) } };
    default:
      return { request_headers: { header_name: dice.pick(['x-a', 'x-b']), descriptor_key: key, ...skip } };
  }
}
