import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import type { HttpResponseCallbacks } from '#gateway/api/async-client.ts';
import type { FilterChainBuilder, StreamDecoderFilter } from '#gateway/api/http-filter.ts';
import { Diagnostics } from '#gateway/config/diagnostics.ts';
import { jwtAuthnExtension } from '#gateway/extensions/http/jwt-authn/jwt-authn-extension.ts';
import { messageSchema, protoRegistry } from '#gateway/proto/registry.ts';
import type { RequestHead } from '#gateway/protocol/headers/message-head.ts';
import { ResponseHead } from '#gateway/protocol/headers/message-head.ts';
import { FilterStream, requestHead, routeTo } from '#test/support/router-stream.ts';
import { createTestServerContext, type TestServerContext } from '#test/support/server-context.ts';

const filterType = 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const secret = Buffer.from('a secret that is long enough');
const jwks = JSON.stringify({
  keys: [
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'r', alg: 'RS256' },
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'ps', alg: 'PS256' },
    { ...ec.publicKey.export({ format: 'jwk' }), kid: 'e' },
    { ...ed.publicKey.export({ format: 'jwk' }), kid: 'd' },
    { kty: 'unknown', kid: 'x' },
  ],
});

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = Math.floor(Date.now() / 1000);

function token(payload: JsonValue, alg = 'RS256', kid: string | null = 'r'): string {
  const signed = `${base64(kid === null ? { alg } : { alg, kid })}.${base64(payload)}`;
  const data = Buffer.from(signed);
  const signature = (): Buffer => {
    if (alg.startsWith('ES')) return sign('sha256', data, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' });
    if (alg === 'EdDSA') return sign(null, data, ed.privateKey);
    if (alg.startsWith('PS')) return sign('sha256', data, { key: rsa.privateKey, padding: 6, saltLength: 32 });
    return sign('sha256', data, rsa.privateKey as KeyObject);
  };
  return `${signed}.${signature().toString('base64url')}`;
}

interface Setup {
  readonly context: TestServerContext;
  stream(head: RequestHead, routeConfig?: unknown): FilterStream & { result: number };
}

function setup(config: { [key: string]: JsonValue }, overrides: Partial<TestServerContext> = {}): Setup {
  const context = createTestServerContext(overrides);
  const message = fromJson(messageSchema(filterType), config, { registry: protoRegistry() });
  const diagnostics = new Diagnostics();
  const factory = jwtAuthnExtension.createFactory(message, {
    server: context,
    scope: context.stats.scope('http.test'),
    diagnostics,
  });
  diagnostics.throwIfFailed();
  return {
    context,
    stream(head: RequestHead, routeConfig: unknown = null) {
      let made: StreamDecoderFilter | null = null;
      factory.createFilter({
        addDecoderFilter: (filter: StreamDecoderFilter) => (made = filter),
      } as unknown as FilterChainBuilder);
      const stream = new FilterStream(made!, routeTo('c'));
      if (routeConfig !== null) stream.routeConfigs = [routeConfig];
      return Object.assign(stream, { result: stream.request(head) });
    },
  };
}

const provider = { issuer: 'i', audiences: ['a'], local_jwks: { inline_string: jwks } };
const simple = { providers: { p: provider }, rules: [{ match: { prefix: '/' }, requires: { provider_name: 'p' } }] };
const bearer = (text: string, path = '/x'): RequestHead => requestHead('GET', path, 'authorization', `Bearer ${text}`);
const good = { iss: 'i', aud: 'a', sub: 's', exp: now + 3600 };

describe('jwt_authn', () => {
  const refused: readonly { name: string; text: string; body: string; status?: number }[] = [
    { name: 'expired', text: token({ iss: 'i', exp: now - 3600 }), body: 'Jwt is expired' },
    { name: 'not yet valid', text: token({ iss: 'i', nbf: now + 3600 }), body: 'Jwt not yet valid' },
    { name: 'another issuer', text: token({ iss: 'x' }), body: 'Jwt issuer is not configured' },
    {
      name: 'another audience',
      text: token({ iss: 'i', aud: 'z' }),
      body: 'Audiences in Jwt are not allowed',
      status: 403,
    },
    {
      name: 'an unknown key',
      text: token({ iss: 'i', aud: 'a' }, 'RS256', 'zz'),
      body: "Jwks doesn't have key to match kid or alg from Jwt",
    },
    { name: 'a changed payload', text: tampered(), body: 'Jwt verification fails' },
    {
      name: 'no signature',
      text: `${base64({ alg: 'none' })}.${base64(good)}.`,
      body: 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
    },
    {
      name: 'alg none',
      text: `${base64({ alg: 'none' })}.${base64(good)}.abcd`,
      body: 'Jwt header [alg] is not supported',
    },
    {
      name: 'bad base64',
      text: 'a*b.c.d',
      body: 'Jwt header is an invalid Base64url encoded',
    },
    { name: 'exp as text', text: token({ iss: 'i', exp: '5' }), body: 'Jwt payload [exp] field is not an integer' },
    {
      name: 'a public key as HMAC secret',
      text: hmacConfusion(),
      body: "Jwks doesn't have key to match kid or alg from Jwt",
    },
  ];
  for (const { name, text, body, status } of refused) {
    it(`refuses a token with ${name}`, () => {
      const stream = setup(simple).stream(bearer(text));
      assert.equal(stream.responseHead?.status, status ?? 401);
      assert.equal(stream.body, body);
      assert.equal(stream.details, `jwt_authn_access_denied{${body.replaceAll(' ', '_')}}`);
      assert.equal(
        stream.responseHead?.headers.get('www-authenticate'),
        'Bearer realm="http://example.com/x", error="invalid_token"',
      );
    });
  }

  it('refuses a request without a token', () => {
    const world = setup(simple);
    const stream = world.stream(requestHead('GET', '/x'));
    assert.equal(stream.body, 'Jwt is missing');
    assert.equal(stream.responseHead?.headers.get('www-authenticate'), 'Bearer realm="http://example.com/x"');
    assert.equal(world.context.stat('http.test.jwt_authn.denied'), 1);
  });

  for (const [alg, kid] of [
    ['RS256', 'r'],
    ['PS256', 'ps'],
    ['ES256', 'e'],
    ['EdDSA', 'd'],
    ['ES256', null],
  ] as const) {
    it(`accepts ${alg} with kid ${kid}, takes the token away and does no cryptography twice`, () => {
      const world = setup(simple);
      const text = token(good, alg, kid);
      const head = bearer(text);
      const stream = world.stream(head);
      assert.deepEqual([stream.result, stream.events], [0, []]);
      assert.equal(head.headers.get('authorization'), null);
      world.stream(bearer(text));
      assert.equal(world.context.stat('http.test.jwt_authn.allowed'), 2);
      assert.equal(world.context.stat('http.test.jwt_authn.jwt_cache_miss'), 1);
      assert.equal(world.context.stat('http.test.jwt_authn.jwt_cache_hit'), 1);
    });
  }

  it('accepts HMAC only with a secret of the set', () => {
    const k = secret.toString('base64url');
    const keys = JSON.stringify({ keys: [{ kty: 'oct', k, alg: 'HS256' }] });
    const world = setup({ ...simple, providers: { p: { issuer: 'i', local_jwks: { inline_string: keys } } } });
    const signed = `${base64({ alg: 'HS256' })}.${base64({ iss: 'i' })}`;
    assert.equal(world.stream(bearer(`${signed}.AAAA`)).body, 'Jwt verification fails');
  });

  it('passes claims, payload and metadata on, and drops what the client claims itself', () => {
    const world = setup({
      ...simple,
      providers: {
        p: {
          ...provider,
          forward: true,
          forward_payload_header: 'x-payload',
          payload_in_metadata: 'pl',
          normalize_payload_in_metadata: { space_delimited_claims: ['scope'] },
          header_in_metadata: 'hd',
          claim_to_headers: [
            { header_name: 'x-sub', claim_name: 'sub' },
            { header_name: 'x-deep', claim_name: 'a.b' },
            { header_name: 'x-list', claim_name: 'list' },
            { header_name: 'x-absent', claim_name: 'absent' },
          ],
        },
      },
    });
    const text = token({ ...good, a: { b: 5 }, list: ['p', 'q'], scope: 'read write' });
    const head = requestHead('GET', '/x', 'authorization', `Bearer ${text}`, 'x-absent', 'forged', 'x-sub', 'forged');
    const stream = world.stream(head);
    assert.equal(head.headers.get('authorization'), `Bearer ${text}`);
    assert.equal(head.headers.get('x-payload'), text.split('.')[1]);
    assert.deepEqual(head.headers.getAll('x-sub'), ['s']);
    assert.equal(head.headers.get('x-deep'), '5');
    assert.equal(head.headers.get('x-list'), 'WyJwIiwicSJd');
    assert.equal(head.headers.get('x-absent'), null);
    const metadata = stream.streamInfo.dynamicMetadata?.get('envoy.filters.http.jwt_authn');
    assert.deepEqual((metadata?.['pl'] as { scope: unknown } | undefined)?.scope, ['read', 'write']);
    assert.deepEqual(metadata?.['hd'], { alg: 'RS256', kid: 'r' });
    assert.equal((metadata?.['pl'] as { sub: string } | undefined)?.sub, 's');
  });

  it('finds tokens in headers with a prefix, parameters and cookies', () => {
    const world = setup({
      ...simple,
      providers: {
        p: {
          issuer: 'i',
          local_jwks: { inline_string: jwks },
          from_headers: [{ name: 'X-Jwt', value_prefix: 'JWT ' }],
          from_params: ['tok'],
          from_cookies: ['ck'],
        },
      },
    });
    const text = token(good);
    const byParam = requestHead('GET', `/x?tok=${text}&y=1`);
    assert.equal(world.stream(byParam).result, 0);
    assert.equal(byParam.path, '/x?y=1');
    assert.equal(world.stream(requestHead('GET', '/x', 'x-jwt', `JWT ${text}`)).result, 0);
    assert.equal(world.stream(requestHead('GET', '/x', 'cookie', `a=b; ck=${text}`)).result, 0);
    assert.equal(world.stream(bearer(text)).body, 'Jwt is missing');
  });

  it('judges trees of requirements', () => {
    const other = { issuer: 'o', local_jwks: { inline_string: jwks }, from_headers: [{ name: 'x-other' }] };
    const both = [{ provider_name: 'p' }, { provider_name: 'o' }];
    const world = setup({
      providers: { p: provider, o: other },
      requirement_map: { named: { provider_name: 'o' } },
      rules: [
        { match: { path: '/any' }, requires: { requires_any: { requirements: both } } },
        { match: { path: '/all' }, requires: { requires_all: { requirements: both } } },
        { match: { path: '/some' }, requires: { requires_any: { requirements: [both[0]!, { allow_missing: {} }] } } },
        { match: { path: '/missing' }, requires: { allow_missing: {} } },
        { match: { path: '/failed' }, requires: { allow_missing_or_failed: {} } },
        { match: { path: '/aud' }, requires: { provider_and_audiences: { provider_name: 'p', audiences: ['z'] } } },
        { match: { path: '/named' }, requirement_name: 'named' },
        { match: { path: '/free' } },
      ],
    });
    const ours = token(good);
    const theirs = token({ iss: 'o' });
    const bad = token({ iss: 'i', exp: 5 });
    const at = (path: string, ...headers: string[]): string => {
      const stream = world.stream(requestHead('GET', path, ...headers));
      return stream.result === 0 ? 'ok' : stream.body;
    };
    const mine = ['authorization', `Bearer ${ours}`];
    assert.equal(at('/any', ...mine), 'ok');
    assert.equal(at('/any', 'x-other', theirs), 'ok');
    assert.equal(at('/any', 'authorization', `Bearer ${bad}`), 'Jwt is expired');
    assert.equal(at('/any'), 'Jwt is missing');
    assert.equal(at('/all', ...mine), 'Jwt is missing');
    assert.equal(at('/all', ...mine, 'x-other', theirs), 'ok');
    assert.equal(at('/some'), 'ok');
    assert.equal(at('/some', 'authorization', `Bearer ${bad}`), 'Jwt is expired');
    assert.equal(at('/missing'), 'ok');
    assert.equal(at('/missing', 'authorization', `Bearer ${bad}`), 'Jwt is expired');
    assert.equal(at('/failed', 'authorization', `Bearer ${bad}`), 'ok');
    assert.equal(at('/aud', ...mine), 'Audiences in Jwt are not allowed');
    assert.equal(at('/named', ...mine), 'Jwt is missing');
    assert.equal(at('/free'), 'ok');
    assert.equal(at('/elsewhere'), 'ok');
    const wrong = world.stream(requestHead('GET', '/free'), { disabled: false, name: 'nosuch' });
    assert.equal(wrong.body, 'Failed JWT authentication: Wrong requirement_name: nosuch. It should be one of [named]');
    assert.equal(world.stream(requestHead('GET', '/any'), { disabled: true }).result, 0);
  });

  it('fetches remote keys once for all who wait, and says when it cannot', async () => {
    const calls: HttpResponseCallbacks[] = [];
    const httpClient = {
      send: (
        _cluster: string,
        _head: RequestHead,
        _body: unknown,
        _options: unknown,
        callbacks: HttpResponseCallbacks,
      ) => {
        calls.push(callbacks);
        return null;
      },
    };
    const remote = {
      http_uri: { uri: 'https://keys.example/jwks', cluster: 'keys', timeout: '1s' },
      cache_duration: '60s',
    };
    const config = { ...simple, providers: { p: { issuer: 'i', remote_jwks: remote } } };
    const world = setup(config, { httpClient } as Partial<TestServerContext>);
    const first = world.stream(bearer(token(good)));
    const second = world.stream(bearer(token(good)));
    assert.deepEqual([first.result, second.result], [1, 1]);
    await first.until(() => true);
    while (calls.length === 0) await new Promise((done) => setImmediate(done));
    calls[0]!.onSuccess(new ResponseHead(200), Buffer.from(jwks));
    assert.deepEqual([first.continued, second.continued, calls.length], [1, 1, 1]);
    assert.equal(world.stream(bearer(token(good))).result, 0);
    assert.equal(world.context.stat('http.test.jwt_authn.jwks_fetch_success'), 1);
    const lonely = setup(config, { httpClient } as Partial<TestServerContext>);
    const refusedStream = lonely.stream(bearer(token(good)));
    while (calls.length === 1) await new Promise((done) => setImmediate(done));
    calls[1]!.onFailure('no_healthy_upstream');
    assert.equal(refusedStream.body, 'Jwks remote fetch is failed');
  });
});

function tampered(): string {
  const [head, , signature] = token(good).split('.');
  return `${head}.${base64({ ...good, sub: 'root' })}.${signature}`;
}

function hmacConfusion(): string {
  return `${base64({ alg: 'HS256', kid: 'r' })}.${base64(good)}.${Buffer.from('x'.repeat(32)).toString('base64url')}`;
}
