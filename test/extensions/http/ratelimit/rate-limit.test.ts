import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { GrpcUnaryCallbacks } from '#gateway/api/async-client.ts';
import type { FilterChainBuilder, StreamDecoderFilter, StreamEncoderFilter } from '#gateway/api/http-filter.ts';
import type { RateLimitDescriptor, RateLimitRule, RouteEntry, VirtualHost } from '#gateway/api/route.ts';
import type { ClusterInfo } from '#gateway/api/upstream.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { rateLimitExtension } from '#gateway/extensions/http/ratelimit/rate-limit-extension.ts';
import { xRateLimitHeaders } from '#gateway/extensions/http/ratelimit/x-rate-limit-headers.ts';
import { createMessage, decodeMessage, encodeMessage, messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { writeRateLimitRequest } from '#gateway/route/rate-limit-call/request-writer.ts';
import { readByRegistry, readRateLimitResponse } from '#gateway/route/rate-limit-call/response-reader.ts';
import type { RateLimitRequest, RateLimitResponse } from '#proto-types/envoy/service/ratelimit/v3/rls_pb.ts';
import { FilterStream, requestHead, routeTo } from '#test/support/router-stream.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';
import { createUpstreamWorld } from '#test/support/upstream-world.ts';

const requestType = 'envoy.service.ratelimit.v3.RateLimitRequest';
const responseType = 'envoy.service.ratelimit.v3.RateLimitResponse';

const entry = (key: string, value: string): RateLimitDescriptor => ({
  entries: [{ key, value }],
  limit: null,
  hitsAddend: null,
});

describe('rate-limit request writer', () => {
  it('writes what the registry writes, whatever is in it', () => {
    const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'grapheme', maxLength: 20 }));
    const descriptor = fc.record({
      entries: fc.array(fc.record({ key: text, value: text }), { maxLength: 4 }),
      limit: fc.option(fc.record({ requestsPerUnit: fc.nat(0xffff_ffff), unit: fc.nat(6) })),
      hitsAddend: fc.option(fc.nat(1_000_000_000)),
    });
    fc.assert(
      fc.property(text, fc.array(descriptor, { maxLength: 4 }), fc.nat(0xffff_ffff), (domain, descriptors, hits) => {
        const ours = writeRateLimitRequest(domain, descriptors, hits);
        const theirs = encodeMessage(
          createMessage<RateLimitRequest>(requestType, {
            domain,
            hitsAddend: hits,
            descriptors: descriptors.map((d) => ({
              entries: d.entries,
              ...(d.limit === null ? {} : { limit: d.limit }),
              ...(d.hitsAddend === null ? {} : { hitsAddend: BigInt(d.hitsAddend) }),
            })),
          }),
        );
        assert.deepEqual(Buffer.from(ours).toString('hex'), Buffer.from(theirs).toString('hex'));
      }),
      { numRuns: 300, seed: 11 },
    );
  });

  it('passes octets of header values through when they are UTF-8', () => {
    const octets = Buffer.from('zürich').toString('latin1');
    const decoded = decodeMessage<RateLimitRequest>(requestType, writeRateLimitRequest('d', [entry('k', octets)], 0));
    assert.equal(decoded.descriptors[0]!.entries[0]!.value, 'zürich');
  });
});

describe('rate-limit response reader', () => {
  const limit = { name: 'n', requests_per_unit: 10, unit: 'MINUTE' };
  const responses: readonly { name: string; json: JsonValue }[] = [
    { name: 'plain', json: { overall_code: 'OK' } },
    {
      name: 'with statuses',
      json: {
        overall_code: 'OVER_LIMIT',
        statuses: [
          { code: 'OK' },
          { code: 'OVER_LIMIT', current_limit: limit, limit_remaining: 4_000_000_000, duration_until_reset: '59.5s' },
        ],
      },
    },
    {
      name: 'with headers, a body and metadata',
      json: {
        overall_code: 'OVER_LIMIT',
        response_headers_to_add: [{ key: 'X-A', value: '1' }],
        request_headers_to_add: [{ key: 'X-B', value: '2' }],
        raw_body: 'aGk=',
        dynamic_metadata: { a: { b: [1] } },
      },
    },
  ];
  for (const { name, json } of responses) {
    it(`reads an answer ${name} as the registry does`, () => {
      const message = fromJson(messageSchema<RateLimitResponse>(responseType), json, { registry: protoRegistry() });
      const octets = toBinary(messageSchema<RateLimitResponse>(responseType), message as RateLimitResponse);
      const read = readRateLimitResponse(octets);
      assert.notEqual(read, null);
      assert.deepEqual(read, readByRegistry(octets));
    });
  }

  it('refuses what is no message, and never throws', () => {
    assert.equal(readRateLimitResponse(Uint8Array.of(0x12, 0x7f, 1)), null);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (octets) => {
        const read = readRateLimitResponse(octets);
        if (read !== null) assert.equal(typeof read.code, 'number');
      }),
      { numRuns: 500, seed: 3 },
    );
  });
});

