import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import http from 'node:http';
import { describe } from 'node:test';
import { fromJson, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { decodeMessage, messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import type { RateLimitRequest, RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { besideEnvoy, logLines } from '#test/support/beside-envoy.ts';
import { httpListener, staticCluster, staticResources } from '#test/support/bootstrap.ts';
import type { GatewayProcess } from '#test/support/gateway-process.ts';
import { startGrpcStreamServer } from '#test/support/grpc-stream-server.ts';
import { peerTest } from '#test/support/peers.ts';

const asking = messageSchema<RateLimitRequest>('envoy.service.ratelimit.v3.RateLimitRequest');
const answering = messageSchema<RateLimitResponse>('envoy.service.ratelimit.v3.RateLimitResponse');
const types = 'type.googleapis.com/envoy.extensions.';

const over = (fields: { [field: string]: JsonValue } = {}): JsonValue => ({
  overall_code: 'OVER_LIMIT',
  statuses: [
    {
      code: 'OVER_LIMIT',
      current_limit: { requests_per_unit: 3, unit: 'MINUTE' },
      duration_until_reset: '17s',
    },
  ],
  ...fields,
});
/** What the service answers to a descriptor value of that name; null: nothing at all. */
const answers: { readonly [value: string]: JsonValue | null } = {
  ok: { overall_code: 'OK' },
  over: over(),
  over_retry: over({ response_headers_to_add: [{ key: 'Retry-After', value: 'service' }] }),
  over_body: over({ raw_body: Buffer.from('enough').toString('base64') }),
  metadata: {
    overall_code: 'OK',
    dynamic_metadata: { text: 'of the service', limit: { requests_per_unit: 9, unit: 'DAY' } },
  },
  silent: null,
};

const key = (value: string): string => `actions: [ { generic_key: { descriptor_value: ${value} } } ]`;
const metadataKey = (name: string): string => `metadata_key: { key: own.space, path: [ { key: ${name} } ] }`;
/** Rules of routes, by the name of the route. */
const rules: { readonly [name: string]: string } = {
  staged: `{ ${key('zero')} }, { ${key('one')}, stage: 1 }, { ${key('ten')}, stage: 10 }`,
  switched: `{ ${key('a')}, disable_key: one_off }, { ${key('b')}, disable_key: one_on }`,
  dynamic: `{ actions: [ { metadata: { descriptor_key: m, ${metadataKey('text')} } }, { metadata: { descriptor_key: none, ${metadataKey('none')}, default_value: other } } ], stage: 1, limit: { dynamic_metadata: { ${metadataKey('limit')} } } }, { ${key('metadata')} }`,
  absent: `{ actions: [ { metadata: { descriptor_key: d, ${metadataKey('none')} } } ] }, { actions: [ { metadata: { descriptor_key: m, ${metadataKey('none')}, skip_if_absent: true } }, { generic_key: { descriptor_value: rest } } ] }`,
  unmatched:
    '{ actions: [ { header_value_match: { descriptor_key: h, descriptor_value: v, expect_match: false, headers: [ { name: x-a, string_match: { exact: other } } ] } } ] }, { actions: [ { query_parameter_value_match: { descriptor_value: q, expect_match: false, query_parameters: [ { name: none, present_match: true } ] } } ] }, { actions: [ { query_parameters: { query_parameter_name: none, descriptor_key: nn, skip_if_absent: true } }, { generic_key: { descriptor_value: rest } } ] }, { actions: [ { remote_address_match: { descriptor_value: r, address_matcher: { ranges: [ { address_prefix: 10.0.0.0, prefix_len: 8 } ], invert_match: true } } } ] }',
  told: `{ ${key('over')}, x_ratelimit_option: DRAFT_VERSION_03 }`,
  untold: `{ ${key('over')}, x_ratelimit_option: "OFF" }`,
  ...Object.fromEntries(Object.keys(answers).map((name) => [name, `{ ${key(name)} }`])),
};
const routes = Object.entries(rules).map(
  ([name, list]) => `{ match: { path: /${name} }, route: { cluster: up, rate_limits: [ ${list} ] } }`,
);

/** Fields of the filters of each listener. */
const filters: { readonly [listener: string]: readonly string[] } = {
  plain: [''],
  stages: ['', 'stage: 1', 'stage: 10'],
  spaced: ['metadata_namespace: own.space', 'stage: 1'],
  never: ['filter_enabled: { default_value: { numerator: 0 } }'],
  external: ['request_type: external'],
  internal: ['request_type: internal'],
  both: ['request_type: both'],
  denying: ['failure_mode_deny: true', 'stage: 5'],
  denying_by_runtime: ['failure_mode_deny_percent: { runtime_key: deny, default_value: { numerator: 0 } }'],
  erring: ['failure_mode_deny: true, status_on_error: { code: 503 }'],
  retry: ['enable_retry_after_header: true'],
  retry_not_429: ['enable_retry_after_header: true, rate_limited_status: { code: 503 }'],
  retry_own: [
    'enable_retry_after_header: true, response_headers_to_add: [ { header: { key: Retry-After, value: mine } } ]',
  ],
  low_status: ['rate_limited_status: { code: 200 }'],
  told: ['enable_x_ratelimit_headers: DRAFT_VERSION_03'],
};

function listener([name, fields]: [string, readonly string[]]): string {
  const limits = fields.map((one, i) => {
    const timeout = one.startsWith('failure') ? '0.3s' : '5s';
    const service =
      'rate_limit_service: { transport_api_version: V3, grpc_service: { envoy_grpc: { cluster_name: limits } } }';
    return `{ name: rl${i}, typed_config: { "@type": ${types}filters.http.ratelimit.v3.RateLimit, domain: d${i}, timeout: ${timeout}, ${service}, ${one} } }`;
  });
  const format =
    '%REQ(:path)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %DYNAMIC_METADATA(own.space:text)%\\n';
  const log = `{ name: l, typed_config: { "@type": ${types}access_loggers.file.v3.FileAccessLog, path: "{dir}/${name}", log_format: { text_format_source: { inline_string: "${format}" } } } }`;
  const hosts = `{ name: v, domains: ["*"], routes: [ ${routes.join(', ')} ] }`;
  return httpListener({
    name,
    virtualHosts: hosts,
    filters: limits,
    manager: [`access_log: [ ${log} ]`, 'use_remote_address: true', 'xff_num_trusted_hops: 1'],
  });
}

function get(port: number, path: string, headers: http.OutgoingHttpHeaders): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      const told: string[] = [];
      const { rawHeaders } = response;
      for (let i = 0; i < rawHeaders.length; i += 2)
        if (/ratelimit|retry|content-type/i.test(rawHeaders[i]!)) told.push(`${rawHeaders[i]}=${rawHeaders[i + 1]}`);
      response.on('end', () => resolve([response.statusCode, body, ...told.sort()].join(' ')));
    });
    request.on('error', reject);
    request.end();
  });
}

