// reflect-metadata must come first: the X.509 library needs it while it loads.
import 'reflect-metadata';
import { Buffer } from 'node:buffer';
import { AuthorityKeyIdentifierExtension, X509Certificate } from '@peculiar/x509';

/** Name of a certificate for renewal information, `AKI.SERIAL` in base64url; null without a key identifier. RFC 9773 section 4.1. */
export function renewalIdentifier(certificatePem: string): string | null {
  const certificate = new X509Certificate(certificatePem);
  const keyId = certificate.getExtension(AuthorityKeyIdentifierExtension)?.keyId;
  if (keyId === undefined) return null;
  const serial = Buffer.from(certificate.serialNumber, 'hex');
  // The octets of the DER INTEGER: a leading zero where the first bit is set.
  const positive = (serial[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), serial]) : serial;
  return `${Buffer.from(keyId, 'hex').toString('base64url')}.${positive.toString('base64url')}`;
}