describe('x-ratelimit headers', () => {
  it('show the descriptor with the least left, and the policies of all', () => {
    const base = { code: 1, limited: true, resetSeconds: 30, name: '' };
    const headers = xRateLimitHeaders(
      [
        { ...base, requestsPerUnit: 10, unit: 1, remaining: 5 },
        { ...base, requestsPerUnit: 1000, unit: 3, remaining: 2, name: 'hourly' },
        { ...base, limited: false, requestsPerUnit: 0, unit: 0, remaining: 0 },
      ],
      [],
      true,
    );
    assert.deepEqual(headers, [
      'x-ratelimit-limit',
      '1000, 10;w=1, 1000;w=3600;name="hourly"',
      'x-ratelimit-remaining',
      '2',
      'x-ratelimit-reset',
      '30',
    ]);
    assert.deepEqual(xRateLimitHeaders([], [], true), []);
  });

  it('are left out when the descriptor with the least left is not to be told', () => {
    const status = { code: 1, limited: true, resetSeconds: 30, name: '', unit: 1 };
    const statuses = [
      { ...status, requestsPerUnit: 10, remaining: 5 },
      { ...status, requestsPerUnit: 20, remaining: 7 },
    ];
    const limit = (options: readonly (boolean | null)[], otherwise: boolean): string | undefined =>
      xRateLimitHeaders(statuses, options, otherwise)[1];
    assert.equal(limit([false, true], true), undefined);
    assert.equal(limit([true, false], true), '10, 10;w=1');
    assert.equal(limit([null, true], false), undefined);
    assert.equal(limit([true, null], false), '10, 10;w=1');
    // More answers than descriptors.
    assert.equal(limit([null], true), '10, 10;w=1, 20;w=1');
  });
});

interface Setup {
  readonly context: TestServerContext;
  readonly asked: {
    method: string;
    request: RateLimitRequest;
    timeoutMs: number;
    answer: GrpcUnaryCallbacks;
    cancelled: boolean;
  }[];
  stream(route?: Partial<RouteEntry>, host?: Partial<VirtualHost>, perRoute?: unknown): FilterStream;
}

const rule = (key: string, changes: Partial<RateLimitRule> = {}): RateLimitRule => ({
  stage: 0,
  disableKey: '',
  applyOnStreamDone: false,
  xRateLimitHeaders: null,
  descriptor: () => entry(key, 'v'),
  ...changes,
});

function setup(config: { [key: string]: JsonValue } = {}, overrides: Partial<TestServerContext> = {}): Setup {
  const asked: Setup['asked'] = [];
  const world = createUpstreamWorld([{ name: 'c' }]);
  const client = {
    unary(method: string, message: Uint8Array, timeoutMs: number, _metadata: unknown, answer: GrpcUnaryCallbacks) {
      const call = {
        method,
        request: decodeMessage<RateLimitRequest>(requestType, message),
        timeoutMs,
        answer,
        cancelled: false,
      };
      asked.push(call);
      return {
        cancel(): void {
          call.cancelled = true;
        },
      };
    },
  };
  const context = createTestServerContext({ ...world.context, grpcClient: () => client as never, ...overrides });
  const type = 'envoy.extensions.filters.http.ratelimit.v3.RateLimit';
  const service = { grpc_service: { envoy_grpc: { cluster_name: 'rl' } }, transport_api_version: 'V3' };
  const message = fromJson(
    messageSchema(type),
    { domain: 'd', rate_limit_service: service, ...config },
    { registry: protoRegistry() },
  );
  const diagnostics = new Diagnostics();
  const factory = rateLimitExtension.createFactory(message, {
    server: context,
    scope: context.stats.scope('http.t'),
    diagnostics,
  });
  diagnostics.throwIfFailed();
  return {
    context: world.context,
    asked,
    stream(route = { rateLimits: [rule('route')] }, host = {}, perRoute = null) {
      let made: (StreamDecoderFilter & StreamEncoderFilter) | null = null;
      factory.createFilter({ addFilter: (filter: never) => (made = filter) } as unknown as FilterChainBuilder);
      const stream = new FilterStream(made!, routeTo('c', route, host));
      stream.clusterInfo = world.clusters.get('c')!.info as ClusterInfo;
      if (perRoute !== null) stream.routeConfigs = [perRoute];
      return stream;
    },
  };
}

