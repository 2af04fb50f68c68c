import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { corsExtension } from '#gateway/extensions/http/cors/cors-extension.ts';
import { HeaderMap } from '#gateway/protocol/headers/header-map.ts';
import { type RequestHead, ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { ConfiguredFilter, type FilterCallbacks } from '#test/support/filter-callbacks.ts';
import { requestHead } from '#test/support/router-stream.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';

const HOST = `
allow_origin_string_match: [ { exact: "http://a" } ]
allow_methods: GET, PUT
allow_headers: x-a
expose_headers: x-b
max_age: "9"
allow_credentials: true
allow_private_network_access: true
`;

interface World {
  readonly server: TestServerContext;
  stream(...policies: readonly string[]): FilterCallbacks;
}

function world(): World {
  const server = createTestServerContext();
  const filter = new ConfiguredFilter(corsExtension, '{}', server);
  return { server, stream: (...policies) => filter.stream(...policies) };
}

function preflight(origin: string, ...more: readonly string[]): RequestHead {
  return requestHead('OPTIONS', '/', 'origin', origin, 'access-control-request-method', 'PUT', ...more);
}

describe('CORS filter', () => {
  it('answers a preflight itself, with all that the policy says', () => {
    const { server, stream } = world();
    const one = stream(HOST);
    const status = one.request(preflight('http://a', 'access-control-request-private-network', 'true'));
    assert.equal(status, FilterHeadersStatus.StopIteration);
    assert.equal(one.answered, 200);
    assert.equal(one.details, 'cors_response');
    assert.deepEqual(one.responseHead!.headers.entries, [
      'access-control-allow-origin',
      'http://a',
      'access-control-allow-credentials',
      'true',
      'access-control-allow-methods',
      'GET, PUT',
      'access-control-allow-headers',
      'x-a',
      'access-control-max-age',
      '9',
      'access-control-allow-private-network',
      'true',
      'access-control-expose-headers',
      'x-b',
    ]);
    assert.equal(server.stat('http.test.cors.origin_valid'), 1);
  });

  it("replaces the upstream's own headers on other answers", () => {
    const one = world().stream(HOST);
    assert.equal(one.request(requestHead('GET', '/', 'origin', 'http://a')), FilterHeadersStatus.Continue);
    const head = one.respond(new ResponseHead(200, new HeaderMap(['access-control-allow-origin', '*', 'x', '1'])));
    assert.deepEqual(head.headers.entries, [
      'access-control-allow-origin',
      'http://a',
      'x',
      '1',
      'access-control-allow-credentials',
      'true',
      'access-control-expose-headers',
      'x-b',
    ]);
  });

  it('leaves requests without an origin, and routes without a policy, alone', () => {
    const { server, stream } = world();
    const plain = stream(HOST);
    plain.request(requestHead('GET', '/'));
    assert.equal(plain.respond(new ResponseHead(200)).headers.size, 0);
    const bare = stream();
    assert.equal(bare.request(preflight('http://a')), FilterHeadersStatus.Continue);
    const direct = stream(HOST);
    direct.route = { ...direct.route!, entry: null };
    direct.request(requestHead('GET', '/', 'origin', 'http://a'));
    assert.equal(direct.respond(new ResponseHead(201)).headers.size, 0);
    assert.equal(server.stat('http.test.cors.origin_valid'), 0);
  });

  it('forwards a preflight of another origin, or answers it without allowing it', () => {
    const { server, stream } = world();
    const forwarded = stream(HOST);
    assert.equal(forwarded.request(preflight('http://b')), FilterHeadersStatus.Continue);
    assert.equal(forwarded.respond(new ResponseHead(200)).headers.size, 0);
    const answered = stream(HOST, 'forward_not_matching_preflights: false');
    assert.equal(answered.request(preflight('http://b')), FilterHeadersStatus.StopIteration);
    assert.equal(answered.answered, 200);
    assert.equal(answered.responseHead!.get('access-control-allow-origin'), null);
    assert.equal(answered.responseHead!.get('access-control-allow-methods'), 'GET, PUT');
    assert.equal(answered.responseHead!.get('access-control-expose-headers'), null);
    assert.equal(server.stat('http.test.cors.origin_invalid'), 2);
  });

  it('asks the most specific policy that says something', () => {
    const route = 'allow_origin_string_match: [ { prefix: "http://r" } ]\nallow_methods: R\nallow_credentials: false';
    const { stream } = world();
    const one = stream(HOST, route);
    one.request(preflight('http://r1'));
    assert.equal(one.responseHead!.get('access-control-allow-methods'), 'R');
    assert.equal(one.responseHead!.get('access-control-allow-headers'), 'x-a');
    assert.equal(one.responseHead!.get('access-control-allow-credentials'), null);
    const other = stream(HOST, route);
    assert.equal(other.request(preflight('http://a')), FilterHeadersStatus.Continue);
  });

  it('takes a matcher that accepts * for every origin', () => {
    const one = world().stream('allow_origin_string_match: [ { exact: "*" } ]');
    one.request(preflight('http://anything'));
    assert.equal(one.responseHead!.get('access-control-allow-origin'), 'http://anything');
  });

  it('is off or only counts where the most specific policy says so', () => {
    const { server, stream } = world();
    const off = stream(HOST, 'filter_enabled: { default_value: { numerator: 0 } }');
    assert.equal(off.request(preflight('http://a')), FilterHeadersStatus.Continue);
    assert.equal(server.stat('http.test.cors.origin_valid'), 0);
    const all = '{ default_value: { numerator: 100 } }';
    const shadow = stream(HOST, `filter_enabled: { default_value: { numerator: 0 } }\nshadow_enabled: ${all}`);
    assert.equal(shadow.request(preflight('http://a')), FilterHeadersStatus.Continue);
    assert.equal(shadow.respond(new ResponseHead(200)).headers.size, 0);
    assert.equal(server.stat('http.test.cors.origin_valid'), 1);
    const both = stream(HOST, `shadow_enabled: ${all}`);
    assert.equal(both.request(preflight('http://a')), FilterHeadersStatus.StopIteration);
  });
});
