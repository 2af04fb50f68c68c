import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuthorityUpkeep } from '#certs/ca/authority-upkeep.ts';
import { readCertificateExtensions } from '#certs/ca/certificate-extensions.ts';
import { certifyIntermediate } from '#certs/ca/create-authority.ts';
import { describeKey, generatePrivateKey, keyAlgorithms, keyProblem } from '#certs/ca/key-algorithm.ts';
import { constraintsOf } from '#certs/ca/read-name-constraints.ts';
import { jitteredFraction } from '#certs/ca/renewal-time.ts';
import { RevocationPublisher, revocationBundle } from '#certs/ca/revocation-lists.ts';
import { pathLengthOf } from '#certs/ca/x509-toolkit.ts';
import { Logger } from '#gateway/base/log.ts';
import { createSeededRandom } from '#gateway/runtime/random.ts';
import { TimerWheel } from '#gateway/runtime/timers.ts';
import { peerTest } from '#test/support/peers.ts';
import { until } from '#test/support/until.ts';
import { AuthorityWorld, hour } from '../authority-world.ts';

const request = { name: 'edge', dns: ['edge.a.test'], ip: [], lifetimeMs: 3 * hour, template: 'server' } as const;

for (const key of ['P-256', 'P-384', 'RSA-2048', 'RSA-3072'] as const) {
  test(`an authority with keys of the kind ${key} issues and revokes`, async (t) => {
    const world = new AuthorityWorld();
    t.after(() => world.remove());
    const authority = await world.create({ key });
    assert.equal(pathLengthOf(authority.rootPem), 1);
    assert.equal(pathLengthOf(authority.issuerPem), 0);
    const leaf = new X509Certificate((await authority.issue({ ...request, key }, 'test')).chainPem);
    assert.equal(describeKey(leaf.publicKey), key);
    assert.ok(leaf.verify(new X509Certificate(authority.issuerPem).publicKey));
    assert.ok(new X509Certificate(authority.issuerPem).verify(new X509Certificate(authority.rootPem).publicKey));
    const publisher = new RevocationPublisher(authority, world);
    assert.equal((await publisher.publish()).entries, 0);
    authority.revoke(leaf.serialNumber, 'unspecified', 'test');
    assert.equal(await publisher.dueInMs(), 0, 'what is published is no longer true');
    const { number } = await publisher.publish();
    const current = await publisher.current();
    assert.deepEqual([current?.serials, current?.number], [[leaf.serialNumber], number]);
    assert.equal(await publisher.dueInMs(), 3.5 * 24 * hour - 30_000, 'half of its life, which began a minute ago');
  });
}

test('what each template puts into a certificate', async (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  const authority = await world.create({ crlUrl: 'http://crl.test/i.crl' });
  const facts = async (change: object) =>
    readCertificateExtensions(
      new X509Certificate((await authority.issue({ ...request, ...change }, 'test')).chainPem).raw,
    );
  const server = await facts({ ip: ['10.0.0.1', '2001:db8::1'] });
  assert.deepEqual(server, {
    names: { dns: ['edge.a.test'], ip: ['10.0.0.1', '2001:db8::1'], uri: [], email: [] },
    authority: false,
    pathLength: null,
    usages: ['serverAuth'],
    crlUrls: ['http://crl.test/i.crl'],
  });
  const client = await facts({ template: 'client', email: ['me@a.test'], uri: ['urn:x:y'] });
  assert.deepEqual([client.usages, client.names.email, client.names.uri], [['clientAuth'], ['me@a.test'], ['urn:x:y']]);
  assert.deepEqual((await facts({ template: 'peer' })).usages, ['serverAuth', 'clientAuth']);
  const svid = await facts({ template: 'spiffe', dns: [], uri: ['spiffe://a.test/x'], lifetimeMs: hour });
  assert.deepEqual([svid.usages, svid.names.uri], [['serverAuth', 'clientAuth'], ['spiffe://a.test/x']]);
});

test('serial numbers are random and of 128 bits; a name too long for a common name is not cut', async (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  const authority = await world.create();
  const serials = new Set<string>();
  for (let i = 0; i < 20; i++) serials.add((await authority.issue(request, 'test')).serial);
  assert.equal(serials.size, 20);
  for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/);
  const long = `${'a'.repeat(60)}.a.test`;
  const leaf = new X509Certificate((await authority.issue({ ...request, dns: [long] }, 'test')).chainPem);
  assert.equal(leaf.subject ?? '', '');
  assert.match(leaf.subjectAltName ?? '', new RegExp(long));
});