function answerOf(json: JsonValue): Uint8Array {
  const message = fromJson(messageSchema<RateLimitResponse>(responseType), json, { registry: protoRegistry() });
  return toBinary(messageSchema<RateLimitResponse>(responseType), message as RateLimitResponse);
}

describe('ratelimit filter', () => {
  it('asks, waits, and lets the request go on', () => {
    const { asked, stream, context } = setup();
    const one = stream();
    assert.equal(one.request(requestHead('GET', '/')), 1);
    assert.equal(asked[0]!.method, '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit');
    assert.equal(asked[0]!.request.domain, 'd');
    assert.equal(asked[0]!.timeoutMs, 20);
    asked[0]!.answer.onSuccess(answerOf({ overall_code: 'OK', request_headers_to_add: [{ key: 'x-r', value: '1' }] }));
    assert.equal(one.continued, 1);
    assert.equal(one.requestHead?.headers.get('x-r'), '1');
    assert.equal(context.stat('cluster.c.ratelimit.ok'), 1);
  });

  it("answers 429 with the service's headers and body", () => {
    const { asked, stream, context } = setup({ enable_x_ratelimit_headers: 'DRAFT_VERSION_03' });
    const one = stream();
    one.request(requestHead('GET', '/'));
    const status = {
      code: 'OVER_LIMIT',
      current_limit: { requests_per_unit: 1, unit: 'SECOND' },
      duration_until_reset: '1s',
    };
    asked[0]!.answer.onSuccess(
      answerOf({
        overall_code: 'OVER_LIMIT',
        statuses: [status],
        raw_body: Buffer.from('slow down').toString('base64'),
      }),
    );
    assert.deepEqual([one.events[0], one.flags, one.body], ['reply 429 request_rate_limited', 'RL', 'slow down']);
    assert.equal(one.responseHead?.headers.get('x-envoy-ratelimited'), 'true');
    assert.equal(one.responseHead?.headers.get('x-ratelimit-limit'), '1, 1;w=1');
    assert.equal(context.stat('cluster.c.ratelimit.over_limit'), 1);
    assert.equal(context.stat('cluster.c.upstream_rq_429'), 1);
  });

  it('lets requests pass when the service fails, or refuses them', () => {
    const open = setup();
    const one = open.stream();
    one.request(requestHead('GET', '/'));
    open.asked[0]!.answer.onFailure(14, 'gone');
    assert.equal(one.continued, 1);
    assert.equal(open.context.stat('cluster.c.ratelimit.error'), 1);
    assert.equal(open.context.stat('cluster.c.ratelimit.failure_mode_allowed'), 1);
    const closed = setup({ failure_mode_deny: true });
    const two = closed.stream();
    two.request(requestHead('GET', '/'));
    closed.asked[0]!.answer.onSuccess(Uint8Array.of(0xff));
    assert.deepEqual([two.events[0], two.flags], ['reply 500 rate_limiter_error', 'RLSE']);
  });

  it('uses the rules of the route, and of the virtual host as the route says', () => {
    const host = { rateLimits: [rule('host')] };
    const keys = (route: Partial<RouteEntry>, perRoute: unknown = null): string => {
      const { asked, stream } = setup();
      stream(route, host, perRoute).request(requestHead('GET', '/'));
      return asked[0]?.request.descriptors.map((d) => d.entries[0]!.key).join() ?? 'none';
    };
    const own = [rule('route')];
    assert.equal(keys({ rateLimits: own }), 'route');
    assert.equal(keys({ rateLimits: [] }), 'host');
    assert.equal(keys({ rateLimits: own, includeVirtualHostRateLimits: true }), 'route,host');
    assert.equal(keys({ rateLimits: own }, { virtualHostLimits: 'include', rules: null, domain: '' }), 'route,host');
    assert.equal(keys({ rateLimits: [] }, { virtualHostLimits: 'ignore', rules: null, domain: '' }), 'none');
    assert.equal(keys({ rateLimits: own }, { virtualHostLimits: 'override', rules: [rule('own')], domain: '' }), 'own');
    assert.equal(keys({ rateLimits: [rule('other stage', { stage: 1 })] }), 'none');
  });

  it('uses rules of a route before its own, and either at any stage', () => {
    const ofFilter = {
      rate_limits: [{ actions: [{ generic_key: { descriptor_key: 'filter', descriptor_value: 'v' } }] }],
    };
    const keys = (config: { [key: string]: JsonValue }, perRoute: unknown): string => {
      const { asked, stream } = setup(config);
      stream({ rateLimits: [rule('route')] }, {}, perRoute).request(requestHead('GET', '/'));
      return asked[0]?.request.descriptors.map((d) => d.entries[0]!.key).join() ?? 'none';
    };
    const perRoute = { virtualHostLimits: 'override', rules: [rule('own')], domain: '' };
    assert.equal(keys(ofFilter, null), 'filter');
    assert.equal(keys({ ...ofFilter, stage: 3 }, null), 'filter');
    assert.equal(keys({ ...ofFilter, stage: 3 }, perRoute), 'own');
    assert.equal(keys(ofFilter, { ...perRoute, rules: null }), 'filter');
  });

  /** What is asked under a rule of the filter, of a request with these headers. */
  const askedUnder = (json: JsonValue, path: string, ...headers: string[]): unknown => {
    const { asked, stream } = setup({ rate_limits: [json] });
    stream().request(requestHead('GET', path, ...headers));
    const descriptor = asked[0]?.request.descriptors[0];
    return descriptor && [...descriptor.entries.map(({ key, value }) => `${key}=${value}`), descriptor.hitsAddend];
  };

  it('asks about a descriptor all of whose entries are left out', () => {
    const absent = { request_headers: { header_name: 'x-none', descriptor_key: 'k', skip_if_absent: true } };
    assert.deepEqual(askedUnder({ actions: [absent] }, '/'), [undefined]);
  });

  it('refuses the deprecated dynamic_metadata in rules of filters', () => {
    const metadata = { descriptor_key: 'k', metadata_key: { key: 'a', path: [{ key: 'b' }] } };
    assert.throws(
      () => setup({ rate_limits: [{ actions: [{ dynamic_metadata: metadata }] }] }),
      /rate_limits\[0\]\.actions\[0\]\.dynamic_metadata.*deprecated/,
    );
  });

  it('takes query parameters percent-decoded', () => {
    const action = { query_parameters: { query_parameter_name: 'ü', descriptor_key: 'k' } };
    assert.deepEqual(askedUnder({ actions: [action] }, '/?%C3%BC=z%C3%BCrich'), ['k=zürich', undefined]);
    const parameters = [{ name: 'a b', string_match: { exact: 'é' } }];
    const match = { query_parameter_value_match: { descriptor_value: 'v', query_parameters: parameters } };
    assert.deepEqual(askedUnder({ actions: [match] }, '/?a%20b=%c3%a9'), ['query_match=v', undefined]);
  });

  it('reads hits as numbers, without what is behind the point', () => {
    const json = { actions: [{ generic_key: { descriptor_value: 'v' } }], hits_addend: { format: '%REQ(x-hits)%' } };
    const hits: readonly (readonly [text: string, hits: number | null])[] = [
      ['7', 7],
      ['4.9', 4],
      ['1e-1', 0],
      ['0x1F', 31],
      ['1000000000', 1_000_000_000],
      ['1000000001', null],
      ['-1', null],
      ['0b1', null],
      ['NaN', null],
      ['', null],
    ];
    for (const [text, wanted] of hits) {
      const asked = askedUnder(json, '/', 'x-hits', text);
      assert.deepEqual(asked, wanted === null ? undefined : ['generic_key=v', BigInt(wanted)], text);
    }
  });

  it('tells when to come again only when the service names a limit that was exceeded', () => {
    const retryAfter = (...statuses: JsonValue[]): string | null | undefined => {
      const { asked, stream } = setup({ enable_retry_after_header: true });
      const one = stream();
      one.request(requestHead('GET', '/'));
      asked[0]!.answer.onSuccess(answerOf({ overall_code: 'OVER_LIMIT', statuses }));
      return one.responseHead?.headers.get('retry-after');
    };
    assert.equal(retryAfter(), null);
    assert.equal(retryAfter({ code: 'OK', duration_until_reset: '9s' }), null);
    assert.equal(retryAfter({ code: 'OVER_LIMIT' }), '1');
    assert.equal(retryAfter({ code: 'OVER_LIMIT', duration_until_reset: '9s' }), '9');
  });

  it("joins the service's headers to those that are kept as one entry, and says itself that a limit was exceeded", () => {
    const { asked, stream } = setup();
    const one = stream();
    one.request(requestHead('GET', '/', 'user-agent', 'mine'));
    const headers = [
      { key: 'content-type', value: 'text/a' },
      { key: 'x-envoy-ratelimited', value: 'perhaps' },
      { key: 'x-name', value: 'ü' },
      { key: 'x-raw', raw_value: Buffer.from('raw').toString('base64') },
    ];
    asked[0]!.answer.onSuccess(answerOf({ overall_code: 'OVER_LIMIT', response_headers_to_add: headers }));
    const told = one.responseHead!.headers;
    assert.deepEqual(told.getAll('content-type'), ['text/a']);
    assert.deepEqual(told.getAll('x-envoy-ratelimited'), ['true']);
    assert.equal(told.get('x-name'), '\xc3\xbc');
    assert.equal(told.get('x-raw'), '');
    const two = stream();
    two.request(requestHead('GET', '/', 'user-agent', 'mine'));
    const more = ['theirs', ''].map((value) => ({ key: 'User-Agent', value }));
    asked[1]!.answer.onSuccess(answerOf({ overall_code: 'OK', request_headers_to_add: more }));
    assert.deepEqual(two.requestHead!.headers.getAll('user-agent'), ['mine,theirs']);
  });

  it('does not ask for what it is not meant for', () => {
    const { asked, stream } = setup({ request_type: 'internal' });
    assert.equal(stream().request(requestHead('GET', '/')), 0);
    assert.equal(stream().request(requestHead('GET', '/', 'x-envoy-internal', 'true')), 1);
    assert.equal(asked.length, 1);
    const silent = setup();
    assert.equal(
      silent.stream({ rateLimits: [rule('x', { descriptor: () => null })] }).request(requestHead('GET', '/')),
      0,
    );
  });

  it('cancels the call of a stream that ends, and reports at the end what is meant for then', () => {
    const { asked, stream } = setup();
    const one = stream();
    one.request(requestHead('GET', '/'));
    one.filter.onDestroy();
    assert.equal(asked[0]!.cancelled, true);
    const late = stream({ rateLimits: [rule('done', { applyOnStreamDone: true })] });
    assert.equal(late.request(requestHead('GET', '/')), 0);
    late.filter.onDestroy();
    assert.equal(asked[1]!.request.descriptors[0]!.entries[0]!.key, 'done');
    const nowhere = stream({ rateLimits: [rule('done', { applyOnStreamDone: true })] });
    nowhere.clusterInfo = null;
    nowhere.request(requestHead('GET', '/'));
    nowhere.filter.onDestroy();
    assert.equal(asked.length, 2);
  });

  it("adds headers to the upstream's response too", () => {
    const { asked, stream } = setup();
    const one = stream();
    one.request(requestHead('GET', '/'));
    asked[0]!.answer.onSuccess(answerOf({ overall_code: 'OK', response_headers_to_add: [{ key: 'x-a', value: '1' }] }));
    const head = new ResponseHead(200);
    (one.filter as unknown as StreamEncoderFilter).encodeHeaders(head, true);
    assert.equal(head.headers.get('x-a'), '1');
  });

  it('refuses a format beside a number of hits', () => {
    const hits = { number: '1', format: '%REQ(x-hits)%' };
    assert.throws(
      () => setup({ rate_limits: [{ hits_addend: hits, actions: [{ remote_address: {} }] }] }),
      /rate_limits\[0\]\.hits_addend.*hits_addend must contain either a format or a number/,
    );
  });

  it('runtime keys switch it off where it has no share of its own', () => {
    const zero = (key: string): Partial<TestServerContext> => ({
      runtime: {
        number: (_key, fallback) => fallback,
        boolean: (_key, fallback) => fallback,
        enabled: (asked, numerator, denominator, random) => asked !== key && random % denominator < numerator,
      },
    });
    const off = setup({}, zero('ratelimit.http_filter_enabled'));
    assert.equal(off.stream().request(requestHead('GET', '/')), 0);
    assert.equal(off.asked.length, 0);
    const own = setup({ filter_enabled: { default_value: { numerator: 100 } } }, zero('ratelimit.http_filter_enabled'));
    own.stream().request(requestHead('GET', '/'));
    assert.equal(own.asked.length, 1);
    const soft = setup({}, zero('ratelimit.http_filter_enforcing'));
    const stream = soft.stream();
    stream.request(requestHead('GET', '/'));
    soft.asked[0]!.answer.onSuccess(answerOf({ overall_code: 'OVER_LIMIT' }));
    assert.deepEqual([stream.continued, stream.events], [1, []]);
  });
});
