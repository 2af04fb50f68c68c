import assert from 'node:assert/strict';
import { it } from 'node:test';
import { renewalIdentifier } from '#certs/acme/renewal-identifier.ts';
import { createCertificate } from '#test/support/certificates.ts';

// The certificate of RFC 9773, appendix A.
const example = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
`;

it('names a certificate for renewal information as RFC 9773 does in its example', () => {
  assert.equal(renewalIdentifier(example), 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE');
});

it('has no name for a certificate without an authority key identifier', async () => {
  const { certificate } = await createCertificate({ name: 'a.test' });
  assert.equal(renewalIdentifier(certificate), null);
});
