import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, it } from 'node:test';
import { rehearseAuthorities } from '#gateway/transport/rehearsal/rehearse-authorities.ts';
import { rehearseCertificate } from '#gateway/transport/rehearsal/rehearse-certificate.ts';
import { refusalOf } from '#gateway/transport/rehearsal/rules.ts';
import { noUses, type SecretUses } from '#gateway/transport/rehearsal/secret-uses.ts';
import { createCertificate, mustStapleExtension, type TestCertificate } from '#test/support/certificates.ts';

const dayMs = 86_400_000;
const nowMs = Date.now();
const at = (days: number): Date => new Date(nowMs + days * dayMs);
const ca = await createCertificate({ name: 'ca', ca: true });
const mid = await createCertificate({ name: 'mid', ca: true, issuer: ca });
const impostor = await createCertificate({ name: 'mid', ca: true, issuer: ca });
const deadMid = await createCertificate({ name: 'dead', ca: true, issuer: ca, notBefore: at(-9), notAfter: at(-1) });
const notCa = await createCertificate({ name: 'not a ca', issuer: ca });
const make = async (options: Partial<Parameters<typeof createCertificate>[0]> = {}): Promise<TestCertificate> =>
  await createCertificate({ name: 'leaf', sans: ['dns:a.test'], issuer: mid, ...options });
const good = await make();
const other = await make();
const expired = await make({ notBefore: at(-9), notAfter: at(-1) });
const future = await make({ notBefore: at(1), notAfter: at(9) });
const short = await make({ notAfter: at(1) });
const belowDead = await make({ issuer: deadMid });
const belowNotCa = await make({ issuer: notCa });
const elsewhere = await make({ sans: ['dns:b.test'] });
const wild = await make({ sans: ['dns:*.a.test', 'dns:a.test'] });
const unnamed = await make({ sans: [] });
const clientOnly = await make({ usages: ['clientAuth'] });
const serverOnly = await make({ usages: ['serverAuth'] });

interface Pair {
  readonly certificateChain: string;
  readonly privateKey: string;
}

function pem(leaf: TestCertificate, ...rest: TestCertificate[]): Pair {
  const certificateChain = [leaf, ...rest].map(({ certificate }) => certificate).join('');
  return { certificateChain, privateKey: leaf.privateKey };
}

const inForce = pem(good, mid);
const listener: SecretUses = { server: true, client: false, serverNames: ['a.test'], otherNames: [] };
const cluster: SecretUses = { ...noUses, client: true };

function codes(secret: Pair, replaced: Pair | null, uses: SecretUses = noUses): string[] {
  return rehearseCertificate(secret, replaced, { nowMs, uses }).map(({ code, severity }) => `${severity} ${code}`);
}

interface Case {
  readonly title: string;
  readonly secret: Pair;
  readonly uses?: SecretUses;
  readonly first: readonly string[];
  readonly rotation: readonly string[];
}

