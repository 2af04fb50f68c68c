import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { RequestRate } from '#certs/api/request-rate.ts';
import { type ApiPeer, createSigningApi } from '#certs/api/signing-api.ts';
import { type CertificateNames, noNames } from '#certs/ca/certificate-names.ts';
import { generatePrivateKey, type KeyAlgorithm } from '#certs/ca/key-algorithm.ts';
import { RevocationPublisher } from '#certs/ca/revocation-lists.ts';
import { createSigningRequest } from '#certs/ca/x509-toolkit.ts';
import { type TokenGrant, TokenStore } from '#certs/store/token-store.ts';
import { Logger } from '#gateway/base/log.ts';
import { AuthorityWorld, hour } from '../authority-world.ts';

async function open(perMinute = 1000) {
  const world = new AuthorityWorld();
  const authority = await world.create({ trustDomain: 'example.org' });
  const tokens = new TokenStore(world.directory);
  const lines: string[] = [];
  const peer: { address: string; certificate: Uint8Array | null } = { address: '192.0.2.1', certificate: null };
  let published = 0;
  const api = createSigningApi({
    authority,
    tokens,
    rate: new RequestRate(perMinute, world),
    clock: world,
    log: new Logger('certs', { write: (level, _component, message) => lines.push(`${level} ${message}`) }, 'debug'),
    onRevoked: async () => {
      published++;
      await new RevocationPublisher(authority, world).publish();
    },
    peerOf: (): ApiPeer => peer,
  });
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await api.request(path, {
      method: 'POST',
      body: text,
      headers: { 'content-type': 'application/json', ...headers },
    });
    // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
    return { status: response.status, headers: response.headers, body: (await response.json()) as any };
  };
  const mint = (change: Partial<TokenGrant> = {}): string =>
    tokens
      .mint(
        {
          template: 'server',
          names: ['DNS:a.test', 'DNS:b.test'],
          maxLifetimeMs: 24 * hour,
          expiresMs: world.now + hour,
          ...change,
        },
        world.now,
      )
      .token.reveal();
  return { world, authority, lines, peer, api, post, mint, published: () => published };
}

async function csrFor(names: Partial<CertificateNames>, key: KeyAlgorithm = 'P-256'): Promise<string> {
  return await createSigningRequest(await generatePrivateKey(key), { ...noNames, ...names });
}

test('a token buys one certificate for its names', async (t) => {
  const { world, authority, post, mint, lines } = await open();
  t.after(() => world.remove());
  const token = mint();
  const csr = await csrFor({ dns: ['a.test'] });
  const { status, body } = await post('/v1/sign', { csr, token, lifetime: '2h' });
  assert.equal(status, 201);
  assert.deepEqual(Object.keys(body), [
    ...['serial', 'template', 'names', 'not_before', 'not_after', 'renew_at', 'certificate', 'root'],
  ]);
  const leaf = new X509Certificate(body.certificate);
  assert.ok(leaf.verify(new X509Certificate(authority.issuerPem).publicKey));
  assert.equal(body.certificate.split('BEGIN CERTIFICATE').length, 3, 'leaf and intermediate');
  assert.equal(body.not_after, new Date(world.now + 2 * hour).toISOString());
  assert.deepEqual(body.names, ['DNS:a.test']);
  assert.match(authority.log.get(body.serial)!.by, /^token:[0-9a-f]{12}$/);
  const again = await post('/v1/sign', { csr, token });
  assert.equal(again.status, 401);
  assert.equal(again.body.detail, 'the token was used already');
  assert.ok(!lines.join('\n').includes(token));
});