test('name constraints are in the certificates and hold before anything is signed', async (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  const constraints = { dns: ['a.test'], ip: ['10.0.0.0/8', '2001:db8::/32'], uri: ['a.test'] };
  const authority = await world.create({ constraints });
  for (const pem of [authority.rootPem, authority.issuerPem]) assert.deepEqual(constraintsOf(pem), constraints);
  const problems = (change: object): string => authority.check({ ...request, ...change }).join('; ');
  assert.equal(problems({ dns: ['A.test', '*.b.a.test'], ip: ['10.255.0.1', '2001:db8:1::1'] }), '');
  assert.match(problems({ dns: ['aa.test'] }), /aa\.test is outside/);
  assert.match(problems({ dns: ['test'] }), /outside/);
  assert.match(problems({ ip: ['11.0.0.1'] }), /11\.0\.0\.1 is outside/);
  assert.match(problems({ ip: ['2001:db9::1'] }), /outside/);
  const svid = { template: 'spiffe', dns: [], lifetimeMs: hour };
  assert.equal(problems({ ...svid, uri: ['spiffe://a.test/x'] }), '');
  assert.match(problems({ ...svid, uri: ['spiffe://b.test/x'] }), /outside/);
  await assert.rejects(authority.issue({ ...request, dns: ['b.test'] }, 'test'), /outside/);
});

test('keys that are too weak, too large or of another kind are refused', async (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  const authority = await world.create();
  for (const algorithm of keyAlgorithms) {
    assert.equal(keyProblem(createPublicKey((await generatePrivateKey(algorithm)).reveal())), null);
  }
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  assert.match(keyProblem(weak)!, /1024 bits is too short/);
  assert.match(keyProblem(generateKeyPairSync('ed25519').publicKey)!, /Ed25519 are not accepted/);
  await assert.rejects(authority.sign(request, weak, 'test'), /too short/);
});

test('the list is published in time, for other processes too, and the intermediate is renewed with its key', async (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  const authority = await world.create({ rootLifetimeMs: 1000 * hour, intermediateLifetimeMs: 300 * hour });
  const lines: string[] = [];
  const wheel = new TimerWheel(world, { at: () => {}, cancel: () => {} });
  const log = new Logger('certs', { write: (level, _component, message) => lines.push(`${level} ${message}`) }, 'info');
  let told = 0;
  const upkeep = new AuthorityUpkeep(
    authority,
    { clock: world, timers: wheel, log },
    { onAuthorityChanged: () => told++ },
  );
  t.after(() => upkeep.close());
  await upkeep.start();
  assert.equal(told, 1);
  const tick = async (ms: number): Promise<void> => {
    const before = told;
    world.now += ms;
    wheel.run();
    await until(() => told > before);
  };
  const leaf = await authority.issue(request, 'test');
  // Another process, as the command line is one.
  const other = world.open();
  assert.equal(other.revoke(leaf.serial, 'superseded', 'cli'), true);
  await tick(2100);
  const published = await new RevocationPublisher(authority, world).current();
  assert.deepEqual(published?.serials, [leaf.serial]);
  const publications = (): number => lines.filter((line) => line.includes('published')).length;
  assert.equal(publications(), 2);
  for (let i = 0; i < 16; i++) await tick(6 * hour);
  assert.equal(publications(), 3, 'half of its life later');
  const later = await new RevocationPublisher(authority, world).current();
  assert.deepEqual(later?.serials, [], 'what has expired leaves the list');
  assert.ok(later!.number > published!.number);
  const before = authority.issuerPem;
  const root = world.open().store.load('ca')!;
  const plan = { name: 'Test CA', key: 'P-256', lifetimeMs: 300 * hour } as const;
  const byHand = await certifyIntermediate(world.open().store, root, plan, null, world.now);
  await tick(2100);
  assert.equal(authority.issuer.serial, byHand.serial, 'what another process renewed is taken');
  for (let i = 0; i < 40; i++) await tick(6 * hour);
  assert.ok(
    lines.some((line) => line.startsWith('info renewed')),
    lines.join('\n'),
  );
  assert.notEqual(authority.issuerPem, before);
  assert.ok(new X509Certificate(leaf.chainPem).verify(new X509Certificate(authority.issuerPem).publicKey));
});

