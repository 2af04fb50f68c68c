import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import type { StreamInfo } from '#gateway/api/stream-info.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { compileRateLimitRules, type RateLimitRuleScope } from '#gateway/route/rate-limit-rule.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import type { RateLimit } from '#proto-types/envoy/config/route/v3/route_components_pb.ts';
import { envoyDescriptors } from '#ratelimit/simulate/envoy-rate-limits.ts';
import { JsonLogReader } from '#ratelimit/simulate/json-log-reader.ts';
import { LogFields } from '#ratelimit/simulate/log-fields.ts';
import { RequestTemplate } from '#ratelimit/simulate/request-template.ts';

const scope = {
  server: { node: { cluster: 'local' }, runtime: { boolean: () => false } },
  ofFilter: false,
} as unknown as RateLimitRuleScope;

type Choose = <Value>(values: readonly Value[]) => Value;

function stringMatch(choose: Choose): JsonObject {
  const value = choose(['a', 'A', 'ab', '/a', '7']);
  const pattern: JsonObject = choose([
    { exact: value },
    { prefix: value },
    { suffix: value },
    { contains: value },
    { safe_regex: { regex: choose(['a+', '.*b', '[0-9]+', '/a.*']) } },
  ]);
  return 'safe_regex' in pattern ? pattern : { ...pattern, ignore_case: choose([true, false]) };
}

function headerMatcher(choose: Choose): JsonObject {
  const test: JsonObject = choose([
    { present_match: choose([true, false]) },
    { range_match: { start: 1, end: choose([7, 8]) } },
    { string_match: stringMatch(choose) },
  ]);
  const name = choose(['x-a', 'x-b', ':path', ':method']);
  return { name, ...test, invert_match: choose([true, false]), treat_missing_header_as_empty: choose([true, false]) };
}

function action(choose: Choose): JsonObject {
  const descriptor_key = choose(['k1', 'k2']);
  const skip_if_absent = choose([true, false]);
  const expect_match = choose([true, false]);
  const descriptor_value = choose(['v', '100%', 'a_b']);
  return choose<JsonObject>([
    { remote_address: {} },
    { source_cluster: {} },
    {
      remote_address_match: {
        descriptor_key,
        descriptor_value: choose(['in', 'a-%REQ(X-A)%', '%REQ(X-A)%', '']),
        default_value: choose(['', 'usual']),
        address_matcher: {
          ranges: choose([
            [],
            [{ address_prefix: '10.0.0.0', prefix_len: 8 }],
            [
              { address_prefix: '2001:db8::', prefix_len: 32 },
              { address_prefix: '::1', prefix_len: 128 },
            ],
          ]),
          invert_match: choose([true, false]),
        },
      },
    },
    {
      extension: {
        name: 'cel',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor',
          descriptor_key,
          skip_if_error: skip_if_absent,
          text: choose([
            'request.method',
            'request.url_path + "|" + request.query',
            'request.headers["x-a"]',
            'request.headers["X-B"] == "a" ? "one" : "other"',
            '"x-a" in request.headers',
            'has(request.referer) || request.host.endsWith("com")',
            'request.path.matches("a.q") ? 1 : 2',
            'source.address',
            '["a", "b"].exists(x, request.headers["x-b"].startsWith(x))',
            'size(request.path) * 2',
            'request["path"]',
            '{"a": 1}',
          ]),
        },
      },
    },
    {
      metadata: {
        descriptor_key,
        skip_if_absent,
        source: 'ROUTE_ENTRY',
        default_value: choose(['', 'usual']),
        metadata_key: { key: 'ns', path: [{ key: choose(['text', 'number', 'none', '']) }] },
      },
    },
    {
      masked_remote_address: {
        v4_prefix_mask_len: choose([0, 8, 19, 32]),
        v6_prefix_mask_len: choose([0, 47, 64, 128]),
      },
    },
    { request_headers: { header_name: choose(['x-a', 'X-B', ':path', ':authority']), descriptor_key, skip_if_absent } },
    { query_parameters: { query_parameter_name: choose(['q', 'r']), descriptor_key, skip_if_absent } },
    { generic_key: { descriptor_value, descriptor_key } },
    { generic_key: { descriptor_value } },
    { header_value_match: { descriptor_value, expect_match, headers: [headerMatcher(choose), headerMatcher(choose)] } },
    { header_value_match: { descriptor_value, descriptor_key, headers: [headerMatcher(choose)] } },
    {
      query_parameter_value_match: {
        descriptor_value,
        expect_match,
        query_parameters: [
          choose<JsonObject>([
            { name: 'q', string_match: stringMatch(choose) },
            { name: 'r', present_match: choose([true, false]) },
          ]),
        ],
      },
    },
  ]);
}

