import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { CertificateRequest } from '#certs/ca/certificate-request.ts';
import { CertificateError, readIssuedCertificate } from '#certs/ca/issued-certificate.ts';
import { renewalDelayMs } from '#certs/ca/renewal-time.ts';
import { createAuthority, issueLeaf } from '#certs/ca/x509-toolkit.ts';

const now = Date.UTC(2030, 0, 1);
const hour = 3_600_000;
const request: CertificateRequest = {
  name: 'edge',
  dns: ['localhost', '*.example.test'],
  ip: ['127.0.0.1', '::1'],
  lifetimeMs: 24 * hour,
};

test('a leaf is signed by the authority and names what was asked for', async () => {
  const authority = await createAuthority('test authority', 1000 * hour, now);
  const leaf = await issueLeaf(authority, request, now);
  const ca = new X509Certificate(authority.chainPem);
  const certificate = new X509Certificate(leaf.chainPem);
  assert.equal(ca.ca, true);
  assert.equal(certificate.ca, false);
  assert.ok(certificate.verify(ca.publicKey));
  assert.equal(certificate.checkHost('localhost') !== undefined, true);
  assert.equal(certificate.checkHost('example.org'), undefined);
  assert.equal(leaf.notAfterMs, now + 24 * hour);
  assert.ok(leaf.issuedBy(authority));
  assert.ok(leaf.covers(request.dns, request.ip));
  assert.equal(leaf.covers(['localhost'], []), false);
});

test('a leaf does not outlive its authority', async () => {
  const authority = await createAuthority('short', hour, now);
  const leaf = await issueLeaf(authority, request, now);
  assert.equal(leaf.notAfterMs, authority.notAfterMs);
});

test('a key of another certificate is refused', async () => {
  const one = await createAuthority('one', hour, now);
  const two = await createAuthority('two', hour, now);
  assert.throws(() => readIssuedCertificate(one.chainPem, two.privateKey.reveal()), CertificateError);
  assert.throws(() => readIssuedCertificate('nonsense', two.privateKey.reveal()), /not readable PEM/);
  assert.throws(() => readIssuedCertificate(one.chainPem, 'nonsense'), /not readable PEM/);
});

test('a private key is not shown by accident', async () => {
  const authority = await createAuthority('quiet', hour, now);
  const shown = [String(authority.privateKey), JSON.stringify(authority), inspect(authority, { depth: 9 })].join('\n');
  assert.ok(!shown.includes('PRIVATE KEY'), shown);
});

test('renewal comes after the fraction of the life', () => {
  const cases: readonly [string, number, number][] = [
    ['just issued', now, 66],
    ['half way', now + 50, 16],
    ['due', now + 66, 0],
    ['expired', now + 200, 0],
    ['the clock was set back', now - 10_000, 100],
  ];
  for (const [name, at, delay] of cases) assert.equal(renewalDelayMs(now, now + 100, 0.66, at), delay, name);
});