const cut = (text: string, keep: number): string => text.slice(0, keep);
const cases: readonly Case[] = [
  { title: 'a good one', secret: pem(other, mid), uses: listener, first: [], rotation: [] },
  { title: 'a good one with its root', secret: pem(other, mid, ca), first: [], rotation: [] },
  ...(
    [
      ['an empty file', '', 'pem-empty'],
      ['a text', 'certificate', 'pem-empty'],
      ['a key for a chain', good.privateKey, 'pem-empty'],
      ['half a certificate', cut(inForce.certificateChain, 300), 'pem-truncated'],
      [
        'half a second certificate',
        cut(inForce.certificateChain, inForce.certificateChain.length - 100),
        'pem-truncated',
      ],
      ['a line of dashes at the end', `${inForce.certificateChain}-----BEGIN CERTI`, 'pem-truncated'],
      ['DER', Buffer.from(good.x509.rawData).toString('latin1'), 'pem-der'],
      ['a huge file', inForce.certificateChain + ' '.repeat(2_000_000), 'pem-large'],
      ['nonsense in PEM', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'certificate-malformed'],
    ] as const
  ).map(([title, certificateChain, code]) => ({
    title,
    secret: { certificateChain, privateKey: good.privateKey },
    first: [`refuse ${code}`],
    rotation: [`refuse ${code}`],
  })),
  ...(
    [
      ['an empty key', '', 'key-malformed'],
      ['half a key', cut(good.privateKey, 100), 'key-malformed'],
      ['the key of another', other.privateKey, 'key-mismatch'],
      ['the key of the intermediate', mid.privateKey, 'key-mismatch'],
    ] as const
  ).map(([title, privateKey, code]) => ({
    title,
    secret: { ...inForce, privateKey },
    first: [`refuse ${code}`],
    rotation: [`refuse ${code}`],
  })),
  { title: 'expired', secret: pem(expired, mid), first: ['warn expired'], rotation: ['refuse expired'] },
  {
    title: 'not yet valid',
    secret: pem(future, mid),
    first: ['warn not-yet-valid'],
    rotation: ['refuse not-yet-valid'],
  },
  { title: 'a shorter life', secret: pem(short, mid), first: [], rotation: ['warn ends-sooner'] },
  { title: 'without its intermediate', secret: pem(other), first: [], rotation: ['refuse chain-shorter'] },
  {
    title: 'an intermediate of the same name',
    secret: pem(other, impostor),
    first: ['warn chain-signature', 'warn chain-order'],
    rotation: ['refuse chain-signature', 'warn chain-order', 'refuse chain-shorter'],
  },
  { title: 'out of order', secret: pem(other, ca, mid), first: ['warn chain-order'], rotation: ['warn chain-order'] },
  {
    title: 'a stranger behind',
    secret: pem(other, mid, notCa),
    first: ['warn chain-order'],
    rotation: ['warn chain-order'],
  },
  {
    title: 'an expired intermediate',
    secret: pem(belowDead, deadMid),
    first: ['warn chain-expired'],
    rotation: ['refuse chain-expired'],
  },
  {
    title: 'an intermediate that is no authority',
    secret: pem(belowNotCa, notCa),
    first: ['warn chain-not-ca'],
    rotation: ['refuse chain-not-ca'],
  },
  {
    title: 'an authority',
    secret: pem(mid, ca),
    first: ['warn leaf-is-ca', 'warn names-none'],
    rotation: ['warn leaf-is-ca', 'warn names-none', 'warn names-lost'],
  },
  {
    title: 'no names',
    secret: pem(unnamed, mid),
    first: ['warn names-none'],
    rotation: ['warn names-none', 'warn names-lost'],
  },
  { title: 'other names', secret: pem(elsewhere, mid), first: [], rotation: ['warn names-lost'] },
  {
    title: 'other names, where one is a server name of a filter chain',
    secret: pem(elsewhere, mid),
    uses: listener,
    first: ['warn sni-lost'],
    rotation: ['warn names-lost', 'refuse sni-lost'],
  },
  {
    title: 'other names, where another certificate has them',
    secret: pem(elsewhere, mid),
    uses: { ...listener, otherNames: ['*.test', 'a.test'] },
    first: [],
    rotation: ['warn names-lost'],
  },
  {
    title: 'a server name that it never covered',
    secret: pem(other, mid),
    uses: { ...listener, serverNames: ['c.test'] },
    first: ['warn sni-lost'],
    rotation: [],
  },
  {
    title: 'a wildcard more',
    secret: pem(wild, mid),
    uses: { ...listener, serverNames: ['x.a.test'] },
    first: [],
    rotation: [],
  },
  {
    title: 'for clients only',
    secret: pem(clientOnly, mid),
    uses: listener,
    first: ['warn usage-server'],
    rotation: ['refuse usage-server'],
  },
  {
    title: 'for servers only',
    secret: pem(serverOnly, mid),
    uses: cluster,
    first: ['warn usage-client'],
    rotation: ['refuse usage-client'],
  },
  { title: 'for servers only, at a listener', secret: pem(serverOnly, mid), uses: listener, first: [], rotation: [] },
];

