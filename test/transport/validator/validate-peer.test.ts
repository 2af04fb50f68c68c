import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Certificate, parseCertificates } from '#gateway/transport/validator/certificate.ts';
import { dnsNameCovers, exactDnsMatcher } from '#gateway/transport/validator/san-matcher.ts';
import { TrustStore } from '#gateway/transport/validator/trust-store.ts';
import { type PeerRules, validatePeer } from '#gateway/transport/validator/validate-peer.ts';
import { type CertificateOptions, createCertificate, type TestCertificate } from '#test/support/certificates.ts';

const day = 86_400_000;
const now = Date.now();
const make = async (name: string, options: Partial<CertificateOptions> = {}): Promise<TestCertificate> =>
  await createCertificate({ name, ...options });

const root = await make('root', { ca: true });
const mid = await make('mid', { ca: true, issuer: root });
const low = await make('low', { ca: true, issuer: mid });
const leaf = await make('leaf', { issuer: mid, sans: ['dns:a.test', 'dns:*.b.test', 'ip:10.0.0.1', 'ip:2001:db8::1'] });
const deep = await make('deep', { issuer: low });
const expired = await make('old', { issuer: root, notBefore: new Date(now - 9 * day), notAfter: new Date(now - day) });
const future = await make('new', { issuer: root, notBefore: new Date(now + day), notAfter: new Date(now + 2 * day) });
const notCa = await make('not a ca', { issuer: root });
const forged = await make('forged', { issuer: notCa });
const short = await make('short', { ca: true, issuer: root, pathLength: 0 });
const underShort = await make('under short', { ca: true, issuer: short });
const tooDeep = await make('too deep', { issuer: underShort });
const clientOnly = await make('client only', { issuer: root, usages: ['clientAuth'] });
const impostor = await make('root', { ca: true }); // same name, other key
const byImpostor = await make('leaf', { issuer: impostor });
const selfSigned = await make('self');
const rsaLeaf = await make('rsa', { issuer: root, key: 'rsa' });

const parse = (...list: TestCertificate[]): Certificate[] => list.flatMap((c) => parseCertificates(c.certificate));

const trusting = (...list: TestCertificate[]): TrustStore => new TrustStore(parse(...list), []);

function rules(more: Partial<PeerRules> = {}): PeerRules {
  return {
    trust: trusting(root),
    sans: [],
    fingerprints: [],
    publicKeyHashes: [],
    allowExpired: false,
    acceptUntrusted: false,
    maxDepth: 100,
    peer: 'server',
    revocation: 'none',
    spiffe: null,
    ...more,
  };
}

