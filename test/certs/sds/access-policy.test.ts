import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { AccessPolicy } from '#certs/sds/access-policy.ts';
import { peerNames } from '#certs/sds/peer-names.ts';
import { createCertificate } from '#test/support/certificates.ts';

async function namesOf(...sans: string[]): Promise<string[]> {
  const { certificate } = await createCertificate({ name: 'uri:spiffe://prod/admin', sans });
  return peerNames(new X509Certificate(certificate).raw);
}

test('names are those of the certificate, each one name whatever it holds', async () => {
  assert.deepEqual(await namesOf('dns:One.Test', 'uri:spiffe://td/x', 'ip:1.2.3.4'), [
    'dns:one.test',
    'uri:spiffe://td/x',
  ]);
  assert.deepEqual(await namesOf('dns:a, URI:spiffe://prod/admin'), ['dns:a, uri:spiffe://prod/admin']);
  assert.deepEqual(await namesOf('email:e@x, URI:spiffe://prod/admin'), []);
  assert.deepEqual(await namesOf('uri:spiffe://a/"b, URI:spiffe://prod/admin'), [
    'uri:spiffe://a/"b, URI:spiffe://prod/admin',
  ]);
  assert.deepEqual(await namesOf(), []);
  assert.deepEqual(peerNames(new Uint8Array([0x30, 0x03, 1, 2, 3])), []);
});

test('a client may have what any rule that fits it grants, and nothing when none does', () => {
  const policy = new AccessPolicy([
    { identities: ['uri:spiffe://prod/web/*'], secrets: ['web-*', 'ca'] },
    { identities: ['dns:*.edge.test', 'dns:edge.test'], secrets: ['edge'] },
  ]);
  const web = policy.forClient(['uri:spiffe://prod/web/1', 'dns:a.edge.test'])!;
  assert.deepEqual(
    ['web-', 'web-1', 'ca', 'edge', 'xweb-1', 'db', 'ca2'].map((name) => web(name)),
    [true, true, true, true, false, false, false],
  );
  assert.equal(policy.forClient(['uri:spiffe://prod/webx']), null);
  assert.equal(policy.forClient(['dns:uri:spiffe://prod/web/1']), null);
  assert.equal(policy.forClient([]), null);
});

test('patterns are taken literally but for *, and cost little however many there are in one', () => {
  const dots = new AccessPolicy([{ secrets: ['a.b+(c)'] }]).forClient([])!;
  assert.deepEqual([dots('a.b+(c)'), dots('axb+(c)')], [true, false]);
  const stars = new AccessPolicy([{ secrets: [`${'*'.repeat(200)}z`] }]).forClient([])!;
  assert.equal(stars('a'.repeat(10_000)), false);
});

test('without rules everybody who can connect may have everything', () => {
  assert.equal(new AccessPolicy([]).forClient([])!('anything'), true);
});
