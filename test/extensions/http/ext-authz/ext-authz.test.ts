import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import type {
  GrpcAsyncClient,
  GrpcUnaryCallbacks,
  HttpAsyncClient,
  HttpResponseCallbacks,
} from '#gateway/api/async-client.ts';
import type { ServerContext } from '#gateway/api/context.ts';
import { FilterDataStatus, FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { extAuthzExtension } from '#gateway/extensions/http/ext-authz/ext-authz-extension.ts';
import { decodeMessage, encodeMessage, messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import type { CheckRequest } from '#proto-types/envoy/service/auth/v3/external_auth_pb.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';

/** Remembers calls; the test answers them. */
class FakeService {
  readonly requests: { head: RequestHead; body: string }[] = [];
  readonly checks: CheckRequest[] = [];
  answerHttp!: HttpResponseCallbacks;
  answerGrpc!: GrpcUnaryCallbacks;
  cancelled = 0;

  readonly http: HttpAsyncClient = {
    send: (_cluster, head, body, _options, callbacks) => {
      this.requests.push({ head, body: new TextDecoder().decode(body ?? new Uint8Array(0)) });
      this.answerHttp = callbacks;
      return { cancel: () => void this.cancelled++ };
    },
  };

  readonly grpc: GrpcAsyncClient = {
    unary: (_method, message, _timeoutMs, _metadata, callbacks) => {
      this.checks.push(decodeMessage<CheckRequest>('envoy.service.auth.v3.CheckRequest', message));
      this.answerGrpc = callbacks;
      return { cancel: () => void this.cancelled++ };
    },
    stream: () => {
      throw new Error('unused');
    },
  };

  get parts(): Partial<ServerContext> {
    return { httpClient: this.http, grpcClient: () => this.grpc };
  }

  respond(status: number, ...headers: readonly string[]): void {
    this.answerHttp.onSuccess(new ResponseHead(status, new HeaderMap([...headers])), new TextEncoder().encode('body'));
  }

  check(json: JsonValue): void {
    const schema = messageSchema('envoy.service.auth.v3.CheckResponse');
    this.answerGrpc.onSuccess(encodeMessage(fromJson(schema, json, { registry: protoRegistry() })));
  }
}

const patterns = (...names: readonly string[]): unknown => ({ patterns: names.map((exact) => ({ exact })) });
const httpService = {
  server_uri: { uri: 'http://authz', cluster: 'authz', timeout: '0.5s' },
  path_prefix: '/pre',
  authorization_request: { allowed_headers: patterns('x-in'), headers_to_add: [{ key: 'x-added', value: 'yy' }] },
  authorization_response: {
    allowed_upstream_headers: patterns('x-up'),
    allowed_upstream_headers_to_append: patterns('x-a'),
    allowed_client_headers: patterns('x-client'),
    allowed_client_headers_on_success: { patterns: [{ prefix: 'x-client' }] },
    dynamic_metadata_from_headers: patterns('x-dm'),
  },
};
const answer = ['x-a', '1', 'x-up', 'over', 'x-client', 'c', 'x-client-app', 'd', 'x-dm', 'meta', 'location', '/l'];

function http(fields: object = {}): { service: FakeService; harness: FilterHarness } {
  const service = new FakeService();
  return {
    service,
    harness: new FilterHarness(extAuthzExtension, { http_service: httpService, ...fields }, service.parts),
  };
}

function grpc(fields: object = {}): { service: FakeService; harness: FilterHarness } {
  const service = new FakeService();
  const json = { transport_api_version: 'V3', grpc_service: { envoy_grpc: { cluster_name: 'a' } }, ...fields };
  return { service, harness: new FilterHarness(extAuthzExtension, json, service.parts) };
}

describe('ext_authz: HTTP service', () => {
  it('asks with the listed headers, and changes request and response when allowed', () => {
    const { service, harness } = http();
    const stream = harness.stream();
    const head = requestHead('GET', '/a?b=c', 'x-in', '1', 'x-no', '1', 'authorization', 'z', 'x-up', 'o', 'x-a', 'o');
    assert.equal(stream.request(head), FilterHeadersStatus.StopAllIterationAndWatermark);
    const { head: asked } = service.requests[0]!;
    assert.deepEqual([asked.method, asked.path, asked.authority], ['GET', '/pre/a?b=c', 'example.com']);
    assert.deepEqual(asked.headers.entries, [
      'content-length',
      '0',
      'x-in',
      '1',
      'authorization',
      'z',
      'x-added',
      'yy',
    ]);
    service.respond(200, ...answer, 'x-envoy-auth-headers-to-remove', 'x-no');
    assert.equal(stream.continued, 1);
    assert.deepEqual(head.headers.entries, ['x-in', '1', 'authorization', 'z', 'x-up', 'over', 'x-a', 'o', 'x-a', '1']);
    assert.equal(stream.streamInfo.dynamicMetadata?.get('envoy.filters.http.ext_authz')?.['x-dm'], 'meta');
    const response = harness.respond(200);
    assert.deepEqual(response.headers.entries, ['x-client', 'c', 'x-client-app', 'd']);
    assert.equal(harness.stat('ext_authz.ok'), 1);
  });

  it('answers with what the service answers when it denies', () => {
    const { service, harness } = http();
    const stream = harness.stream();
    stream.request(requestHead('GET', '/'));
    service.respond(302, ...answer);
    assert.deepEqual(stream.events, ['reply 302 ext_authz_denied', 'end']);
    assert.equal(stream.body, 'body');
    assert.deepEqual(stream.responseHead?.headers.entries, ['x-client', 'c', 'location', '/l']);
    assert.equal(stream.flags, 'UAEX');
    assert.equal(harness.stat('ext_authz.denied'), 1);
  });

  it('refuses or lets through when the service fails', () => {
    for (const fail of [
      (one: FakeService) => one.respond(500),
      (one: FakeService) => one.answerHttp.onFailure('timeout'),
    ]) {
      const { service, harness } = http({ status_on_error: { code: 503 } });
      const stream = harness.stream();
      stream.request(requestHead('GET', '/'));
      fail(service);
      assert.deepEqual(stream.events, ['reply 503 ext_authz_error', 'end']);
      assert.equal(harness.stat('ext_authz.error'), 1);
    }
    const { service, harness } = http({
      failure_mode_allow: true,
      failure_mode_allow_header_add: true,
      stat_prefix: 'sp',
    });
    const stream = harness.stream();
    const head = requestHead('GET', '/');
    stream.request(head);
    service.answerHttp.onFailure('timeout');
    assert.equal(stream.continued, 1);
    assert.equal(head.get('x-envoy-auth-failure-mode-allowed'), 'true');
    assert.equal(harness.stat('ext_authz.sp.failure_mode_allowed'), 1);
  });

  it('shows the body, whole or its beginning', () => {
    const whole = http({ with_request_body: { max_request_bytes: 12 } });
    const stream = whole.harness.stream();
    assert.equal(stream.request(requestHead('POST', '/'), false), FilterHeadersStatus.StopIteration);
    const hello = new TextEncoder().encode('hello');
    assert.equal(stream.filter.decodeData(hello, false), FilterDataStatus.StopIterationAndBuffer);
    assert.equal(stream.bufferLimit, 12);
    assert.equal(stream.filter.decodeData(hello, true), FilterDataStatus.StopIterationAndWatermark);
    assert.equal(whole.service.requests[0]?.head.get('x-envoy-auth-partial-body'), 'false');
    const part = http({ with_request_body: { max_request_bytes: 4, allow_partial_message: true } });
    const other = part.harness.stream();
    other.request(requestHead('POST', '/'), false);
    assert.equal(other.filter.decodeData(hello, false), FilterDataStatus.StopIterationAndWatermark);
    assert.equal(part.service.requests[0]?.body, 'hell');
    assert.equal(part.service.requests[0]?.head.get('x-envoy-auth-partial-body'), 'true');
    const off = part.harness.stream({ check_settings: { disable_request_body_buffering: true } });
    assert.equal(off.request(requestHead('POST', '/'), false), FilterHeadersStatus.StopAllIterationAndWatermark);
  });

  it('is off on a route that disables it, and lets go of the call with the stream', () => {
    const { service, harness } = http();
    assert.equal(harness.stream({ disabled: true }).request(requestHead('GET', '/')), FilterHeadersStatus.Continue);
    const stream = harness.stream();
    stream.request(requestHead('GET', '/'));
    stream.filter.onDestroy();
    assert.equal(service.cancelled, 1);
    service.respond(200);
    assert.equal(stream.continued, 0);
  });

  it('a path of its own replaces the request path', () => {
    const { service, harness } = http({ http_service: { ...httpService, path_prefix: '', path_override: '/o' } });
    harness.stream().request(requestHead('GET', '/a'));
    assert.equal(service.requests[0]?.head.path, '/o');
  });
});

describe('ext_authz: gRPC service', () => {
  it('describes the request', () => {
    const { service, harness } = grpc({ metadata_context_namespaces: ['a.b'] });
    const stream = harness.stream(
      { check_settings: { context_extensions: { a: 'x', b: 'y' } } },
      { check_settings: { context_extensions: { a: 'z' } } },
    );
    stream.streamInfo.setDynamicMetadata('a.b', { k: 1 });
    stream.request(requestHead('GET', '/p?q=1', 'x-in', '1', 'x-in', '2'));
    const { request, source, contextExtensions, metadataContext } = service.checks[0]!.attributes!;
    const { method, path, host, scheme, protocol, headers } = request!.http!;
    assert.deepEqual([method, path, host, scheme, protocol], ['GET', '/p?q=1', 'example.com', 'http', 'HTTP/1.1']);
    const pseudo = { ':method': 'GET', ':path': '/p?q=1', ':authority': 'example.com', ':scheme': 'http' };
    assert.deepEqual({ ...headers }, { ...pseudo, 'x-in': '1,2' });
    assert.deepEqual({ ...contextExtensions }, { a: 'z', b: 'y' });
    assert.deepEqual(metadataContext?.filterMetadata['a.b'], { k: 1 });
    const peer = source?.address?.address.value as { address: string } | undefined;
    assert.equal(peer?.address, '127.0.0.1');
  });

  it('changes the request and the response as asked', () => {
    const { service, harness } = grpc();
    const stream = harness.stream();
    const head = requestHead('GET', '/p?z=1&q=2&r=3', 'x-set', 'o', 'x-app', 'o', 'x-rm', '1');
    stream.request(head);
    const header = (key: string, value: string): { key: string; value: string } => ({ key, value });
    service.check({
      status: { code: 0 },
      okResponse: {
        headers: [
          { header: header('x-set', 's') },
          { header: header('x-app', 'a'), append: true },
          { header: header('x-app2', 'a'), append: true },
        ],
        headersToRemove: ['x-rm', ':method'],
        responseHeadersToAdd: [
          { header: header('x-up', 'r') },
          { header: header('y1', 'r'), append: false },
          { header: header('y2', 'r'), appendAction: 'OVERWRITE_IF_EXISTS' },
        ],
        queryParametersToSet: [{ key: 'q', value: 'n' }],
        queryParametersToRemove: ['z'],
      },
      dynamicMetadata: { k: 'v' },
    });
    assert.deepEqual(head.headers.entries, ['x-set', 's', 'x-app', 'o,a']);
    assert.equal(head.path, '/p?q=n&r=3');
    const response = harness.respond(200, 'x-up', '1', 'y1', '1');
    assert.deepEqual(response.headers.entries, ['x-up', '1', 'y1', 'r', 'x-up', 'r']);
    assert.equal(stream.streamInfo.dynamicMetadata?.get('envoy.filters.http.ext_authz')?.['k'], 'v');
  });

  const denials: readonly { name: string; json: JsonValue; event: string; headers: readonly string[]; body: string }[] =
    [
      {
        name: 'nothing said',
        json: { status: { code: 7 } },
        event: 'reply 403 ext_authz_denied',
        headers: [],
        body: '',
      },
      {
        name: 'a response',
        json: {
          status: { code: 7 },
          deniedResponse: {
            status: { code: 402 },
            headers: [
              { header: { key: 'x-d', value: '1' } },
              { header: { key: 'x-d', value: '2' } },
              { header: { key: 'x-e', value: '1' }, append: true },
            ],
            body: 'denied!',
          },
        } as unknown as JsonValue,
        event: 'reply 402 ext_authz_denied',
        headers: ['x-d', '1', 'x-d', '2'],
        body: 'denied!',
      },
      {
        name: 'an error response',
        json: { status: { code: 13 }, errorResponse: { status: { code: 504 }, body: 'eb' } } as unknown as JsonValue,
        event: 'reply 504 ext_authz_error',
        headers: [],
        body: 'eb',
      },
    ];
  for (const { name, json, event, headers, body } of denials) {
    it(`denies with ${name}`, () => {
      const { service, harness } = grpc();
      const stream = harness.stream();
      stream.request(requestHead('GET', '/'));
      service.check(json);
      assert.equal(stream.events[0], event);
      assert.deepEqual([stream.responseHead?.headers.entries, stream.body], [headers, body]);
    });
  }

  it('a failed call is an error; one that is switched off is not made', () => {
    const { service, harness } = grpc();
    const stream = harness.stream();
    stream.request(requestHead('GET', '/'));
    service.answerGrpc.onFailure(14, '');
    assert.equal(stream.events[0], 'reply 403 ext_authz_error');
    const off = grpc({ filter_enabled: { default_value: { numerator: 0 } } });
    assert.equal(off.harness.stream().request(requestHead('GET', '/')), FilterHeadersStatus.Continue);
    assert.equal(off.harness.stat('ext_authz.disabled'), 1);
    const deny = grpc({
      filter_enabled: { default_value: { numerator: 0 } },
      deny_at_disable: { default_value: true, runtime_key: 'k' },
    });
    const refused = deny.harness.stream();
    refused.request(requestHead('GET', '/'));
    assert.equal(refused.events[0], 'reply 403 ext_authz_error');
  });
});
