import assert from 'node:assert/strict';
import http from 'node:http';
import { describe } from 'node:test';
import { fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { decodeMessage, messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import type { RateLimitRequest, RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { besideEnvoy } from '#test/support/beside-envoy.ts';
import type { GatewayProcess } from '#test/support/gateway-process.ts';
import { startGrpcStreamServer } from '#test/support/grpc-stream-server.ts';
import { peerTest } from '#test/support/peers.ts';

const asking = messageSchema<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest');
const answering = messageSchema<RateLimitResponse>('envoy.service.ratelimit.v3.RateLimitResponse');
const type = (name: string): string => `"@type": type.googleapis.com/envoy.extensions.${name}`;
const expression = (fields: string): string =>
  `extension: { name: e, typed_config: { ${type('rate_limit_descriptors.expr.v3.Descriptor')}, descriptor_key: cel, ${fields} } }`;

/** Rules of one route each. */
const rules: readonly string[] = [
  'actions: [ { source_cluster: {} }, { destination_cluster: {} }, { remote_address: {} }, { masked_remote_address: { v4_prefix_mask_len: 20 } } ]',
  'actions: [ { request_headers: { header_name: x-a, descriptor_key: a } }, { request_headers: { header_name: x-none, descriptor_key: none, skip_if_absent: true } } ]',
  'actions: [ { request_headers: { header_name: x-none, descriptor_key: none } } ]',
  'actions: [ { query_parameters: { query_parameter_name: q, descriptor_key: query } } ]',
  'actions: [ { query_parameter_value_match: { descriptor_value: "50%", query_parameters: [ { name: q, string_match: { exact: "1" } } ] } } ]',
  'actions: [ { header_value_match: { descriptor_value: "v-%REQ(x-a)%", headers: [ { name: x-a, present_match: true } ] } } ]',
  'actions: [ { remote_address_match: { descriptor_value: "l-%REQ(x-a)%", address_matcher: { ranges: [ { address_prefix: 127.0.0.0, prefix_len: 8 } ] } } } ]',
  'actions: [ { metadata: { descriptor_key: m, source: ROUTE_ENTRY, metadata_key: { key: ns, path: [ { key: a }, { key: b } ] } } } ]',
  'actions: [ { metadata: { descriptor_key: m, default_value: none, metadata_key: { key: other, path: [ { key: a } ] } } } ]',
  'actions: [ { generic_key: { descriptor_value: plain } } ], hits_addend: { number: 7 }',
  'actions: [ { generic_key: { descriptor_key: k, descriptor_value: "%REQ(x-none)%", default_value: other } } ], hits_addend: { format: "%REQ(x-hits)%" }',
  'actions: [ { generic_key: { descriptor_value: back } } ], hits_addend: { number: 2, is_negative_hits: true }',
  'actions: [ { generic_key: { descriptor_value: plain } } ], limit: { dynamic_metadata: { metadata_key: { key: ns, path: [ { key: a } ] } } }',
  'actions: [ { generic_key: { descriptor_value: fixed } } ], limit: { rate_limit: { requests_per_unit: 42, unit: HOUR } }',
  'actions: [ { generic_key: { descriptor_value: stage } } ], stage: 1',
  'actions: [ { generic_key: { descriptor_value: done } } ], apply_on_stream_done: true',
  `actions: [ { ${expression('text: "request.headers[\'x-a\']"')} } ]`,
  `actions: [ { ${expression('text: "request.method == \'GET\'"')} } ]`,
  `actions: [ { ${expression('text: "request.path.size()"')} } ]`,
  `actions: [ { ${expression('text: "request.headers[\'x-none\']", skip_if_error: true')} }, { generic_key: { descriptor_value: also } } ]`,
  `actions: [ { ${expression('text: "request.headers[\'x-none\']"')} }, { generic_key: { descriptor_value: also } } ]`,
  `actions: [ { ${expression('text: "1.5"')} } ]`,
];

/** What the service answers to a descriptor value of that name. */
const answers: { readonly [value: string]: JsonValue } = {
  over: {
    overall_code: 'OVER_LIMIT',
    statuses: [
      {
        code: 'OVER_LIMIT',
        current_limit: { requests_per_unit: 3, unit: 'MINUTE' },
        limit_remaining: 0,
        duration_until_reset: '17s',
      },
      {
        code: 'OK',
        current_limit: { requests_per_unit: 30, unit: 'HOUR', name: 'hourly' },
        limit_remaining: 9,
        duration_until_reset: '1700s',
      },
    ],
    response_headers_to_add: [{ key: 'x-from-service', value: '1' }],
    raw_body: Buffer.from('no more').toString('base64'),
  },
  over_bare: { overall_code: 'OVER_LIMIT', statuses: [{ code: 'OVER_LIMIT' }] },
  over_two: {
    overall_code: 'OVER_LIMIT',
    statuses: [
      {
        code: 'OVER_LIMIT',
        current_limit: { requests_per_unit: 3, unit: 'MINUTE' },
        duration_until_reset: '17.9s',
      },
      { code: 'OVER_LIMIT', current_limit: { requests_per_unit: 5, unit: 'HOUR' }, duration_until_reset: '900s' },
      {
        code: 'OK',
        current_limit: { requests_per_unit: 5, unit: 'DAY' },
        limit_remaining: 1,
        duration_until_reset: '9000s',
      },
    ],
  },
  headers: {
    overall_code: 'OK',
    statuses: [{ code: 'OK', current_limit: { requests_per_unit: 5, unit: 'DAY' }, limit_remaining: 4 }],
    request_headers_to_add: [{ key: 'x-for-upstream', value: 'yes' }],
    response_headers_to_add: [{ key: 'x-from-service', value: '2' }],
    dynamic_metadata: { tier: 'gold' },
  },
  unknown: { overall_code: 'UNKNOWN' },
};

const filterFields = [
  'enable_x_ratelimit_headers: DRAFT_VERSION_03, enable_retry_after_header: true, response_headers_to_add: [ { header: { key: x-limited, value: "by %REQ(x-a)%" } } ]',
  'rate_limited_status: { code: 503 }, disable_x_envoy_ratelimited_header: true, rate_limited_as_resource_exhausted: true, failure_mode_deny: true, status_on_error: { code: 502 }, stat_prefix: two',
  'filter_enforced: { default_value: { numerator: 0 } }, enable_x_ratelimit_headers: DRAFT_VERSION_03, enable_retry_after_header: true, failure_mode_deny: true, failure_mode_deny_percent: { default_value: { numerator: 0 } }',
  'request_type: internal',
  'domain: own, rate_limits: [ { actions: [ { generic_key: { descriptor_value: from_filter } } ] } ]',
];

const perRoute = (fields: string): string =>
  `typed_per_filter_config: { rl: { ${type('filters.http.ratelimit.v3.RateLimitPerRoute')}, ${fields} } }`;
const key = (value: string): string => `actions: [ { generic_key: { descriptor_value: ${value} } } ]`;
const route = (path: string, routeFields: string, more = ''): string =>
  `{ match: { path: ${path} }, route: { cluster: up, ${routeFields} }, metadata: { filter_metadata: { ns: { a: { b: deep, requests_per_unit: 9, unit: DAY } } } }, ${more} }`;
const routes = [
  ...rules.map((rule, i) => route(`/p${i}`, '', perRoute(`rate_limits: [ { ${rule.replace(', stage: 1', '')} } ]`))),
  ...rules.map((rule, i) => route(`/r${i}`, `rate_limits: [ { ${rule} } ]`)),
  ...Object.keys(answers).map((name) => route(`/${name}`, `rate_limits: [ { ${key(name)} } ]`)),
  route('/gone', `rate_limits: [ { ${key('gone')} } ]`),
  route('/host', ''),
  route('/include', `rate_limits: [ { ${key('own')} } ], include_vh_rate_limits: true`),
  route('/ignore', '', perRoute('vh_rate_limits: IGNORE')),
  route('/per-include', `rate_limits: [ { ${key('own')} } ]`, perRoute('vh_rate_limits: INCLUDE')),
  route(
    '/per-rules',
    `rate_limits: [ { ${key('own')} } ]`,
    perRoute(`domain: other, rate_limits: [ { ${key('pr')} } ]`),
  ),
];

function listener(fields: string, i: number): string {
  const limit = `{ name: rl, typed_config: { ${type('filters.http.ratelimit.v3.RateLimit')}, ${fields.includes('domain:') ? '' : 'domain: d,'} ${fields}, timeout: 10s, rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: limits } } } } }`;
  const router = `{ name: r, typed_config: { ${type('filters.http.router.v3.Router')} } }`;
  const log = `access_log: [ { name: l, typed_config: { ${type('access_loggers.file.v3.FileAccessLog')}, path: "{dir}/log", log_format: { text_format_source: { inline_string: "%REQ(:path)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(envoy.filters.http.ratelimit)%\\n" } } } } ]`;
  const hosts = `virtual_hosts: [ { name: v, domains: ["*"], rate_limits: [ { ${key('of_host')} } ], routes: [ ${routes.join(', ')} ] } ]`;
  const manager = `{ name: m, typed_config: { ${type('filters.network.http_connection_manager.v3.HttpConnectionManager')}, stat_prefix: m, ${log}, route_config: { ${hosts} }, http_filters: [ ${limit}, ${router} ] } }`;
  return `{ name: l${i}, address: { socket_address: { address: 127.0.0.1, port_value: 0 } }, filter_chains: [ { filters: [ ${manager} ] } ] }`;
}

function cluster(name: string, port: number, fields = ''): string {
  return `{ name: ${name}, connect_timeout: 1s, ${fields} load_assignment: { cluster_name: ${name}, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } } ] } ] } }`;
}

type Seen = { [what: string]: unknown };

interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: unknown };
  readonly body: string;
}

function get(port: number, path: string, headers: http.OutgoingHttpHeaders): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: shown(response.headers), body }));
    });
    request.on('error', reject);
    request.end();
  });
}

