import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { FilterHeadersStatus } from '#gateway/api/http-filter.ts';
import { basicAuthExtension } from '#gateway/extensions/http/basic-auth/basic-auth-extension.ts';
import { FilterHarness } from '#test/support/filter-harness.ts';
import { requestHead } from '#test/support/router-stream.ts';

const users = { inline_string: 'user1:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw=\nuser2:{SHA}EJ9LPFDXsN9ynSmbxvjp75Bmlx8=\n' };
const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

describe('basic_auth', () => {
  it('lets a known user through and tells the upstream the name', () => {
    const harness = new FilterHarness(basicAuthExtension, { users, forward_username_header: 'X-User' });
    const head = requestHead('GET', '/a', 'authorization', basic('user1:test1'));
    assert.equal(harness.stream().request(head), FilterHeadersStatus.Continue);
    assert.equal(head.get('x-user'), 'user1');
    assert.equal(harness.stat('basic_auth.allowed'), 1);
  });

  const refused: readonly { value: string | null; why: string; details: string }[] = [
    { value: null, why: 'Missing username and password.', details: 'no_credential_for_basic_auth' },
    { value: 'Bearer x', why: "Expected 'Basic' authentication scheme.", details: 'invalid_scheme_for_basic_auth' },
    { value: 'Basic !!!', why: 'Invalid basic credential format.', details: 'invalid_format_for_basic_auth' },
    { value: basic('user1'), why: 'Invalid basic credential format.', details: 'invalid_format_for_basic_auth' },
    {
      value: basic('user1:no'),
      why: 'Invalid username/password combination.',
      details: 'invalid_credential_for_basic_auth',
    },
    {
      value: basic('who:test1'),
      why: 'Invalid username/password combination.',
      details: 'invalid_credential_for_basic_auth',
    },
  ];
  for (const { value, why, details } of refused) {
    it(`refuses ${value ?? 'a request without credentials'}`, () => {
      const harness = new FilterHarness(basicAuthExtension, { users });
      const stream = harness.stream();
      stream.request(requestHead('GET', '/a', ...(value === null ? [] : ['authorization', value])));
      assert.deepEqual(stream.events, [`reply 401 ${details}`, 'end']);
      assert.equal(stream.body, `User authentication failed. ${why}`);
      assert.equal(stream.responseHead?.get('www-authenticate'), 'Basic realm="http://example.com/a"');
      assert.equal(harness.stat('basic_auth.denied'), 1);
    });
  }

  it('a route has users of its own; missing credentials, realm and header can be set', () => {
    const json = {
      users,
      allow_missing: true,
      authentication_header: 'X-Auth',
      realm: 'mine',
      emit_dynamic_metadata: true,
    };
    const harness = new FilterHarness(basicAuthExtension, json);
    assert.equal(harness.stream().request(requestHead('GET', '/')), FilterHeadersStatus.Continue);
    const route = { users: { inline_string: 'foo:{SHA}Ys23Ag/5IOWqZCw9QGaVDdHwH00=' } };
    const stream = harness.stream(route);
    assert.equal(stream.request(requestHead('GET', '/', 'x-auth', basic('foo:bar'))), FilterHeadersStatus.Continue);
    assert.deepEqual(stream.streamInfo.dynamicMetadata?.get('envoy.filters.http.basic_auth'), { username: 'foo' });
    const other = harness.stream(route);
    other.request(requestHead('GET', '/', 'x-auth', basic('user1:test1')));
    assert.equal(other.responseHead?.get('www-authenticate'), 'Basic realm="mine"');
  });

  for (const [text, problem] of [
    ['nocolon', /username:password/],
    ['a:$apr1$xyz', /please use \{SHA\}/],
    ['a:{SHA}short', /SHA hash length/],
    ['a:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw=\na:{SHA}tESsBmE/yNY3lb6a0L6vVQEZNqw=', /duplicate user a/],
  ] as const) {
    it(`does not take the list ${JSON.stringify(text)}`, () => {
      const harness = new FilterHarness(basicAuthExtension, { users: { inline_string: text } });
      assert.match(harness.problems.join(), problem);
    });
  }
});