test('an intermediate whose root is elsewhere is spoken of before it expires', async (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  const authority = await world.create({ intermediateLifetimeMs: 100 * hour });
  writeFileSync(join(world.directory, 'ca.key'), 'elsewhere', { mode: 0o600 });
  const lines: string[] = [];
  const wheel = new TimerWheel(world, { at: () => {}, cancel: () => {} });
  const log = new Logger('certs', { write: (level, _component, message) => lines.push(`${level} ${message}`) }, 'info');
  const upkeep = new AuthorityUpkeep(authority, { clock: world, timers: wheel, log }, { onAuthorityChanged: () => {} });
  world.now += 85 * hour;
  await upkeep.check();
  await upkeep.check();
  const warnings = lines.filter((line) => line.startsWith('warning'));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /the intermediate authority expires at .* the key of the root is not at hand/);
  world.now += 16 * hour;
  await assert.rejects(authority.issue(request, 'test'), /the certificate of the authority has expired/);
});

test('the settings change limits, and wrong ones are refused by name', async (t) => {
  const world = new AuthorityWorld();
  t.after(() => world.remove());
  await world.create();
  const path = join(world.directory, 'authority.json');
  const settings = (text: string): void => writeFileSync(path, text, { mode: 0o600 });
  settings('{ "templates": { "server": { "max_lifetime": "2h" } }, "crl_lifetime": "1d" }');
  const authority = world.open();
  assert.match(authority.check(request).join(), /the template 'server' allows 2h/);
  assert.equal(authority.settings.templates.server.limits.defaultLifetimeMs, 2 * hour);
  const cases: readonly [string, RegExp][] = [
    ['{', /authority\.json is not JSON/],
    ['{ "colour": 1 }', /colour/],
    ['{ "crl_url": "ftp://a" }', /crl_url/],
    ['{ "trust_domain": "A B" }', /trust_domain/],
    ['{ "crl_lifetime": "soon" }', /crl_lifetime: 'soon' is not a time/],
    ['{ "templates": { "sever": {} } }', /templates/],
    ['{ "templates": { "server": { "default_lifetime": "2h", "max_lifetime": "1h" } } }', /longer than max_lifetime/],
  ];
  for (const [text, message] of cases) {
    settings(text);
    assert.throws(() => world.open(), message);
  }
});

test('renewals are spread over a twentieth of the life', () => {
  const random = createSeededRandom(7);
  const fractions = Array.from({ length: 200 }, () => jitteredFraction(2 / 3, random));
  assert.ok(Math.max(...fractions) <= 2 / 3 && Math.min(...fractions) >= 2 / 3 - 0.05);
  assert.ok(Math.max(...fractions) - Math.min(...fractions) > 0.04);
});

peerTest(
  'openssl',
  'OpenSSL accepts the chain and the lists strictly, and refuses what is revoked',
  async (openssl) => {
    const world = new AuthorityWorld(Date.now());
    try {
      for (const key of ['P-256', 'P-384', 'RSA-2048'] as const) {
        world.remove();
        const authority = await world.create({ key, constraints: { dns: ['a.test'], ip: [], uri: [] } });
        const path = (name: string, text: string): string => {
          writeFileSync(join(world.directory, name), text);
          return join(world.directory, name);
        };
        const good = path('good.pem', (await authority.issue(request, 'test')).chainPem);
        const bad = await authority.issue(request, 'test');
        authority.revoke(bad.serial, 'keyCompromise', 'test');
        await new RevocationPublisher(authority, world).publish();
        const lists = path('lists.pem', revocationBundle(world.directory)!);
        const root = join(world.directory, 'ca.crt');
        const verify = (file: string): string => {
          const strict = ['-x509_strict', '-crl_check_all', '-purpose', 'sslserver'];
          const chain = ['-CAfile', root, '-untrusted', join(world.directory, 'intermediate.crt'), '-CRLfile', lists];
          try {
            return execFileSync(openssl, ['verify', ...strict, ...chain, file], { encoding: 'utf8', stdio: 'pipe' });
          } catch (error) {
            return String((error as { stderr: string }).stderr);
          }
        };
        assert.match(verify(good), /OK/, key);
        assert.match(verify(path('bad.pem', bad.chainPem)), /certificate revoked/, key);
      }
      const before = readFileSync(join(world.directory, 'intermediate.crt'), 'utf8');
      const { store } = world.open();
      const plan = { name: 'Test CA', key: 'RSA-2048', lifetimeMs: hour } as const;
      await certifyIntermediate(store, store.load('ca')!, plan, null, world.now);
      assert.notEqual(readFileSync(join(world.directory, 'intermediate.crt'), 'utf8'), before);
    } finally {
      world.remove();
    }
  },
);