describe('rehearsal of a certificate', () => {
  for (const { title, secret, uses = noUses, first, rotation } of cases) {
    it(title, () => {
      assert.deepEqual(codes(secret, null, uses), first);
      assert.deepEqual(codes(secret, inForce, uses), rotation);
    });
  }

  it('what is in force with the same fault is no reason to stay with it', () => {
    const refusal = (secret: Pair, replaced: Pair, uses = noUses): string =>
      refusalOf(rehearseCertificate(secret, replaced, { nowMs, uses }));
    assert.equal(refusal(pem(expired, mid), pem(expired, mid)), '');
    assert.equal(refusal(pem(belowDead, deadMid), pem(belowDead, deadMid)), '');
    assert.equal(refusal(pem(clientOnly, mid), pem(clientOnly, mid), listener), '');
  });

  it('never shows the key', () => {
    const findings = rehearseCertificate({ ...inForce, privateKey: other.privateKey }, null, { nowMs, uses: noUses });
    assert.ok(!JSON.stringify(findings).includes(other.privateKey.slice(40, 80)));
  });
});

/** An RSA key of 1024 bits, certified by itself until 2126: nothing here makes such keys. */
const weakPem = `-----BEGIN CERTIFICATE-----
MIICCTCCAXKgAwIBAgIUN6kNYVZO6vdPwtfBW8FSaan7Ed8wDQYJKoZIhvcNAQEL
BQAwDzENMAsGA1UEAwwEd2VhazAgFw0yNjExMjIwMjQyMzdaGA8yMTI2MTAyOTAy
NDIzN1owDzENMAsGA1UEAwwEd2VhazCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC
gYEA1ND/WIt9S6VB4VbA6mSU3mKSTub9IdzQQ6qSSDwkwwhb3Xloj3ijg3OwPBc1
0NT0Ko5CAHGxtzbQnNRQvgru43lJOOvkWyjZ4A9Kanro9drzhAbebYvhtqz9uE1r
fGPei0JWuKbxAzsz45P2X7pI0211Jm/UpIPzPn9AoTU4aacCAwEAAaNgMF4wHQYD
VR0OBBYEFLw6rsmWb8LYytmsX0h7KPWJ55iFMB8GA1UdIwQYMBaAFLw6rsmWb8LY
ytmsX0h7KPWJ55iFMAkGA1UdEwQCMAAwEQYDVR0RBAowCIIGYS50ZXN0MA0GCSqG
SIb3DQEBCwUAA4GBADZSw4iPuAT+oUmwiZZgfqjyGNDPjRv5OSOsUNvRQtVbKSCO
5pbGHJA4Et/Wg/ZAYkxMmcaPaqHphZJ3h36//pl0+DFQRYfm8Lj2xdHlpoUUIbiE
Ff/tfgsua9ZzqighhIp5aNFz9zDchcyAdpM0aFoXbow/M/3YruR86zB+7wLE
-----END CERTIFICATE-----
`;
const weakPrivateKey = `-----BEGIN PRIVATE KEY-----
MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBANTQ/1iLfUulQeFW
wOpklN5ikk7m/SHc0EOqkkg8JMMIW915aI94o4NzsDwXNdDU9CqOQgBxsbc20JzU
UL4K7uN5STjr5Fso2eAPSmp66PXa84QG3m2L4bas/bhNa3xj3otCVrim8QM7M+OT
9l+6SNNtdSZv1KSD8z5/QKE1OGmnAgMBAAECgYEA082hpLVHISc69xMJcv5hrya5
aG+6FJ6YZA/6AIxjJfxGuZigeNHfIu/bwSJ0e//FdikZBSoibi7O1pb0OP/WmZu7
LvPvT9Zt1myoIb/hOJl0w1lXCAO0+CY6rFRk9Saa43wrC0pWkpa6jdn9fEDjox6q
KcyP7jqrlTT9uilxFUECQQDqDD+SODMfIEUD/KfH4dkb4HCSwNcbCsKi7uM9voGU
WqP/C0zvxJXFO7lmop7D9oilC0cOLBICBEX6GPCT3DnhAkEA6Mb1S6DUgYFx9udr
96aB6ErJU/YlK366AFo4FehDSP9yQhhvUSqkXV4ieWzdOUe+9kBGYhBVxYxMxe90
KLpkhwJAaMBao4Lrvn6e5Q3ruhZnKYbmW4hbvgqu2mW45yWgsVlwFPJl2NpPfhsg
+8LE9EgfGF9XygwHc0eeWjVXV5Y1gQJAG1TZEmM08GvRhMsRa0easzqsvvYE0UGU
91uggDoARH7x3H7f+yjFmczmwVkd9I7PBjzvxq3iVEqv7QG7otiX2wJBALiZUU7I
sKCeTO0OPfWwkrdLvLUXez1eLhakwrUkkl0p18Ix0VciusnSsJHPlRDgJvu53nh6
8nY8w4jq2wPQ0DI=
-----END PRIVATE KEY-----
`;