type Seen = { [what: string]: unknown };

async function drive(gateway: GatewayProcess, asked: unknown[]): Promise<Seen> {
  const seen: Seen = {};
  const one = async (label: string, name: string, path: string, headers = {}): Promise<void> => {
    asked.length = 0;
    const answer = await get(gateway.port(name), path, { 'x-a': 'va', ...headers });
    seen[`${label} ${name} ${path}`] = { answer, asked: [...asked] };
  };
  for (const path of ['staged', 'switched', 'absent', 'unmatched', 'told', 'untold'])
    await one('', 'plain', `/${path}?q=1`);
  await one('', 'stages', '/staged');
  await one('', 'spaced', '/dynamic');
  await one('', 'spaced', '/metadata');
  for (const path of ['/told', '/untold', '/over']) await one('', 'told', path);
  await one('', 'never', '/over');
  for (const name of ['external', 'internal', 'both']) {
    await one('from outside', name, '/over', { 'x-forwarded-for': '8.8.8.8, 1.2.3.4' });
    await one('from inside', name, '/over', { 'x-forwarded-for': '10.1.2.3' });
  }
  for (const name of ['denying', 'denying_by_runtime', 'erring']) await one('', name, '/silent');
  await gateway.admin('/runtime_modify?deny=100', 'POST');
  await one('deny=100', 'denying_by_runtime', '/silent');
  for (const name of ['retry', 'retry_not_429', 'retry_own', 'low_status'])
    for (const path of ['/over', '/over_retry', '/over_body']) await one('', name, path);
  const runtime = [
    'ratelimit.one_off.http_filter_enabled=0',
    'ratelimit.http_filter_enforcing=0',
    'ratelimit.http_filter_enabled=0',
  ];
  for (const change of runtime) {
    await gateway.admin(`/runtime_modify?${change}`, 'POST');
    await one(change, 'plain', '/switched');
    await one(change, 'plain', '/over');
    await one(change, 'retry', '/over_retry');
  }
  for (const [name, lines] of [
    ['spaced', 2],
    ['denying', 1],
    ['denying_by_runtime', 2],
  ] as const)
    seen[`log ${name}`] = await logLines(gateway, name, lines);
  const { text } = await gateway.admin('/stats?filter=cluster.up.ratelimit');
  seen['stats'] = text.trim().split('\n').sort();
  return seen;
}

describe('ratelimit: settings beside Envoy', () => {
  peerTest('envoy', 'asks the same, and does the same with the answers', async (envoy) => {
    const asked: unknown[] = [];
    const limits = await startGrpcStreamServer((call, message) => {
      const request = decodeMessage<RateLimitRequest>(asking.typeName, message);
      asked.push(toJson(asking, request, { registry: protoRegistry() }));
      const value = request.descriptors.flatMap(({ entries }) => entries)[0]?.value ?? '';
      const answer = value in answers ? answers[value]! : { overall_code: 'OK' };
      if (answer !== null) call.send(toBinary(answering, fromJson(answering, answer, { registry: protoRegistry() })));
    });
    const upstream = http.createServer((_request, response) => response.end('up'));
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
    const { port } = upstream.address() as { port: number };
    try {
      const clusters = [staticCluster('up', [port]), staticCluster('limits', [limits.port], { http2: true })];
      const layers = 'layered_runtime: { layers: [ { name: admin, admin_layer: {} } ] }\n';
      const config = layers + staticResources(Object.entries(filters).map(listener), clusters);
      const { theirs, ours } = await besideEnvoy(
        envoy,
        config,
        { args: ['--file-flush-interval-msec', '50'] },
        (gateway) => drive(gateway, asked),
      );
      for (const what of Object.keys(theirs)) assert.deepEqual(ours[what], theirs[what], what);
    } finally {
      upstream.close();
      upstream.closeAllConnections?.();
      limits.close();
    }
  });
});