test('each wrong request has its answer, and costs no token', async (t) => {
  const { world, post, mint, api, lines } = await open();
  t.after(() => world.remove());
  const token = mint();
  const csr = await csrFor({ dns: ['a.test'] });
  const damaged = csr.replace(/\n(.)/, (_, first: string) => `\n${first === 'M' ? 'N' : 'M'}`);
  const cases: readonly [string, unknown, number, RegExp][] = [
    ['not JSON', '{', 400, /not JSON/],
    ['a member too many', { csr, token, colour: 'red' }, 400, /colour/],
    ['no token', { csr }, 400, /token/],
    ['a token that nobody minted', { csr, token: `sct_000000000000_${'A'.repeat(43)}` }, 401, /not known/],
    ['a token with a wrong secret', { csr, token: `${token.slice(0, 17)}${'A'.repeat(43)}` }, 401, /not known/],
    ['no request', { csr: '', token }, 400, /not a PEM certificate request/],
    ['a certificate for a request', { csr: csr.replaceAll(' REQUEST', ''), token }, 400, /not a PEM/],
    ['nonsense for a request', { csr: csr.replace(/M[^-]*/, 'AAAA\n'), token }, 400, /not readable/],
    ['a damaged request', { csr: damaged, token }, 400, /csr: /],
    ['a name too many', { csr: await csrFor({ dns: ['a.test', 'c.test'] }), token }, 403, /not for DNS:c\.test/],
    ['no name', { csr: await csrFor({}), token }, 400, /no name is given/],
    ['too long a life', { csr, token, lifetime: '25h' }, 403, /more than is allowed/],
    ['too short a life', { csr, token, lifetime: '5s' }, 400, /at least a minute/],
    ['no life', { csr, token, lifetime: 'long' }, 400, /not a time/],
    ['a large request', { csr: 'x'.repeat(16 * 1024 + 1), token }, 400, /csr: /],
  ];
  for (const [title, body, status, detail] of cases) {
    const answer = await post('/v1/sign', body);
    assert.equal(answer.status, status, `${title}: ${JSON.stringify(answer.body)}`);
    assert.match(answer.body.detail, detail, title);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json', title);
    assert.equal(answer.body.status, status);
  }
  const large = await post('/v1/sign', ' '.repeat(33 * 1024));
  assert.deepEqual([large.status, large.body.code], [413, 'too_large']);
  const typed = await post('/v1/sign', { csr, token }, { 'content-type': 'text/plain' });
  assert.deepEqual([typed.status, typed.body.code], [415, 'wrong_media_type']);
  const page = await post('/v1/sign', { csr, token }, { origin: 'http://a.test' });
  assert.deepEqual([page.status, page.body.code], [403, 'forbidden']);
  assert.equal((await api.request('/v1/sign')).status, 404);
  assert.equal((await api.request('/nothing')).status, 404);
  assert.equal((await post('/v1/sign', { csr, token })).status, 201, 'the token is still good');
  assert.ok(!lines.join('\n').includes(token.slice(18)));
});