const cases: readonly {
  name: string;
  chain: TestCertificate[];
  rules?: Partial<PeerRules>;
  failure: string;
  detail?: RegExp;
}[] = [
  { name: 'leaf under an intermediate', chain: [leaf, mid], failure: 'none' },
  { name: 'intermediates in any order, with strangers', chain: [deep, selfSigned, mid, low], failure: 'none' },
  { name: 'the root sent along', chain: [leaf, mid, root], failure: 'none' },
  { name: 'an RSA key', chain: [rsaLeaf], failure: 'none' },
  { name: 'a missing intermediate', chain: [leaf], failure: 'chain', detail: /unable to get local issuer/ },
  { name: 'an intermediate as anchor', chain: [leaf], rules: { trust: trusting(mid) }, failure: 'none' },
  { name: 'the leaf itself as anchor', chain: [selfSigned], rules: { trust: trusting(selfSigned) }, failure: 'none' },
  { name: 'self-signed', chain: [selfSigned], failure: 'chain', detail: /self signed certificate/ },
  { name: 'a root of the same name with another key', chain: [byImpostor], failure: 'chain' },
  { name: 'expired', chain: [expired], failure: 'chain', detail: /has expired/ },
  { name: 'expired, which is allowed', chain: [expired], rules: { allowExpired: true }, failure: 'none' },
  { name: 'not yet valid', chain: [future], failure: 'chain', detail: /not yet valid/ },
  { name: 'issued by what is no CA', chain: [forged, notCa], failure: 'chain', detail: /invalid CA/ },
  {
    name: 'a path longer than an issuer allows',
    chain: [tooDeep, underShort, short],
    failure: 'chain',
    detail: /path length/,
  },
  {
    name: 'more depth than allowed',
    chain: [deep, low, mid],
    rules: { maxDepth: 1 },
    failure: 'chain',
    detail: /at depth 2: unable to get local issuer/,
  },
  { name: 'a client certificate for a server', chain: [clientOnly], failure: 'chain', detail: /purpose/ },
  { name: 'a client certificate for a client', chain: [clientOnly], rules: { peer: 'client' }, failure: 'none' },
  { name: 'nothing sent', chain: [], failure: 'no_certificate' },
  { name: 'untrusted but accepted', chain: [selfSigned], rules: { acceptUntrusted: true }, failure: 'none' },
  {
    name: 'no anchors asked for',
    chain: [selfSigned],
    rules: { trust: null, fingerprints: [parse(selfSigned)[0]!.fingerprint] },
    failure: 'none',
  },
  { name: 'nobody trusted', chain: [leaf, mid], rules: { trust: trusting() }, failure: 'chain' },
  { name: 'the name', chain: [leaf, mid], rules: { sans: [exactDnsMatcher('a.test')] }, failure: 'none' },
  {
    name: 'a name under the wildcard',
    chain: [leaf, mid],
    rules: { sans: [exactDnsMatcher('x.b.test')] },
    failure: 'none',
  },
  { name: 'another name', chain: [leaf, mid], rules: { sans: [exactDnsMatcher('c.test')] }, failure: 'san' },
  { name: 'an unknown hash', chain: [leaf, mid], rules: { fingerprints: ['00'.repeat(32)] }, failure: 'hash' },
  { name: 'a known hash', chain: [leaf, mid], rules: { fingerprints: [parse(leaf)[0]!.fingerprint] }, failure: 'none' },
  {
    name: 'a known key',
    chain: [leaf, mid],
    rules: { publicKeyHashes: [parse(leaf)[0]!.publicKeyHash] },
    failure: 'none',
  },
];

describe('validatePeer', () => {
  for (const { name, chain, rules: more, failure, detail } of cases) {
    it(`${name}: ${failure}`, () => {
      const verdict = validatePeer(parse(...chain), rules(more), now, true);
      assert.equal(verdict.failure, failure, verdict.detail);
      if (detail !== undefined) assert.match(verdict.detail, detail);
    });
  }

  it('reads names and addresses', () => {
    assert.deepEqual(parse(leaf)[0]!.alternativeNames, [
      { kind: 'dns', value: 'a.test' },
      { kind: 'dns', value: '*.b.test' },
      { kind: 'ip', value: '10.0.0.1' },
      { kind: 'ip', value: '2001:db8::1' },
    ]);
    assert.equal(parse(leaf)[0]!.commonName, 'leaf');
  });

  it('a wildcard covers one label', () => {
    assert.equal(dnsNameCovers('*.b.test', 'x.b.test'), true);
    assert.equal(dnsNameCovers('*.B.test', 'X.b.TEST'), true);
    for (const host of ['b.test', 'y.x.b.test']) assert.equal(dnsNameCovers('*.b.test', host), false, host);
    assert.equal(dnsNameCovers('*.test', 'b.test'), true);
    assert.equal(dnsNameCovers('a*c.test', 'abc.test'), true);
    assert.equal(dnsNameCovers('a*c.test', 'ac.test'), true);
    assert.equal(dnsNameCovers('ab*bc.test', 'abc.test'), false);
    for (const pattern of ['a*c*.test', 'xn--*.test', 'x.*.test', '*'])
      assert.equal(dnsNameCovers(pattern, 'abc.test'), false);
  });

  it('malformed certificates are refused, never a crash or a hang', () => {
    const good = Buffer.from(parse(leaf)[0]!.der);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (changes) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          if (bytes.equals(good)) return;
          let certificate: Certificate;
          try {
            certificate = new Certificate(new Uint8Array(bytes));
          } catch {
            return;
          }
          const verdict = validatePeer([certificate, ...parse(mid)], rules(), now, true);
          assert.equal(verdict.failure, 'chain');
        },
      ),
      { numRuns: 300 },
    );
  });
});