it('an RSA key of 1024 bits is refused, as by Envoy', () => {
  assert.deepEqual(codes({ certificateChain: weakPem, privateKey: weakPrivateKey }, null), ['refuse key-weak']);
});

it('a certificate at a listener that asks for a staple and has none is refused', async () => {
  const demanding = pem(await make({ extensions: [mustStapleExtension] }), mid);
  const refusal = (ocspStaple: Uint8Array | null, uses: SecretUses, replaced: Pair | null): string =>
    refusalOf(rehearseCertificate({ ...demanding, ocspStaple }, replaced, { nowMs, uses }));
  const why = "the certificate 'leaf' has no staple: OCSP response is required for must-staple certificate";
  assert.equal(refusal(null, listener, inForce), why);
  assert.equal(refusal(null, listener, null), why);
  assert.equal(refusal(null, cluster, inForce), '');
  assert.equal(refusal(new Uint8Array(1), listener, inForce), '');
  assert.deepEqual(codes(demanding, inForce, listener), []);
});

describe('rehearsal of authorities', () => {
  const bundle = (...all: TestCertificate[]): { trustedCa: string } => ({
    trustedCa: all.map(({ certificate }) => certificate).join(''),
  });
  const check = (now: { trustedCa: string }, before: { trustedCa: string } | null): string[] =>
    rehearseAuthorities(now, before, nowMs).map(({ code, severity }) => `${severity} ${code}`);

  it('finds what is wrong', () => {
    assert.deepEqual(check(bundle(ca), null), []);
    assert.deepEqual(check(bundle(ca, mid), bundle(ca)), []);
    assert.deepEqual(check({ trustedCa: '' }, bundle(ca)), []);
    assert.deepEqual(check({ trustedCa: 'x' }, bundle(ca)), ['refuse pem-empty']);
    assert.deepEqual(check(bundle(deadMid), null), ['warn ca-expired']);
    assert.deepEqual(check(bundle(deadMid), bundle(ca)), ['refuse ca-expired', 'warn ca-lost']);
    assert.deepEqual(check(bundle(deadMid), bundle(deadMid)), ['warn ca-expired']);
    assert.deepEqual(check(bundle(ca, deadMid), bundle(ca)), ['warn ca-some-expired']);
    assert.deepEqual(check(bundle(ca, good), bundle(ca)), ['warn ca-not-ca']);
    assert.deepEqual(check(bundle(mid), bundle(ca)), ['warn ca-lost']);
  });
});