test('a request must be signed with the key that it asks for', async (t) => {
  const { world, post, mint } = await open();
  t.after(() => world.remove());
  const one = Buffer.from((await csrFor({ dns: ['a.test'] })).replace(/-----[^-]+-----/g, ''), 'base64');
  const other = Buffer.from((await csrFor({ dns: ['a.test'] })).replace(/-----[^-]+-----/g, ''), 'base64');
  // The one's signature is at the end, as long as the other's or nearly: a changed last octet is a wrong signature.
  one[one.length - 1]! ^= 1;
  assert.ok(other.length > 0);
  const csr = `-----BEGIN CERTIFICATE REQUEST-----\n${one.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  const answer = await post('/v1/sign', { csr, token: mint() });
  assert.equal(answer.status, 400);
  assert.match(answer.body.detail, /the signature of the certificate request is wrong/);
});

test('tokens run out, and a SPIFFE token is for its one identity', async (t) => {
  const { world, post, mint } = await open();
  t.after(() => world.remove());
  const uri = 'spiffe://example.org/web';
  const token = mint({ template: 'spiffe', names: [`URI:${uri}`] });
  const late = mint();
  const other = await post('/v1/sign', { csr: await csrFor({ uri: ['spiffe://example.org/db'] }), token });
  assert.equal(other.status, 403);
  const good = await post('/v1/sign', { csr: await csrFor({ uri: [uri] }, 'P-384'), token });
  assert.equal(good.status, 201, JSON.stringify(good.body));
  assert.equal(new X509Certificate(good.body.certificate).subjectAltName, `URI:${uri}`);
  world.now += hour;
  const answer = await post('/v1/sign', { csr: await csrFor({ dns: ['a.test'] }), token: late });
  assert.deepEqual([answer.status, answer.body.detail], [401, 'the token has expired']);
});

test('who holds a certificate renews it, for its own names only', async (t) => {
  const { world, authority, peer, post } = await open();
  t.after(() => world.remove());
  const held = await authority.issue(
    { name: 'web', dns: ['a.test'], ip: ['10.0.0.1'], lifetimeMs: 3 * hour, template: 'server' },
    'test',
  );
  const renew = async (names: Partial<CertificateNames>, more: object = {}) =>
    await post('/v1/renew', { csr: await csrFor(names), ...more });
  const nobody = await renew({});
  assert.deepEqual([nobody.status, nobody.body.detail], [401, 'a client certificate is needed']);
  peer.certificate = new X509Certificate(held.chainPem).raw;
  const same = await renew({});
  assert.equal(same.status, 201, JSON.stringify(same.body));
  assert.deepEqual(same.body.names, ['DNS:a.test', 'IP:10.0.0.1']);
  assert.equal(same.body.template, 'server');
  assert.equal((await renew({ dns: ['a.test'], ip: ['10.0.0.1'] }, { lifetime: '1h' })).status, 201);
  assert.equal((await renew({ dns: ['a.test'] })).status, 403);
  assert.equal((await renew({ dns: ['a.test', 'b.test'], ip: ['10.0.0.1'] })).status, 403);
  assert.equal((await renew({}, { lifetime: '4h' })).status, 403);
  world.now += 4 * hour;
  const late = await renew({});
  assert.deepEqual([late.status, late.body.detail], [401, 'the client certificate has expired']);
});

test('a certificate of another authority, a made-up one and a revoked one are nobody', async (t) => {
  const { world, authority, peer, post, api, published } = await open();
  const elsewhere = new AuthorityWorld();
  t.after(() => {
    world.remove();
    elsewhere.remove();
  });
  const request = { name: 'web', dns: ['a.test'], ip: [], lifetimeMs: 3 * hour } as const;
  const foreign = await (await elsewhere.create()).issue(request, 'test');
  const csr = await csrFor({});
  const refused = async (certificate: Uint8Array): Promise<string> => {
    peer.certificate = certificate;
    const answer = await post('/v1/renew', { csr });
    assert.equal(answer.status, 401);
    return answer.body.detail;
  };
  assert.match(await refused(new X509Certificate(foreign.chainPem).raw), /of another authority/);
  assert.match(await refused(new Uint8Array([1, 2, 3])), /not readable/);
  assert.match(await refused(new X509Certificate(authority.issuerPem).raw), /of another authority/);
  const held = await authority.issue(request, 'test');
  peer.certificate = new X509Certificate(held.chainPem).raw;
  const wrong = await post('/v1/revoke', { reason: 'bored' });
  assert.equal(wrong.status, 400);
  const revoked = await post('/v1/revoke', { reason: 'keyCompromise' });
  assert.deepEqual(revoked.body, { serial: held.serial, revoked: true });
  assert.equal(published(), 1);
  assert.match(await refused(peer.certificate), /was revoked/);
  const list = await api.request('/crl/intermediate.crl');
  assert.equal(list.headers.get('content-type'), 'application/pkix-crl');
  assert.ok(Buffer.from(await list.arrayBuffer()).includes(Buffer.from(held.serial, 'hex')));
  assert.match(
    await (await api.request('/crl/all.pem')).text(),
    /^(-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----\n){2}$/,
  );
  assert.equal(await (await api.request('/v1/roots')).text(), authority.rootPem);
  assert.equal((await api.request('/crl/other.crl')).status, 404);
});

test('one address has a budget of requests', async (t) => {
  const { world, post, peer } = await open(2);
  t.after(() => world.remove());
  assert.equal((await post('/v1/sign', {})).status, 400);
  assert.equal((await post('/v1/renew', {})).status, 400);
  const over = await post('/v1/sign', {});
  assert.deepEqual([over.status, over.headers.get('retry-after')], [429, '30']);
  peer.address = '192.0.2.2';
  assert.equal((await post('/v1/sign', {})).status, 400);
  peer.address = '192.0.2.1';
  world.now += 30_000;
  assert.equal((await post('/v1/sign', {})).status, 400);
});
