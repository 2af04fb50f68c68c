// reflect-metadata must come first: the X.509 library needs it while it loads. Imported with the first challenge.
import 'reflect-metadata';
import { Buffer } from 'node:buffer';
import { createHash, createPrivateKey, webcrypto } from 'node:crypto';
import { Extension, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';

/** id-pe-acmeIdentifier. RFC 8737 section 3. */
const acmeIdentifierOid = '1.3.6.1.5.5.7.1.31';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const hourMs = 3_600_000;

/**
 * The self-signed certificate that answers tls-alpn-01 for one name: the name alone, and the SHA-256 of the key authorization
 * in a critical extension. RFC 8737 section 3.
 */
export async function createChallengeCertificate(
  domain: string,
  keyAuthorization: string,
  nowMs: number,
): Promise<{ certificateChain: string; privateKey: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const digest = createHash('sha256').update(keyAuthorization).digest();
  const octetString = new Uint8Array([0x04, digest.length, ...digest]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: [{ CN: ['ACME challenge'] }],
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(nowMs - hourMs),
    notAfter: new Date(nowMs + 24 * hourMs),
    extensions: [
      new SubjectAlternativeNameExtension([{ type: 'dns', value: domain }]),
      new Extension(acmeIdentifierOid, true, octetString),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return {
    certificateChain: `${certificate.toString('pem')}\n`,
    privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
