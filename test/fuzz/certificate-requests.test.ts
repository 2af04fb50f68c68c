import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCertificates } from '#certs/ca/certificate-facts.ts';
import { noNames } from '#certs/ca/certificate-names.ts';
import { readDer } from '#certs/ca/der.ts';
import { decryptPrivateKey, encryptPrivateKey, StoreSecret } from '#certs/ca/encrypted-private-key.ts';
import { CertificateError } from '#certs/ca/issued-certificate.ts';
import { generatePrivateKey } from '#certs/ca/key-algorithm.ts';
import { createSigningRequest, readSigningRequest } from '#certs/ca/x509-toolkit.ts';
import { parseLogLine } from '#certs/store/log-line.ts';

const settings = { numRuns: 300, seed: 20_300_101 } as const;
const damage = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 4 });

function damaged(octets: Buffer, changes: readonly (readonly [number, number])[], cut: number): Buffer {
  const copy = Buffer.from(octets);
  for (const [at, octet] of changes) copy[at % copy.length] = octet;
  return copy.subarray(0, Math.max(1, copy.length - cut));
}

function wrap(label: string, octets: Buffer): string {
  return `-----BEGIN ${label}-----\n${octets.toString('base64')}\n-----END ${label}-----\n`;
}

function unwrap(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
}

test('a damaged certificate request is refused, never more and never less', async () => {
  const pem = await createSigningRequest(await generatePrivateKey('P-256'), { ...noNames, dns: ['a.test'] });
  const octets = unwrap(pem);
  await fc.assert(
    fc.asyncProperty(damage, fc.nat(3), async (changes, cut) => {
      const copy = damaged(octets, changes, cut);
      if (copy.equals(octets)) return;
      await assert.rejects(readSigningRequest(wrap('CERTIFICATE REQUEST', copy)), CertificateError);
    }),
    settings,
  );
});

test('damaged encrypted keys, certificates, DER and log lines have their errors and no others', async () => {
  const secret = new StoreSecret(Buffer.from('correct horse'));
  const octets = unwrap(encryptPrivateKey(await generatePrivateKey('P-256'), secret));
  const scheme = 130; // where the parameters are; rounds beyond a million take too long to try
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: scheme, max: 2000 }), fc.nat(255))), (changes) => {
      const copy = damaged(octets, changes, 1);
      assert.throws(() => decryptPrivateKey(wrap('ENCRYPTED PRIVATE KEY', copy), secret), CertificateError);
    }),
    { ...settings, numRuns: 50 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      try {
        readDer(Buffer.from(noise));
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
      try {
        readCertificates(Buffer.from(noise));
      } catch (error) {
        assert.ok(error instanceof CertificateError, String(error));
      }
      assert.equal(typeof parseLogLine(Buffer.from(noise).toString('latin1')), 'string');
    }),
    settings,
  );
});