/** Routes, one of them without a name. */
const routes = [
  { name: 'one', metadata: { filter_metadata: { ns: { text: 'a%b', number: 5 } } } },
  { name: 'two', metadata: { filter_metadata: { ns: { text: 'c' } } } },
  { metadata: { filter_metadata: { other: { text: 'd' } } } },
  { name: 'four' },
].map((route) => ({ ...route, match: { prefix: '/' }, route: { cluster: 'c' } })) as readonly {
  readonly name?: string;
  readonly metadata?: { readonly filter_metadata: JsonObject };
}[];

/** What the metadata of a request may have for a limit. */
const limits: readonly JsonValue[] = [
  { requests_per_unit: 7, unit: 'HOUR' },
  { requests_per_unit: 7, unit: 'NONE' },
  { requests_per_unit: '7', unit: 'HOUR' },
  'text',
  null,
];

/** A configuration with this list at a virtual host, or at the first route. */
function bootstrap(rate_limits: JsonObject[], byName: boolean): unknown {
  const own = byName ? routes : routes.map((each, i) => (i === 0 ? { ...each, route: { rate_limits } } : each));
  const host = { name: 'host', domains: ['*'], routes: own, ...(byName ? { rate_limits } : {}) };
  return { node: { cluster: 'local' }, static: [{ virtual_hosts: [host] }] };
}

for (const seed of [1, 2, 3]) {
  test(`descriptors from a log are those that the gateway makes of the request, seed ${seed}`, () => {
    const random = createSeededRandom(seed);
    const choose: Choose = (values) => values[Math.floor(random.next() * values.length)]!;
    const schema = messageSchema<RateLimit>('envoy.config.route.v3.RateLimit');
    let count = 0;
    for (let round = 0; round < 250; round++) {
      const limit = choose<JsonObject>([
        {},
        { limit: { rate_limit: { requests_per_unit: 3, unit: 'MINUTE' } } },
        { limit: { dynamic_metadata: { metadata_key: { key: 'own', path: [{ key: 'limit' }] } } } },
      ]);
      const list = [{ actions: [action(choose), ...(random.next() < 0.5 ? [action(choose)] : [])], ...limit }];
      const messages = list.map((item) => fromJson(schema, item, { registry: protoRegistry() }) as RateLimit);
      const [rule] = compileRateLimitRules(messages, 'rate_limits', scope);
      const reader = new JsonLogReader(new Map());
      const byName = random.next() < 0.5;
      const specs = envoyDescriptors(JSON.stringify(bootstrap(list, byName)), 'f', null, 0);
      const template = new RequestTemplate('d', specs, new LogFields(reader, 0));
      for (let i = 0; i < 10; i++) {
        const path = choose(['/a', '/a?q=a', '/ab?q=7&r', '/?r=1&q=%41', '/x?q=', '/a?q=A#q=b']);
        const host = choose(['10.1.255.3', '2001:db8:ffff:ffff::1', '::1']);
        const values: Record<string, string> = {};
        for (const name of ['x-a', 'x-b'])
          if (random.next() < 0.7) values[name] = choose(['a', 'AB', '7', '/a/b', 'b']);
        const headers = new HeaderMap();
        for (const [name, value] of Object.entries(values)) headers.add(name, value);
        const head = new RequestHead('GET', path, 'example.com', 'http', headers);
        const withPort = host.includes(':') ? `[${host}]:5` : `${host}:5`;
        const metadata = choose(limits);
        const route = byName ? choose(routes) : routes[0]!;
        const info = {
          downstreamRemoteAddress: { kind: 'ip', host, port: 5, text: withPort },
          dynamicMetadata: new Map([['own', { limit: metadata }]]),
          route: { metadata: route.metadata?.filter_metadata ?? null },
        };
        const made = rule!.descriptor(head, info as unknown as StreamInfo, null);
        const expected = made === null ? null : [made.entries, made.limit];
        const line = { method: 'GET', path, authority: 'example.com', downstream_remote_address: withPort, ...values };
        const logged = { ...line, route_name: route.name ?? '-', 'DYNAMIC_METADATA(own:limit)': metadata };
        assert.ok(reader.read(JSON.stringify(logged)));
        const descriptor = template.requests(template.key()).start?.descriptors[0] ?? null;
        const asked = descriptor === null ? null : [descriptor.entries, descriptor.limit];
        assert.deepEqual(asked, expected, JSON.stringify([list, logged]));
        if (asked !== null) count++;
      }
    }
    assert.ok(count > 500, `${count}`);
  });
}