function shown(headers: http.IncomingHttpHeaders): { [name: string]: unknown } {
  const ignored = ['date', 'server', 'x-envoy-upstream-service-time', 'connection', 'keep-alive'];
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !ignored.includes(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const requestHeaders = { 'x-a': 'va', 'x-hits': '3' };

describe('ratelimit beside Envoy', () => {
  peerTest('envoy', 'asks the same of the service and does the same with its answers', async (envoy) => {
    let asked: unknown[] = [];
    const limits = await startGrpcStreamServer((call, message) => {
      const request = decodeMessage<RateLimitRequest>(asking.typeName, message);
      asked.push(toJson(asking, request, { registry: protoRegistry() }));
      const value = request.descriptors.flatMap(({ entries }) => entries)[0]?.value ?? '';
      if (value === 'gone') call.send(new Uint8Array([0xff]));
      else
        call.send(
          toBinary(
            answering,
            fromJson(answering, answers[value] ?? { overall_code: 'OK' }, { registry: protoRegistry() }),
          ),
        );
    });
    const upstream = http.createServer((request, response) => {
      const { 'x-for-upstream': added = '' } = request.headers;
      response.end(`up ${String(added)}`);
    });
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    const { port } = upstream.address() as { port: number };
    const http2 =
      'typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: { http2_protocol_options: {} } } },';
    const config = `node: { id: one, cluster: here }\nstatic_resources: { listeners: [ ${filterFields.map(listener).join(', ')} ], clusters: [ ${cluster('up', port)}, ${cluster('limits', limits.port, http2)} ] }\n`;
    const drive = async (gateway: GatewayProcess): Promise<Seen> => {
      const seen: Seen = {};
      const one = async (listenerName: string, path: string, headers: http.OutgoingHttpHeaders): Promise<void> => {
        asked = [];
        const answer = await get(gateway.port(listenerName), path, headers);
        // What is told at the end of a stream comes after the answer.
        for (let i = 0; i < 40 && /^.[rp]15/.test(path) && asked.length === 0; i++)
          await new Promise((done) => setTimeout(done, 25));
        seen[`${listenerName} ${path} ${JSON.stringify(headers)}`] = { answer, asked };
      };
      for (let i = 0; i < rules.length; i++) {
        await one('l0', `/r${i}?q=1`, requestHeaders);
        await one('l0', `/p${i}?q=1`, requestHeaders);
      }
      await one('l0', '/p10', { ...requestHeaders, 'x-hits': 'nonsense' });
      await one('l0', '/p10', { ...requestHeaders, 'x-hits': '0' });
      for (const path of ['/host', '/include', '/ignore', '/per-include', '/per-rules']) await one('l0', path, {});
      for (const name of ['l0', 'l1', 'l2', 'l3', 'l4'])
        for (const path of [...Object.keys(answers), 'gone']) {
          await one(name, `/${path}`, requestHeaders);
          if (name === 'l1') await one(name, `/${path}`, { ...requestHeaders, 'content-type': 'application/grpc' });
        }
      const { text } = await gateway.admin(
        '/stats?filter=cluster.up.*ratelimit|cluster.up.upstream_rq_(4|5|completed)',
      );
      seen['stats'] = text.trim().split('\n').sort();
      return seen;
    };
    try {
      const { theirs, ours } = await besideEnvoy(envoy, config, {}, drive);
      for (const what of Object.keys(theirs)) assert.deepEqual(ours[what], theirs[what], what);
    } finally {
      upstream.close();
      upstream.closeAllConnections?.();
      limits.close();
    }
  });
});
