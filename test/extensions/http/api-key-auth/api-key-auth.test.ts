import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { apiKeyAuthExtension } from '#gateway/extensions/http/api-key-auth/api-key-auth-extension.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';

const json = {
  credentials: [
    { client: 'c1', key: 'key1' },
    { client: 'c2', key: 'key2' },
  ],
  forwarding: { header: 'X-Cl', hide_credentials: true },
  key_sources: [{ header: 'Authorization' }, { header: 'x-k' }, { query: 'q' }, { cookie: 'ck' }],
};

describe('api_key_auth', () => {
  const found: readonly {
    path?: string;
    headers?: readonly string[];
    pathAfter?: string;
    cookieAfter?: string | null;
  }[] = [
    { headers: ['x-k', 'key1'] },
    { headers: ['authorization', 'Bearer key1'] },
    { headers: ['authorization', 'key1'] },
    { path: '/a?a=1&q=key1&b=2', pathAfter: '/a?a=1&b=2' },
    { path: '/a?q=key1', pathAfter: '/a' },
    { path: '/a?q=ke%791', pathAfter: '/a' },
    { headers: ['cookie', 'a=1; ck=key1; b=2'], cookieAfter: 'a=1; b=2' },
    { headers: ['cookie', 'ck=key1'], cookieAfter: null },
  ];
  for (const { path = '/a', headers = [], pathAfter = '/a', cookieAfter = null } of found) {
    it(`finds and hides the key in ${path} ${headers.join(': ')}`, () => {
      const head = requestHead('GET', path, ...headers);
      const harness = new FilterHarness(apiKeyAuthExtension, json);
      assert.equal(harness.stream().request(head), FilterHeadersStatus.Continue);
      assert.deepEqual([head.path, head.get('x-cl'), head.get('cookie')], [pathAfter, 'c1', cookieAfter]);
      assert.deepEqual([head.get('authorization'), head.get('x-k')], [null, null]);
      assert.equal(harness.stat('api_key_auth.allowed'), 1);
    });
  }

  const refused: readonly { headers: readonly string[]; route?: unknown; reply: string; body: string; stat: string }[] =
    [
      { headers: [], reply: 'reply 401 missing_api_key', body: 'Client authentication failed.', stat: 'unauthorized' },
      {
        headers: ['x-k', 'no'],
        reply: 'reply 401 unknown_api_key',
        body: 'Client authentication failed.',
        stat: 'unauthorized',
      },
      {
        headers: ['x-k', 'key1'],
        route: { allowed_clients: ['c2'] },
        reply: 'reply 403 client_not_allowed',
        body: 'Client is forbidden.',
        stat: 'forbidden',
      },
    ];
  for (const { headers, route, reply, body, stat } of refused) {
    it(`answers ${reply}`, () => {
      const harness = new FilterHarness(apiKeyAuthExtension, json);
      const stream = harness.stream(...(route === undefined ? [] : [route]));
      stream.request(requestHead('GET', '/', ...headers));
      assert.deepEqual(stream.events, [reply, 'end']);
      assert.equal(stream.body, body);
      assert.equal(harness.stat(`api_key_auth.${stat}`), 1);
    });
  }

  it('a route replaces credentials, sources and forwarding', () => {
    const harness = new FilterHarness(apiKeyAuthExtension, json);
    const head = requestHead('GET', '/?z=key3');
    const route = { credentials: [{ client: 'c3', key: 'key3' }], key_sources: [{ query: 'z' }] };
    assert.equal(harness.stream(route).request(head), FilterHeadersStatus.Continue);
    assert.deepEqual([head.path, head.get('x-cl')], ['/?z=key3', null]);
  });
});
